"""An expression made ready to run: nodes become functions of a scope, names are looked for, and running has a price.

Source: github.com/google/cel-spec doc/langdef.md: Evaluation; k8s.io/apiserver v0.34.4 pkg/apis/cel/config.go: PerCallLimit
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

from lifepod.api.cel.functions import GLOBALS, METHODS
from lifepod.api.cel.operators import OPERATORS
from lifepod.api.cel.syntax import Bind, Call, Fold, Index, ListOf, Literal, MapOf, Name, Node, Select, parsed
from lifepod.api.cel.values import (
    NONE,
    TYPES,
    CelError,
    CelSyntaxError,
    Optional,
    OverBudget,
    Speaking,
    Value,
    has_key,
    no_overload,
)

MOST_COST: Final = 500_000
"""What one run may cost, in steps: about a second. Differs: upstream's limit is 1,000,000 of its own, quicker ones."""


class Scope:
    """The variables of a run and what it has cost so far."""

    __slots__ = ("cost", "limit", "variables")

    def __init__(self, variables: Mapping[str, Value], limit: int) -> None:
        self.variables = dict(variables)
        self.cost, self.limit = 0, limit

    def spend(self, cost: int = 1) -> None:
        """Count. Raises OverBudget."""
        self.cost += cost
        if self.cost > self.limit:
            raise OverBudget("operation cancelled: actual cost limit exceeded")


Step: TypeAlias = Callable[[Scope], Value]


class Program:
    """An expression that can be run with variables."""

    def __init__(self, text: str, step: Step) -> None:
        self.text, self._step = text, step

    def run(self, variables: Mapping[str, Value], limit: int = MOST_COST) -> Value:
        """The expression's value. Raises CelError."""
        try:
            return self._step(Scope(variables, limit))
        except RecursionError:
            raise CelError("evaluation is nested too deeply") from None


@lru_cache(maxsize=2048)
def compiled(text: str, variables: tuple[str, ...]) -> Program:
    """The program of an expression that may use these variables. Raises CelSyntaxError."""
    try:
        return Program(text, _Compiler(variables).step(parsed(text)))
    except RecursionError:
        raise CelSyntaxError("ERROR: <input>:-1:0: expression recursion limit exceeded") from None


_AT_ONCE: Final = 10
"""How many characters or members cost as much as a step."""


