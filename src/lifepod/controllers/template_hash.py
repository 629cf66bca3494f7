"""The hash that names a pod template: same template, same name.

Source: k8s.io/kubernetes v1.34.4 pkg/controller/controller_utils.go: ComputeHash (form and alphabet)
Differs: the hash is over canonical JSON, not over Go's dump of the struct, so the letters are others than upstream's.
"""

from __future__ import annotations

import orjson

from lifepod.api.objects import JsonObject

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: JsonObject, collisions: int = 0) -> str:
    """Eight to ten letters; `collisions` makes another one where the name was taken."""
    text = orjson.dumps([template, collisions], option=orjson.OPT_SORT_KEYS)
    number = 0x811C9DC5
    for byte in text:
        number = ((number ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))
