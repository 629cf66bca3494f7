"""Do the tests notice a wrong rule? Draws mutants of `lifepod.lifecycle` by seed and runs its tests against each.

    python tools/mutants.py [--count 300] [--seed 1] [--jobs 2] [--out survivors.txt]

A mutant is one small change of one expression (`<` for `<=`, `and` for `or`, a number plus one, another text …). It is killed when
a test fails, survives when all pass, and counts as killed too when the tests never end. Every survivor is printed as a diff, to be
read: either a test is missing, or the change makes no difference. Exits 1 when more than `--allowed` percent survive.
"""

from __future__ import annotations

import argparse
import ast
import copy
import difflib
import importlib
import importlib.abc
import importlib.machinery
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "lifepod" / "lifecycle"
FIRST = "tests/lifecycle"
PROPERTIES = "tests/lifecycle/test_properties.py"
THEN = ("tests/node/test_recording.py", "tests/conformance/test_virtual_cases.py")
LAST = (
    f"{PROPERTIES}::test_left_alone_a_pod_settles",
    *(f"{PROPERTIES}::test_every_law_holds_for_every_pod[{n}]" for n in range(2)),
)
"""The quick tests kill most; the later ones see only what is left. A tenth of the random pods must do: a survivor costs all of it."""
SECONDS = 60
"""Far more than any of the three runs takes: a mutant that loops for ever costs all of it."""

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """The `number`-th place of a file, changed in its `way`-th way."""

    file: Path
    number: int
    way: int


# ------------------------------------------------------------------------------------------------ changing one place


def ways(node: ast.AST) -> list[Callable[[], None]]:
    """Everything that can be done to this node, as functions that do it in place."""
    found: list[Callable[[], None]] = []
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in _COMPARE:
            found.append(lambda: node.ops.__setitem__(0, _COMPARE[type(op)]()))
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            found.append(lambda: setattr(node, "op", other))
        case ast.BinOp() if type(node.op) in _BINARY:
            found.append(lambda: setattr(node, "op", _BINARY[type(node.op)]()))
        case ast.IfExp():
            found.append(lambda: setattr(node, "body", node.orelse))
            found.append(lambda: setattr(node, "orelse", node.body))
        case ast.Constant(value=bool() as truth):
            found.append(lambda: setattr(node, "value", not truth))
        case ast.Constant(value=int() | float() as amount):
            found.append(lambda: setattr(node, "value", amount + 1))
        case ast.Constant(value=str() as text):
            found.append(lambda: setattr(node, "value", f"XX{text}"))
        case ast.Name(id=name) if name in _NAMES and isinstance(node.ctx, ast.Load):
            found.append(lambda: setattr(node, "id", _NAMES[name]))
        case ast.If() | ast.While():
            found.append(lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test)))
        case ast.UnaryOp(op=ast.Not()):
            found.append(lambda: _drop_not(node))
    return found


def _drop_not(node: ast.UnaryOp) -> None:
    """`not x` becomes `not not x`."""
    node.operand = ast.UnaryOp(ast.Not(), node.operand)