class _Compiler:
    def __init__(self, variables: Collection[str]) -> None:
        self._known = set(variables)

    def step(self, node: Node) -> Step:
        match node:
            case Literal(value):
                return lambda scope: value
            case Name(name):
                return self._name(name)
            case Select():
                return self._select(node)
            case Index():
                return self._index(node)
            case ListOf(items):
                return self._list(items)
            case MapOf(entries):
                return self._map(entries)
            case Fold():
                return self._fold(node)
            case Bind():
                return self._bind(node)
            case Call():
                return self._call(node)

    def _name(self, name: str) -> Step:
        if name in self._known:
            return lambda scope: scope.variables[name]
        if name in TYPES:
            return lambda scope: TYPES[name]
        raise CelSyntaxError(f"ERROR: <input>:1:1: undeclared reference to '{name}' (in container '')")

    # ------------------------------------------------------------------------------------------------ members

    def _select(self, node: Select) -> Step:
        qualified = _qualified(node)
        if qualified in TYPES and qualified.partition(".")[0] not in self._known:
            return lambda scope: TYPES[qualified]
        operand, field = self.step(node.operand), node.field

        def select(scope: Scope) -> Value:
            scope.spend()
            return _member(operand(scope), field, optional=node.optional)

        def test(scope: Scope) -> Value:
            scope.spend()
            found = _member(operand(scope), field, optional=True)
            return isinstance(found, Optional) and found.has_value

        return test if node.test else select

    def _index(self, node: Index) -> Step:
        operand, index = self.step(node.operand), self.step(node.at)

        def at(scope: Scope) -> Value:
            scope.spend()
            return _indexed(operand(scope), index(scope), optional=node.optional)

        return at

    def _list(self, items: tuple[tuple[Node, bool], ...]) -> Step:
        steps = [(self.step(node), optional) for node, optional in items]

        def build(scope: Scope) -> Value:
            scope.spend(len(steps))
            made: list[Value] = []
            for step, optional in steps:
                value = step(scope)
                if not optional:
                    made.append(value)
                elif not isinstance(value, Optional):
                    raise no_overload("optional entry", (value,))
                elif value.has_value:
                    made.append(value.value)
            return made

        return build

    def _map(self, entries: tuple[tuple[Node, Node, bool], ...]) -> Step:
        steps = [(self.step(key), self.step(value), optional) for key, value, optional in entries]

        def build(scope: Scope) -> Value:
            scope.spend(len(steps))
            made: dict[Value, Value] = {}
            for key_step, value_step, optional in steps:
                key, value = _key(key_step(scope)), value_step(scope)
                if optional:
                    if not isinstance(value, Optional):
                        raise no_overload("optional entry", (value,))
                    if not value.has_value:
                        continue
                    value = value.value
                if key in made:
                    raise CelError(f"insert failed: key {key} already exists")
                made[key] = value
            return made

        return build

    # ------------------------------------------------------------------------------------------------ calls

    def _call(self, node: Call) -> Step:
        match node.function, node.args:
            case "&&", (left, right):
                return _and(self.step(left), self.step(right))
            case "||", (left, right):
                return _or(self.step(left), self.step(right))
            case "?:", (condition, then, otherwise):
                return _choice(self.step(condition), self.step(then), self.step(otherwise))
            case ("or" | "orValue") as either, (otherwise,) if node.target is not None:
                return _otherwise(either, self.step(node.target), self.step(otherwise))
        if node.target is None:
            return self._function(node.function, node.args)
        name = _qualified(node.target)
        if name and name.partition(".")[0] not in self._known and f"{name}.{node.function}" in GLOBALS:
            return self._function(f"{name}.{node.function}", node.args)
        if node.function not in METHODS:
            raise _undeclared(node.function)
        return self._applied(node.function, METHODS[node.function], (node.target, *node.args))

    def _function(self, name: str, args: tuple[Node, ...]) -> Step:
        found = OPERATORS.get(name) or GLOBALS.get(name)
        if found is None:
            raise _undeclared(name)
        return self._applied(name, found, args)

    def _applied(self, name: str, function: Callable[..., Value], args: tuple[Node, ...]) -> Step:
        steps = [self.step(arg) for arg in args]

        def apply(scope: Scope) -> Value:
            values = [step(scope) for step in steps]
            cost = 1
            for value in values:
                if isinstance(value, str | bytes | list | dict):
                    cost += len(value) // _AT_ONCE
            scope.spend(cost)
            try:
                return function(*values)
            except CelError:
                raise
            except (TypeError, AttributeError):
                raise no_overload(name, values) from None
            except (ValueError, OverflowError, IndexError, KeyError, ArithmeticError) as problem:
                raise CelError(str(problem)) from None

        return apply

    # ------------------------------------------------------------------------------------------------ macros

    def _inside(self, names: tuple[str, ...], *nodes: Node) -> list[Step]:
        before = set(self._known)
        self._known |= set(names)
        try:
            return [self.step(node) for node in nodes]
        finally:
            self._known = before

    def _bind(self, node: Bind) -> Step:
        value_step = self.step(node.value)
        (body,) = self._inside((node.name,), node.body)

        def bind(scope: Scope) -> Value:
            scope.spend()
            value = value_step(scope)
            if node.optional:
                if not isinstance(value, Optional):
                    raise no_overload("optFlatMap" if node.flat else "optMap", (value,))
                if not value.has_value:
                    return NONE
                made = _within(scope, (node.name,), (value.value,), body)
                return made if node.flat else Optional(True, made)
            return _within(scope, (node.name,), (value,), body)

        return bind

    def _fold(self, node: Fold) -> Step:
        target = self.step(node.target)
        parts = self._inside(node.names, *node.parts)
        fold = _FOLDS[node.macro]

        def run(scope: Scope) -> Value:
            def each() -> Iterator[tuple[tuple[Value, ...], list[Callable[[], Value]]]]:
                for values in _pairs(target(scope), len(node.names)):
                    scope.spend()
                    yield values, [_bound(scope, node.names, values, part) for part in parts]

            return fold(each())

        return run


