"""What upstream says of a value of the wrong type in a strategic merge patch: it converts there instead of decoding.

Source: k8s.io/apimachinery v0.34.4 pkg/runtime/converter.go: fromUnstructured, mapFromUnstructured, sliceFromUnstructured,
        structFromUnstructured
"""

from __future__ import annotations

import re
from typing import Final

_DECODING: Final = re.compile(r"json: cannot unmarshal (\w+)( \S+)? into Go (?:struct field \S+|value) of type (\S+)")
_GO_KINDS: Final = {"string": "string", "number": "int64", "bool": "bool", "array": "slice", "object": "map"}
_SIMPLE: Final = re.compile(r"string|bool|u?int\d*|float\d+")


def conversion_error(decoding_error: str) -> str:
    """The converter's words for what a decoder would have said.

    >>> conversion_error("json: cannot unmarshal number into Go struct field ConfigMap.data of type string")
    'cannot convert int64 to string'
    """
    found = _DECODING.fullmatch(decoding_error)
    if found is None:
        return decoding_error
    word, number, wanted = found.groups()
    given = "float64" if number and not number.strip("- ").isdigit() else _GO_KINDS.get(word, word)
    if wanted.startswith("map["):
        return f"cannot restore map from {given}"
    if wanted.startswith("[]"):
        return f"cannot restore slice from {given}"
    if _SIMPLE.fullmatch(wanted) is None:
        return "unrecognized type: string" if word in ("array", "object") else f"cannot restore struct from: {given}"
    if (given, wanted) == ("int64", "string") or (given == "float64" and wanted.startswith(("int", "uint"))):
        return f"cannot convert {given} to {wanted}"
    return f"unrecognized type: {wanted}"
