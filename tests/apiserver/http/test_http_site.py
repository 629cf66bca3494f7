"""The site without a socket: paths, forms, identities, watches, hooks. Through the ASGI entry, as in-process clients use it."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifepod.api.objects import JsonObject
from lifepod.apiserver import watch_stream
from lifepod.apiserver.asgi import AsgiApp
from lifepod.apiserver.exchange import Request, Response, Stream
from lifepod.apiserver.negotiation import Form, accepted_form
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.routes import ResourcePath, proxied_name, resource_path

ADMIN_HEADER = {"authorization": "Bearer admin-token"}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def ask(cluster: Any, method: str, target: str, body: bytes = b"", **headers: str) -> Response:
    """One request as the admin, answered at once."""
    path, _, query = target.partition("?")
    sent = ADMIN_HEADER | {name.replace("_", "-"): value for name, value in headers.items()}
    answer = cluster.app.site(Request(method, path, query, sent, body))
    assert isinstance(answer, Response), answer
    return answer


def document(response: Response) -> Any:
    return orjson.loads(response.body)


def create(cluster: Any, name: str, labels: dict[str, str] | None = None) -> JsonObject:
    kind = cluster.api.kinds.of("configmaps")
    metadata: JsonObject = {"name": name, "labels": labels or {}}
    made: JsonObject = cluster.api.create(kind, "default", {"metadata": metadata}, WriteOptions(cluster.now()))
    return made


# ------------------------------------------------------------------------------------------------ paths


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/api/v1/pods", ResourcePath("", "v1", "pods")),
        ("/api/v1/pods/", ResourcePath("", "v1", "pods")),
        ("/api/v1/namespaces/a/pods/b", ResourcePath("", "v1", "pods", "a", "b")),
        ("/api/v1/namespaces/a", ResourcePath("", "v1", "namespaces", "", "a")),
        ("/api/v1/namespaces/a/finalize", ResourcePath("", "v1", "namespaces", "", "a", "finalize")),
        ("/api/v1/namespaces/a/status", ResourcePath("", "v1", "namespaces", "", "a", "status")),
        ("/apis/batch/v1/namespaces/a/jobs/b/status", ResourcePath("batch", "v1", "jobs", "a", "b", "status")),
        ("/api/v1/watch/pods", ResourcePath("", "v1", "pods", watch=True)),
        ("/api/v1/namespaces/a/pods/b:80/proxy/x/y/", ResourcePath("", "v1", "pods", "a", "b:80", "proxy", "/x/y/")),
        ("/api/v1/namespaces/a/pods/b%2Dc", ResourcePath("", "v1", "pods", "a", "b-c")),
        ("/api/v1", None),
        ("/version", None),
        ("/api/v1//pods", None),
        ("/api/v1/namespaces/a/pods/..", None),
        ("/api/v1/namespaces/a/pods/b/status/more", None),
    ],
)
def test_a_path_names_a_resource(path: str, found: ResourcePath | None) -> None:
    assert resource_path(path) == found


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a", ("", "a", "")),
        ("a:80", ("", "a", "80")),
        ("http:a:80", ("http", "a", "80")),
        ("x:a:80", None),
        (":", None),
    ],
)
def test_a_proxied_name_is_taken_apart(name: str, parts: tuple[str, str, str] | None) -> None:
    assert proxied_name(name) == parts


@pytest.mark.parametrize(
    ("method", "target", "status", "says"),
    [
        ("GET", "/apis/nosuch", 404, "404 page not found\n"),
        ("GET", "/nosuch", 404, "404 page not found\n"),
        ("GET", "/apis/batch/v9/jobs", 404, "404 page not found\n"),
        ("GET", "/api/v1/nosuch", 404, "the server could not find the requested resource"),
        ("GET", "/api/v1/namespaces/default/nodes", 404, "the server could not find the requested resource"),
        ("GET", "/api/v1/namespaces/default/pods/x/nosuch", 404, "the server could not find the requested resource"),
        ("POST", "/api/v1/pods", 405, "the server does not allow this method on the requested resource"),
        ("DELETE", "/api/v1/namespaces", 405, "the server does not allow this method on the requested resource"),
        ("GET", "/api/v1/namespaces/default/pods/x", 404, 'pods "x" not found'),
        ("GET", "/api/v1/namespaces/default/pods/x/log", 404, 'pods "x" not found'),
        ("GET", "/api/v1/pods?limit=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("PATCH", "/api/v1/namespaces/default/pods/x", 415, "415: Unsupported Media Type"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_served_is_refused(
    cluster: Any, method: str, target: str, status: int, says: str
) -> None:
    answer = ask(cluster, method, target)
    assert answer.status == status
    text = document(answer)["message"] if answer.content_type == "application/json" else answer.body.decode()
    assert text == says


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/version", "/version/"])
def test_health_and_version_need_no_identity(cluster: Any, path: str) -> None:
    answer = cluster.app.site(Request("GET", path))
    assert answer.status == 200
    assert dict(answer.headers)["Audit-Id"].count("-") == 4


# ------------------------------------------------------------------------------------------------ identity


@pytest.mark.parametrize(
    ("headers", "target", "status", "says"),
    [
        ({}, "/api/v1/pods", 403, 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope'),
        ({}, "/apis", 403, 'forbidden: User "system:anonymous" cannot get path "/apis"'),
        ({"authorization": "Bearer wrong"}, "/version", 401, "Unauthorized"),
        (ADMIN_HEADER | {"impersonate-user": "system:anonymous"}, "/api/v1/namespaces/t/pods", 403, 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "t"'),
        (ADMIN_HEADER | {"impersonate-user": "system:anonymous"}, "/readyz/ping", 403, 'forbidden: User "system:anonymous" cannot get path "/readyz/ping"'),
        (ADMIN_HEADER | {"impersonate-user": "jane"}, "/api/v1/pods", 403, 'pods is forbidden: User "jane" cannot list resource "pods" in API group "" at the cluster scope'),
        (ADMIN_HEADER | {"impersonate-user": "jane", "impersonate-group": "system:masters"}, "/api/v1/pods", 200, ""),
        (ADMIN_HEADER | {"impersonate-group": "g"}, "/api/v1/pods", 400, "requested impersonate-group without impersonating a user"),
    ],
)  # fmt: skip
def test_who_asks_decides_what_is_answered(
    cluster: Any, headers: dict[str, str], target: str, status: int, says: str
) -> None:
    answer = cluster.app.site(Request("GET", target, "", headers))
    assert answer.status == status
    assert document(answer).get("message", "") == says


def test_a_service_accounts_token_is_good_while_the_account_exists(cluster: Any) -> None:
    made = ask(cluster, "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", b"{}")
    assert made.status == 201
    token = document(made)["status"]["token"]
    review = orjson.dumps({"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"})
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    user = document(ask(cluster, "POST", path, review, authorization=f"Bearer {token}"))["status"]["userInfo"]
    assert user["username"] == "system:serviceaccount:default:default"
    assert user["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    assert ask(cluster, "GET", "/version", authorization=f"Bearer {token[:-4]}AAAA").status == 401
    assert ask(cluster, "DELETE", "/api/v1/namespaces/default/serviceaccounts/default").status == 200
    assert ask(cluster, "GET", "/version", authorization=f"Bearer {token}").status == 401


# ------------------------------------------------------------------------------------------------ forms


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form()),
        ("*/*", Form()),
        ("application/vnd.kubernetes.protobuf,application/json", Form()),
        (TABLE, Form("Table", "v1")),
        ("application/json;as=Bogus;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io", Form("Table", "v1beta1")),
        ("application/json;q=0.1,application/yaml", Form(yaml=True)),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Form("PartialObjectMetadataList", "v1")),
    ],
)  # fmt: skip
def test_the_first_acceptable_form_is_taken(accept: str, form: Form) -> None:
    assert accepted_form(Request("GET", "/", "", {"accept": accept})) == form


def test_nothing_acceptable_is_406_and_an_unknown_body_415(cluster: Any) -> None:
    refused = ask(cluster, "GET", "/api/v1/pods", accept="text/html")
    assert (refused.status, document(refused)["reason"]) == (406, "NotAcceptable")
    refused = ask(cluster, "POST", "/api/v1/namespaces", b"x", content_type="text/html")
    assert (refused.status, document(refused)["reason"]) == (415, "UnsupportedMediaType")


def test_a_table_has_a_row_per_object_with_its_metadata(cluster: Any) -> None:
    create(cluster, "a", {"x": "y"})
    table = document(ask(cluster, "GET", "/api/v1/namespaces/default/configmaps/a", accept=TABLE))
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    (row,) = table["rows"]
    assert row["cells"][:2] == ["a", 0]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"]["labels"] == {"x": "y"}
    refused = ask(cluster, "GET", "/api/v1/configmaps?includeObject=bogus", accept=TABLE)
    assert document(refused)["message"].startswith(
        "Unable to convert to Table as requested: includeObject: Invalid value"
    )


def test_yaml_comes_in_and_goes_out(cluster: Any) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: why}\ndata: {a: b}\n"
    made = ask(
        cluster,
        "POST",
        "/api/v1/namespaces/default/configmaps",
        body,
        content_type="application/yaml",
        accept="application/yaml",
    )
    assert (made.status, made.content_type) == (201, "application/yaml")
    assert b"data:\n  a: b\n" in made.body


def test_people_get_it_indented_and_large_answers_are_compressed_on_request(cluster: Any) -> None:
    assert b'\n  "kind"' in ask(cluster, "GET", "/api/v1/namespaces/default", user_agent="curl/8").body
    for query, is_pretty in (("pretty=false", False), ("pretty=yes", False), ("pretty=", True), ("pretty=T", True)):
        body = ask(cluster, "GET", f"/api/v1/namespaces/default?{query}", user_agent="curl/8").body
        assert (b'\n  "kind"' in body) == is_pretty, query
    for i in range(700):
        create(cluster, f"c{i}", {"l": "x" * 60})
    plain = ask(cluster, "GET", "/api/v1/configmaps")
    packed = ask(cluster, "GET", "/api/v1/configmaps", accept_encoding="gzip")
    assert dict(packed.headers)["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    for refused in ("gzip;q=0", "br, x-gzip"):
        assert ask(cluster, "GET", "/api/v1/configmaps", accept_encoding=refused).body == plain.body


def test_unknown_fields_are_warned_of_one_header_each(cluster: Any) -> None:
    body = b'{"metadata":{"name":"w"},"bogus":1,"bogus2":2}'
    made = ask(cluster, "POST", "/api/v1/namespaces/default/configmaps", body)
    warnings = [value for name, value in made.headers if name == "Warning"]
    assert warnings == ['299 - "unknown field \\"bogus\\""', '299 - "unknown field \\"bogus2\\""']


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("fieldValidation=bogus", 'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "bogus": supported values: "", "Ignore", "Strict", "Warn"'),
        ("dryRun=bogus", 'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["bogus"]: supported values: "All"'),
    ],
)  # fmt: skip
def test_options_of_a_write_are_checked(cluster: Any, query: str, says: str) -> None:
    refused = ask(cluster, "POST", f"/api/v1/namespaces/default/configmaps?{query}", b'{"metadata":{"name":"w"}}')
    assert (refused.status, document(refused)["message"]) == (422, says)


# ------------------------------------------------------------------------------------------------ discovery


def test_aggregated_discovery_is_asked_for_by_accept_and_revalidated_by_etag(cluster: Any) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    found = ask(cluster, "GET", "/apis", accept=accept)
    assert found.content_type == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    items = document(found)["items"]
    assert [item["metadata"]["name"] for item in items[:2]] == ["apiregistration.k8s.io", "apps"]
    deployments = next(each for each in items[1]["versions"][0]["resources"] if each["resource"] == "deployments")
    assert deployments["responseKind"] == {"group": "", "version": "", "kind": "Deployment"}
    etag = dict(found.headers)["ETag"]
    assert ask(cluster, "GET", "/apis", accept=accept, if_none_match=etag).status == 304


def test_legacy_discovery_is_what_everybody_else_gets(cluster: Any) -> None:
    assert document(ask(cluster, "GET", "/api/"))["kind"] == "APIVersions"
    groups = document(ask(cluster, "GET", "/apis"))["groups"]
    assert "batch" in [group["name"] for group in groups]
    assert document(ask(cluster, "GET", "/apis/batch"))["preferredVersion"] == {
        "groupVersion": "batch/v1",
        "version": "v1",
    }
    listed = {each["name"]: each for each in document(ask(cluster, "GET", "/api/v1"))["resources"]}
    assert (listed["pods/eviction"]["group"], listed["pods/eviction"]["version"]) == ("policy", "v1")
    assert listed["pods"]["shortNames"] == ["po"]


def test_a_documents_url_carries_the_hash_of_its_content(cluster: Any) -> None:
    url = document(ask(cluster, "GET", "/openapi/v3"))["paths"]["apis/batch/v1"]["serverRelativeURL"]
    found = ask(cluster, "GET", url)
    assert found.status == 200
    moved = ask(cluster, "GET", "/openapi/v3/apis/batch/v1?hash=OLD")
    assert (moved.status, dict(moved.headers)["Location"]) == (301, url)
    etag = dict(found.headers)["ETag"]
    assert ask(cluster, "GET", "/openapi/v3/apis/batch/v1", if_none_match=etag).status == 304


# ------------------------------------------------------------------------------------------------ watches


class Client:
    """A client of the ASGI entry that reads one stream."""

    def __init__(self, cluster: Any, target: str, **headers: str) -> None:
        path, _, query = target.partition("?")
        sent = ADMIN_HEADER | headers
        self._scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        }
        self._app = AsgiApp(cluster.app.site)
        self._messages: asyncio.Queue[Any] = asyncio.Queue()
        self._begun = False
        self._lines: list[bytes] = []
        self.gone = asyncio.Event()
        self._task = asyncio.ensure_future(self._app(self._scope, self._receive, self._messages.put))

    async def _receive(self) -> Any:
        if not self._begun:
            self._begun = True
            return {"type": "http.request", "body": b""}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def head(self) -> Any:
        return await asyncio.wait_for(self._messages.get(), 5)

    async def event(self) -> Any:
        """The next event; None at the end."""
        while not self._lines:
            message = await asyncio.wait_for(self._messages.get(), 5)
            self._lines = message["body"].splitlines()
            if not self._lines and not message.get("more_body"):
                await self._task
                return None
        return orjson.loads(self._lines.pop(0))


def watching(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def test_a_watch_without_revision_begins_with_what_is_there(cluster: Any) -> None:
    async def check() -> None:
        create(cluster, "a", {"w": "1"})
        client = Client(cluster, f"{CONFIG_MAPS}?watch=1&labelSelector=w")
        assert (await client.head())["status"] == 200
        event = await client.event()
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")
        create(cluster, "b", {"w": "1"})
        create(cluster, "unseen")
        create(cluster, "c", {"w": "1"})
        assert [(await client.event())["object"]["metadata"]["name"] for _ in range(2)] == ["b", "c"]
        client.gone.set()
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(cluster.resources.hub) == 0

    watching(check)


@pytest.mark.parametrize(
    "how", ["sendInitialEvents=true&resourceVersionMatch=NotOlderThan", "resourceVersion=0", "resourceVersion="]
)
def test_initial_events_end_with_a_bookmark(cluster: Any, how: str) -> None:
    async def check() -> None:
        create(cluster, "a", {"w": "1"})
        query = f"watch=1&labelSelector=w&allowWatchBookmarks=true&{how}"
        client = Client(cluster, f"{CONFIG_MAPS}?{query}&timeoutSeconds=0")
        await client.head()
        assert (await client.event())["type"] == "ADDED"
        mark = await client.event()
        assert mark["type"] == "BOOKMARK"
        assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert mark["object"]["metadata"]["resourceVersion"] == str(cluster.api.store.revision)
        cluster.resources.hub.close()
        assert await client.event() is None

    watching(check)


def test_only_the_first_table_of_a_watch_has_columns(cluster: Any) -> None:
    async def check() -> None:
        revision = cluster.api.store.revision
        client = Client(cluster, f"{CONFIG_MAPS}?watch=true&resourceVersion={revision}", accept=TABLE)
        await client.head()
        create(cluster, "a")
        create(cluster, "b")
        first, second = (await client.event())["object"], (await client.event())["object"]
        assert (first["rows"][0]["cells"][0], second["rows"][0]["cells"][0]) == ("a", "b")
        assert first["columnDefinitions"][0]["name"] == "Name"
        assert second["columnDefinitions"] is None
        client.gone.set()
        await asyncio.sleep(0)

    watching(check)


@pytest.mark.parametrize("kind", ["future", "forgotten"])
def test_a_revision_that_cannot_be_served_is_told_in_the_stream(cluster: Any, kind: str) -> None:
    async def check() -> None:
        wanted = 1
        if kind == "future":
            wanted = cluster.api.store.revision + 100
        else:
            cluster.api.store.restore(cluster.api.store.snapshot())
        client = Client(cluster, f"{CONFIG_MAPS}?watch=true&resourceVersion={wanted}")
        assert (await client.head())["status"] == 200
        error = await client.event()
        assert (error["type"], error["object"]["code"], error["object"]["reason"]) == ("ERROR", 410, "Expired")
        assert error["object"]["message"].startswith(f"too old resource version: {wanted} (")
        assert await client.event() is None

    watching(check)


def test_a_watch_that_was_set_back_in_time_is_ended_with_410(cluster: Any) -> None:
    async def check() -> None:
        client = Client(cluster, f"{CONFIG_MAPS}?watch=true&resourceVersion={cluster.api.store.revision}")
        await client.head()
        await asyncio.sleep(0)
        cluster.api.store.restore(cluster.api.store.snapshot())
        cluster.resources.hub.restored()
        assert (await client.event())["object"]["code"] == 410
        assert await client.event() is None

    watching(check)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("sendInitialEvents=true", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        (
            "resourceVersionMatch=Exact",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
    ],
)
def test_watch_parameters_that_exclude_each_other_are_refused(cluster: Any, query: str, says: str) -> None:
    refused = ask(cluster, "GET", f"{CONFIG_MAPS}?watch=true&{query}")
    assert refused.status == 422
    assert says in document(refused)["message"]


class StuckSink:
    """A client that takes nothing."""

    def __init__(self) -> None:
        self.written = 0
        self.ended = self.aborted = False
        self._callbacks: list[Callable[[], None]] = []

    def write(self, data: bytes) -> None:
        self.written += len(data)

    def buffered(self) -> int:
        return self.written

    def finish(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.aborted = True
        for callback in self._callbacks:
            callback()

    def on_close(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def on_writable(self, callback: Callable[[], None]) -> None: ...

    async def drain(self) -> None: ...

    def spawn(self, work: Any) -> None: ...


def test_a_watcher_that_takes_nothing_costs_bounded_memory_and_is_ended_cleanly(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        stream = cluster.app.site(Request("GET", CONFIG_MAPS, "watch=true", ADMIN_HEADER))
        sink = StuckSink()
        stream.start(sink)
        for i in range(3_000):
            create(cluster, f"x{i}", {"l": "y" * 60})
            if i % 50 == 0:
                await asyncio.sleep(0)
        assert sink.written < 300_000
        assert not sink.ended
        monkeypatch.setattr(watch_stream, "STALLED_SECONDS", -1.0)  # time is up at the next look
        create(cluster, "last")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sink.ended
        assert len(cluster.resources.hub) == 0

    watching(check)


def test_a_thousand_watchers_all_hear_of_a_change(cluster: Any) -> None:
    async def check() -> None:
        sinks = []
        revision = cluster.api.store.revision
        for _ in range(1_000):
            stream = cluster.app.site(
                Request("GET", CONFIG_MAPS, f"watch=true&resourceVersion={revision}", ADMIN_HEADER)
            )
            sinks.append(StuckSink())
            stream.start(sinks[-1])
        create(cluster, "a")
        await asyncio.sleep(0)
        assert len({sink.written for sink in sinks} - {0}) == 1
        cluster.resources.hub.close()

    watching(check)


# ------------------------------------------------------------------------------------------------ seams


def test_every_request_is_counted_and_a_write_is_told_to_the_cluster(cluster: Any) -> None:
    ask(cluster, "POST", CONFIG_MAPS, b'{"metadata":{"name":"a"}}')
    ask(cluster, "GET", f"{CONFIG_MAPS}/nosuch")
    ask(cluster, "PATCH", f"{CONFIG_MAPS}/a", b"{}", content_type="application/merge-patch+json")
    assert [status for _, _, status in cluster.asked] == [201, 404, 200]
    assert cluster.asked[0][1] == f"POST {CONFIG_MAPS}"
    assert cluster.written == 1  # the patch changed nothing


def test_an_answer_waits_until_its_revision_is_durable(cluster: Any) -> None:
    async def check() -> None:
        kept = asyncio.Event()
        asked: list[int] = []

        async def durable() -> None:
            await kept.wait()

        def wait_for(revision: int) -> Awaitable[None]:
            asked.append(revision)
            return durable()

        writes = cluster.resources._writes
        writes._seams = writes._seams._replace(durable=wait_for)
        answer = cluster.app.site(Request("POST", CONFIG_MAPS, "", ADMIN_HEADER, b'{"metadata":{"name":"a"}}'))
        waiting = asyncio.ensure_future(answer)
        await asyncio.sleep(0)
        assert not waiting.done()
        kept.set()
        response = await waiting
        assert response.status == 201
        assert str(asked[0]) == document(response)["metadata"]["resourceVersion"]

    watching(check)


def test_our_own_mistake_is_answered_with_500(cluster: Any, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("oops")

    cluster.app._resources = type("Broken", (), {"answer": broken})()
    answer = ask(cluster, "GET", "/api/v1/pods")
    assert (answer.status, document(answer)["message"]) == (500, "Internal error occurred: RuntimeError: oops")


WORDS = ["api", "apis", "v1", "batch", "namespaces", "default", "pods", "configmaps", "x", "watch", "status", "log", "proxy", "..", "%2e%2e", "", "%zz", "\xe4", "scale", "jobs"]  # fmt: skip
NS = "/api/v1/namespaces/default"
PATHS = ["/api/v1/namespaces", f"{NS}/pods", f"{NS}/configmaps", f"{NS}/configmaps/kube-root-ca.crt", f"{NS}/services/kubernetes", f"{NS}/services", f"{NS}/serviceaccounts/default/token", f"{NS}/pods/x/eviction", f"{NS}/pods/x/binding", f"{NS}/bindings", f"{NS}/events", "/apis/batch/v1/namespaces/default/jobs", "/apis/apps/v1/namespaces/default/deployments/d/scale", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "/apis/authentication.k8s.io/v1/tokenreviews", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "/api/v1/namespaces/default/finalize", "/apis/coordination.k8s.io/v1/namespaces/default/leases/l"]  # fmt: skip
NAMES = ["watch", "limit", "continue", "labelSelector", "fieldSelector", "resourceVersion", "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "includeObject", "dryRun", "fieldValidation", "fieldManager", "gracePeriodSeconds", "propagationPolicy", "pretty", "tailLines", "sinceTime"]  # fmt: skip
VALUES = st.sampled_from(["", "true", "0", "-1", "x", "a=b", "a in (b", "metadata.name=x", "All", "99999999999999999999", "%00", "{}"]) | st.text(max_size=6).map(quote)  # fmt: skip
BODIES = st.sampled_from([b"", b"{}", b"[]", b"null", b"{", b'{"metadata":1}', b'{"metadata":{"name":1}}', b"k8s\0\x0a", b'{"spec":[]}', b'{"kind":[]}']) | st.binary(max_size=40)  # fmt: skip
TYPES = ["", "application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "application/merge-patch+json", "application/json-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml", "x"]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    path=st.sampled_from(PATHS) | st.lists(st.sampled_from(WORDS), max_size=7).map(lambda words: "/" + "/".join(words)),
    query=st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=3),
    accept=st.sampled_from(["", "*/*", TABLE, "x;;=,", "application/json;q=x"]),
    content_type=st.sampled_from(TYPES),
    body=BODIES,
)
def test_whatever_a_client_sends_is_answered_and_is_never_our_mistake(
    cluster: Any,
    method: str,
    path: list[str],
    query: list[tuple[str, str]],
    accept: str,
    content_type: str,
    body: bytes,
) -> None:
    headers = ADMIN_HEADER | {"accept": accept, "content-type": content_type}
    text = "&".join(f"{name}={value}" for name, value in query)
    answer = cluster.app.site(Request(method, path, text, headers, body))
    if isinstance(answer, Response):
        assert answer.status not in (500, 501, 502), answer.body
    elif not isinstance(answer, Stream):
        answer.close()
