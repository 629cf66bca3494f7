"""What is wrong with a name, in upstream's words: one list of complaints per rule, empty when the name is fine.

Source: k8s.io/apimachinery v0.34.4 pkg/util/validation/validation.go
"""

from __future__ import annotations

import re
from functools import lru_cache

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HEADER = "[-A-Za-z0-9]+"
_WILDCARD = rf"\*\.{_SUBDOMAIN}"
_UNDERSCORED = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_UNDERSCORED = rf"{_UNDERSCORED}(\.{_UNDERSCORED})*"

_is_label = re.compile(_LABEL).fullmatch
_is_subdomain = re.compile(_SUBDOMAIN).fullmatch
_is_dns1035 = re.compile(_DNS1035).fullmatch
_is_qualified = re.compile(_QUALIFIED).fullmatch
_is_config_key = re.compile(_CONFIG_KEY).fullmatch
_is_header = re.compile(_HEADER).fullmatch
_is_wildcard = re.compile(_WILDCARD).fullmatch
_is_underscored = re.compile(_SUBDOMAIN_UNDERSCORED).fullmatch
_is_c_identifier = re.compile(_C_IDENTIFIER).fullmatch
_is_percent = re.compile("[0-9]+%").fullmatch

Complaints = tuple[str, ...]
_FINE: Complaints = ()
EMPTY = "must be non-empty"


def _must_match(rule: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} characters"


def within(low: int, high: int) -> str:
    """The complaint about a number out of its range."""
    return f"must be between {low} and {high}, inclusive"


_LABEL_RULE = _must_match(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_RULE = _must_match(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_UNDERSCORED_RULE = _must_match(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start "
    "and end with an alphanumeric character",
    _SUBDOMAIN_UNDERSCORED,
    "example.com",
)
_DNS1035_RULE = _must_match(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and "
    "end with an alphanumeric character",
    _DNS1035,
    "my-name",
    "abc-123",
)
_QUALIFIED_RULE = _must_match(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
_VALUE_RULE = _must_match(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character",
    f"({_QUALIFIED})?",
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_RULE = _must_match(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)
_C_IDENTIFIER_RULE = _must_match(
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters "
    "or '_'",
    _C_IDENTIFIER,
    "my_name",
    "MY_NAME",
    "MyName",
)
_HEADER_RULE = _must_match(
    "a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER, "X-Header-Name"
)
_WILDCARD_RULE = _must_match(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower "
    "case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    _WILDCARD,
    "*.example.com",
)
_ENV_RULE = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_PERCENT_RULE = _must_match(
    "a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", "1%", "93%"
)


def dns_label(value: str) -> Complaints:
    """An RFC 1123 label: a container's name, a hostname."""
    if len(value) <= 63 and _is_label(value):
        return _FINE
    complaints = (_too_long(63),) if len(value.encode()) > 63 else _FINE
    if _is_label(value):
        return complaints
    return (*complaints, "must not contain dots" if _is_subdomain(value) else _LABEL_RULE)


def dns_subdomain(value: str) -> Complaints:
    """An RFC 1123 subdomain: the name of most objects."""
    if len(value) <= 253 and _is_subdomain(value):
        return _FINE
    complaints = (_too_long(253),) if len(value.encode()) > 253 else _FINE
    return complaints if _is_subdomain(value) else (*complaints, _SUBDOMAIN_RULE)


def dns_subdomain_with_underscore(value: str) -> Complaints:
    """A subdomain whose parts may hold underscores: DNS search paths."""
    complaints = (_too_long(253),) if len(value.encode()) > 253 else _FINE
    return complaints if _is_underscored(value) else (*complaints, _UNDERSCORED_RULE)


def dns1035_label(value: str) -> Complaints:
    """A label that starts with a letter: the name of a Service."""
    complaints = (_too_long(63),) if len(value.encode()) > 63 else _FINE
    return complaints if _is_dns1035(value) else (*complaints, _DNS1035_RULE)


def wildcard_subdomain(value: str) -> Complaints:
    """A host of an Ingress that starts with `*.`."""
    complaints = (_too_long(253),) if len(value.encode()) > 253 else _FINE
    return complaints if _is_wildcard(value) else (*complaints, _WILDCARD_RULE)


@lru_cache(maxsize=4096)
def qualified_name(value: str) -> Complaints:
    """A label's key: a name of at most 63 characters, with an optional DNS prefix and `/`."""
    parts = value.split("/")
    if len(parts) > 2:
        whole = f"a qualified name {_QUALIFIED_RULE}"
        return (f"{whole} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
    complaints: list[str] = []
    if len(parts) == 2:
        if not parts[0]:
            complaints.append(f"prefix part {EMPTY}")
        else:
            complaints += [f"prefix part {complaint}" for complaint in dns_subdomain(parts[0])]
    name = parts[-1]
    if not name:
        complaints.append(f"name part {EMPTY}")
    elif len(name.encode()) > 63:
        complaints.append(f"name part {_too_long(63)}")
    if not _is_qualified(name):
        complaints.append(f"name part {_QUALIFIED_RULE}")
    return tuple(complaints)


@lru_cache(maxsize=4096)
def label_value(value: str) -> Complaints:
    """A label's value: empty, or at most 63 characters."""
    complaints = (_too_long(63),) if len(value.encode()) > 63 else _FINE
    return complaints if not value or _is_qualified(value) else (*complaints, _VALUE_RULE)


def config_key(value: str) -> Complaints:
    """A key of a ConfigMap or Secret; it becomes a file's name."""
    complaints = (_too_long(253),) if len(value.encode()) > 253 else _FINE
    if not _is_config_key(value):
        complaints = (*complaints, _CONFIG_KEY_RULE)
    if value in (".", ".."):
        return (*complaints, f"must not be '{value}'")
    return (*complaints, "must not start with '..'") if value.startswith("..") else complaints


def env_name(value: str) -> Complaints:
    """The name of an environment variable: printable ASCII without `=`."""
    complaints = _FINE if value else (f"environment variable name {EMPTY}",)
    is_printable = all(" " <= char <= "~" and char != "=" for char in value)
    return complaints if is_printable else (*complaints, _ENV_RULE)


def header_name(value: str) -> Complaints:
    """The name of an HTTP header."""
    return _FINE if _is_header(value) else (_HEADER_RULE,)


def c_identifier(value: str) -> Complaints:
    """A name of letters, digits and underscores."""
    return _FINE if _is_c_identifier(value) else (_C_IDENTIFIER_RULE,)


def percent(value: str) -> Complaints:
    """`25%`."""
    return _FINE if _is_percent(value) else (_PERCENT_RULE,)


def port_number(value: int) -> Complaints:
    """1 to 65535."""
    return _FINE if 1 <= value <= 65535 else (within(1, 65535),)


def port_name(value: str) -> Complaints:
    """An IANA service name: at most 15 characters, a letter among them."""
    complaints: list[str] = []
    if len(value.encode()) > 15:
        complaints.append(_too_long(15))
    if not re.fullmatch("[-a-z0-9]+", value):
        complaints.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        complaints.append("must contain at least one letter (a-z)")
    if "--" in value:
        complaints.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        complaints.append("must not begin or end with a hyphen")
    return tuple(complaints)


def path_segment(value: str) -> Complaints:
    """What can stand in a URL: the names of RBAC objects."""
    if value in (".", ".."):
        return (f"may not be '{value}'",)
    return tuple(f"may not contain '{char}'" for char in ("/", "%") if char in value)
