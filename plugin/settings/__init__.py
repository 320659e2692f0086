"""The configuration file `vitrine.toml`: every key, its default, and what follows from it. One module a table.

What the parts add up to is built in `plugin.assembly`.
"""
