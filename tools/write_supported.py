"""Write docs/supported.md from the table in `lifepod.api.supported`: `python tools/write_supported.py`."""

from __future__ import annotations

from pathlib import Path

from lifepod.api.supported import FIELDS

PAGE = Path(__file__).parent.parent / "docs" / "supported.md"
INTRO = """\
# What is supported

Shown version: Kubernetes 1.34. Written by `python tools/write_supported.py` from the table that also makes the Warning headers
(`src/lifepod/api/supported.py`); a test holds the page against it.

- **honoured**: as a real node does it
- **partly**: with the difference that the note says
- **warned**: stored and shown, but without effect; setting it gives a `Warning` header, and once a field an event on the Node

"""
FEATURES = Path(__file__).parent.parent / "docs" / "supported-features.md.in"


def page() -> str:
    """The whole page."""
    parts = [INTRO]
    for type_name, fields in FIELDS.items():
        parts.append(f"## {type_name.rpartition('.')[2]}\n\n| field | | note |\n|---|---|---|\n")
        parts += [f"| {name} | {support.level} | {support.note} |\n" for name, support in sorted(fields.items())]
        parts.append("\n")
    if FEATURES.exists():
        parts.append(FEATURES.read_text())
    return "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
