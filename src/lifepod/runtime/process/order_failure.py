"""When an order cannot be carried out: the reason a pod waits for, and the words of containerd and runc."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

from lifepod.runtime.base import CreateContainerOrder, InspectImageOrder, PullImageOrder, StartContainerOrder

if TYPE_CHECKING:
    from lifepod.runtime.base import Verb


class OrderFailed(Exception):
    """The order cannot be carried out: the waiting reason it leads to, and the runtime's words."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def start_error_text(problem: str) -> str:
    """A failed start in the words of containerd and runc."""
    return (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
        f"unable to start container process: {problem}: unknown"
    )


def exec_error_text(problem: str) -> str:
    """A failed exec in the words of containerd and runc; each exec has an id of its own."""
    return (
        f'failed to exec in container: failed to start exec "{token_hex(32)}": OCI runtime exec failed: exec failed: '
        f"unable to start container process: {problem}: unknown"
    )


def rpc_error_text(problem: str) -> str:
    """What the agent hears when a command could not be run at all: the error with gRPC's words before it.

    Source: google.golang.org/grpc v1.72.2 internal/status/status.go: Error.Error
    """
    return f"rpc error: code = Unknown desc = {problem}"


def reason_of(verb: Verb) -> str:
    """The waiting reason when the order fails without one of its own."""
    match verb:
        case CreateContainerOrder():
            return "CreateContainerError"
        case StartContainerOrder():
            return "RunContainerError"
        case PullImageOrder():
            return "ErrImagePull"
        case InspectImageOrder():
            return "ImageInspectError"
        case _:
            return ""
