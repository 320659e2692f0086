"""`python -m plugin.cli` is `vitrine`."""

from plugin.cli import main

if __name__ == "__main__":  # a worker process loads this module anew, under another name
    main(prog_name="vitrine")
