"""Which images the scripted runtime has: every name that parses, except those under `.invalid` and those a script says fail."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lifepod.lifecycle.vocabulary import Failed, ImagePulled, ImageSeen
from lifepod.runtime.image_names import InvalidImageName, can_never_be_pulled, image_reference, pull_error

if TYPE_CHECKING:
    from lifepod.api.image_reference import ImageReference

_SIZE_BYTES = 2_220_094


def reference_of(name: ImageReference) -> str:
    """The reference by digest, made up from the name: `docker.io/library/busybox@sha256:…`."""
    digest = name.digest or "sha256:" + hashlib.sha256(str(name).encode()).hexdigest()
    return f"{name.domain}/{name.path}@{digest}"


def inspect(image: str, is_absent: bool) -> ImageSeen | Failed:
    """Whether the image is here. `is_absent`: a script says that it must be pulled."""
    try:
        name = image_reference(image)
    except InvalidImageName as error:
        return Failed("InvalidImageName", str(error))
    return ImageSeen(None if is_absent or can_never_be_pulled(name) else reference_of(name))


def pull(image: str, fails: bool, seconds: float) -> ImagePulled | Failed:
    """How a pull that took `seconds` ended."""
    try:
        name = image_reference(image)
    except InvalidImageName as error:
        return Failed("InvalidImageName", str(error))
    if can_never_be_pulled(name):
        return Failed("ErrImagePull", pull_error(name))
    if fails:
        shown = str(name)
        return Failed(
            "ErrImagePull",
            f'failed to pull and unpack image "{shown}": failed to resolve reference "{shown}": {shown}: not found',
        )
    return ImagePulled(reference_of(name), _SIZE_BYTES, seconds, seconds)


def shown_name(image: str) -> str:
    """As a status shows it: `docker.io/library/busybox:1.36`."""
    try:
        return str(image_reference(image))
    except InvalidImageName:
        return image
