"""Sets of fields come out in the order in which upstream writes them."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from lifepod.api.field_sets import compare, sorted_set
from lifepod.api.schema import type_named

NAMES = st.sampled_from(["name", "image", "env", "ports", "labels", "b", "a"])
LABELS = st.dictionaries(st.sampled_from("cab"), st.text("xy", max_size=1), max_size=3)
PORTS = st.lists(
    st.fixed_dictionaries({"containerPort": st.integers(1, 3), "protocol": st.sampled_from(["UDP", "TCP"])}), max_size=3
)
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("cab")}, optional={"ports": PORTS, "image": st.just("i")}),
    max_size=3,
)
PODS = st.fixed_dictionaries(
    {},
    optional={
        "spec": st.fixed_dictionaries(
            {"containers": CONTAINERS}, optional={"nodeName": st.just("n"), "hostPID": st.just(True)}
        ),
        "metadata": st.fixed_dictionaries(
            {"name": st.just("p")}, optional={"labels": LABELS, "finalizers": st.lists(st.sampled_from("cab"))}
        ),
    },
)


@given(PODS, PODS)
def test_what_changed_is_in_order_at_every_level(old, new):
    changed = compare(old, new, type_named("io.k8s.api.core.v1.Pod")).changed
    assert orjson.dumps(changed) == orjson.dumps(sorted_set(changed))
