"""Rewrites the sample FHIR data: `python sample_fhir/generate.py [DIRECTORY]`, by default beside this file.

The same JSON comes out each time; a test compares it with what is committed. Standard library only.
"""

import sys
from pathlib import Path

from making import city_lab, ehr, imaging, insurer
from making.writing import write_folder

FOLDERS = {"ehr": ehr, "city-lab": city_lab, "imaging": imaging, "insurer": insurer}


def main(arguments: list[str]) -> int:
    """Write every folder, and say so on stderr."""
    root = Path(arguments[0]) if arguments else Path(__file__).parent
    for folder, content in FOLDERS.items():
        files = content.files()
        write_folder(root, folder, content.BASE, files)
        count = sum(len(resources) for resources in files.values())
        print(f"{folder}: {count} resources in {len(files)} files", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
