"""Expressions and their values, after the language's definition and its libraries of Kubernetes 1.34."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lifepod.api.cel import CelError, CelSyntaxError, OverBudget, compiled

OBJECT = {
    "spec": {
        "replicas": 3,
        "ports": [80, 443],
        "labels": {"a": "1", "b-c": "2"},
        "cpu": "1500m",
        "ratio": 0.5,
        "none": None,
    },
    "metadata": {"name": "web", "namespace": "default"},
}


def value(text: str, **variables: object) -> object:
    given = {"self": OBJECT, **variables}
    return compiled(text, tuple(given)).run(given)


TRUE = (
    """
self.spec.replicas == 3 && self.spec.replicas <= 3 && self.spec.replicas != 4
self.spec.replicas == 3.0 && self.spec.replicas == 3u
1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 7 / 2 == 3 && -7 / 2 == -3 && -7 % 3 == -1
1.5 + 2.5 == 4.0 && 3.0 / 2.0 == 1.5
"a" + "b" == "ab" && b"a" + b"b" == b"ab" && [1] + [2] == [1, 2]
has(self.spec.replicas) && !has(self.spec.nothing) && has(self.spec.labels.a)
"a" in self.spec.labels && !("z" in self.spec.labels) && 443 in self.spec.ports
self.spec.ports.all(p, p > 0) && self.spec.ports.exists(p, p == 80) && self.spec.ports.exists_one(p, p == 80)
self.spec.ports.map(p, p + 1) == [81, 444] && self.spec.ports.map(p, p > 80, p * 2) == [886]
self.spec.ports.filter(p, p > 80) == [443]
self.spec.labels.all(k, k != "z") && self.spec.labels.exists(k, k == "a")
self.spec.ports.all(i, p, p > i) && self.spec.labels.all(k, v, v != k)
self.spec.ports.transformList(i, p, p + i) == [80, 444] && [1, 2, 3].transformList(i, v, i > 0, v) == [2, 3]
self.spec.labels.transformMap(k, v, v + "!") == {"a": "1!", "b-c": "2!"}
{"a": 1}.transformMapEntry(k, v, {k + "x": v}) == {"ax": 1}
self.?spec.?replicas.orValue(0) == 3 && self.?nothing.?replicas.orValue(7) == 7
self.spec.labels[?"a"].orValue("") == "1" && self.spec.labels[?"zz"].orValue("none") == "none"
self.spec.ports[?5].hasValue() == false && self.spec.ports[?0].value() == 80
self.?nothing.optMap(v, v + 1).orValue(1) == 1 && optional.of(1).optMap(v, v + 1).value() == 2
optional.of(1).optFlatMap(v, optional.none()).hasValue() == false
self.?spec.?replicas.orValue(self.nothing) == 3 && optional.of(1).or(self.nothing).value() == 1
optional.none().or(optional.of(2)).value() == 2 && optional.ofNonZeroValue("") == optional.none()
{?"a": self.?nothing, "b": 1} == {"b": 1} && [?self.?nothing, 1] == [1]
cel.bind(x, self.spec.replicas, x * x) == 9
self.spec.labels["b-c"] == "2" && self.spec.labels.`b-c` == "2" && self.spec.labels.b__dash__c == "2"
true || self.nothing.at.all && true
{1: "a"}[1.0] == "a" && !(true in {1: "a"}) && {true: 1}[true] == 1 && 2 in {2u: 1}
self.nothing.at.all || true
!(false && self.nothing)
(self.spec.replicas > 2 ? "many" : "few") == "many"
size("é") == 1 && "abc".size() == 3 && size([1, 2]) == 2 && size({"a": 1}) == 1 && size(b"é") == 2
"web-1".matches("^[a-z]+-[0-9]+$") && !"web".matches("^[0-9]")
"hello".contains("ell") && "hello".startsWith("he") && "hello".endsWith("lo")
"Hello".lowerAscii() == "hello" && "Hello".upperAscii() == "HELLO" && " a ".trim() == "a" && "abc".reverse() == "cba"
"a,b,c".split(",") == ["a", "b", "c"] && "a,b,c".split(",", 2) == ["a", "b,c"] && ["a", "b"].join("-") == "a-b"
"tacocat".substring(4) == "cat" && "tacocat".substring(0, 4) == "taco" && "abc".charAt(1) == "b"
"aXbX".replace("X", "-") == "a-b-" && "aXbX".replace("X", "-", 1) == "a-bX"
"hello".indexOf("l") == 2 && "hello".lastIndexOf("l") == 3 && [1, 2, 1].lastIndexOf(1) == 2
"%s has %d of %.2f, %x".format(["a", 2, 1.5, 255]) == "a has 2 of 1.50, ff"
"%s %s %s".format([[1, "b"], {"k": true}, null]) == "[1, b] {k: true} null"
[1, 2, 3].sum() == 6 && [3, 1].min() == 1 && [3, 1].max() == 3 && [1, 2].isSorted() && ![2, 1].isSorted()
sets.contains([1, 2, 3], [2]) && sets.equivalent([1, 1, 2], [2, 1]) && sets.intersects([1], [1, 2])
int("7") == 7 && double("1.5") == 1.5 && string(3) == "3" && string(1.0) == "1" && string(true) == "true" && uint(3) == 3u
type(1) == int && type("") == string && type([]) == list && type(1.0) == double && type(null) == null_type
timestamp("2025-01-01T00:00:00Z") + duration("1h30m") == timestamp("2025-01-01T01:30:00Z")
timestamp("2025-02-03T04:05:06Z").getMonth() == 1 && timestamp("2025-02-03T04:05:06Z").getDate() == 3
timestamp("2025-02-03T04:05:06Z").getHours("+02:00") == 6 && duration("90m").getHours() == 1
string(duration("1m30s")) == "90s" && string(timestamp("2025-01-01T00:00:00.5Z")) == "2025-01-01T00:00:00.5Z"
quantity(self.spec.cpu).isGreaterThan(quantity("1")) && quantity("1Gi").compareTo(quantity("1024Mi")) == 0
quantity("50k").asInteger() == 50000 && isQuantity("1.3Gi") && !isQuantity("Three") && quantity("1").add(2) == quantity("3")
quantity("1500m").isInteger() == false && quantity("-1").sign() == -1 && quantity("200M").sub(quantity("100M")) == quantity("100M")
isIP("1.2.3.4") && !isIP("1.2.3") && ip("::1").isLoopback() && ip("10.0.0.1").family() == 4 && ip.isCanonical("::1")
cidr("10.0.0.0/8").containsIP("10.1.2.3") && cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16") && cidr("10.1.2.3/8").masked() == cidr("10.0.0.0/8")
string(ip("::ffff:1")) == "::ffff:1" && cidr("192.168.0.0/24").prefixLength() == 24 && cidr("192.168.0.7/24").ip() == ip("192.168.0.7")
url("https://example.com:80/path?k=a&k=b").getPort() == "80" && url("https://example.com/p?k=a&k=b").getQuery() == {"k": ["a", "b"]}
url("https://[::1]:80/").getHostname() == "::1" && url("https://a.b/c").getHost() == "a.b" && !isURL("no url") && isURL("/abs")
semver("1.2.3").isLessThan(semver("1.10.0")) && semver("1.0.0-rc.1").compareTo(semver("1.0.0")) == -1 && !isSemver("1.2")
semver("v1.2", true).minor() == 2 && isSemver("v1.0", true)
format.dns1123Label().validate("my-label") == optional.none() && format.dns1123Label().validate("No").hasValue()
format.named("uuid").value().validate("123e4567-e89b-12d3-a456-426614174000").orValue([]).size() == 0
"abc 123".find("[0-9]+") == "123" && "1 2 3".findAll("[0-9]") == ["1", "2", "3"] && "1 2 3".findAll("[0-9]", 2) == ["1", "2"]
r"\\d" == "\\\\d" && '''a'b''' == "a'b" && "\\u00e9" == "é" && b"\\xff" != b"\\x00"
self.spec.none == null && 0x10 == 16 && -1 == - 1 && 1e3 == 1000.0
""".replace("\\\\", "\\")
    .strip()
    .splitlines()
)


@pytest.mark.parametrize("text", TRUE)
def test_what_holds(text: str) -> None:
    assert value(text) is True


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("self.nothing", "no such key: nothing"),
        ('self.spec.labels["zz"]', "no such key: zz"),
        ("self.spec.ports[7]", "index out of bounds: 7"),
        ("1 / 0 == 1", "division by zero"),
        ("1 % 0 == 1", "modulus by zero"),
        ("9223372036854775807 + 1 > 0", "integer overflow"),
        ("1 + 1.0 == 2.0", "no such overload: _+_(int, double)"),
        ("1 + self.metadata.name", "no such overload: _+_(int, string)"),
        ('"a" < 1', "no such overload: _<_(string, int)"),
        ("self.metadata.name && true", "no such overload: _&&_(string)"),
        ("self.spec.ports.all(p, p.name == 'x')", "no such overload: select(int)"),
        ('int("x") == 1', "invalid literal"),
        ('quantity("Three") == quantity("1")', "quantities must match"),
        ('ip("x").family() == 4', "unable to parse IP"),
        ("optional.none().value()", "optional.none() dereference"),
        ('"a".matches("(")', "error parsing regexp"),
        ('timestamp("yesterday") == timestamp("2025-01-01T00:00:00Z")', "parsing time"),
    ],
)
def test_what_has_no_value_says_why(text: str, problem: str) -> None:
    with pytest.raises(CelError, match=problem.replace("(", r"\(").replace(")", r"\)").replace("+", r"\+")):
        value(text)


@pytest.mark.parametrize(
    "text",
    [
        "self.",
        "self.a ==",
        "(1",
        "[1, 2",
        "{1: }",
        '"open',
        "1 2",
        "has(self)",
        "self.all(1, true)",
        "nobody == 1",
        "self.f(1)",
        "f()",
        "@",
    ],
)
def test_what_cannot_be_read_is_refused_before_it_is_run(text: str) -> None:
    with pytest.raises(CelSyntaxError):
        compiled(text, ("self",))


def test_where_the_text_is_wrong_is_shown() -> None:
    with pytest.raises(CelSyntaxError) as caught:
        compiled("self.a ==\n  )", ("self",))
    assert "ERROR: <input>:2:3: Syntax error: mismatched input ')'\n |   )\n | ..^" in str(caught.value)


def test_a_dear_expression_is_ended() -> None:
    many = list(range(2000))
    with pytest.raises(OverBudget):
        value("self.all(a, self.all(b, self.all(c, a + b + c >= 0)))", self=many)


def test_a_regular_expression_cannot_go_back_for_ever() -> None:
    assert value('self.matches("^(a+)+$")', self="a" * 3000 + "b") is False
    assert value('self.matches("^([a-z0-9]+(-[a-z0-9]+)*)$")', self="a-b-" * 500 + "c") is True
    assert value('self.matches("(x|xx)+y")', self="x" * 2000) is False


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(CelSyntaxError):
        compiled("(" * 5000 + "1" + ")" * 5000, ())


def test_durations_are_differences_of_times() -> None:
    text = 'timestamp("2025-01-02T00:00:00Z") - timestamp("2025-01-01T00:00:00Z")'
    assert value(text) == timedelta(days=1)
