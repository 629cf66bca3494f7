"""How to reach a cluster, from kubeconfig files; and how ours get into them and out again.

Files named by $KUBECONFIG are merged as client-go does: the first definition of a name wins, the first current-context wins.
Only the entries named by us are ever written or removed; everything else in the file stays as it is.

Source: k8s.io/client-go v0.34.4 tools/clientcmd/loader.go (ClientConfigLoadingRules.Load), config.go (lockFile)
"""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.client.errors import KubeconfigError


class Access(NamedTuple):
    """One context, resolved: where the API is and who we are there. PEM texts are bytes; "" or b"" means not set."""

    server: str
    namespace: str = "default"
    ca_pem: bytes = b""
    client_cert_pem: bytes = b""
    client_key_pem: bytes = b""
    token: str = ""
    username: str = ""
    password: str = ""
    verify: bool = True
    server_name: str = ""
    proxy: str = ""


class Credentials(NamedTuple):
    """What a kubeconfig of ours says of a cluster."""

    server: str
    ca_pem: bytes
    client_cert_pem: bytes
    client_key_pem: bytes


def default_paths(env: Mapping[str, str]) -> list[Path]:
    """The files that kubectl would read, in order."""
    listed = [Path(p) for p in env.get("KUBECONFIG", "").split(os.pathsep) if p]
    return listed or [Path(env.get("HOME", "~")).expanduser() / ".kube" / "config"]


def load(paths: list[Path], context: str | None = None) -> Access:
    """The access that a context of these files gives; `context` None: the current one. Raises KubeconfigError."""
    merged, where = _merged(paths)
    shown = ", ".join(map(str, paths))
    name = context or merged["current-context"]
    if not name:
        raise KubeconfigError(f"{shown}: no current-context. Name one with --context.")
    chosen = merged["contexts"].get(name)
    if chosen is None:
        known = ", ".join(sorted(merged["contexts"])) or "none"
        raise KubeconfigError(f'{shown}: there is no context "{name}" (there are: {known}).')
    cluster = merged["clusters"].get(chosen.get("cluster", ""))
    if cluster is None:
        raise KubeconfigError(
            f'{shown}: context "{name}" names the cluster "{chosen.get("cluster")}", which is not there.'
        )
    user = merged["users"].get(chosen.get("user", ""), {})
    return _access(cluster, user, chosen, where.get(("clusters", chosen.get("cluster", "")), Path()).parent)


def _merged(paths: list[Path]) -> tuple[JsonObject, dict[tuple[str, str], Path]]:
    merged: JsonObject = {"current-context": "", "clusters": {}, "users": {}, "contexts": {}}
    where: dict[tuple[str, str], Path] = {}
    found = False
    for path in paths:
        config = _read(path)
        if config is None:
            continue
        found = True
        merged["current-context"] = merged["current-context"] or config.get("current-context") or ""
        for part in ("clusters", "users", "contexts"):
            for entry in config.get(part) or []:
                if isinstance(entry, dict) and entry.get("name") not in merged[part]:
                    merged[part][entry.get("name")] = entry.get(part[:-1]) or {}
                    where[part, str(entry.get("name"))] = path
    if not found:
        raise KubeconfigError(f"no kubeconfig at {', '.join(map(str, paths))}. Set KUBECONFIG or --kubeconfig.")
    return merged, where


def _read(path: Path) -> JsonObject | None:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise KubeconfigError(f"{path}: cannot be read: {exc.strerror}") from exc
    try:
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as exc:
        raise KubeconfigError(f"{path}: is no YAML: {exc}") from exc
    if config is not None and not isinstance(config, dict):
        raise KubeconfigError(f"{path}: is no kubeconfig (a map with clusters, users and contexts)")
    return config or {}


def _access(cluster: JsonObject, user: JsonObject, context: JsonObject, folder: Path) -> Access:
    user = {**user, **_from_plugin(user)}
    token = user.get("token") or ""
    if not token and user.get("tokenFile"):
        token = (folder / user["tokenFile"]).read_text().strip()
    return Access(
        server=str(cluster.get("server", "")).rstrip("/"),
        namespace=context.get("namespace") or "default",
        ca_pem=_pem(cluster, "certificate-authority", folder),
        client_cert_pem=_pem(user, "client-certificate", folder),
        client_key_pem=_pem(user, "client-key", folder),
        token=token,
        username=user.get("username") or "",
        password=user.get("password") or "",
        verify=not cluster.get("insecure-skip-tls-verify"),
        server_name=cluster.get("tls-server-name") or "",
        proxy=cluster.get("proxy-url") or "",
    )


