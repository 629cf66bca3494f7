"""Whether an image can be had in image mode `host`, and the texts when it cannot.

In this mode nothing is pulled: a name under the reserved domain `.invalid` can never be had, every other name that parses
counts as present and stands for this machine's own files. How names are parsed is `api/image_reference.py`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from lifepod.api.image_reference import BadReference, parse
from lifepod.errors import LifepodError

if TYPE_CHECKING:
    from lifepod.api.image_reference import ImageReference


class InvalidImageName(LifepodError):
    """The name does not parse; the text is the container's waiting message."""


def image_reference(image: str) -> ImageReference:
    """The name in its full form, `latest` when it has neither tag nor digest. Raises InvalidImageName.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/images/image_manager.go: EnsureImageExists;
            pkg/util/parsers/parsers.go: ParseImageName
    """
    try:
        return parse(image).with_default_tag
    except BadReference as exc:
        raise InvalidImageName(
            f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {exc}'
        ) from exc


def can_never_be_pulled(image: ImageReference) -> bool:
    """Whether the registry lies under `.invalid`, which RFC 2606 promises never to exist."""
    host = image.domain.rsplit(":", 1)[0]
    return host == "invalid" or host.endswith(".invalid")


def pull_error(image: ImageReference) -> str:
    """What containerd says when the registry's name does not resolve.

    Source: containerd v1.6 pkg/cri/server/image_pull.go: PullImage; remotes/docker/resolver.go: Resolve
    """
    reference = image.digest or image.tag
    host = image.domain.rsplit(":", 1)[0]
    return (
        f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
        f'failed to do request: Head "https://{image.domain}/v2/{image.path}/manifests/{reference}": '
        f"dial tcp: lookup {host}: no such host"
    )


def stand_in_reference(image: ImageReference) -> str:
    """The reference of an image that mode `host` only stands in for: the digest of its full name."""
    return "sha256:" + hashlib.sha256(str(image).encode()).hexdigest()
