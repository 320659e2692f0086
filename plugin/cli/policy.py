"""`vitrine policy`: the rules, and who is stopped whatever they say. Its commands stand in files of their own."""

import click


@click.group()
def policy() -> None:
    """Who may look at what, and who is stopped at once."""
