"""What fields a type of the API has: one answer for built-in kinds and for custom resources.

`type_named("io.k8s.api.core.v1.Pod")` reads the generated table (`schema_data.py`, decompressed on the first call, some
2 ms); `type_of_crd_schema(schema, ...)` builds the same from a CustomResourceDefinition's `openAPIV3Schema`. Decoding, patches,
server-side apply, protobuf and OpenAPI all work on `Type`, so none of them knows the difference.

Format of the table: name → {"f": {field: [code, Go type, flags, protobuf number, extras?]}, "w": what is nested on the
wire, "m": map type, "g": group-version-kinds}. A code is one letter of `_LETTERS`, or `R<name>` an object, `[<code>` a list,
`{<code>` a map. Flags: 1 required, 2 a pointer in Go, 4 omitempty.
"""

from __future__ import annotations

import zlib
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import orjson

from lifepod.api.objects import JsonObject, JsonValue

TypeKind = Literal[
    "object",
    "array",
    "map",
    "string",
    "int32",
    "int64",
    "boolean",
    "number",
    "bytes",
    "quantity",
    "int-or-string",
    "time",
    "micro-time",
    "any",
]

_LETTERS: dict[str, TypeKind] = {
    "s": "string",
    "i": "int32",
    "l": "int64",
    "b": "boolean",
    "d": "number",
    "y": "bytes",
    "q": "quantity",
    "x": "int-or-string",
    "t": "time",
    "u": "micro-time",
    "a": "any",
}


class Field(NamedTuple):
    """One field of an object type.

    `pointer`, `omitempty`: how the Go field is declared; together they say whether a zero value is kept. `number` is the
    protobuf field number (0: not on the wire, or nested, see `Type.wire`). `patch_strategy` is upstream's text: `merge`,
    `merge,retainKeys`, `retainKeys`, "".
    """

    name: str
    type: Type
    required: bool = False
    pointer: bool = False
    omitempty: bool = True
    number: int = 0
    patch_strategy: str = ""
    patch_merge_key: str = ""
    default: JsonValue = None


class Type:
    """A type: what may stand in one place. Compared by identity; treat as immutable.

    `name` is the schema name of an object (`io.k8s.api.core.v1.Pod`, "" for others), `go` the Go type as error messages
    print it. `item`: the element type of arrays and maps. `fields` of objects. `list_type` is `atomic`, `set` or `map` (with
    `list_keys`); `atomic` says the same of maps and objects. `keeps_unknown`: unknown members are kept as they are
    (x-kubernetes-preserve-unknown-fields); `embedded`: a whole resource stands here (apiVersion, kind, metadata are known). `structural`: made from a CRD,
    whose values are checked by validation (422) and not while decoding (400).
    """

    __slots__ = (
        "_fields",
        "atomic",
        "check",
        "embedded",
        "go",
        "item",
        "keeps_unknown",
        "kind",
        "list_keys",
        "list_type",
        "name",
        "nullable",
        "structural",
        "wire",
    )

    def __init__(
        self,
        kind: TypeKind,
        go: str = "",
        *,
        name: str = "",
        item: Type | None = None,
        fields: dict[str, Field] | None = None,
        list_type: str = "atomic",
        list_keys: tuple[str, ...] = (),
        atomic: bool = False,
        keeps_unknown: bool = False,
        embedded: bool = False,
        nullable: bool = False,
        structural: bool = False,
        wire: Mapping[str, JsonValue] | None = None,
    ) -> None:
        self.kind: TypeKind = kind
        self.check: Callable[[JsonValue], bool] | None = None  # decode.py's compiled check
        self.go = go
        self.name = name
        self.item = item
        self.list_type = list_type
        self.list_keys = list_keys
        self.atomic = atomic
        self.keeps_unknown = keeps_unknown
        self.embedded = embedded
        self.nullable = nullable
        self.structural = structural
        self.wire: Mapping[str, JsonValue] = wire or {}
        self._fields = fields

    @property
    def fields(self) -> dict[str, Field]:
        """The fields by JSON name; empty unless `kind` is `object`. Read from the table on first use."""
        if self._fields is None:
            self._fields = _table_fields(self.name) if self.kind == "object" else {}
        return self._fields

    @property
    def struct(self) -> str:
        """The Go struct's name without package, as decode errors print it: `PodSpec`."""
        return self.go.rpartition(".")[2] if self.go else self.name.rpartition(".")[2]

    def __repr__(self) -> str:
        return f"<Type {self.name or self.go or self.kind}>"


ObjectType = Type
"""A `Type` of kind `object`."""

ANY = Type("any")
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


class _Table:
    """The generated table and the types made from it so far."""

    rows: JsonObject | None = None
    types: dict[tuple[str, bool | None], Type]
    by_kind: dict[tuple[str, str, str], str] | None = None


_table = _Table()
_table.types = {}


def _rows() -> JsonObject:
    if _table.rows is None:
        from lifepod.api.schema_data import PACKED

        rows: JsonObject = orjson.loads(zlib.decompress(a2b_base64(PACKED)))
        _table.rows = rows
    return _table.rows


def type_named(name: str) -> ObjectType:
    """The built-in object type of a schema name such as `io.k8s.api.core.v1.Pod`. Raises KeyError."""
    return _type_named(name, None)


