"""`lifepod image`: pull, import, list, remove images; parsing and texts only, the images are `runtime/images`'."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from lifepod.cli.image_options import insecure_option
from lifepod.ui.plain import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lifepod.api.image_reference import ImageReference
    from lifepod.runtime.images.local_images import LocalImages, Progress
    from lifepod.runtime.images.manifests import Platform

_platform = click.option(
    "--platform", "platform_text", metavar="OS/ARCH", help="Which image of an index; by default this machine's."
)


@click.group("image")
def command() -> None:
    """Pull, import, list and remove images. All clusters of a user share them."""


@command.command("pull")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@insecure_option
@_platform
def pull(names: tuple[str, ...], insecure_registries: tuple[str, ...], platform_text: str | None) -> None:
    """Fetch images from their registries, with the credentials of ~/.docker/config.json."""
    images = _images(insecure_registries, _parsed_platform(platform_text))
    for name in names:
        reference = _reference(name)
        with _told():
            record = images.pull(reference, on_progress=_progress())
        click.echo(record.ref)
        _show_notes(images, reference)


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False), metavar="FILE...")
@click.option("--name", default=None, help="What the image is called; by default what the file says.")
@_platform
def import_(files: tuple[str, ...], name: str | None, platform_text: str | None) -> None:
    """Bring in images from what `docker save`, `podman save` or `skopeo copy` wrote (docker-archive, oci-archive)."""
    images = _images((), _parsed_platform(platform_text))
    reference = None if name is None else _reference(name)
    for file in files:
        with _told():
            records = images.import_file(file, reference)
        for record in records:
            click.echo(record.name)
            _show_notes(images, _reference(record.name))


@command.command("ls")
def ls() -> None:
    """The images that are here."""
    import datetime

    records = _images().store.records()
    if not records:
        click.echo("No image is here. `lifepod image pull NAME` fetches one.", err=True)
        return
    rows = [("IMAGE", "IMAGE ID", "SIZE", "ADDED")]
    for r in records:
        added = datetime.datetime.fromtimestamp(r.added_at, datetime.UTC).strftime("%Y-%m-%d %H:%M")
        rows.append((r.name, r.config.partition(":")[2][:12], size(r.size_bytes), added))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@command.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def rm(names: tuple[str, ...]) -> None:
    """Remove images by name, and what only they needed. Running containers keep what they use."""
    images = _images()
    missing = [name for name in names if not images.store.forget(str(_reference(name)))]
    images.prune()
    if missing:
        raise click.ClickException(f"no such image: {', '.join(missing)} (`lifepod image ls` shows what is here)")


@command.command("prune")
@click.option("--all", "everything", is_flag=True, help="Remove every image, too.")
def prune(everything: bool) -> None:
    """Remove what no image needs any more: old layers, unpacked roots, leftovers of what was interrupted."""
    images = _images()
    if everything:
        for record in images.store.records():
            images.store.forget(record.name)
    blobs, roots = images.prune()
    click.echo(f"Removed {blobs} blobs and {roots} unpacked images.")


# ------------------------------------------------------------------------------------------------ words and figures


def _images(insecure: tuple[str, ...] = (), platform: Platform | None = None) -> LocalImages:
    from lifepod.runtime.images.local_images import LocalImages

    return LocalImages(insecure=insecure, platform=platform)


def _parsed_platform(text: str | None) -> Platform | None:
    from lifepod.runtime.images.manifests import Platform

    try:
        return Platform.parse(text) if text else None
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--platform") from exc


def _reference(name: str) -> ImageReference:
    from lifepod.runtime.image_names import InvalidImageName, image_reference

    try:
        return image_reference(name)
    except InvalidImageName as exc:
        raise click.ClickException(str(exc)) from exc


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What goes wrong with an image is said in one line, without a traceback."""
    from lifepod.runtime.images.errors import ImageError

    try:
        yield
    except ImageError as exc:
        raise click.ClickException(str(exc)) from exc


def _show_notes(images: LocalImages, reference: ImageReference) -> None:
    for note in images.open(reference).notes:
        click.echo(f"  {note}", err=True)


def _progress() -> Callable[[Progress], None]:
    """One line that grows on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda _: None
    last = -1

    def show(progress: Progress) -> None:
        nonlocal last
        percent = 100 * progress.done_bytes // max(1, progress.total_bytes)
        if percent != last:
            last = percent
            end = "\n" if progress.done_bytes == progress.total_bytes else ""
            click.echo(f"\r{progress.image}: {percent} % of {size(progress.total_bytes)}{end}", nl=False, err=True)

    return show
