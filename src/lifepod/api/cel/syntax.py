"""The grammar of CEL: an expression's text becomes nodes, macros already told apart from calls.

Source: github.com/google/cel-spec doc/langdef.md: Syntax, Macros; github.com/google/cel-go v0.26 parser/, ext/comprehensions.go
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, NoReturn, TypeAlias

from lifepod.api.cel.values import INT_MAX, CelSyntaxError, UInt, Value

MOST_CHARACTERS: Final = 100_000
DEEPEST: Final = 200


class Literal(NamedTuple):
    """A constant."""

    value: Value


class Name(NamedTuple):
    """A variable, or the beginning of a qualified function's name."""

    name: str


class Select(NamedTuple):
    """`operand.field`; `optional`: `.?`; `test`: inside of `has()`."""

    operand: Node
    field: str
    optional: bool = False
    test: bool = False


class Index(NamedTuple):
    """`operand[index]`, `operand[?index]`."""

    operand: Node
    at: Node
    optional: bool = False


class Call(NamedTuple):
    """`function(args)`, `target.function(args)`; operators are functions named by their sign."""

    function: str
    target: Node | None
    args: tuple[Node, ...]


class ListOf(NamedTuple):
    """`[a, ?b]`."""

    items: tuple[tuple[Node, bool], ...]


class MapOf(NamedTuple):
    """`{a: b, ?c: d}`."""

    entries: tuple[tuple[Node, Node, bool], ...]


class Fold(NamedTuple):
    """A macro that goes through a list or map with one or two variables."""

    macro: str
    target: Node
    names: tuple[str, ...]
    parts: tuple[Node, ...]


class Bind(NamedTuple):
    """`cel.bind(name, value, body)`; `optional`: `optMap` (True) and `optFlatMap` (`flat`)."""

    name: str
    value: Node
    body: Node
    optional: bool = False
    flat: bool = False


Node: TypeAlias = Literal | Name | Select | Index | Call | ListOf | MapOf | Fold | Bind

