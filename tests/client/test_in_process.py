"""The in-process transport hands requests to an ASGI application as a socket would."""

import asyncio

import orjson
import pytest

from lifepod.api.writes import ApiError
from lifepod.client.base import Client
from lifepod.client.in_process import InProcess


async def app(scope, receive, send):
    body = (await receive())["body"]
    if scope["path"] == "/missing":
        status, answer = 404, {"kind": "Status", "message": 'pods "x" not found', "reason": "NotFound", "code": 404}
    else:
        status, answer = 200, {"path": scope["path"], "query": scope["query_string"].decode(), "body": body.decode()}
    await send({"type": "http.response.start", "status": status, "headers": [(b"Warning", b'299 - "careful"')]})
    if scope["path"] == "/watch":
        for i in range(3):
            line = orjson.dumps({"type": "ADDED", "object": {"i": i}}) + b"\n"
            await send({"type": "http.response.body", "body": line[:5], "more_body": True})
            await send({"type": "http.response.body", "body": line[5:], "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    await send({"type": "http.response.body", "body": orjson.dumps(answer)})


def run(story):
    async def whole():
        client = Client(InProcess(app))
        try:
            return await story(client)
        finally:
            await client.close()

    return asyncio.run(whole())


def test_a_request_carries_path_query_and_body_and_collects_warnings():
    async def story(client):
        answer = await client.request("POST", "/a b", {"x": 1}, {"q": "a=b"})
        return answer, client.warnings

    answer, warnings = run(story)
    assert answer == {"path": "/a b", "query": "q=a%3Db", "body": '{"x":1}'}
    assert warnings == ['299 - "careful"']


def test_a_status_failure_is_an_api_error():
    with pytest.raises(ApiError) as caught:
        run(lambda client: client.get("/missing"))
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")


def test_a_watch_yields_lines_however_they_are_cut_and_ends_when_left():
    async def story(client):
        seen = []
        async for event in client.watch("/watch", {}):
            seen.append((event.type, event.object["i"]))
            if len(seen) == 3:
                break
        return seen

    assert run(story) == [("ADDED", 0), ("ADDED", 1), ("ADDED", 2)]
