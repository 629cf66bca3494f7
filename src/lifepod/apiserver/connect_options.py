"""What admission sees of a connection (exec, attach, portforward, proxy): its options as an object.

Source: k8s.io/apiserver v0.34.4 pkg/endpoints/handlers/rest.go: ConnectResource
        k8s.io/api v0.34.4 core/v1/types.go: PodExecOptions, PodAttachOptions, PodPortForwardOptions, PodProxyOptions
"""

from __future__ import annotations

from datetime import datetime

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.auth import User
from lifepod.apiserver.exchange import Request
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.routes import ResourcePath

_KINDS = {"exec": "PodExecOptions", "attach": "PodAttachOptions", "portforward": "PodPortForwardOptions"}


def connect_call(request: Request, kind: Kind, path: ResourcePath, user: User, now: datetime) -> Call:
    """The connection as admission is asked about it."""
    name = _KINDS.get(path.subresource) or f"{kind.kind}ProxyOptions"
    options: JsonObject = {"kind": name, "apiVersion": "v1"} | _members(request, path)
    shown = Kind(
        group="", version="v1", kind=name, plural="", singular="", namespaced=True, schema=f"io.k8s.api.core.v1.{name}"
    )
    write = WriteOptions(now, user)
    return Call("CONNECT", kind, options, None, write, path.subresource, shown, None, path.namespace, path.name)


def _members(request: Request, path: ResourcePath) -> JsonObject:
    if path.subresource == "proxy":
        return {"path": path.rest} if path.rest else {}
    if path.subresource == "portforward":
        ports = [int(each) for text in request.query.get("ports", []) for each in text.split(",") if each.isdecimal()]
        return {"ports": ports} if ports else {}
    streams = ("stdin", "stdout", "stderr", "tty")
    members: JsonObject = {each: True for each in streams if request.flag(each)}
    if container := request.param("container"):
        members["container"] = container
    if path.subresource == "exec":
        members["command"] = request.query.get("command", [])
    return members
