"""A registry's HTTP API, as far as pulling goes: names become digests, digests become bytes.

Errors are worded as containerd words them, because they end in a pod's status. Nothing is kept here between two pulls but a
token. Bytes are checked against their digest by who stores them.
Source: github.com/opencontainers/distribution-spec v1.1; docker docs: token authentication; containerd v1.7 remotes/docker
"""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple

from lifepod.runtime.images.errors import BadImage, PullFailed
from lifepod.runtime.images.manifests import INDEX_TYPES, MANIFEST_TYPES, checked_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from lifepod.api.image_reference import ImageReference
    from lifepod.runtime.images.docker_config import Credentials

_MAX_MANIFEST = 8 * 1024 * 1024
_CHUNK = 256 * 1024
_TRIES = 3
_LOCAL = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")
_CHALLENGE = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def registry_host(domain: str) -> str:
    """Who is asked for images of this domain: Docker Hub's registry has another name than its images."""
    return "registry-1.docker.io" if domain == "docker.io" else domain


class Resolved(NamedTuple):
    """What a name stands for now."""

    digest: str
    content: bytes
    media_type: str


class Registry:
    """One image's repository. `insecure`: registries whose certificate is not checked, and that may speak plain HTTP.

    A registry on this machine may do so without being named, as containerd has it.
    """

    def __init__(
        self, image: ImageReference, credentials: tuple[Credentials, ...] = (), *, insecure: tuple[str, ...] = ()
    ) -> None:
        self._image = image
        self._credentials = credentials
        self._host = registry_host(image.domain)
        self._is_insecure = image.domain in insecure or bool(_LOCAL.fullmatch(image.domain))
        self._scheme = "https"
        self._header = ""
        self._client = self._new_client()

    def _new_client(self) -> httpx.Client:
        import httpx

        from lifepod._version import __version__

        context: ssl.SSLContext | bool = True
        if self._is_insecure:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return httpx.Client(
            follow_redirects=True,
            timeout=httpx.Timeout(30.0),
            verify=context,
            headers={"User-Agent": f"lifepod/{__version__}", "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        self._client.close()

    def problem(self, seconds: float) -> str:
        """What keeps the registry from answering at all, "" when it answers, be it with a refusal."""
        import httpx

        said = ""
        for scheme in ("https", "http") if self._is_insecure else ("https",):
            try:
                with self._client.stream(
                    "GET", f"{scheme}://{self._host}/v2/", timeout=seconds, follow_redirects=False
                ):
                    return ""
            except httpx.HTTPError as exc:
                said = _reason(exc)
                if said.startswith("tls:"):
                    return ""
        return said

    # -------------------------------------------------------------------------------------------- names

    def resolve(self) -> Resolved:
        """The manifest or index that the name stands for. Raises PullFailed."""
        image = self._image
        wanted = image.digest or image.tag
        if self._is_insecure and not self._speaks_tls():
            self._scheme = "http"
        resolved = self._manifest(wanted, f'failed to resolve reference "{image}": ')
        if image.digest and resolved.digest != image.digest:
            raise self._failed(f"the registry sent {resolved.digest} for {image.digest}: damaged or forged")
        return resolved

    def manifest(self, digest: str) -> bytes:
        """One image of an index. Raises PullFailed."""
        resolved = self._manifest(digest, "")
        if resolved.digest != digest:
            raise self._failed(f"the registry sent {resolved.digest} for {digest}: damaged or forged")
        return resolved.content

    def _manifest(self, wanted: str, prefix: str) -> Resolved:
        accept = ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))
        with self._get(f"manifests/{wanted}", prefix, {"Accept": accept}) as response:
            content = b""
            for chunk in response.iter_raw(_CHUNK):
                content += chunk
                if len(content) > _MAX_MANIFEST:
                    raise self._failed(f"the manifest is larger than {_MAX_MANIFEST} bytes")
            media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        algorithm = wanted.partition(":")[0] if ":" in wanted else "sha256"
        try:
            if ":" in wanted:
                checked_digest(wanted)
        except BadImage as exc:
            raise self._failed(str(exc)) from exc
        return Resolved(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}", content, media_type)

    # -------------------------------------------------------------------------------------------- blobs

    def fetch(self, digest: str, size: int, write: Callable[[bytes], object]) -> None:
        """Hand over a blob's bytes as they come; they are checked here. Raises PullFailed."""
        running = hashlib.new(digest.partition(":")[0])
        count = 0
        with self._get(f"blobs/{digest}", f"failed to copy: blob {digest}: ") as response:
            for chunk in self._chunks(response, digest):
                count += len(chunk)
                if count > size:
                    raise self._failed(f"blob {digest} is longer than the {size} bytes that the manifest says")
                running.update(chunk)
                write(chunk)
        if count != size:
            raise self._failed(f"blob {digest} ended after {count} of {size} bytes: truncated")
        if running.hexdigest() != digest.partition(":")[2]:
            raise self._failed(f"blob {digest} has the digest {running.name}:{running.hexdigest()}: damaged")

    def _chunks(self, response: httpx.Response, digest: str) -> Iterator[bytes]:
        import httpx

        try:
            yield from response.iter_raw(_CHUNK)
        except httpx.HTTPError as exc:
            raise self._failed(f"failed to copy: blob {digest}: {_reason(exc)}") from exc

    # -------------------------------------------------------------------------------------------- requests

    def _url(self, path: str) -> str:
        return f"{self._scheme}://{self._host}/v2/{self._image.path}/{path}"

    def _speaks_tls(self) -> bool:
        import httpx

        try:
            self._client.get(f"https://{self._host}/v2/")
        except httpx.TimeoutException:
            return True
        except httpx.HTTPError:
            return False
        return True

    def _get(self, path: str, prefix: str, headers: dict[str, str] | None = None) -> _Stream:
        """A response that is neither an error nor asks who we are; several names and passwords are tried in turn."""
        response = self._send(path, prefix, headers)
        for credentials in (*self._credentials, None):
            if response.status_code != 401:
                break
            challenge = response.headers.get("WWW-Authenticate", "")
            response.close()
            self._header = self._authorization(challenge, credentials)
            if not self._header:
                break
            response = self._send(path, prefix, headers)
        if response.status_code == 200:
            return _Stream(response)
        response.close()
        raise self._refusal(path, prefix, response)

    def _send(self, path: str, prefix: str, headers: dict[str, str] | None) -> httpx.Response:
        import httpx

        url = self._url(path)
        sent = dict(headers or {})
        if self._header:
            sent["Authorization"] = self._header
        for left in range(_TRIES - 1, -1, -1):
            try:
                response = self._client.send(self._client.build_request("GET", url, headers=sent), stream=True)
            except httpx.ConnectError as exc:
                raise self._unreachable(url, prefix, exc) from exc
            except httpx.HTTPError as exc:
                if left:
                    continue
                raise self._unreachable(url, prefix, exc) from exc
            if response.status_code < 500 or not left:
                return response
            response.close()
        raise AssertionError("the last try returns or raises")

    def _authorization(self, challenge: str, credentials: Credentials | None) -> str:
        """The header that answers a challenge, "" when there is none."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return _basic(credentials) if credentials and credentials.username else ""
        if scheme.lower() != "bearer":
            return ""
        asked = dict(_CHALLENGE.findall(rest))
        realm = asked.get("realm", "")
        if not realm.startswith(("https://", "http://" if self._is_insecure else "https://")):
            return ""
        scope = asked.get("scope") or f"repository:{self._image.path}:pull"
        token = self._token(realm, asked.get("service", ""), scope, credentials)
        return f"Bearer {token}" if token else ""

    def _token(self, realm: str, service: str, scope: str, credentials: Credentials | None) -> str:
        import httpx

        try:
            if credentials and credentials.identity_token:
                form = {
                    "grant_type": "refresh_token",
                    "service": service,
                    "scope": scope,
                    "client_id": "lifepod",
                    "refresh_token": credentials.identity_token,
                }
                response = self._client.post(realm, data=form)
            else:
                headers = {"Authorization": _basic(credentials)} if credentials else {}
                asked = {"scope": scope} | ({"service": service} if service else {})
                response = self._client.get(realm, params=asked, headers=headers)
            answer: Any = response.json() if response.status_code == 200 else {}
        except httpx.HTTPError as exc:
            raise self._unreachable(realm, "failed to authorize: failed to fetch anonymous token: ", exc) from exc
        except ValueError:
            return ""
        return str(answer.get("token") or answer.get("access_token") or "") if isinstance(answer, dict) else ""

    # -------------------------------------------------------------------------------------------- texts

    def _failed(self, text: str, *, is_unreachable: bool = False) -> PullFailed:
        return PullFailed(f'failed to pull and unpack image "{self._image}": {text}', is_unreachable=is_unreachable)

    def _unreachable(self, url: str, prefix: str, exc: Exception) -> PullFailed:
        verb = "Head" if "resolve reference" in prefix else "Get"
        return self._failed(f'{prefix}failed to do request: {verb} "{url}": {_reason(exc)}', is_unreachable=True)

    def _refusal(self, path: str, prefix: str, response: httpx.Response) -> PullFailed:
        """Source: containerd v1.7 remotes/docker/resolver.go: Resolve; errdefs"""
        code = response.status_code
        if code == 404 and prefix:
            return self._failed(f"{prefix}{self._image}: not found")
        if code in (401, 403):
            return self._failed(
                f"{prefix}pull access denied, repository does not exist or may require authorization: "
                f"authorization failed: {'no basic auth credentials' if not self._header else 'insufficient scope'}"
            )
        verb = "HEAD" if "resolve reference" in prefix else "GET"
        return self._failed(
            f"{prefix}unexpected status from {verb} request to {self._url(path)}: {code} {response.reason_phrase}",
            is_unreachable=code >= 500,
        )


class _Stream:
    """A response that is closed after its block."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    def __enter__(self) -> httpx.Response:
        return self._response

    def __exit__(self, *_: object) -> None:
        self._response.close()


def _basic(credentials: Credentials) -> str:
    return "Basic " + base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()


def _reason(exc: Exception) -> str:
    """A failed connection in the words of Go's net package, where there are any."""
    host = ""
    request = getattr(exc, "_request", None)
    if request is not None:
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
    cause: BaseException | None = exc
    while cause is not None:
        text = str(cause)
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0 and host:
            words = (cause.strerror or text).lower()
            return f"dial tcp {host}:{port}: connect: {words}"
        if (
            "Name or service not known" in text
            or "Temporary failure in name resolution" in text
            or "No address" in text
        ):
            return f"dial tcp: lookup {host}: no such host"
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return f"tls: failed to verify certificate: {text}"
        if "Connection refused" in text:
            return f"dial tcp {host}:{port}: connect: connection refused"
        cause = cause.__cause__ or cause.__context__
    if type(exc).__name__.endswith("Timeout"):
        return "i/o timeout"
    return str(exc) or type(exc).__name__
