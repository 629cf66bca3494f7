"""When an order cannot be carried out: the reason a pod waits for, and the words of containerd and runc."""

from __future__ import annotations

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
    """A failed exec in the words of containerd and runc."""
    return f"OCI runtime exec failed: exec failed: unable to start container process: {problem}: unknown"


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
