"""What can go wrong with an image: a pull, a layer, an archive."""

from __future__ import annotations

from lifepod.errors import LifepodError


class ImageError(LifepodError):
    """Something about an image."""


class PullFailed(ImageError):
    """The image cannot be had from its registry; the text is containerd's. `is_unreachable`: the registry gave no answer."""

    def __init__(self, text: str, *, is_unreachable: bool = False) -> None:
        super().__init__(text)
        self.is_unreachable = is_unreachable


class BadImage(ImageError):
    """What the registry or archive gave is no image that can be used here."""


class LayerRefused(BadImage):
    """A layer is damaged or tries something; the text names the layer and the entry."""


class ImportFailed(ImageError):
    """The file is no image archive, or lacks what it promises."""
