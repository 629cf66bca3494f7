"""Names and metadata are refused in upstream's words."""

from __future__ import annotations

import pytest

from lifepod.api import names
from lifepod.api.meta import SUFFIX_LENGTH, generated_name, metadata_errors, metadata_update_errors, selector_errors


@pytest.mark.parametrize(
    ("rule", "name", "complaint"),
    [
        (names.dns_label, "a-1", None),
        (names.dns_label, "a.b", "must not contain dots"),
        (names.dns_label, "a" * 64, "must be no more than 63 characters"),
        (names.dns_label, "-a", "a lowercase RFC 1123 label must consist of"),
        (names.dns_subdomain, "a.b", None),
        (names.dns_subdomain, "a..b", "a lowercase RFC 1123 subdomain must consist of"),
        (names.dns1035_label, "1a", "a DNS-1035 label must consist of"),
        (names.qualified_name, "x.io/Name", None),
        (names.qualified_name, "/a", "prefix part must be non-empty"),
        (names.qualified_name, "a/b/c", "a qualified name must consist of"),
        (names.label_value, "", None),
        (names.label_value, "a b", "a valid label must be an empty string or consist of"),
        (names.config_key, "..", "must not be '..'"),
        (names.config_key, "..x", "must not start with '..'"),
        (names.config_key, "a/b", "a valid config key must consist of"),
        (names.env_name, "1 A-b.c", None),
        (names.env_name, "A=B", "a valid environment variable name must consist only of printable ASCII"),
        (names.port_name, "http", None),
        (names.port_name, "123", "must contain at least one letter (a-z)"),
        (names.port_name, "a--b", "must not contain consecutive hyphens"),
        (names.path_segment, "system:admin", None),
        (names.path_segment, "a/b", "may not contain '/'"),
    ],
)
def test_a_rule_says_what_is_wrong_first(rule, name, complaint):
    complaints = rule(name)
    if complaint is None:
        assert complaints == ()
    else:
        assert complaints[0].startswith(complaint)


def test_a_generated_name_fits_into_a_label():
    assert generated_name("web-", "x7k2p") == "web-x7k2p"
    assert len(generated_name("a" * 100, "b" * SUFFIX_LENGTH)) == 63


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        ({"name": "a", "namespace": "d"}, []),
        ({"namespace": "d"}, ["metadata.name: Required value: name or generateName is required"]),
        ({"name": "a", "namespace": "d", "generateName": "a-"}, []),
        ({"name": "a"}, ["metadata.namespace: Required value"]),
        ({"name": "a", "namespace": "d", "annotations": {"k": "v" * 262144}}, ["metadata.annotations: Too long: may not be more than 262144 bytes"]),
        ({"name": "a", "namespace": "d", "finalizers": ["orphan", "foregroundDeletion"]},
         ['metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set']),
        ({"name": "a", "namespace": "d", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]},
         ['metadata.ownerReferences.uid: Invalid value: "": must not be empty']),
    ],
)  # fmt: skip
def test_metadata_of_a_new_object(metadata, wanted):
    assert [str(error) for error in metadata_errors(metadata, namespaced=True)] == wanted


def test_a_cluster_wide_object_has_no_namespace():
    errors = metadata_errors({"name": "a", "namespace": "d"}, namespaced=False)
    assert [str(error) for error in errors] == ["metadata.namespace: Forbidden: not allowed on this type"]


def test_the_uid_stays():
    errors = metadata_update_errors({"name": "a", "uid": "2"}, {"name": "a", "uid": "1"})
    assert [str(error) for error in errors] == ['metadata.uid: Invalid value: "2": field is immutable']


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ({"key": "a", "operator": "In"}, "s.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"),
        ({"key": "a", "operator": "Exists", "values": ["x"]},
         "s.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        ({"key": "a", "operator": "Like"}, 's.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator'),
    ],
)  # fmt: skip
def test_a_selector_expression(expression, wanted):
    assert [str(error) for error in selector_errors({"matchExpressions": [expression]}, "s")] == [wanted]
