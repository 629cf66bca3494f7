"""lifepod's side of the pods' way out of the cluster: started beside the first pod, and again when it has ended.

The node process runs it and takes it along when it ends (`slirp.py`); one serves all pods.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

from lifepod.runtime.process.node_client import NodeProcessFailed
from lifepod.runtime.sandbox.slirp import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable

    from lifepod.runtime.process.node_client import NodeClient


def find_way_out() -> str:
    """The program that gives pods a way out of the cluster, "" when there is none on this machine."""
    return shutil.which(PROGRAM) or ""


class WayOut:
    """`program`: what runs it. `on_problem` hears once why there is none after all."""

    def __init__(self, node: NodeClient, program: str, on_problem: Callable[[str], None]) -> None:
        self._node, self._program, self._on_problem = node, program, on_problem
        self._opening: asyncio.Task[None] | None = None
        self._is_hopeless = False
        self._is_attached = False

    def open(self) -> None:
        """See to it that it runs, without waiting for it."""
        if not self._is_hopeless and (self._opening is None or self._opening.done()):
            self._opening = asyncio.get_running_loop().create_task(self._open())

    async def opened(self) -> bool:
        """Wait for what `open` began; False when there is no way out."""
        if self._opening is not None:
            await asyncio.wait((self._opening,))
        return not self._is_hopeless

    def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()

    async def _open(self) -> None:
        read, write = os.pipe()
        try:
            try:
                said, _ = await self._node.request("way_out", (write,), program=self._program)
            finally:
                os.close(write)
            if not said["runs"] and not await _something_to_read(read):
                raise NodeProcessFailed(f"{PROGRAM} ended at once; `lifepod doctor` says why")
            if said["runs"] and self._is_attached:
                return
            await self._node.request("attach_way_out")
            self._is_attached = True
        except NodeProcessFailed as exc:
            self._is_hopeless = True
            self._on_problem(str(exc))
        finally:
            os.close(read)


async def _something_to_read(fd: int) -> bool:
    """Whether something comes before the end."""
    loop = asyncio.get_running_loop()
    is_ready = asyncio.Event()
    loop.add_reader(fd, is_ready.set)
    try:
        await is_ready.wait()
    finally:
        loop.remove_reader(fd)
    return bool(os.read(fd, 1))