def _pem(entry: JsonObject, field: str, folder: Path) -> bytes:
    if entry.get(f"{field}-data"):
        return base64.b64decode(str(entry[f"{field}-data"]))
    if entry.get(field):
        path = folder / str(entry[field])
        try:
            return path.read_bytes()
        except OSError as exc:
            raise KubeconfigError(f"{field} {path}: cannot be read: {exc.strerror}") from exc
    return b""


def _from_plugin(user: JsonObject) -> JsonObject:
    """What an `exec` credential plugin (aws, gke-gcloud-auth-plugin, kubelogin…) answers.

    Source: k8s.io/client-go v0.34.4 plugin/pkg/client/auth/exec/exec.go
    """
    plugin = user.get("exec")
    if not plugin:
        return {}
    version = plugin.get("apiVersion", "client.authentication.k8s.io/v1")
    env = {**os.environ, **{e["name"]: e["value"] for e in plugin.get("env") or []}}
    env["KUBERNETES_EXEC_INFO"] = f'{{"apiVersion":"{version}","kind":"ExecCredential","spec":{{"interactive":false}}}}'
    command = [plugin["command"], *(plugin.get("args") or [])]
    try:
        answer = subprocess.run(command, env=env, capture_output=True, check=True, timeout=60)
    except FileNotFoundError as exc:
        hint = plugin.get("installHint", "")
        raise KubeconfigError(f"the credential plugin {command[0]} is not installed. {hint}".strip()) from exc
    except subprocess.SubprocessError as exc:
        raise KubeconfigError(f"the credential plugin {' '.join(command)} failed: {exc}") from exc
    status: JsonValue = (yaml.safe_load(answer.stdout) or {}).get("status") or {}
    found = {"token": status.get("token", "")}
    for ours, theirs in (("client-certificate-data", "clientCertificateData"), ("client-key-data", "clientKeyData")):
        if status.get(theirs):
            found[ours] = base64.b64encode(status[theirs].encode()).decode()
    return found


# ------------------------------------------------------------------------------------------------ writing


def rendered(name: str, credentials: Credentials) -> JsonObject:
    """A kubeconfig of one cluster: cluster, user and context all called `name`, which is current."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {
            "certificate-authority-data": _b64(credentials.ca_pem), "server": credentials.server}}],
        "users": [{"name": name, "user": {
            "client-certificate-data": _b64(credentials.client_cert_pem),
            "client-key-data": _b64(credentials.client_key_pem)}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }  # fmt: skip


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def write(path: Path, config: JsonObject) -> None:
    """Write the whole file: mode 0600, under a temporary name first, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            yaml.dump(config, file, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def merge_into(path: Path, ours: JsonObject) -> None:
    """Add our three entries to the user's file (replacing those of the same name) and make our context the current one."""
    with _locked(path):
        config = _read(path) or {"apiVersion": "v1", "kind": "Config"}
        for part in ("clusters", "users", "contexts"):
            name = ours[part][0]["name"]
            config[part] = [e for e in config.get(part) or [] if e.get("name") != name] + ours[part]
        config["current-context"] = ours["current-context"]
        write(path, config)


def remove_from(path: Path, name: str) -> bool:
    """Take our three entries out again; current-context too if it was ours. False when there were none."""
    if not path.exists():
        return False
    with _locked(path):
        config = _read(path) or {}
        before = sum(len(config.get(part) or []) for part in ("clusters", "users", "contexts"))
        for part in ("clusters", "users", "contexts"):
            config[part] = [e for e in config.get(part) or [] if e.get("name") != name]
        after = sum(len(config[part]) for part in ("clusters", "users", "contexts"))
        if after == before:
            return False
        if config.get("current-context") == name:
            config["current-context"] = ""
        write(path, config)
        return True


@contextlib.contextmanager
def _locked(path: Path, patience_seconds: float = 5) -> Iterator[None]:
    """Hold `<file>.lock`, as client-go does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock")
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                raise KubeconfigError(f"{lock} is held by somebody else. Remove it if no kubectl is running.") from None
            time.sleep(0.05)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(lock)
