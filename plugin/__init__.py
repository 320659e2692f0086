"""Vitrine, the gateway: clinicians look at outside results, nothing is imported, every look leaves a record."""

__version__ = "0.1.0"
