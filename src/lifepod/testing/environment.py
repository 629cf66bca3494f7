"""How code under test finds a cluster by itself: KUBECONFIG for it and its children, the in-cluster configuration in this process.

A pod's service account lies at a fixed path that a test cannot write to; the clients keep that path in a constant or default
argument. While a cluster is open these name the cluster's own folder, in the clients that are imported and in those that
will be; what a client remembers of the environment or of an earlier cluster is made to fit. Nothing else of the libraries is
changed, and everything is put back at the end.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from lifepod.assembly.virtual_server import Files

Undo: TypeAlias = Callable[[], None]


class Places(NamedTuple):
    """Where clients are to look: `folder` holds `kubeconfig` and a service account; `before` is the kubeconfig of before."""

    folder: Path
    before: str


class Environment:
    """The environment of this process while a cluster is open."""

    def __init__(self, url: str, files: Files) -> None:
        address = urlsplit(url)
        self._undo: list[Undo] = []
        self._before = os.environ.get("KUBECONFIG", "~/.kube/config")
        self._set("KUBECONFIG", str(files.kubeconfig))
        self._set("KUBERNETES_SERVICE_HOST", str(address.hostname))
        self._set("KUBERNETES_SERVICE_PORT", str(address.port))
        self._folder = files.folder
        for name in _PATCHES:
            module = sys.modules.get(name)
            if module is not None:
                self.patch(module)
        self._finder = _Finder(self.patch)
        sys.meta_path.insert(0, self._finder)

    def _set(self, name: str, value: str) -> None:
        before = os.environ.get(name)
        os.environ[name] = value
        self._undo.append(partial(_put_back, name, before))

    def patch(self, module: ModuleType) -> None:
        """Have a client's module look for service accounts in the cluster's folder."""
        self._undo += _PATCHES[module.__name__](module, Places(self._folder, self._before))

    def restore(self) -> None:
        """Put everything back."""
        sys.meta_path.remove(self._finder)
        while self._undo:
            self._undo.pop()()


def _put_back(name: str, before: str | None) -> None:
    if before is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = before


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the other finders find, and patches what they found once it is imported."""

    def __init__(self, patch: Callable[[ModuleType], None]) -> None:
        self._patch = patch

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in _PATCHES:
            return None
        for finder in sys.meta_path:
            spec = None if isinstance(finder, _Finder) else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self._patch)
                return spec
        return None


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: Any, patch: Callable[[ModuleType], None]) -> None:
        self._loader, self._patch = loader, patch

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._patch(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


# ------------------------------------------------------------------------------------------------ the clients


def _accounts_of_kubernetes(module: ModuleType, places: Places) -> list[Undo]:
    """`kubernetes` and `kubernetes_asyncio`: constants."""
    return [
        _replace(module, "SERVICE_TOKEN_FILENAME", str(places.folder / "token")),
        _replace(module, "SERVICE_CERT_FILENAME", str(places.folder / "ca.crt")),
    ]


def _kubeconfig_of_kubernetes(module: ModuleType, places: Places) -> list[Undo]:
    """They read $KUBECONFIG once, when they are imported, which may have been long ago, or just now."""
    module.KUBE_CONFIG_DEFAULT_LOCATION = str(places.folder / "kubeconfig")  # type: ignore[attr-defined]  # theirs
    return [partial(setattr, module, "KUBE_CONFIG_DEFAULT_LOCATION", places.before)]


def _default_of_kubernetes(module: ModuleType, places: Places) -> list[Undo]:
    """What `load_kube_config` loaded is kept as the default of all clients: not beyond the test."""
    configuration = module.Configuration
    return [partial(setattr, configuration, "_default", getattr(configuration, "_default", None))]


def _account_of_kr8s(module: ModuleType, places: Places) -> list[Undo]:
    """`kr8s`: a path in the body of `KubeAuth.__init__`; the argument that overrides it is given when it is not."""
    original = module.KubeAuth.__init__

    def init(self: object, *args: Any, **kwargs: Any) -> None:
        if len(args) < 3 and kwargs.get("serviceaccount") is None:
            kwargs["serviceaccount"] = str(places.folder)
        original(self, *args, **kwargs)

    return [_replace(module.KubeAuth, "__init__", init)]


def _clients_of_kr8s(module: ModuleType, places: Places) -> list[Undo]:
    """`kr8s.api()` gives the same client again and again: not that of another test."""
    module.Api._instances.clear()
    return [module.Api._instances.clear]


def _memory_of_kubespawner(module: ModuleType, places: Places) -> list[Undo]:
    """JupyterHub's spawner loads the configuration once in the life of a process, which is not that of a test."""
    module.load_config.cache_clear()
    return [module.load_config.cache_clear]


def _of_lightkube(module: ModuleType, places: Places) -> list[Undo]:
    """`lightkube`: default arguments of `KubeConfig.from_service_account` and `from_env`."""
    account, environment = module.KubeConfig.from_service_account.__func__, module.KubeConfig.from_env.__func__
    folder = str(places.folder)
    return [
        _replace(account, "__defaults__", (folder, *account.__defaults__[1:])),
        _replace(environment, "__defaults__", (folder, *environment.__defaults__[1:])),
    ]


def _replace(owner: Any, name: str, value: object) -> Undo:
    before = getattr(owner, name)
    setattr(owner, name, value)
    return partial(setattr, owner, name, before)


_PATCHES: dict[str, Callable[[ModuleType, Places], list[Undo]]] = {
    "kr8s._auth": _account_of_kr8s,
    "kr8s._api": _clients_of_kr8s,
    "kubespawner.clients": _memory_of_kubespawner,
    "lightkube.config.kubeconfig": _of_lightkube,
}
for _package in ("kubernetes", "kubernetes_asyncio"):
    _PATCHES[f"{_package}.config.incluster_config"] = _accounts_of_kubernetes
    _PATCHES[f"{_package}.config.kube_config"] = _kubeconfig_of_kubernetes
    _PATCHES[f"{_package}.config"] = _kubeconfig_of_kubernetes
    _PATCHES[f"{_package}.client.configuration"] = _default_of_kubernetes
