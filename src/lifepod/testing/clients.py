"""Ready-made clients of a cluster: the Python libraries that people use, already pointed at it. Each is imported when asked for."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from lifepod.testing.errors import ClientMissing


class Clients:
    """Clients of the cluster whose `kubeconfig` this is."""

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file of the cluster."""
        raise NotImplementedError

    def client(self) -> Any:
        """An `ApiClient` of the package `kubernetes`: `kubernetes.client.CoreV1Api(kube.client())`."""
        config = _package("kubernetes.config")
        return config.new_client_from_config(str(self.kubeconfig))

    async def asyncio_client(self) -> Any:
        """An `ApiClient` of the package `kubernetes_asyncio`. Close it, or use it as `async with`."""
        config = _package("kubernetes_asyncio.config")
        return await config.new_client_from_config(str(self.kubeconfig))

    def kr8s_client(self) -> Any:
        """The API object of the package `kr8s`, synchronous."""
        return _package("kr8s").api(kubeconfig=str(self.kubeconfig))

    async def kr8s_asyncio_client(self) -> Any:
        """The API object of the package `kr8s`, for asyncio."""
        return await _package("kr8s.asyncio").api(kubeconfig=str(self.kubeconfig))

    def lightkube_client(self) -> Any:
        """A `Client` of the package `lightkube`."""
        return _package("lightkube").Client(config=self._lightkube_config())

    def lightkube_asyncio_client(self) -> Any:
        """An `AsyncClient` of the package `lightkube`."""
        return _package("lightkube").AsyncClient(config=self._lightkube_config())

    def _lightkube_config(self) -> Any:
        return _package("lightkube").KubeConfig.from_file(str(self.kubeconfig))


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        package = name.partition(".")[0]
        raise ClientMissing(f"the package {package} is not installed: pip install {package}") from exc
