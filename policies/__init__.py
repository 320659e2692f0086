"""The rules: pure functions and tables that say who may see what. No feed, no Flask, no ledger, no clock."""
