"""Subresources that reach into a node: log, exec, attach, portforward, proxy. Finds the pod and its node, then hands over."""

from __future__ import annotations

from typing import Final

from lifepod.api.objects import JsonObject, dig
from lifepod.apiserver.attach import attach_answer
from lifepod.apiserver.container_choice import chosen_container
from lifepod.apiserver.exchange import Answer, Request, Whole
from lifepod.apiserver.exec import exec_answer
from lifepod.apiserver.get import get
from lifepod.apiserver.http_errors import bad_request, refusal
from lifepod.apiserver.log import log_answer, log_options
from lifepod.apiserver.node_address import unreachable
from lifepod.apiserver.node_proxy import SUMMARY, node_page, summary_page
from lifepod.apiserver.portforward import portforward_answer
from lifepod.apiserver.proxy import Target, pod_port, proxy_answer, service_target
from lifepod.apiserver.routes import ResourcePath, proxied_name
from lifepod.apiserver.seams import Seams
from lifepod.apiserver.status_errors import not_found
from lifepod.runtime.base import NodeStreams
from lifepod.store import Selection

STREAMED: Final = frozenset(("log", "exec", "attach", "portforward", "proxy"))
_SERVICE_LABEL: Final = "kubernetes.io/service-name"


class StreamRequests:
    """Answers them from an `Api` and the nodes' streams."""

    def __init__(self, seams: Seams) -> None:
        self._seams = seams

    def answer(self, request: Request, path: ResourcePath) -> Answer:
        """The answer. Raises ApiError."""
        if path.subresource == "proxy":
            return self._proxy(request, path)
        if path.subresource == "log":
            options = log_options(request, path.name, self._seams.now())
            pod = self._pod(path.namespace, path.name)
            container = chosen_container(pod, request.param("container"))
            page = f"/containerLogs/{path.namespace}/{path.name}/{container}"
            return log_answer(pod, container, options, self._streams(pod, page))
        pod = self._pod(path.namespace, path.name)
        streams = self._streams(pod)
        match path.subresource:
            case "exec":
                return exec_answer(pod, request, streams)
            case "attach":
                return attach_answer(pod, request, streams)
            case _:
                return portforward_answer(pod, request, streams)

    def _pod(self, namespace: str, name: str) -> JsonObject:
        api = self._seams.api
        with self._seams.lock:
            return get(api, api.kinds.of("pods"), namespace, name)

    def _streams(self, pod: JsonObject, page: str = "") -> NodeStreams | None:
        """The streams of the pod's node, None while it is on none. Raises ApiError 404, 500 when there is nobody to ask.

        `page`: the path of the node's server that would be fetched; "" for a connection that is upgraded.
        """
        name = dig(pod, "spec", "nodeName")
        if not name:
            return None
        if (streams := self._seams.streams_for(name)) is not None:
            return streams
        api = self._seams.api
        with self._seams.lock:
            raise unreachable(get(api, api.kinds.of("nodes"), "", name), page)

    # ------------------------------------------------------------------------------------------------------------ proxy

    def _proxy(self, request: Request, path: ResourcePath) -> Answer:
        parts = proxied_name(path.name)
        if parts is None:
            raise bad_request(f'invalid {path.plural.removesuffix("s")} request "{path.name}"')
        scheme, name, port = parts
        if scheme == "https":
            raise refusal(503, "ServiceUnavailable", "proxying to https ports is not supported")
        match path.plural:
            case "pods":
                pod = self._pod(path.namespace, name)
                number = pod_port(pod, port)
            case "services":
                pod, number = self._behind(path.namespace, name, port)
            case _:
                return self._node_page(name, path.rest)
        return self._to_pod(request, path, pod, number)

    def _node_page(self, name: str, rest: str) -> Answer:
        api = self._seams.api
        with self._seams.lock:
            node = get(api, api.kinds.of("nodes"), "", name)
            if self._seams.streams_for(name) is None:
                raise unreachable(node)
            found = (api.store.decoded(record) for record in api.store.list("pods").records)
            pods = [pod for pod in found if dig(pod, "spec", "nodeName") == name]
        usage = self._seams.usage
        if usage is None or rest.strip("/") != SUMMARY:
            return node_page(rest, pods)
        answer: Answer = summary_page(node, pods, usage, self._seams.now)
        return answer

    def _to_pod(self, request: Request, path: ResourcePath, pod: JsonObject, port: int) -> Answer:
        streams = self._streams(pod)
        if streams is None:
            raise bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
        target = Target(pod["metadata"]["uid"], port, streams, dig(pod, "status", "podIP") or "")
        answer: Answer = _awaited(request, target, path.rest)
        return answer

    def _behind(self, namespace: str, name: str, port: str) -> tuple[JsonObject, int]:
        api = self._seams.api
        with self._seams.lock:
            service = get(api, api.kinds.of("services"), namespace, name)
            records = api.store.list("endpointslices.discovery.k8s.io", Selection(namespace)).records
            slices = [api.store.decoded(record) for record in records if record.labels.get(_SERVICE_LABEL) == name]
            pod_name, number = service_target(service, port, slices)
            pod = api.store.get("pods", namespace, pod_name)
        if pod is None:
            raise not_found(api.kinds.of("pods"), pod_name)
        return pod, number


async def _awaited(request: Request, target: Target, rest: str) -> Whole:
    return await proxy_answer(request, target, rest)
