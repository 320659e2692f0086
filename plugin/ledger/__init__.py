"""The log: an append-only ledger of records under a Merkle tree, whose head is signed at every commit.

Knows no FHIR, no Flask and no rule, and imports nothing of the project outside itself. What the records mean is left
to `plugin.audit`, what they say to `plugin.event`, when they are written to `plugin.attempt`.
"""
