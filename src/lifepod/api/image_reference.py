"""What an image name means: registry, repository, tag and digest; and why one does not parse.

Source: github.com/distribution/reference v0.6 normalize.go (ParseNormalizedNamed, splitDockerDomain), regexp.go
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<domain>{_DOMAIN})/(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_DEFAULT_DOMAIN = "docker.io"


class ImageReference(NamedTuple):
    """A parsed name. `tag` and `digest` are "" when not given."""

    domain: str
    path: str
    tag: str
    digest: str

    @property
    def with_default_tag(self) -> ImageReference:
        """The same with the tag `latest` when neither tag nor digest is given."""
        return self if self.tag or self.digest else self._replace(tag="latest")

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.domain}/{self.path}{tag}{digest}"


class BadReference(ValueError):
    """The name does not parse; the text is upstream's."""


@lru_cache(maxsize=1024)
def parse(name: str) -> ImageReference:
    """The parts of an image name, docker.io's short names filled in. Raises BadReference.

    >>> str(parse("busybox:1.36"))
    'docker.io/library/busybox:1.36'
    """
    if re.fullmatch(r"[a-f0-9]{64}", name):
        raise BadReference(f"invalid repository name ({name}), cannot specify 64-byte hexadecimal strings")
    domain, rest = _split_domain(name)
    repository = re.split(r"[:@]", rest, maxsplit=1)[0]
    if repository != repository.lower():
        raise BadReference(f"invalid reference format: repository name ({repository}) must be lowercase")
    match = _REFERENCE.fullmatch(f"{domain}/{rest}")
    if not match:
        raise BadReference("invalid reference format")
    if len(match["path"]) > 255:
        raise BadReference("repository name must not be more than 255 characters")
    return ImageReference(match["domain"], match["path"], match["tag"] or "", match["digest"] or "")


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_domain = bool(slash) and ("." in first or ":" in first or first == "localhost" or first.lower() != first)
    domain, path = (first, rest) if is_domain else (_DEFAULT_DOMAIN, name)
    if domain == "index.docker.io":
        domain = _DEFAULT_DOMAIN
    if domain == _DEFAULT_DOMAIN and "/" not in path:
        path = f"library/{path}"
    return domain, path
