"""Other pods decide: affinity over namespaces, spread with policies, preferences; and node selectors as a table."""

from __future__ import annotations

import pytest

from lifepod.controllers.label_selection import meets, selects
from lifepod.controllers.scheduler import Chosen, Placements
from lifepod.controllers.scheduler_demand import demand_of

HOST = "kubernetes.io/hostname"


def placements(*nodes):
    found = Placements()
    for node in nodes:
        found.set_node(node)
    return found


@pytest.mark.parametrize(
    ("requirement", "labels", "met"),
    [
        ({"operator": "In", "values": ["a", "b"]}, {"k": "b"}, True),
        ({"operator": "In", "values": ["a"]}, {}, False),
        ({"operator": "NotIn", "values": ["a"]}, {"k": "a"}, False),
        ({"operator": "NotIn", "values": ["a"]}, {}, True),
        ({"operator": "Exists"}, {"k": ""}, True),
        ({"operator": "Exists"}, {}, False),
        ({"operator": "DoesNotExist"}, {"k": ""}, False),
        ({"operator": "DoesNotExist"}, {}, True),
        ({"operator": "Gt", "values": ["5"]}, {"k": "6"}, True),
        ({"operator": "Gt", "values": ["5"]}, {"k": "5"}, False),
        ({"operator": "Lt", "values": ["5"]}, {"k": "4"}, True),
        ({"operator": "Lt", "values": ["5"]}, {"k": "x"}, False),
        ({"operator": "Lt", "values": ["5"]}, {}, False),
    ],
)
def test_a_requirement(requirement, labels, met):
    assert meets({"key": "k", **requirement}, labels) == met


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        (None, {"a": "b"}, False),
        ({}, {"a": "b"}, True),
        ({"matchLabels": {"a": "b"}}, {"a": "b", "c": "d"}, True),
        ({"matchLabels": {"a": "b"}}, {"a": "x"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}, {"a": "b"}, True),
        ({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]}, {"a": "b"}, False),
    ],
)
def test_a_selector(selector, labels, matches):
    assert selects(selector, labels) == matches


def near(**more):
    term = {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": HOST, **more}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


@pytest.mark.parametrize(
    ("more", "fits"),
    [
        ({}, False),
        ({"namespaces": ["other"]}, True),
        ({"namespaceSelector": {}}, True),
        ({"namespaces": ["third"]}, False),
        ({"namespaces": ["other"], "matchLabelKeys": ["tier"]}, False),
        ({"namespaces": ["other"], "labelSelector": None}, False),
    ],
)
def test_affinity_looks_into_the_namespaces_it_names(make_node, make_pod, more, fits):
    found = placements(make_node("a"), make_node("b"))
    other = make_pod("o", labels={"app": "x"})
    other["metadata"]["namespace"] = "other"
    found.place("o", "b", demand_of(other))
    answer = found.choose(demand_of(make_pod("p", labels={"app": "y", "tier": "1"}, affinity=near(**more))))
    assert (answer == Chosen("b")) == fits


def test_a_node_without_the_topology_label_takes_no_pod_with_affinity(make_node, make_pod):
    found = placements(make_node("a"))
    answer = found.choose(demand_of(make_pod(labels={"app": "x"}, affinity=near(topologyKey="zone"))))
    assert "didn't match pod affinity rules" in answer.message


@pytest.mark.parametrize(("kind", "expected"), [("podAffinity", "b"), ("podAntiAffinity", "a")])
def test_preferred_neighbours_draw_or_repel(make_node, make_pod, kind, expected):
    found = placements(make_node("a"), make_node("b"))
    found.place("o", "b", demand_of(make_pod("o", labels={"app": "x"})))
    term = {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": HOST}
    preferred = {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}}
    assert found.choose(demand_of(make_pod(affinity=preferred))) == Chosen(expected)


def spread(**more):
    return {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "x"}},
        **more,
    }


def zones(make_node, *names, **more):
    return [make_node(f"n{i}", labels={"zone": z} if z else {}, **more) for i, z in enumerate(names)]


