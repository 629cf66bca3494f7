"""lifepod's end of a supervisor."""

from __future__ import annotations

import asyncio
import socket

import pytest

from lifepod.runtime.process import messages
from lifepod.runtime.process.container_link import ContainerLink


@pytest.mark.parametrize(
    ("said", "heard"),
    [({"started": 1.0}, {"started": 1.0}), (None, {"failed": "its supervisor ended unexpectedly", "errno": 0})],
)
def test_what_became_of_a_start_can_be_asked_when_nobody_waits_for_it_any_more(said, heard):
    async def main():
        ours, theirs = socket.socketpair()
        ended = asyncio.Event()
        link = ContainerLink(ours, None, ended.set)
        start = asyncio.create_task(link.wait_started())
        await asyncio.sleep(0)
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        if said is not None:
            messages.send(theirs, said)
        theirs.close()
        await asyncio.wait_for(ended.wait(), 10)
        return link.started

    assert asyncio.run(main()) == heard