def places(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that may be changed, in a fixed order: no annotations, docstrings, imports or type aliases."""
    match tree:
        case ast.Import() | ast.ImportFrom():
            return
        case ast.Subscript(value=ast.Name(id="Literal" | "Final")) | ast.Call(func=ast.Name(id="TypeVar")):
            return
        case ast.Expr(value=ast.Constant(value=str())):
            return
        case ast.JoinedStr():
            for part in tree.values:
                if isinstance(part, ast.FormattedValue):
                    yield from places(part.value)
            return
        case ast.Assert():
            yield from places(tree.test)
            return
    yield tree
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "bases", "keywords") and not isinstance(tree, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from places(child)


def mutants_of(file: Path) -> list[Mutant]:
    """All mutants of one file."""
    tree = ast.parse(file.read_text())
    return [Mutant(file, number, way) for number, node in enumerate(places(tree)) for way in range(len(ways(node)))]


def mutated(mutant: Mutant) -> tuple[ast.Module, str]:
    """The changed file, and the change as a diff."""
    before = ast.parse(mutant.file.read_text())
    after = copy.deepcopy(before)
    node = list(places(after))[mutant.number]
    ways(node)[mutant.way]()
    ast.fix_missing_locations(after)
    line = getattr(node, "lineno", 0)
    diff = difflib.unified_diff(ast.unparse(before).splitlines(), ast.unparse(after).splitlines(), lineterm="", n=0)
    changed = [entry for entry in diff if entry[:1] in "+-" and entry[:3] not in ("+++", "---")]
    return after, f"{mutant.file.relative_to(ROOT)}:{line}\n  " + "\n  ".join(changed)


# ------------------------------------------------------------------------------------------------ running the tests


class _Loader(importlib.abc.SourceLoader):
    def __init__(self, path: str, code: CodeType) -> None:
        self._path, self._code = path, code

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_data(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def get_code(self, fullname: str) -> CodeType:
        return self._code


class _Finder(importlib.abc.MetaPathFinder):
    """Imports one module from changed code."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        loader = _Loader(str(self._path), self._code)
        return importlib.machinery.ModuleSpec(fullname, loader, origin=str(self._path))


def judged(mutant: Mutant) -> tuple[Mutant, bool]:
    """The mutant, and whether it survives all tests."""
    code = compile(mutated(mutant)[0], str(mutant.file), "exec")
    return mutant, passes(mutant, code, [FIRST, f"--ignore={PROPERTIES}"]) and all(
        passes(mutant, code, tests) for tests in (THEN, LAST)
    )


def passes(mutant: Mutant, code: CodeType, tests: Sequence[str]) -> bool:
    """Run tests in a child that imports the mutant; True when all of them pass in time."""
    # What one mutant failed on must not be tried first on the next one: each has a memory of its own.
    with tempfile.TemporaryDirectory(prefix="mutant-") as memory:
        child = os.fork()
        if child == 0:
            os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = memory
            _run_tests(mutant, code, tests)
        return _ended_well(child)


def _ended_well(child: int) -> bool:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def _run_tests(mutant: Mutant, code: CodeType, tests: Sequence[str]) -> None:
    silence = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(silence, number)
    verdict = 1
    try:
        os.chdir(ROOT)
        sys.path.insert(0, str(ROOT / "src"))
        name = ".".join(mutant.file.relative_to(ROOT / "src").with_suffix("").parts)
        sys.meta_path.insert(0, _Finder(name, mutant.file, code))
        # Before pytest puts its own way of importing first.
        importlib.import_module(name)
        import pytest
        from hypothesis import Phase, settings

        # That a law is broken is enough; nobody reads the smallest pod that breaks it.
        settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate])
        options = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore"]
        options += ["--hypothesis-seed=1", "--hypothesis-profile=mutants"]
        verdict = int(pytest.main([*options, *tests]))
    finally:
        os._exit(verdict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, run, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--allowed", type=float, default=15.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    everything = [mutant for file in sorted(PACKAGE.glob("*.py")) for mutant in mutants_of(file)]
    drawn = random.Random(options.seed).sample(everything, min(options.count, len(everything)))
    importlib.import_module("pytest")  # once for all children; of lifepod they import everything anew
    importlib.import_module("hypothesis")
    first = everything[0]
    unchanged = compile(first.file.read_text(), str(first.file), "exec")
    if not all(passes(first, unchanged, tests) for tests in ([FIRST, f"--ignore={PROPERTIES}"], THEN, LAST)):
        print("the tests fail without any change: nothing can be said about mutants")
        return 2
    began, survivors = time.monotonic(), []
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        for number, (mutant, alive) in enumerate(pool.imap_unordered(judged, drawn), 1):
            if alive:
                text = mutated(mutant)[1]
                survivors.append(text)
                print(f"[{number}/{len(drawn)}] survives: {text}", flush=True)
                if options.out:
                    options.out.write_text("\n\n".join(survivors) + "\n")
    share = 100 * len(survivors) / len(drawn)
    took = time.monotonic() - began
    print(f"{len(survivors)} of {len(drawn)} survive ({share:.1f} %), of {len(everything)} possible; {took:.0f} s")
    return int(share > options.allowed)


if __name__ == "__main__":
    sys.exit(main())
