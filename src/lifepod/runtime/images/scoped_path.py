"""A path as a container sees it, found on this machine: links are followed inside the image's root, never out of it."""

from __future__ import annotations

import os

_MAX_LINKS = 40


def resolve_in_root(root: str, path: str) -> str:
    """The absolute path without links, as seen from `root`; what is missing is taken as written.

    `..` above the root stays at the root, as in any process that was given this root. Raises OSError for a circle of links.
    """
    at: list[str] = []
    rest = path.split("/")[::-1]
    links = 0
    while rest:
        part = rest.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if at:
                at.pop()
            continue
        on_disk = "/".join((root, *at, part))
        if not os.path.islink(on_disk):
            at.append(part)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(40, "Too many levels of symbolic links", path)
        target = os.readlink(on_disk)
        if target.startswith("/"):
            at.clear()
        rest += target.split("/")[::-1]
    return "/" + "/".join(at)
