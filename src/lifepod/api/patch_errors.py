"""Why a patch cannot be applied, with the HTTP code upstream answers, and how Go prints the values it complains of."""

from __future__ import annotations

from lifepod.api.objects import JsonValue
from lifepod.errors import LifepodError

REJECTED = "the server rejected our request due to an error in our request"


class PatchError(LifepodError):
    """`code` 400 (the patch makes no sense), 422 (it does not fit the object), 413, or 500 where upstream lets it fall through.

    `str()` is upstream's message; `detail` says more where upstream's says nothing.
    """

    def __init__(self, code: int, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.detail = detail


def go_print(value: JsonValue) -> str:
    """A JSON value as Go's `%v` prints it: `map[image:x name:c]`, `[a b]`, `<nil>`."""
    match value:
        case dict():
            return "map[" + " ".join(f"{key}:{go_print(value[key])}" for key in sorted(value)) + "]"
        case list():
            return "[" + " ".join(map(go_print, value)) + "]"
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def go_type(value: JsonValue) -> str:
    """The Go type of a decoded JSON value."""
    match value:
        case dict():
            return "map[string]interface {}"
        case list():
            return "[]interface {}"
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case int():
            return "int64"
        case float():
            return "float64"
        case _:
            return "string"


def json_word(value: JsonValue) -> str:
    """What Go's decoder calls a JSON value."""
    match value:
        case dict():
            return "object"
        case list():
            return "array"
        case str():
            return "string"
        case bool():
            return "bool"
        case None:
            return "null"
        case _:
            return "number"


def too_deep() -> PatchError:
    """The patch or the object nests deeper than anything Kubernetes has."""
    return PatchError(400, "error decoding patch: exceeded max depth")
