"""How the simulated shell reads a command line: text in, syntax tree out.

A subset of POSIX sh: lists, and-or, pipelines, subshells, groups, if, while, until, for, functions, redirections, quotes, variables and
command substitution. Whatever is beyond it raises `NotUnderstood`; the caller then lets the process run until it is stopped.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias


class NotUnderstood(Exception):
    """The text is no shell, or more shell than is simulated here."""


# ------------------------------------------------------------------------------------------------ the tree


Node: TypeAlias = object
"""Any node of the tree. Not a union of them: a recursive union of NamedTuples costs the type checker minutes."""


class Text(NamedTuple):
    """Literal characters; `quoted` ones are neither split nor matched against file names."""

    text: str
    quoted: bool


class Variable(NamedTuple):
    """`$NAME`, `${NAME:-default}`."""

    name: str
    quoted: bool
    operator: str = ""
    operand: str = ""


class Substitution(NamedTuple):
    """`$(list)`."""

    body: Node
    quoted: bool


class Arithmetic(NamedTuple):
    """`$((expression))`."""

    expression: str
    quoted: bool


Part: TypeAlias = Text | Variable | Substitution | Arithmetic
Word: TypeAlias = tuple[Part, ...]


class Redirect(NamedTuple):
    """`fd` to or from a file; `target` is a word, or a fd number as text for `>&`."""

    fd: int
    operator: Literal["<", ">", ">>", ">&"]
    target: Word


class Simple(NamedTuple):
    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]


class Sequence(NamedTuple):
    items: tuple[Node, ...]


class Background(NamedTuple):
    body: Node


class AndOr(NamedTuple):
    """`left && right`, `left || right`."""

    operator: Literal["&&", "||"]
    left: Node
    right: Node


class Not(NamedTuple):
    body: Node


class Pipeline(NamedTuple):
    stages: tuple[Node, ...]


class Subshell(NamedTuple):
    body: Node


class Redirected(NamedTuple):
    body: Node
    redirects: tuple[Redirect, ...]


class If(NamedTuple):
    condition: Node
    then: Node
    otherwise: Node | None


class Loop(NamedTuple):
    """`while` (`until` when `ends_on_success`)."""

    condition: Node
    body: Node
    ends_on_success: bool


class For(NamedTuple):
    name: str
    words: tuple[Word, ...]
    body: Node


class Function(NamedTuple):
    name: str
    body: Node


# ------------------------------------------------------------------------------------------------ tokens

_OPERATORS = ("&&", "||", ";;", ">>", "<<", ">&", "<&", "&>", ">", "<", "|", "&", ";", "(", ")", "\n")
_STARTS = frozenset("&|;<>()\n")
_RESERVED = frozenset(
    (
        "if",
        "then",
        "elif",
        "else",
        "fi",
        "while",
        "until",
        "do",
        "done",
        "for",
        "in",
        "{",
        "}",
        "!",
        "case",
        "esac",
        "function",
    )
)
_NAME_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_NAME = _NAME_START | frozenset("0123456789")


class _Token(NamedTuple):
    """An operator, or a word (`operator` ""). `glued`: a redirection follows without a space, as in `2>`."""

    operator: str
    word: Word = ()
    glued: bool = False

    def is_plain(self, text: str) -> bool:
        return not self.operator and self.word == (Text(text, False),)


class _Lexer:
    def __init__(self, text: str, depth: int) -> None:
        self.text = text
        self.at = 0
        self.depth = depth

    def tokens(self) -> list[_Token]:
        out: list[_Token] = []
        while self.at < len(self.text):
            c = self.text[self.at]
            if c in " \t\r":
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            elif c == "#":
                self._skip_comment()
            elif c in _STARTS:
                out.append(_Token(self._operator()))
            else:
                word = self._word()
                out.append(_Token("", word, self.text[self.at : self.at + 1] in ("<", ">")))
        return out

    def _skip_comment(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _operator(self) -> str:
        for operator in _OPERATORS:
            if self.text.startswith(operator, self.at):
                self.at += len(operator)
                if operator in ("<<", ";;", "<&"):
                    raise NotUnderstood(operator)
                return operator
        raise NotUnderstood(self.text[self.at])

    def _word(self) -> Word:
        parts: list[Part] = []
        while self.at < len(self.text):
            c = self.text[self.at]
            if c in " \t\r" or c in _STARTS:
                break
            if c == "'":
                parts.append(Text(self._until("'"), True))
            elif c == '"':
                self.at += 1
                parts.extend(self._double_quoted())
            elif c == "\\":
                parts.append(Text(self.text[self.at + 1 : self.at + 2], True))
                self.at += 2
            elif c in "$`":
                parts.append(self._expansion(False))
            else:
                parts.append(Text(self._plain(), False))
        return tuple(parts)

    def _plain(self) -> str:
        start = self.at
        while (
            self.at < len(self.text) and self.text[self.at] not in " \t\r'\"\\$`" and self.text[self.at] not in _STARTS
        ):
            self.at += 1
        return self.text[start : self.at]

    def _until(self, quote: str) -> str:
        end = self.text.find(quote, self.at + 1)
        if end < 0:
            raise NotUnderstood("unterminated quote")
        inner = self.text[self.at + 1 : end]
        self.at = end + 1
        return inner

    def _double_quoted(self) -> list[Part]:
        parts: list[Part] = []
        text = ""
        while self.at < len(self.text) and self.text[self.at] != '"':
            c = self.text[self.at]
            if c == "\\" and self.text[self.at + 1 : self.at + 2] in ("$", "`", '"', "\\", "\n"):
                text += self.text[self.at + 1].replace("\n", "")
                self.at += 2
            elif c in "$`":
                parts.append(Text(text, True))
                text = ""
                parts.append(self._expansion(True))
            else:
                text += c
                self.at += 1
        if self.at >= len(self.text):
            raise NotUnderstood("unterminated quote")
        self.at += 1
        return [*parts, Text(text, True)]

    def _expansion(self, quoted: bool) -> Part:
        text, at = self.text, self.at
        if text[at] == "`":
            return Substitution(parse(self._until("`"), self.depth + 1), quoted)
        if text.startswith("$((", at):
            return Arithmetic(self._balanced(3, 2), quoted)
        if text.startswith("$(", at):
            return Substitution(parse(self._balanced(2, 1), self.depth + 1), quoted)
        if text.startswith("${", at):
            return self._braced(quoted)
        following = text[at + 1 : at + 2]
        if following in _NAME_START and following:
            end = at + 1
            while end < len(text) and text[end] in _NAME:
                end += 1
            self.at = end
            return Variable(text[at + 1 : end], quoted)
        if following and following in "?$!#@*0123456789":
            self.at += 2
            return Variable(following, quoted)
        self.at += 1
        return Text("$", quoted)

    def _balanced(self, opening: int, closing: int) -> str:
        """The text inside parentheses, quotes respected."""
        start = self.at = self.at + opening
        level = closing
        while self.at < len(self.text):
            c = self.text[self.at]
            if c == "'":
                self._until("'")
                continue
            if c == "\\":
                self.at += 1
            elif c == "(":
                level += 1
            elif c == ")":
                level -= 1
                if level == 0:
                    inner = self.text[start : self.at - closing + 1]
                    self.at += 1
                    return inner
            self.at += 1
        raise NotUnderstood("unterminated $(")

    def _braced(self, quoted: bool) -> Variable:
        end = self.text.find("}", self.at)
        inner = self.text[self.at + 2 : end]
        if end < 0:
            raise NotUnderstood("${")
        self.at = end + 1
        for operator in (":-", ":=", ":+", "-", "+"):
            name, found, operand = inner.partition(operator)
            if found and name and set(name) <= _NAME:
                return Variable(name, quoted, operator, operand)
        if not inner or not (set(inner) <= _NAME or inner in "?$!#@*"):
            raise NotUnderstood("${" + inner)
        return Variable(inner, quoted)


# ------------------------------------------------------------------------------------------------ grammar

_MAX_DEPTH = 40


class _Parser:
    def __init__(self, tokens: list[_Token], depth: int) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = depth

    def whole(self) -> Node:
        node = self.sequence()
        if self.at < len(self.tokens):
            raise NotUnderstood("trailing text")
        return node

    def peek(self) -> _Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else _Token("end")

    def take(self, text: str) -> bool:
        """Take an operator or an unquoted word when it comes next."""
        token = self.peek()
        if token.operator == text or token.is_plain(text):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise NotUnderstood(f"{text} expected")

    def skip_lines(self) -> None:
        while self.peek().operator == "\n":
            self.at += 1

    def sequence(self) -> Node:
        """`a; b & c`, up to whatever cannot start a command."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise NotUnderstood("nested too deeply")
        items: list[Node] = []
        while True:
            while self.peek().operator in (";", "\n"):
                self.at += 1
            if self._closes():
                break
            node = self.and_or()
            items.append(Background(node) if self.take("&") else node)
            if (
                self.tokens[self.at - 1].operator != "&"
                and self.peek().operator not in (";", "\n")
                and not self._closes()
            ):
                raise NotUnderstood("separator expected")
        self.depth -= 1
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def _closes(self) -> bool:
        token = self.peek()
        if token.operator in ("end", ")"):
            return True
        return any(token.is_plain(w) for w in ("then", "elif", "else", "fi", "do", "done", "}", "esac"))

    def and_or(self) -> Node:
        left = self.pipeline()
        while True:
            if self.take("&&"):
                self.skip_lines()
                left = AndOr("&&", left, self.pipeline())
            elif self.take("||"):
                self.skip_lines()
                left = AndOr("||", left, self.pipeline())
            else:
                return left

    def pipeline(self) -> Node:
        if self.take("!"):
            return Not(self.pipeline())
        stages = [self.command()]
        while self.take("|"):
            self.skip_lines()
            stages.append(self.command())
        return stages[0] if len(stages) == 1 else Pipeline(tuple(stages))

    def command(self) -> Node:
        body = self._compound()
        if body is None:
            return self._simple()
        redirects: list[Redirect] = []
        while (redirect := self._redirect()) is not None:
            redirects.extend(redirect)
        return Redirected(body, tuple(redirects)) if redirects else body

    def _compound(self) -> Node | None:
        if self.take("("):
            body = self.sequence()
            self.expect(")")
            return Subshell(body)
        if self.take("{"):
            body = self.sequence()
            self.expect("}")
            return body
        if self.take("if"):
            return self._if()
        for word, ends_on_success in (("while", False), ("until", True)):
            if self.take(word):
                condition = self.sequence()
                return Loop(condition, self._do(), ends_on_success)
        if self.take("for"):
            return self._for()
        if self.take("case") or self.take("function"):
            raise NotUnderstood("case")
        return None

    def _do(self) -> Node:
        self.expect("do")
        body = self.sequence()
        self.expect("done")
        return body

    def _if(self) -> Node:
        condition = self.sequence()
        self.expect("then")
        then = self.sequence()
        if self.take("elif"):
            return If(condition, then, self._if())
        otherwise = self.sequence() if self.take("else") else None
        self.expect("fi")
        return If(condition, then, otherwise)

    def _for(self) -> Node:
        name = self._plain_word()
        words: list[Word] = []
        self.skip_lines()
        if self.take("in"):
            while not self.peek().operator:
                words.append(self.peek().word)
                self.at += 1
        while self.peek().operator in (";", "\n"):
            self.at += 1
        return For(name, tuple(words), self._do())

    def _plain_word(self) -> str:
        token = self.peek()
        if token.operator or len(token.word) != 1 or not isinstance(token.word[0], Text):
            raise NotUnderstood("name expected")
        self.at += 1
        return token.word[0].text

    def _simple(self) -> Node:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            redirect = self._redirect()
            if redirect is not None:
                redirects.extend(redirect)
                continue
            token = self.peek()
            if token.operator:
                break
            assigned = None if words else _assignment(token.word)
            if assigned is not None:
                assignments.append(assigned)
            else:
                words.append(token.word)
            self.at += 1
            if len(words) == 1 and not assignments and self.peek().operator == "(":
                return self._function(words[0])
        if not (words or assignments or redirects):
            raise NotUnderstood("command expected")
        simple = Simple(tuple(assignments), tuple(words))
        return Redirected(simple, tuple(redirects)) if redirects else simple

    def _function(self, word: Word) -> Node:
        self.expect("(")
        self.expect(")")
        self.skip_lines()
        part = word[0]
        body = self._compound()
        if body is None or len(word) != 1 or not isinstance(part, Text):
            raise NotUnderstood("function")
        return Function(part.text, body)

    def _redirect(self) -> list[Redirect] | None:
        token = self.peek()
        fd = None
        if token.glued and (token.is_plain("0") or token.is_plain("1") or token.is_plain("2")):
            fd = int(_plain_text(token.word))
            self.at += 1
            token = self.peek()
        if token.operator not in ("<", ">", ">>", ">&", "&>"):
            return None
        self.at += 1
        target = self.peek()
        if target.operator:
            raise NotUnderstood("redirection")
        self.at += 1
        match token.operator:
            case "<":
                return [Redirect(0, "<", target.word)]
            case ">":
                return [Redirect(1 if fd is None else fd, ">", target.word)]
            case ">>":
                return [Redirect(1 if fd is None else fd, ">>", target.word)]
            case ">&":
                return [Redirect(1 if fd is None else fd, ">&", target.word)]
            case _:
                return [Redirect(1, ">", target.word), Redirect(2, ">&", (Text("1", False),))]


def _plain_text(word: Word) -> str:
    return "".join(p.text for p in word if isinstance(p, Text))


def _assignment(word: Word) -> tuple[str, Word] | None:
    if not word or not isinstance(word[0], Text) or word[0].quoted:
        return None
    name, equals, rest = word[0].text.partition("=")
    if not equals or not name or name[0] not in _NAME_START or not set(name) <= _NAME:
        return None
    return name, ((Text(rest, False), *word[1:]) if rest else word[1:])


def parse(text: str, depth: int = 0) -> Node:
    """The syntax tree of a script. Raises NotUnderstood."""
    if depth > _MAX_DEPTH:
        raise NotUnderstood("nested too deeply")
    return _Parser(_Lexer(text, depth).tokens(), depth).whole()
