"""`python -m plugin.cli` is `vitrine`."""

from plugin.cli import main

main(prog_name="vitrine")