def _bound(scope: Scope, names: tuple[str, ...], values: tuple[Value, ...], part: Step) -> Callable[[], Value]:
    return lambda: _within(scope, names, values, part)


def _within(scope: Scope, names: tuple[str, ...], values: tuple[Value, ...], part: Step) -> Value:
    variables = scope.variables
    scope.variables = inner = dict(variables)
    inner.update(zip(names, values, strict=True))
    try:
        return part(scope)
    finally:
        scope.variables = variables


def _pairs(target: Value, width: int) -> Iterator[tuple[Value, ...]]:
    if isinstance(target, list):
        return iter(enumerate(target)) if width == 2 else ((value,) for value in target)
    if isinstance(target, dict):
        return iter(target.items()) if width == 2 else ((key,) for key in target)
    raise no_overload("comprehension", (target,))


_Each: TypeAlias = Iterator[tuple[tuple[Value, ...], list[Callable[[], Value]]]]


def _truth(value: Value, macro: str) -> bool:
    if not isinstance(value, bool):
        raise no_overload(macro, (value,))
    return value


def _until(each: _Each, wanted: bool, macro: str) -> bool:
    """Whether one of the answers is `wanted`. An error counts only if none is."""
    failed: CelError | None = None
    for _, (predicate, *_) in each:
        try:
            if _truth(predicate(), macro) is wanted:
                return True
        except OverBudget:
            raise
        except CelError as problem:
            failed = failed or problem
    if failed is not None:
        raise failed
    return False


def _map_or_filter(each: _Each) -> Value:
    made = []
    for _, parts in each:
        if len(parts) == 1 or _truth(parts[0](), "map"):
            made.append(parts[-1]())
    return made


def _transform_map(each: _Each) -> Value:
    made: dict[Value, Value] = {}
    for values, parts in each:
        if len(parts) == 1 or _truth(parts[0](), "transformMap"):
            made[_key(values[0])] = parts[-1]()
    return made


def _transform_entries(each: _Each) -> Value:
    made: dict[Value, Value] = {}
    for _, parts in each:
        if len(parts) == 1 or _truth(parts[0](), "transformMapEntry"):
            entry = parts[-1]()
            if not isinstance(entry, dict):
                raise no_overload("transformMapEntry", (entry,))
            for key, value in entry.items():
                if key in made:
                    raise CelError(f"insert failed: key {key} already exists")
                made[key] = value
    return made


_FOLDS: Final[Mapping[str, Callable[[_Each], Value]]] = {
    "all": lambda each: not _until(each, False, "all"),
    "exists": lambda each: _until(each, True, "exists"),
    "exists_one": lambda each: sum(_truth(parts[0](), "exists_one") for _, parts in each) == 1,
    "existsOne": lambda each: sum(_truth(parts[0](), "existsOne") for _, parts in each) == 1,
    "filter": lambda each: [values[0] for values, parts in each if _truth(parts[0](), "filter")],
    "map": _map_or_filter,
    "transformList": _map_or_filter,
    "transformMap": _transform_map,
    "transformMapEntry": _transform_entries,
}


def _and(left: Step, right: Step) -> Step:
    return _decided(left, right, False, "_&&_")


def _or(left: Step, right: Step) -> Step:
    return _decided(left, right, True, "_||_")


