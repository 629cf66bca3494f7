"""The words in which probes and hooks fail, as the kubelet and its runtime say them; the same for every runtime.

Source: k8s.io/kubernetes v1.34.4 pkg/probe/http/http.go: DoHTTPProbe; pkg/probe/tcp/tcp.go: DoTCPProbe;
        pkg/probe/grpc/grpc.go: Probe; pkg/kubelet/lifecycle/handlers.go: Run; containerd pkg/cri/server: execInContainer
Read by the node process as well, which has the standard library only.
"""

from __future__ import annotations

import json

from lifepod.lifecycle.vocabulary import HttpGetHandler


def host_port(host: str, port: int | str) -> str:
    """`10.0.0.1:80`, `[::1]:80`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_of(handler: HttpGetHandler, host: str) -> str:
    """The URL that is asked for."""
    path = handler.path if handler.path.startswith("/") else f"/{handler.path}"
    return f"{handler.scheme.lower()}://{host_port(host, handler.port)}{path}"


def connection_refused(host: str, port: int | str) -> str:
    """Nobody listens."""
    return f"dial tcp {host_port(host, port)}: connect: connection refused"


def connection_timed_out(host: str, port: int | str) -> str:
    """Nobody answers."""
    return f"dial tcp {host_port(host, port)}: i/o timeout"


def http_error(url: str, error: str) -> str:
    """A GET that got no answer."""
    return f'Get "{url}": {error}'


def http_timed_out(url: str) -> str:
    """A GET whose answer did not come in time."""
    return http_error(url, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)")


def bad_status(code: int) -> str:
    """A GET with an answer of 400 and up."""
    return f"HTTP probe failed with statuscode: {code}"


def exec_timed_out(command: tuple[str, ...], timeout_seconds: int) -> str:
    """An exec probe that took too long."""
    return f'command timed out: "{" ".join(command)}" timed out after {timeout_seconds}s'


def grpc_not_reached(host: str, port: int, timeout_seconds: int) -> str:
    """No gRPC server answers there."""
    return f'timeout: failed to connect service "{host_port(host, port)}" within {timeout_seconds}s: context deadline exceeded'


def exec_hook_failed(command: tuple[str, ...], exit_code: int, output: str) -> str:
    """An exec hook that ended with an exit code other than 0."""
    return f"command '{' '.join(command)}' exited with {exit_code}: , message: {_quoted(output)}"


def exec_hook_not_run(error: str, output: str) -> str:
    """An exec hook that could not even be started."""
    return f"{error}, message: {_quoted(output)}"


def _quoted(output: str) -> str:
    return json.dumps(output, ensure_ascii=False)