def asked(make_pod, **more):
    return demand_of(make_pod(labels={"app": "x", "v": "1"}, topologySpreadConstraints=[spread(**more)]))


def test_spread_takes_the_emptier_zone(make_node, make_pod):
    found = placements(*zones(make_node, "a", "b"))
    found.place("o", "n0", demand_of(make_pod("o", labels={"app": "x"})))
    assert found.choose(asked(make_pod)) == Chosen("n1")


def test_a_node_without_the_label_is_refused_in_its_own_words(make_node, make_pod):
    answer = placements(*zones(make_node, "")).choose(asked(make_pod))
    assert "(missing required label)" in answer.message


def test_too_few_domains_count_as_an_empty_one(make_node, make_pod):
    found = placements(*zones(make_node, "a"))
    found.place("o", "n0", demand_of(make_pod("o", labels={"app": "x"})))
    assert found.choose(asked(make_pod)) == Chosen("n0")
    assert "didn't match pod topology spread constraints" in found.choose(asked(make_pod, minDomains=2)).message


def test_match_label_keys_count_only_pods_of_the_same_value(make_node, make_pod):
    found = placements(*zones(make_node, "a", "b"))
    found.place("o", "n0", demand_of(make_pod("o", labels={"app": "x", "v": "old"})))
    found.place("q", "n1", demand_of(make_pod("q", labels={"app": "x", "v": "1"})))
    assert found.choose(asked(make_pod, matchLabelKeys=["v"])) == Chosen("n0")


def test_anyway_only_prefers(make_node, make_pod):
    found = placements(*zones(make_node, "a", "b"))
    for i in range(2):
        found.place(f"o{i}", "n0", demand_of(make_pod(f"o{i}", labels={"app": "x"})))
    found.set_node(zones(make_node, "a", "b", unschedulable=True)[1])
    assert found.choose(asked(make_pod, whenUnsatisfiable="ScheduleAnyway")) == Chosen("n0")


@pytest.mark.parametrize(("policy", "fits"), [("Ignore", False), ("Honor", True)])
def test_tainted_nodes_count_as_domains_or_not(make_node, make_pod, policy, fits):
    tainted = make_node("t", labels={"zone": "b"}, taints=[{"key": "k", "effect": "NoSchedule"}])
    found = placements(*zones(make_node, "a"), tainted)
    found.place("o", "n0", demand_of(make_pod("o", labels={"app": "x"})))
    assert (found.choose(asked(make_pod, nodeTaintsPolicy=policy)) == Chosen("n0")) == fits


@pytest.mark.parametrize(("policy", "fits"), [("Honor", True), ("Ignore", False)])
def test_nodes_the_pod_cannot_use_count_as_domains_or_not(make_node, make_pod, policy, fits):
    found = placements(*zones(make_node, "a", "b"))
    found.place("o", "n0", demand_of(make_pod("o", labels={"app": "x"})))
    pod = make_pod(
        labels={"app": "x"},
        nodeSelector={"zone": "a"},
        topologySpreadConstraints=[spread(nodeAffinityPolicy=policy)],
    )
    assert (found.choose(demand_of(pod)) == Chosen("n0")) == fits


def test_counts_follow_pods_and_nodes_that_come_and_go(make_node, make_pod):
    found = placements(*zones(make_node, "a", "b"))
    found.place("o", "n0", demand_of(make_pod("o", labels={"app": "x"})))
    assert found.choose(asked(make_pod)) == Chosen("n1")
    found.place("q", "n1", demand_of(make_pod("q", labels={"app": "x"})))
    assert found.remove("o")
    assert not found.remove("o")
    assert found.choose(asked(make_pod)) == Chosen("n0")
    found.remove_node("n0")
    assert found.choose(asked(make_pod)) == Chosen("n1")
    copy = found.copy()
    copy.set_node(make_node("n9", labels={"zone": "c"}))
    assert copy.choose(asked(make_pod)) == Chosen("n9")
    assert found.choose(asked(make_pod)) == Chosen("n1")
