"""What a YAML text means, as kubectl reads it, and where in it each value stands.

PyYAML's C scanner gives events; the nodes are built here without recursion and with limits that hold *while* reading, so that
hostile text costs neither the stack nor the memory. Scalars follow the rules of kubectl's YAML library (YAML 1.1 booleans,
base-0 integers, dates stay strings), not PyYAML's. What the values mean for Kubernetes is `client/manifests.py`'s affair.

Source: sigs.k8s.io/yaml v1.4 goyaml.v2/resolve.go (resolve), goyaml.v2/decode.go (merge keys, duplicate keys, aliasing limit)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import yaml

from lifepod.api.objects import JsonObject, JsonValue
from lifepod.errors import LifepodError

MAX_BYTES = 3 * 1024 * 1024
MAX_DEPTH = 128
MAX_ALIASES = 10_000
MAX_VALUES = 1_000_000


class YamlError(LifepodError):
    """The text is no YAML, or more of it than is read. `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.hint = message, line, column, hint


class Place(NamedTuple):
    """Where something stands in the text; both count from 1."""

    line: int
    column: int


class Repeated(NamedTuple):
    """A key that stood in its map before; `line` counts from 1."""

    name: str
    line: int


class Node:
    """A value of the text with its place. `content`: the JSON value of a scalar, (key node, value node) pairs, or nodes."""

    __slots__ = ("content", "is_merge", "kind", "place", "size", "text", "value")

    def __init__(self, kind: str, place: Place, text: str = "") -> None:
        self.kind, self.place, self.text = kind, place, text
        self.content: list[tuple[Node, Node]] | list[Node] = []
        self.value: JsonValue = None
        self.size = 1
        self.is_merge = False


class Document(NamedTuple):
    """One document: its value as JSON, and the nodes for places."""

    value: JsonValue
    root: Node

    def place(self, path: Sequence[str | int]) -> Place:
        """Where the value at `path` stands, or its nearest ancestor that is there. A map member's place is its key's."""
        at, place = self.root, self.root.place
        for step in path:
            found = _member(at, step)
            if found is None:
                return place
            key, at = found
            place = key.place
        return place

    def node(self, path: Sequence[str | int]) -> Node | None:
        """The node at `path`, or None."""
        at = self.root
        for step in path:
            found = _member(at, step)
            if found is None:
                return None
            at = found[1]
        return at


def read_documents(text: bytes | str, repeated: list[Repeated] | None = None) -> list[Document]:
    """All documents of a text; empty ones (only comments) are left out.

    A key that stands twice in a map is put into `repeated`, where there is one, and its last value counts.

    Raises YamlError with the place: not UTF-8, a syntax error, a duplicate key, deeper than 128, more than 10,000 aliases,
    larger than 3 MiB, or growing beyond a million values by its aliases.
    """
    if isinstance(text, str):
        text = text.encode()
    if len(text) > MAX_BYTES:
        raise YamlError(f"the text has {len(text)} bytes, more than the {MAX_BYTES} that are read", 1, 1)
    documents = []
    for root in _roots(_decoded(text)):
        _fill(root, repeated)
        if not (root.kind == "scalar" and root.value is None):
            documents.append(Document(root.value, root))
    return documents


def _decoded(text: bytes) -> str:
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise YamlError(f"not text: the byte 0x{text[exc.start]:02x} is not UTF-8", *_at(text, exc.start)) from exc
    for m in re.finditer(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", decoded):
        line = decoded.count("\n", 0, m.start()) + 1
        column = m.start() - decoded.rfind("\n", 0, m.start())
        raise YamlError(f"not text: the control character 0x{ord(m[0]):02x}", line, column)
    return decoded


def _at(text: bytes, offset: int) -> tuple[int, int]:
    return text.count(b"\n", 0, offset) + 1, offset - text.rfind(b"\n", 0, offset)


def _roots(text: str) -> Iterator[Node]:
    """The root node of each document, built from the scanner's events with an explicit stack."""
    stack: list[tuple[Node, list[Node]]] = []
    anchors: dict[str, Node] = {}
    aliases = 0
    for event in _events(text):
        mark = event.start_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        if isinstance(event, yaml.DocumentStartEvent):
            anchors = {}
            continue
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            node, children = stack.pop()
            node.content = list(zip(children[::2], children[1::2], strict=True)) if node.kind == "map" else children
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
            if aliases > MAX_ALIASES:
                raise YamlError(f"more than {MAX_ALIASES:,} aliases", *place)
            target = anchors.get(event.anchor or "")
            if target is None:
                raise YamlError(f"the alias *{event.anchor} names no anchor before it", *place)
            if any(target is open_ for open_, _ in stack):
                raise YamlError(f"the anchor &{event.anchor} contains itself", *place)
            node = target
        elif isinstance(event, yaml.ScalarEvent):
            node = Node("scalar", place, event.value)
            node.value = _scalar(event, place)
            node.is_merge = event.value == "<<" and event.implicit[0]
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(stack) >= MAX_DEPTH:
                raise YamlError(f"nested deeper than {MAX_DEPTH} levels", *place)
            node = Node("map" if isinstance(event, yaml.MappingStartEvent) else "list", place)
            if event.anchor:
                anchors[event.anchor] = node
            stack.append((node, []))
            continue
        else:
            continue
        if isinstance(event, yaml.ScalarEvent) and event.anchor:
            anchors[event.anchor] = node
        if stack:
            stack[-1][1].append(node)
        else:
            yield node


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=getattr(yaml, "CLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise YamlError(exc.problem or str(exc), line, column, _syntax_hint(text, line)) from None
    except yaml.YAMLError as exc:
        raise YamlError(str(exc).splitlines()[0], 1, 1) from None


def _syntax_hint(text: str, line: int) -> str:
    """What most often stands behind a syntax error on this line."""
    lines = text.splitlines()
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    before = lines[line - 2] if 2 <= line <= len(lines) + 1 else ""
    for offset, candidate in ((0, here), (-1, before)):
        if "\t" in candidate[: len(candidate) - len(candidate.lstrip())]:
            return f"Line {line + offset} is indented with a tab. YAML allows only spaces there."
        if re.match(r"\s*(- )?[A-Za-z]\w*:[^\s/]", candidate):
            word = candidate.strip().removeprefix("- ").split(":", 1)[0]
            return f"Line {line + offset}: put a space after the colon of `{word}:`."
    return ""


def _member(node: Node, step: str | int) -> tuple[Node, Node] | None:
    if node.kind == "list" and isinstance(step, int):
        items = node.content
        if step < len(items):
            item = items[step]
            assert isinstance(item, Node)
            return item, item
        return None
    if node.kind == "map":
        for pair in _members(node):
            if pair[0].text == step:
                return pair
    return None


def _members(node: Node) -> Iterator[tuple[Node, Node]]:
    for pair in node.content:
        assert isinstance(pair, tuple)
        yield pair


def _fill(root: Node, repeated: list[Repeated] | None) -> None:
    """Give every node its JSON value, children first, each node once however many aliases lead to it."""
    todo: list[tuple[Node, bool]] = [(root, False)]
    done: set[Node] = set()
    while todo:
        node, ready = todo.pop()
        if node in done or node.kind == "scalar":
            continue
        if not ready:
            todo.append((node, True))
            if node.kind == "map":
                todo += [(value, False) for pair in _members(node) for value in pair]
            else:
                todo += [(item, False) for item in node.content if isinstance(item, Node)]
            continue
        done.add(node)
        if node.kind == "list":
            items = [item for item in node.content if isinstance(item, Node)]
            node.value = [item.value for item in items]
            node.size += sum(item.size for item in items)
        else:
            node.value = _mapping(node, repeated)
        if node.size > MAX_VALUES:
            raise YamlError("the aliases make the document grow beyond a million values", *node.place)


def _mapping(node: Node, repeated: list[Repeated] | None) -> JsonObject:
    own: JsonObject = {}
    merged: JsonObject = {}
    seen: dict[str, Node] = {}
    for key, value in _members(node):
        if key.kind != "scalar":
            raise YamlError("a key of a map must be a plain word, not a list or a map", *key.place)
        node.size += value.size
        if key.is_merge:
            for source in value.value if isinstance(value.value, list) else [value.value]:
                if not isinstance(source, dict):
                    raise YamlError("`<<` merges maps only", *value.place)
                merged = {**source, **merged}
            continue
        name = _key(key)
        if name in seen:
            if repeated is None:
                first = seen[name].place.line
                raise YamlError(f'the key "{name}" stands here twice, first in line {first}', *key.place)
            repeated.append(Repeated(name, key.place.line))
        seen[name] = key
        key.text = name
        own[name] = value.value
    return {**merged, **own}


def _key(node: Node) -> str:
    """JSON's keys are strings: true → "true", 80 → "80"."""
    value = node.value
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_FLOAT = re.compile(r"[-+]?[0-9]*\.?[0-9]+([eE][-+][0-9]+)?|[-+]?[0-9]+\.([eE][-+]?[0-9]+)?")
_INT = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_INFINITE = float("inf")
_MOST_DIGITS = 250
"""In no base does an integer of so few digits leave the range of floats."""
_SPECIAL = frozenset(
    (".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", ".nan", ".NaN", ".NAN")
)


def _scalar(event: yaml.ScalarEvent, place: Place) -> JsonValue:
    """A scalar's JSON value. Quoted and block scalars are strings."""
    text, tag = event.value, event.tag
    if tag == "tag:yaml.org,2002:str" or (tag in (None, "!") and not event.implicit[0]):
        return text
    if tag == "tag:yaml.org,2002:binary":
        return text
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text in _SPECIAL:
        raise YamlError(f"JSON has no {text}", *place)
    plain = text.replace("_", "")
    if len(plain) <= _MOST_DIGITS and _INT.fullmatch(plain) and text[0] not in "_":
        return _integer(plain)
    if _FLOAT.fullmatch(plain) and text[0] not in "_" and abs(number := float(plain)) < _INFINITE:
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    return text


def _integer(plain: str) -> int | float:
    """Base 0 as Go's ParseInt: 0x, 0b, 0o and a leading 0 are bases. Beyond 64 bits it is a float."""
    sign = -1 if plain[0] == "-" else 1
    digits = plain.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
        number = int(digits, 8)
    else:
        number = int(digits, 0)
    number *= sign
    return number if -(2**63) <= number < 2**64 else float(number)
