"""When an image is pulled if a container does not say."""

from __future__ import annotations

from functools import lru_cache

from lifepod.api.image_reference import BadReference, parse


@lru_cache(maxsize=1024)
def default_pull_policy(image: str) -> str:
    """`Always` for the tag `latest`, named or implied; `IfNotPresent` for every other tag and for a digest.

    A name that does not parse has no tag at all, so it gets `IfNotPresent`.

    Source: k8s.io/kubernetes v1.34.4 pkg/apis/core/v1/defaults.go: SetDefaults_Container
            k8s.io/kubernetes v1.34.4 pkg/util/parsers/parsers.go: ParseImageName
    """
    try:
        reference = parse(image).with_default_tag
    except BadReference:
        return "IfNotPresent"
    return "Always" if reference.tag == "latest" else "IfNotPresent"
