"""What a word of the simulated shell becomes: variables, arithmetic, outputs of commands, field splitting, file names."""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from lifepod.runtime.sim.shell_syntax import Arithmetic, Substitution, Text, Variable, Word


class Ready(NamedTuple):
    """What is known when a command is about to run; `outputs` are those of its command substitutions, in order."""

    variables: Mapping[str, str]
    arguments: tuple[str, ...]
    status: int
    last_job: int
    outputs: tuple[str, ...]


class _Places(Protocol):
    def names_in(self, path: str) -> tuple[str, ...]: ...


class _Shell(Protocol):
    @property
    def world(self) -> _Places: ...
    def path(self, name: str) -> str: ...
    def set(self, name: str, value: str) -> None: ...


def expand(words: tuple[Word, ...], ready: Ready, shell: _Shell, split: bool = True) -> list[str]:
    """The fields that `words` stand for; without `split` one a word."""
    outputs = iter(ready.outputs)
    fields: list[str] = []
    for word in words:
        fields.extend(_fields(word, ready, shell, outputs, split))
    return fields


def _fields(word: Word, ready: Ready, shell: _Shell, outputs: object, split: bool) -> list[str]:
    fields: list[str] = []
    current = ""
    open_, pattern = False, False
    for part in word:
        if isinstance(part, Variable) and part.name == "@" and part.quoted and split:
            values = list(ready.arguments[1:])
            if values:
                fields.extend([current + values[0], *values[1:]] if len(values) > 1 else [])
                current = fields.pop() if len(values) > 1 else current + values[0]
                open_ = True
            continue
        text = _value(part, ready, shell, outputs)
        if isinstance(part, Text):
            current, open_ = current + text, True
            pattern = pattern or (not part.quoted and any(c in text for c in "*?["))
        elif part.quoted or not split:
            current, open_ = current + text, True
        else:
            pieces = text.split()
            if not pieces:
                continue
            if text[0].isspace() and open_:
                fields.append(current)
                current = ""
            fields.extend([current + pieces[0], *pieces[1:]])
            current, open_ = fields.pop(), True
            if text[-1].isspace():
                fields.append(current)
                current, open_ = "", False
    if open_:
        fields.append(current)
    return _matching(fields, shell) if pattern and split else fields


def _value(part: object, ready: Ready, shell: _Shell, outputs: object) -> str:
    match part:
        case Text(text, _):
            return text
        case Substitution():
            return str(next(outputs))  # type: ignore[call-overload]  # an iterator of str
        case Arithmetic(expression, _):
            return str(calculate(_with_variables(expression, ready)))
        case Variable(name, _, operator, operand):
            value = _variable(name, ready)
            if operator in (":-", ":=", "-"):
                empty = not value if operator[0] == ":" else value is None
                if empty and operator == ":=":
                    shell.set(name, operand)
                return operand if empty else value or ""
            if operator in (":+", "+"):
                return operand if value else ""
            return value or ""
    raise AssertionError(part)


def _variable(name: str, ready: Ready) -> str | None:
    match name:
        case "?":
            return str(ready.status)
        case "$":
            return ready.variables.get("$", "1")
        case "#":
            return str(len(ready.arguments) - 1)
        case "@" | "*":
            return " ".join(ready.arguments[1:])
    if name.isdigit():
        at = int(name)
        return ready.arguments[at] if at < len(ready.arguments) else None
    return ready.variables.get(name)


def _matching(fields: list[str], shell: _Shell) -> list[str]:
    """File names for patterns; a pattern that matches nothing stays."""
    out: list[str] = []
    for field in fields:
        folder, slash, pattern = field.rpartition("/")
        names = shell.world.names_in(shell.path(folder or ("/" if slash else ".")))
        found = sorted(n for n in names if fnmatch.fnmatchcase(n, pattern) and (pattern[:1] == "." or n[:1] != "."))
        out.extend([folder + slash + n for n in found] or [field])
    return out


def _with_variables(expression: str, ready: Ready) -> str:
    """Names and `$names` of an arithmetic expression as numbers."""
    out = name = ""
    for c in expression + " ":
        if c.isalnum() or c == "_":
            name += c
            continue
        if name:
            out += name if name[0].isdigit() else (ready.variables.get(name) or "0")
            name = ""
        if c != "$":
            out += c
    return out.strip().replace("&&", " and ").replace("||", " or ")


def calculate(expression: str) -> int:
    """The value of an arithmetic expression over whole numbers; 0 when it is none."""
    try:
        return _evaluate(ast.parse(expression, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError):
        return 0


def _evaluate(node: ast.expr) -> int:
    match node:
        case ast.Constant(int() as value):
            return int(value)
        case ast.UnaryOp(ast.USub(), operand):
            return -_evaluate(operand)
        case ast.BoolOp(op, values):
            results = [_evaluate(v) for v in values]
            return int(all(results) if isinstance(op, ast.And) else any(results))
        case ast.Compare(left, [op], [right]):
            return int(_compare(op, _evaluate(left), _evaluate(right)))
        case ast.BinOp(left, op, right):
            return _binary(op, _evaluate(left), _evaluate(right))
    raise ValueError(node)


def _compare(op: ast.cmpop, a: int, b: int) -> bool:
    match op:
        case ast.Lt():
            return a < b
        case ast.LtE():
            return a <= b
        case ast.Gt():
            return a > b
        case ast.GtE():
            return a >= b
        case ast.Eq():
            return a == b
        case ast.NotEq():
            return a != b
    raise ValueError(op)


def _binary(op: ast.operator, a: int, b: int) -> int:
    match op:
        case ast.Add():
            return a + b
        case ast.Sub():
            return a - b
        case ast.Mult():
            return a * b
        case ast.Div() | ast.FloorDiv():
            return int(a / b)
        case ast.Mod():
            return a - b * int(a / b)
    raise ValueError(op)
