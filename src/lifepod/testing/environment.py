"""How code under test finds a cluster by itself: KUBECONFIG for it and its children, the in-cluster configuration in this process.

A pod's service account lies at a fixed path that a test cannot write to; the clients keep that path in a constant or default
argument. While a cluster is open these name the cluster's own folder, in the clients that are imported and in those that
will be. Nothing of the client libraries is changed otherwise, and everything is put back at the end.
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
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from lifepod.assembly.virtual_server import Files

Undo: TypeAlias = Callable[[], None]


class Environment:
    """The environment of this process while a cluster is open."""

    def __init__(self, url: str, files: Files) -> None:
        address = urlsplit(url)
        self._undo: list[Undo] = []
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
        self._undo += _PATCHES[module.__name__](module, self._folder)

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


def _of_kubernetes(module: ModuleType, folder: Path) -> list[Undo]:
    """`kubernetes` and `kubernetes_asyncio`: constants of `config.incluster_config`."""
    return [
        _replace(module, "SERVICE_TOKEN_FILENAME", str(folder / "token")),
        _replace(module, "SERVICE_CERT_FILENAME", str(folder / "ca.crt")),
    ]


def _of_kr8s(module: ModuleType, folder: Path) -> list[Undo]:
    """`kr8s`: a path in the body of `KubeAuth.__init__`; the argument that overrides it is given when it is not."""
    original = module.KubeAuth.__init__

    def init(self: object, *args: Any, **kwargs: Any) -> None:
        if len(args) < 3 and kwargs.get("serviceaccount") is None:
            kwargs["serviceaccount"] = str(folder)
        original(self, *args, **kwargs)

    return [_replace(module.KubeAuth, "__init__", init)]


def _of_lightkube(module: ModuleType, folder: Path) -> list[Undo]:
    """`lightkube`: default arguments of `KubeConfig.from_service_account` and `from_env`."""
    account, environment = module.KubeConfig.from_service_account.__func__, module.KubeConfig.from_env.__func__
    return [
        _replace(account, "__defaults__", (str(folder), *account.__defaults__[1:])),
        _replace(environment, "__defaults__", (str(folder), *environment.__defaults__[1:])),
    ]


def _replace(owner: Any, name: str, value: object) -> Undo:
    before = getattr(owner, name)
    setattr(owner, name, value)
    return partial(setattr, owner, name, before)


_PATCHES: dict[str, Callable[[ModuleType, Path], list[Undo]]] = {
    "kubernetes.config.incluster_config": _of_kubernetes,
    "kubernetes_asyncio.config.incluster_config": _of_kubernetes,
    "kr8s._auth": _of_kr8s,
    "lightkube.config.kubeconfig": _of_lightkube,
}
