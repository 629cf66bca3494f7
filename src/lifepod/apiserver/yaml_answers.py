"""JSON as YAML, as sigs.k8s.io/yaml writes it: sorted, not folded, double quotes where there must be some.

Not imported before somebody asks for YAML.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
import yaml

_Dumper: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_RESOLVER: Final[Any] = yaml.resolver.Resolver()
_TEXT: Final = "tag:yaml.org,2002:str"


class _AnswerDumper(_Dumper):  # type: ignore[misc]  # the C one where it is built
    pass


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    """A text in lines of its own where it has several; quoted where it would be read as something else."""
    is_read_as_text = _RESOLVER.resolve(yaml.ScalarNode, value, (True, False)) == _TEXT
    return dumper.represent_scalar(_TEXT, value, "|" if "\n" in value else None if is_read_as_text else '"')


_AnswerDumper.add_representer(str, _text)


def as_yaml(body: bytes) -> bytes:
    """The YAML of a JSON text."""
    value = orjson.loads(body)
    made: str = yaml.dump(
        value, Dumper=_AnswerDumper, default_flow_style=False, sort_keys=True, allow_unicode=True, width=2**30
    )
    return made.encode()
