"""The options that several commands share: which images containers get, and which registries are trusted without a certificate."""

from __future__ import annotations

import click

insecure_option = click.option(
    "--insecure-registry",
    "insecure_registries",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Accept any certificate of this registry, or plain HTTP. This machine's own need no such word.",
)
images_option = click.option(
    "--images",
    type=click.Choice(["if-reachable", "auto", "host"]),
    default="if-reachable",
    show_default=True,
    help="Real images, pulled where they are missing (auto); this machine's own files for every image (host); real "
    "ones where they are here or their registry answers, else the files (if-reachable).",
)