_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<int>0[xX][0-9a-fA-F]+[uU]?|\d+[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<quoted>`[A-Za-z0-9_.\-/ ]+`)
  | (?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_RELATIONS: Final = frozenset(("==", "!=", "<", "<=", ">", ">=", "in"))
_ONE_VARIABLE: Final = {"all": 1, "exists": 1, "exists_one": 1, "existsOne": 1, "filter": 1}
_TWO_VARIABLES: Final = {
    "all": (1,),
    "exists": (1,),
    "existsOne": (1,),
    "exists_one": (1,),
    "transformList": (1, 2),
    "transformMap": (1, 2),
    "transformMapEntry": (1, 2),
}


class Token(NamedTuple):
    """A piece of the text."""

    kind: str
    text: str
    at: int


def parsed(text: str) -> Node:
    """The nodes of an expression. Raises CelSyntaxError."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        if len(text) > MOST_CHARACTERS:
            self._fail(f"expression code point size exceeds limit: size: {len(text)}, limit {MOST_CHARACTERS}", 0)
        self._tokens = self._read()
        self._at = 0
        self._depth = 0

    def _read(self) -> list[Token]:
        found, at = [], 0
        while at < len(self._text):
            match = _TOKEN.match(self._text, at)
            if match is None:
                self._fail(f"token recognition error at: '{self._text[at]}'", at)
            kind = match.lastgroup or ""
            if kind != "space":
                found.append(Token(kind, match[0], at))
            at = match.end()
        return [*found, Token("end", "<EOF>", len(self._text))]

    def _fail(self, problem: str, at: int) -> NoReturn:
        line = self._text.count("\n", 0, at) + 1
        start = self._text.rfind("\n", 0, at) + 1
        shown = self._text[start:].split("\n", 1)[0]
        column = at - start
        raise CelSyntaxError(
            f"ERROR: <input>:{line}:{column + 1}: Syntax error: {problem}\n | {shown}\n | {'.' * column}^"
        )

    # ------------------------------------------------------------------------------------------------ tokens

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _is(self, *texts: str) -> bool:
        token = self._next
        return token.text in texts and token.kind in ("sign", "name")

    def _take(self) -> Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _accept(self, text: str) -> bool:
        if self._is(text):
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            self._unexpected(f"'{text}'")

    def _unexpected(self, wanted: str = "") -> NoReturn:
        token = self._next
        more = f" expecting {wanted}" if wanted else ""
        self._fail(f"mismatched input '{token.text}'{more}", token.at)

    # ------------------------------------------------------------------------------------------------ expressions

    def whole(self) -> Node:
        node = self._expression()
        if self._next.kind != "end":
            self._unexpected("<EOF>")
        return node

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(f"expression recursion limit exceeded: {DEEPEST}", self._next.at)
        node = self._or()
        if self._accept("?"):
            then = self._or()
            self._expect(":")
            node = Call("?:", None, (node, then, self._expression()))
        self._depth -= 1
        return node

    def _or(self) -> Node:
        node = self._and()
        while self._accept("||"):
            node = Call("||", None, (node, self._and()))
        return node

    def _and(self) -> Node:
        node = self._relation()
        while self._accept("&&"):
            node = Call("&&", None, (node, self._relation()))
        return node

    def _relation(self) -> Node:
        node = self._sum()
        while self._next.text in _RELATIONS and self._next.kind in ("sign", "name"):
            sign = self._take().text
            node = Call(sign, None, (node, self._sum()))
        return node

    def _sum(self) -> Node:
        node = self._product()
        while self._is("+", "-"):
            sign = self._take().text
            node = Call(sign, None, (node, self._product()))
        return node

    def _product(self) -> Node:
        node = self._unary()
        while self._is("*", "/", "%"):
            sign = self._take().text
            node = Call(sign, None, (node, self._unary()))
        return node

    def _unary(self) -> Node:
        signs: list[str] = []
        while self._is("!", "-"):
            if self._is("-") and self._tokens[self._at + 1].kind in ("int", "float"):
                break
            signs.append(self._take().text)
        node = self._member()
        for sign in reversed(signs):
            node = Call("!_" if sign == "!" else "-_", None, (node,))
        return node

    def _member(self) -> Node:
        node = self._primary()
        while True:
            if self._accept("."):
                node = self._selected(node)
            elif self._accept("["):
                optional = self._accept("?")
                node = Index(node, self._expression(), optional)
                self._expect("]")
            else:
                return node

    def _selected(self, operand: Node) -> Node:
        optional = self._accept("?")
        token = self._take()
        if token.kind == "quoted":
            return Select(operand, token.text[1:-1], optional)
        if token.kind != "name":
            self._at -= 1
            self._unexpected("IDENTIFIER")
        if optional or not self._accept("("):
            return Select(operand, token.text, optional)
        return self._method(operand, token, self._arguments())

    def _arguments(self) -> tuple[Node, ...]:
        args: list[Node] = []
        while not self._accept(")"):
            args.append(self._expression())
            if not self._is(")"):
                self._expect(",")
        return tuple(args)

    # ------------------------------------------------------------------------------------------------ macros

    def _method(self, target: Node, token: Token, args: tuple[Node, ...]) -> Node:
        name = token.text
        if isinstance(target, Name) and (target.name, name) == ("cel", "bind") and len(args) == 3:
            return Bind(self._variable(args[0], token), args[1], args[2])
        if name in ("optMap", "optFlatMap") and len(args) == 2:
            return Bind(self._variable(args[0], token), target, args[1], optional=True, flat=name == "optFlatMap")
        if (name in _ONE_VARIABLE and len(args) == 2) or (name == "map" and len(args) in (2, 3)):
            return Fold(name, target, (self._variable(args[0], token),), args[1:])
        if name in _TWO_VARIABLES and len(args) - 2 in _TWO_VARIABLES[name]:
            names = (self._variable(args[0], token), self._variable(args[1], token))
            return Fold(name, target, names, args[2:])
        return Call(name, target, args)

    def _variable(self, node: Node, token: Token) -> str:
        if not isinstance(node, Name):
            self._fail("argument must be a simple name", token.at)
        return node.name

    # ------------------------------------------------------------------------------------------------ primaries

    def _primary(self) -> Node:
        token = self._take()
        match token.kind:
            case "int" | "float":
                return Literal(self._number(token, ""))
            case "string":
                return Literal(_string(token.text))
            case "name":
                return self._named(token)
        match token.text:
            case "-":
                return Literal(self._number(self._take(), "-"))
            case "(":
                node = self._expression()
                self._expect(")")
                return node
            case "[":
                return self._list()
            case "{":
                return self._map()
            case ".":
                return self._primary()
        self._at -= 1
        return self._unexpected()

    def _named(self, token: Token) -> Node:
        constants: dict[str, Value] = {"true": True, "false": False, "null": None}
        if token.text in constants:
            return Literal(constants[token.text])
        if not self._accept("("):
            return Name(token.text)
        args = self._arguments()
        if token.text != "has":
            return Call(token.text, None, args)
        if len(args) != 1 or not isinstance(args[0], Select):
            self._fail("invalid argument to has() macro", token.at)
        return args[0]._replace(test=True)

    def _number(self, token: Token, sign: str) -> Value:
        text = token.text
        if token.kind == "float":
            return float(sign + text)
        unsigned = text[-1] in "uU"
        digits = text.rstrip("uU")
        number = int(sign + digits, 16 if digits[:2].lower() == "0x" else 10)
        if unsigned:
            if number < 0 or number > 2 * INT_MAX + 1:
                self._fail("invalid uint literal", token.at)
            return UInt(number)
        if not -INT_MAX - 1 <= number <= INT_MAX:
            self._fail("invalid int literal", token.at)
        return number

    def _list(self) -> Node:
        items: list[tuple[Node, bool]] = []
        while not self._accept("]"):
            optional = self._accept("?")
            items.append((self._expression(), optional))
            if not self._is("]"):
                self._expect(",")
        return ListOf(tuple(items))

    def _map(self) -> Node:
        entries: list[tuple[Node, Node, bool]] = []
        while not self._accept("}"):
            optional = self._accept("?")
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression(), optional))
            if not self._is("}"):
                self._expect(",")
        return MapOf(tuple(entries))


_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))"
)
_PLAIN: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _string(text: str) -> str | bytes:
    prefix = re.match(r"[rRbB]*", text)
    head = prefix[0].lower() if prefix else ""
    body = text[len(head) :]
    body = body[3:-3] if body[:3] in ('"""', "'''") else body[1:-1]
    is_bytes = "b" in head
    if "r" not in head:
        body = _ESCAPE.sub(lambda match: _escaped(match, as_byte=is_bytes), body)
    if not is_bytes:
        return body
    return b"".join(bytes((ord(c) - 0xDC00,)) if 0xDC80 <= ord(c) <= 0xDCFF else c.encode() for c in body)


def _escaped(match: re.Match[str], *, as_byte: bool) -> str:
    plain, hexadecimal, short, long, octal = match.groups()
    if plain:
        return _PLAIN.get(plain, plain)
    code = int(octal, 8) if octal else int(hexadecimal or short or long, 16)
    if as_byte and (hexadecimal or octal) and code >= 0x80:
        return chr(0xDC00 + code)
    return chr(code) if code < 0x110000 else "\ufffd"
