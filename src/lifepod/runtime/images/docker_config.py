"""Which name and password a registry wants: the user's own docker configuration, credential helpers, and pull secrets.

Source: docker/cli cli/config/configfile; docker/docker-credential-helpers README; k8s.io/kubernetes v1.34.4
        pkg/credentialprovider/keyring.go: BasicDockerKeyring.Lookup, URLsMatch
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lifepod.api.image_reference import ImageReference

_HUB = "https://index.docker.io/v1/"
_HELPER_SECONDS = 30


class Credentials(NamedTuple):
    """A name and password, or an identity token to be exchanged for others."""

    username: str = ""
    password: str = ""
    identity_token: str = ""


def from_pull_secret(text: str, image: ImageReference) -> Iterator[Credentials]:
    """What a pull secret (`.dockerconfigjson` or the older `.dockercfg`) has for an image, most specific first."""
    try:
        content = json.loads(text)
    except ValueError:
        return
    if not isinstance(content, dict):
        return
    entries = content.get("auths", content)
    if isinstance(entries, dict):
        for key in sorted(entries, reverse=True):
            if matches(str(key), image) and (found := _from_entry(entries[key])):
                yield found


def from_user_config(image: ImageReference, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """What `~/.docker/config.json` (or $DOCKER_CONFIG) has for an image's registry, asking its helpers."""
    folder = environment.get("DOCKER_CONFIG") or os.path.join(environment.get("HOME") or "~", ".docker")
    try:
        with open(os.path.join(os.path.expanduser(folder), "config.json"), encoding="utf-8") as file:
            config: Any = json.load(file)
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    server = _HUB if image.domain == "docker.io" else image.domain
    helper = (config.get("credHelpers") or {}).get(image.domain) or config.get("credsStore")
    if helper and (found := _ask_helper(str(helper), server)):
        return found
    entries = config.get("auths") or {}
    for key in sorted(entries, reverse=True):
        if matches(str(key), image) and (found := _from_entry(entries[key])):
            return found
    return None


def matches(key: str, image: ImageReference) -> bool:
    """Whether a configuration's key (`host`, `https://host/v1/`, `*.host/path`) is meant for an image."""
    host, _, path = key.removeprefix("https://").removeprefix("http://").partition("/")
    if path.strip("/") in ("v1", "v2"):
        path = ""
    if host in ("index.docker.io", "docker.io", "registry-1.docker.io"):
        host = "docker.io"
    if host.count(".") != image.domain.count(".") or not fnmatch.fnmatchcase(image.domain, host):
        return False
    path = path.strip("/")
    return not path or image.path == path or image.path.startswith(path + "/")


def _from_entry(entry: object) -> Credentials | None:
    if not isinstance(entry, dict):
        return None
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            decoded = base64.b64decode(str(entry["auth"])).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        username, _, password = decoded.rstrip("\0").partition(":")
    token = str(entry.get("identitytoken") or "")
    return Credentials(username, password, token) if username or token else None


def _ask_helper(name: str, server: str) -> Credentials | None:
    """A credential helper speaks JSON on stdin and stdout; whatever goes wrong, the pull goes on without a name."""
    if os.path.basename(name) != name:
        return None
    try:
        said = subprocess.run(
            [f"docker-credential-{name}", "get"],
            input=server,
            capture_output=True,
            text=True,
            timeout=_HELPER_SECONDS,
            check=True,
        ).stdout
        answer = json.loads(said)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    username, secret = str(answer.get("Username") or ""), str(answer.get("Secret") or "")
    if username == "<token>":
        return Credentials(identity_token=secret)
    return Credentials(username, secret) if username else None