def _type_named(name: str, atomic: bool | None) -> ObjectType:
    """As `type_named`; `atomic` overrides what the type itself says (a field may)."""
    found = _table.types.get((name, atomic))
    if found is None:
        row = _rows()[name]
        own = row.get("m") == "atomic"
        package, _, struct = name.rpartition(".")
        found = Type(
            "object",
            f"{package.rpartition('.')[2]}.{struct}",
            name=name,
            atomic=own if atomic is None else atomic,
            wire=row.get("w"),
        )
        _table.types[name, atomic] = found
    return found


def type_of_kind(group: str, version: str, kind: str) -> ObjectType | None:
    """The built-in type of a group, version and kind; None when the table has none."""
    if _table.by_kind is None:
        _table.by_kind = {
            (group, version, kind): name for name, row in _rows().items() for group, version, kind in row.get("g", ())
        }
    name = _table.by_kind.get((group, version, kind))
    return type_named(name) if name else None


def kinds_of(name: str) -> tuple[tuple[str, str, str], ...]:
    """The (group, version, kind)s that a schema name stands for; ("*", "*", kind) for DeleteOptions and the like."""
    row = _rows().get(name, {})
    return tuple((group, version, kind) for group, version, kind in row.get("g", ()))


def _table_fields(name: str) -> dict[str, Field]:
    return {field: _table_field(field, row) for field, row in _rows()[name]["f"].items()}


def _table_field(name: str, row: list[JsonValue]) -> Field:
    code, go, flags, number, *more = row
    extras: JsonObject = more[0] if more else {}
    return Field(
        name,
        _type_of_code(code, go or "string", extras),
        bool(flags & 1),
        bool(flags & 2),
        bool(flags & 4),
        number,
        extras.get("s", ""),
        extras.get("p", ""),
        extras.get("d"),
    )


def _type_of_code(code: str, go: str, extras: JsonObject) -> Type:
    match code[0]:
        case "R":
            atomic = {"atomic": True, "granular": False}.get(extras.get("m", ""))
            return _type_named(code[1:], atomic)
        case "[":
            item = _type_of_code(code[1:], go.removeprefix("[]"), {})
            return Type(
                "array", go, item=item, list_type=extras.get("l", "atomic"), list_keys=tuple(extras.get("k", ()))
            )
        case "{":
            item = _type_of_code(code[1:], _map_value(go), {})
            return Type("map", go, item=item, atomic=extras.get("m") == "atomic")
        case letter:
            return Type(_LETTERS[letter], go)


def _map_value(go: str) -> str:
    """`map[string][]uint8` → `[]uint8`; a named map's (`v1.ResourceList`) values are quantities."""
    return go.partition("]")[2] if go.startswith("map[") else "resource.Quantity"


def type_of_crd_schema(schema: JsonObject, kind: str = "") -> ObjectType:
    """The type that a CRD version's `openAPIV3Schema` describes; `kind` names it in messages.

    The root is a whole resource: apiVersion, kind and metadata are always known. A schema without one (None was given to
    the CRD) keeps everything: pass {"type": "object", "x-kubernetes-preserve-unknown-fields": True}.
    """
    return _crd_type({**schema, "type": "object"}, kind, embedded=True)


def _crd_type(schema: JsonObject, go: str, *, embedded: bool = False) -> Type:
    nullable = bool(schema.get("nullable"))
    if schema.get("x-kubernetes-int-or-string"):
        return Type("int-or-string", "intstr.IntOrString", nullable=nullable, structural=True)
    match schema.get("type"):
        case "object":
            return _crd_object(schema, go, embedded=embedded or bool(schema.get("x-kubernetes-embedded-resource")))
        case "array":
            return Type(
                "array",
                "[]interface {}",
                item=_crd_type(schema.get("items") or {}, ""),
                list_type=schema.get("x-kubernetes-list-type", "atomic"),
                list_keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
                nullable=nullable,
                structural=True,
            )
        case "string":
            return Type("string", "string", nullable=nullable, structural=True)
        case "integer":
            return Type("int64", "int64", nullable=nullable, structural=True)
        case "number":
            return Type("number", "float64", nullable=nullable, structural=True)
        case "boolean":
            return Type("boolean", "bool", nullable=nullable, structural=True)
        case _:
            return Type(
                "any",
                keeps_unknown=bool(schema.get("x-kubernetes-preserve-unknown-fields")),
                nullable=nullable,
                structural=True,
            )


def _crd_object(schema: JsonObject, go: str, *, embedded: bool) -> Type:
    properties: JsonObject = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    atomic = schema.get("x-kubernetes-map-type") == "atomic"
    nullable = bool(schema.get("nullable"))
    if isinstance(extra, dict) and not properties:
        return Type(
            "map",
            "map[string]interface {}",
            item=_crd_type(extra, ""),
            atomic=atomic,
            nullable=nullable,
            structural=True,
        )
    required = set(schema.get("required") or ())
    fields = {
        name: Field(name, _crd_type(inner, ""), name in required, pointer=True, default=inner.get("default"))
        for name, inner in properties.items()
    }
    if embedded:
        fields["apiVersion"] = Field("apiVersion", Type("string", "string"))
        fields["kind"] = Field("kind", Type("string", "string"))
        fields["metadata"] = Field("metadata", type_named(OBJECT_META))
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or extra is True
    return Type(
        "object",
        go,
        fields=fields,
        atomic=atomic,
        keeps_unknown=keeps,
        embedded=embedded,
        nullable=nullable,
        structural=True,
    )
