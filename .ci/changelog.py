"""Print what CHANGELOG.md says of a version: python .ci/changelog.py 0.1.0."""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"


def section(text: str, version: str) -> str:
    """Return the section of a version without its heading, which is `## VERSION` or `## VERSION - DATE`.

    Raises:
        ValueError: there is no such section, or nothing in it; names those that there are.
    """
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    headed = zip(parts[1::2], parts[2::2], strict=True)
    sections = {heading.split(" - ")[0].strip(" []"): body.strip() for heading, body in headed}
    if not sections.get(version):
        raise ValueError(f"CHANGELOG.md says nothing of {version}, only of {', '.join(sections) or 'nothing'}")
    return sections[version]


def main() -> int:
    """Print the section; returns the exit status."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(section(CHANGELOG.read_text(encoding="utf-8"), sys.argv[1]))
    except ValueError as error:
        print(f"error: {error}: give the entries their heading, ## {sys.argv[1]} - DATE", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