def _decided(left: Step, right: Step, decides: bool, name: str) -> Step:
    """`&&` and `||`: the side that decides does so whatever is wrong with the other."""

    def run(scope: Scope) -> Value:
        failed: CelError | None = None
        for side in (left, right):
            try:
                value = side(scope)
                if value is decides:
                    return decides
                if not isinstance(value, bool):
                    failed = failed or no_overload(name, (value,))
            except OverBudget:
                raise
            except CelError as problem:
                failed = failed or problem
        if failed is not None:
            raise failed
        return not decides

    return run


def _choice(condition: Step, then: Step, otherwise: Step) -> Step:
    def run(scope: Scope) -> Value:
        value = condition(scope)
        if not isinstance(value, bool):
            raise no_overload("_?_:_", (value,))
        return then(scope) if value else otherwise(scope)

    return run


def _otherwise(name: str, optional: Step, otherwise: Step) -> Step:
    """`or` and `orValue`: the other is only looked at where there is no value.

    Source: github.com/google/cel-go cel/library.go: decorateOptionalOr
    """

    def run(scope: Scope) -> Value:
        found = optional(scope)
        if not isinstance(found, Optional):
            raise no_overload(name, (found,))
        if found.has_value:
            return found if name == "or" else found.value
        other = otherwise(scope)
        if name == "or" and not isinstance(other, Optional):
            raise no_overload(name, (found, other))
        return other

    return run


def _qualified(node: Node) -> str:
    """`a.b.c` as one name; "" for anything else."""
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Select) and not node.optional and not node.test:
        before = _qualified(node.operand)
        return f"{before}.{node.field}" if before else ""
    return ""


def _undeclared(name: str) -> CelSyntaxError:
    return CelSyntaxError(f"ERROR: <input>:1:1: undeclared reference to '{name}' (in container '')")


_ESCAPED: Final = (("__underscores__", "__"), ("__dot__", "."), ("__dash__", "-"), ("__slash__", "/"))


def _unescaped(field: str) -> str:
    """The property that an identifier stands for. Source: k8s.io/apiserver v0.34.4 pkg/cel/escaping.go: Unescape"""
    if field.startswith("__") and field.endswith("__") and field[2:-2].isalpha():
        return field[2:-2]
    for escape, plain in _ESCAPED:
        field = field.replace(escape, plain)
    return field


def _member(operand: Value, field: str, *, optional: bool) -> Value:
    if isinstance(operand, Optional):
        if not operand.has_value:
            return NONE
        operand, optional = operand.value, True
    if isinstance(operand, Speaking):
        operand = operand.fields
    if not isinstance(operand, Mapping):
        raise CelError(f"no such key: {field}") if operand is None else no_overload("select", (operand,))
    if field not in operand and "__" in field:
        field = _unescaped(field)
    if field in operand:
        return Optional(True, operand[field]) if optional else operand[field]
    if optional:
        return NONE
    raise CelError(f"no such key: {field}")


def _indexed(operand: Value, index: Value, *, optional: bool) -> Value:
    if isinstance(operand, Optional):
        if not operand.has_value:
            return NONE
        operand, optional = operand.value, True
    if isinstance(operand, list):
        if isinstance(index, float) and index.is_integer():
            index = int(index)
        if not isinstance(index, int) or isinstance(index, bool):
            raise no_overload("_[_]", (operand, index))
        if 0 <= index < len(operand):
            return Optional(True, operand[index]) if optional else operand[index]
        problem = f"index out of bounds: {index}"
    elif isinstance(operand, Mapping):
        if has_key(operand, index):
            return Optional(True, operand[index]) if optional else operand[index]
        problem = f"no such key: {index}"
    else:
        raise no_overload("_[_]", (operand, index))
    if optional:
        return NONE
    raise CelError(problem)


def _key(value: Value) -> Value:
    if not isinstance(value, str | int) or isinstance(value, float):
        raise no_overload("map key", (value,))
    return value
