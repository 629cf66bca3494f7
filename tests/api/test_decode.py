"""What strict decoding says of a request's body: unknown, repeated and wrongly typed fields, in Go's words."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifepod.api.decode import Decoded, DecodeError, JsonSyntaxError, decode_json, prune
from lifepod.api.json_syntax import syntax_error
from lifepod.api.schema import Type, type_named, type_of_crd_schema

POD = type_named("io.k8s.api.core.v1.Pod")
CONFIG_MAP = type_named("io.k8s.api.core.v1.ConfigMap")
SECRET = type_named("io.k8s.api.core.v1.Secret")
LEASE = type_named("io.k8s.api.coordination.v1.Lease")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def container(**fields: object) -> bytes:
    return orjson.dumps({"spec": {"containers": [{"name": "c", **fields}]}})


def test_a_clean_object_comes_back_as_the_same_object():
    pod = {"kind": "Pod", "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert prune(pod, POD).obj is pod


def test_unknown_fields_are_dropped_and_named_with_their_index():
    decoded = decode_json(b'{"spec":{"bogus":1,"containers":[{"name":"a","imag":"x"}]}}', POD)
    assert decoded == Decoded(
        {"spec": {"containers": [{"name": "a"}]}},
        ('unknown field "spec.bogus"', 'unknown field "spec.containers[0].imag"'),
    )


def test_null_is_an_empty_object():
    assert decode_json(b"null", POD) == ({}, ())


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ({"env": [], "args": [], "resources": {"limits": {}}}, {"resources": {}}),
        (
            {"workingDir": "", "stdin": False, "ports": [{"containerPort": 80, "hostPort": 0}]},
            {"ports": [{"containerPort": 80}]},
        ),
        (
            {"securityContext": {"privileged": False, "runAsUser": 0}},
            {"securityContext": {"privileged": False, "runAsUser": 0}},
        ),
        ({"env": [{"name": "EMPTY", "value": ""}]}, {"env": [{"name": "EMPTY"}]}),
        ({"volumeMounts": [{"name": "", "mountPath": "/m"}]}, {"volumeMounts": [{"name": "", "mountPath": "/m"}]}),
    ],
    ids=["lists and maps", "texts, flags, numbers", "pointers are kept", "in lists", "fields always written are kept"],
)
def test_zero_values_that_go_would_not_write_again_are_not_kept(given_, kept):
    assert decode_json(container(**given_), POD) == ({"spec": {"containers": [{"name": "c", **kept}]}}, ())


def test_values_in_maps_and_of_custom_resources_may_be_zero():
    assert prune({"data": {"a": ""}}, CONFIG_MAP).obj == {"data": {"a": ""}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}}}
    obj = {"metadata": {"name": "a", "labels": {}}, "spec": {"n": 0}}
    custom = type_of_crd_schema(schema)
    assert prune(obj, custom).obj == {"metadata": {"name": "a"}, "spec": {"n": 0}}


def test_field_names_are_case_sensitive():
    assert decode_json(b'{"Spec":{}}', POD).problems == ('unknown field "Spec"',)


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (b'{"data":{"a":"1","a":"2"}}', ('duplicate field "data.a"',)),
        (b'{"data" :{"a":"1", "a" : "2"}}', ('duplicate field "data.a"',)),
        (b'{"data":{"a\\\\":"1","a\\\\":"2"}}', ('duplicate field "data.a\\"',)),
        (b'{"data":{"a":"\\":x","b":"\\\\\\":"}}', ()),
        (b'{"data":{"a" : "1"}}', ()),
        (b'{"kind":"ConfigMap","kind":"ConfigMap"}', ('duplicate field "kind"',)),
    ],
)
def test_repeated_keys_are_found_however_they_are_written(body, problems):
    assert decode_json(body, CONFIG_MAP).problems == problems


def test_repeated_keys_are_not_looked_for_when_nobody_asks():
    assert decode_json(b'{"data":{"a":"1","a":"2"}}', CONFIG_MAP, duplicates=False) == ({"data": {"a": "2"}}, ())


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=6))
def test_exactly_the_repeated_keys_are_found(pairs):
    members = ",".join(f"{json.dumps(k, ensure_ascii=False)}:{json.dumps(v)}" for k, v in pairs)
    body = f'{{"data":{{{members}}}}}'.encode()
    names = [k for k, _ in pairs]
    assert len(decode_json(body, CONFIG_MAP).problems) == len({n for n in names if names.count(n) > 1})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            b'{"spec":{"containers":"x"}}',
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            b'{"spec":{"containers":["x"]}}',
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container",
        ),
        (b'{"spec":[]}', "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec"),
        (
            b'{"metadata":{"labels":{"a":1}}}',
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            b'{"metadata":{"labels":"x"}}',
            "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (
            container(stdin="yes"),
            "json: cannot unmarshal string into Go struct field Container.spec.containers.stdin of type bool",
        ),
        (
            container(image=True),
            "json: cannot unmarshal bool into Go struct field Container.spec.containers.image of type string",
        ),
        (
            container(imagePullPolicy=3),
            "json: cannot unmarshal number into Go struct field Container.spec.containers.imagePullPolicy of type v1.PullPolicy",
        ),
        (
            container(ports=[{"containerPort": "80"}]),
            "json: cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        (
            container(ports=[{"containerPort": 1.5}]),
            "json: cannot unmarshal number 1.5 into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        (
            container(livenessProbe={"httpGet": {"port": True}}),
            "json: cannot unmarshal bool into Go struct field HTTPGetAction.spec.containers.livenessProbe.httpGet.port of type int32",
        ),
        (
            container(resources={"limits": {"cpu": "abc"}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            b'{"metadata":{"creationTimestamp":"yesterday"}}',
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
        (
            b'{"metadata":{"creationTimestamp":"2024-13-01T00:00:00Z"}}',
            'parsing time "2024-13-01T00:00:00Z": month out of range',
        ),
        (
            b'{"metadata":{"creationTimestamp":5}}',
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
        ),
        (
            b"[]",
            "json: cannot unmarshal array into Go value of type "
            r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }',
        ),
        (b'{"apiVersion":1}', "json: cannot unmarshal number into Go struct field .apiVersion of type string"),
    ],
)
def test_a_wrong_type_is_told_as_go_tells_it(body, text):
    with pytest.raises(DecodeError) as caught:
        decode_json(body, POD)
    assert str(caught.value) == text


def test_broken_base64_is_told_with_its_place():
    with pytest.raises(DecodeError, match="illegal base64 data at input byte 4"):
        decode_json(b'{"data":{"a":"abcd!"}}', SECRET)


def test_an_unmarshaller_of_its_own_is_heard_before_an_earlier_plain_mismatch():
    body = b'{"metadata":{"name":1},"spec":{"containers":[{"resources":{"limits":{"cpu":"x"}}}]}}'
    with pytest.raises(DecodeError, match="quantities must match"):
        decode_json(body, POD)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ({"spec": None, "metadata": {"labels": None}}, {"metadata": {}}),
        ({"metadata": {"labels": {"a": None}}}, {"metadata": {"labels": {"a": ""}}}),
        ({"spec": {"containers": [None]}}, {"spec": {"containers": [{}]}}),
        (
            {"spec": {"overhead": {"cpu": "0.5", "memory": 1024}}},
            {"spec": {"overhead": {"cpu": "500m", "memory": "1024"}}},
        ),
        (
            {"metadata": {"creationTimestamp": "2024-01-01T02:00:00.5+02:00"}},
            {"metadata": {"creationTimestamp": "2024-01-01T00:00:00Z"}},
        ),
    ],
)
def test_values_are_read_as_go_would_write_them_again(given_, kept):
    assert prune(given_, POD) == (kept, ())


def test_micro_times_keep_their_decimals():
    obj = {"spec": {"renewTime": "2024-01-01T02:00:00.123456+02:00"}}
    assert prune(obj, LEASE).obj == {"spec": {"renewTime": "2024-01-01T00:00:00.123456Z"}}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"bad", "invalid character 'b' looking for beginning of value"),
        (b"", "unexpected end of JSON input"),
        (b'{"a":1', "unexpected end of JSON input"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"{} x", "invalid character 'x' after top-level value"),
        (b"nul", "unexpected end of JSON input"),
        (b"nulx", "invalid character 'x' in literal null (expecting 'l')"),
        (b'"\n"', "invalid character '\\n' in string literal"),
        (b'"\\q"', "invalid character 'q' in string escape code"),
        (b"-x", "invalid character 'x' in numeric literal"),
        (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
    ],
)
def test_broken_json_is_told_as_go_tells_it(body, text):
    with pytest.raises(JsonSyntaxError) as caught:
        decode_json(body, POD)
    assert str(caught.value) == text


def test_broken_utf8_is_replaced_as_go_does():
    assert decode_json(b'{"data":{"a":"\xff","b":"\\ud800"}}', CONFIG_MAP).obj == {
        "data": {"a": "\ufffd", "b": "\ufffd"}
    }


@given(JSON)
def test_json_has_no_syntax_error(value):
    assert syntax_error(json.dumps(value).encode()) is None


@given(st.binary(max_size=12))
def test_any_bytes_end_in_an_object_or_a_decode_error(body):
    try:
        decoded = decode_json(body, POD)
    except DecodeError:
        return
    assert isinstance(decoded.obj, dict)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status", "kind", "x"]), JSON, max_size=4))
def test_pruning_twice_changes_nothing_more(value):
    before = json.dumps(value)
    try:
        once = prune(value, POD)
    except DecodeError:
        return
    assert json.dumps(value) == before
    again = prune(once.obj, POD)
    assert again.problems == ()
    assert again.obj is once.obj


def crd_type() -> Type:
    return type_of_crd_schema(
        {
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "size": {"type": "integer"},
                        "free": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                            "properties": {"in": {"type": "object"}},
                        },
                        "port": {"x-kubernetes-int-or-string": True},
                        "by": {
                            "type": "object",
                            "additionalProperties": {"type": "object", "properties": {"a": {"type": "string"}}},
                        },
                        "pod": {"type": "object", "x-kubernetes-embedded-resource": True},
                    },
                }
            }
        },
        "Widget",
    )


def test_custom_resources_are_pruned_by_their_structural_schema():
    given_ = {
        "metadata": {"name": "w", "foo": 1},
        "spec": {
            "x": 1,
            "free": {"y": 1, "in": {"z": 1}},
            "by": {"k": {"a": "1", "b": 2}},
            "pod": {"kind": "Pod", "q": 1},
        },
    }
    pruned = prune(given_, crd_type())
    assert pruned.obj == {
        "metadata": {"name": "w"},
        "spec": {"free": {"y": 1, "in": {}}, "by": {"k": {"a": "1"}}, "pod": {"kind": "Pod"}},
    }
    assert pruned.problems[1] == 'unknown field "spec.x"'
    assert 'unknown field "spec.by.k.b"' in pruned.problems


def test_wrong_types_of_custom_resources_are_left_to_validation():
    wrong = {"spec": {"size": "big", "by": [], "port": True}}
    assert prune(wrong, crd_type()) == (wrong, ())


@pytest.mark.parametrize(("opening", "closing"), [(b'{"a":', b"}"), (b"[", b"]")])
@pytest.mark.parametrize("depth", [300, 1000, 5000])
def test_texts_that_nest_too_deeply_are_refused(opening, closing, depth):
    with pytest.raises(JsonSyntaxError, match="max depth"):
        decode_json(b'{"a":' + opening * depth + b"1" + closing * depth + b"}", POD)


def definition(schema: object) -> bytes:
    return json.dumps({"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}}).encode()


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"items": {"minimum": "x"}}, "json: cannot unmarshal string into Go struct field JSONSchemaProps.minimum of type float64"),
        ({"items": [{"type": 1}]}, "json: cannot unmarshal number into Go struct field JSONSchemaProps.type of type string"),
        ({"additionalProperties": {"required": "a"}}, "json: cannot unmarshal string into Go struct field JSONSchemaProps.required of type []string"),
        ({"additionalProperties": 1}, "boolean or JSON schema expected"),
    ],
)  # fmt: skip
def test_schemas_inside_of_a_definitions_schema_are_read_too(schema: object, says: str) -> None:
    crd = type_named("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition")
    with pytest.raises(DecodeError) as refused:
        decode_json(definition(schema), crd)
    assert str(refused.value) == says


def test_inside_of_them_nothing_is_unknown_and_the_rest_stays() -> None:
    crd = type_named("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition")
    schema = {"items": {"type": "string", "bogus": 1}, "additionalProperties": True}
    read = decode_json(definition(schema), crd)
    assert read.problems == ()
    assert read.obj["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == {
        "items": {"type": "string"},
        "additionalProperties": True,
    }
    clean = {"items": [{"type": "string"}], "additionalProperties": False}
    assert decode_json(definition(clean), crd).obj["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == clean
