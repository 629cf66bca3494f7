"""Which node gets a pod, and what is said when none does (lifecycle.md §8, §16)."""

from __future__ import annotations

import pytest

from lifepod.controller_manager.scheduler import SchedulerPart
from lifepod.controllers.scheduler import MAX_SHAPES, Chosen, Placements, Unschedulable
from lifepod.controllers.scheduler_demand import demand_of, requests_of

HELPLESS = (
    "no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
)
NO_VICTIMS = (
    "no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
)


def placements(*nodes):
    found = Placements()
    for node in nodes:
        found.set_node(node)
    return found


TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("node", "pod", "message"),
    [
        ({}, {"nodeSelector": {"no": "such"}}, f"1 node(s) didn't match Pod's node affinity/selector. {HELPLESS}"),
        ({"unschedulable": True}, {}, f"1 node(s) were unschedulable. {HELPLESS}"),
        ({"taints": [TAINT]}, {}, f"1 node(s) had untolerated taint {{k: v}}. {HELPLESS}"),
        ({"cpu": "1"}, {"requests": {"cpu": "2"}}, f"1 Insufficient cpu. {HELPLESS}"),
        (
            {"memory": "1Gi"},
            {"requests": {"memory": "2Gi", "cpu": "9"}},
            f"1 Insufficient cpu, 1 Insufficient memory. {HELPLESS}",
        ),
        ({"pods": "0"}, {}, f"1 Too many pods. {NO_VICTIMS}"),
        ({}, {"requests": {"example.com/gpu": "1"}}, f"1 Insufficient example.com/gpu. {HELPLESS}"),
        (
            {"unschedulable": True},
            {"preemptionPolicy": "Never"},
            "1 node(s) were unschedulable. no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.",
        ),
    ],
)
def test_a_node_that_cannot_take_the_pod_says_why(make_node, make_pod, node, pod, message):
    answer = placements(make_node(**node)).choose(demand_of(make_pod(**pod)))
    assert answer == Unschedulable(f"0/1 nodes are available: {message}")


def test_reasons_of_several_nodes_are_counted_and_sorted(make_node, make_pod):
    nodes = [make_node("a", cpu="1"), make_node("b", cpu="1"), make_node("c", taints=[TAINT])]
    answer = placements(*nodes).choose(demand_of(make_pod(requests={"cpu": "2"})))
    assert answer.message.startswith(
        "0/3 nodes are available: 1 node(s) had untolerated taint {k: v}, 2 Insufficient cpu. "
    )


def test_no_nodes_at_all_is_said_in_its_own_words(make_pod):
    assert Placements().choose(demand_of(make_pod())) == Unschedulable("no nodes available to schedule pods")


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}, True),
        ({"key": "k", "value": "v"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "value": "w"}, False),
        ({"key": "x", "operator": "Exists"}, False),
        ({"key": "k", "value": "v", "effect": "NoExecute"}, False),
    ],
)
def test_a_toleration_lets_a_pod_onto_a_tainted_node(make_node, make_pod, toleration, tolerated):
    answer = placements(make_node(taints=[TAINT])).choose(demand_of(make_pod(tolerations=[toleration])))
    assert (answer == Chosen("n1")) is tolerated


def test_pods_spread_over_equal_nodes(make_node, make_pod):
    found = placements(*(make_node(f"n{i}") for i in range(3)))
    demand = demand_of(make_pod())
    chosen = []
    for i in range(6):
        answer = found.choose(demand)
        found.place(f"u{i}", answer.node, demand)
        chosen.append(answer.node)
    assert sorted(chosen) == ["n0", "n0", "n1", "n1", "n2", "n2"]


def test_a_node_gives_room_back_when_a_pod_goes(make_node, make_pod):
    found = placements(make_node(cpu="1"))
    demand = demand_of(make_pod(requests={"cpu": "1"}))
    found.place("u1", "n1", demand)
    assert isinstance(found.choose(demand), Unschedulable)
    assert found.choose(demand).message.endswith(NO_VICTIMS)
    found.remove("u1")
    assert found.choose(demand) == Chosen("n1")


def test_host_ports_do_not_meet_on_one_node(make_node, make_pod):
    found = placements(make_node("a"), make_node("b"))
    pod = make_pod()
    pod["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
    demand = demand_of(pod)
    found.place("u1", found.choose(demand).node, demand)
    found.place("u2", found.choose(demand).node, demand)
    assert {p.node for p in found.pods.values()} == {"a", "b"}
    assert "2 node(s) didn't have free ports for the requested pod ports." in found.choose(demand).message


def test_required_and_preferred_node_affinity(make_node, make_pod):
    found = placements(make_node("a", labels={"disk": "hdd"}), make_node("b", labels={"disk": "ssd"}))
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    required = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}
    assert found.choose(demand_of(make_pod(affinity=required))) == Chosen("b")
    assert found.choose(demand_of(make_pod(affinity={"nodeAffinity": preferred}))) == Chosen("b")


def test_a_pod_pinned_to_a_node_by_name_goes_there_or_nowhere(make_node, make_pod):
    found = placements(make_node("a"), make_node("b", cpu="1"))
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    assert found.choose(demand_of(make_pod(affinity=affinity))) == Chosen("b")
    answer = found.choose(demand_of(make_pod(affinity=affinity, requests={"cpu": "2"})))
    assert answer.message.startswith(
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]. "
    )


def anti(labels, key="kubernetes.io/hostname"):
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": key}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_anti_affinity_keeps_pods_apart_and_also_those_that_come_later(make_node, make_pod):
    found = placements(make_node("a"), make_node("b"))
    guarded = demand_of(make_pod(labels={"app": "x"}, affinity=anti({"app": "x"})))
    plain = demand_of(make_pod(labels={"app": "x"}))
    found.place("u1", found.choose(guarded).node, guarded)
    second = found.choose(plain)
    assert second.node != found.pods["u1"].node
    found.place("u2", second.node, plain)
    assert "2 node(s) didn't match pod anti-affinity rules" in found.choose(guarded).message
    found.place("u3", "b", guarded)
    assert "2 node(s) didn't satisfy existing pods anti-affinity rules" in found.choose(plain).message


def test_affinity_follows_pods_and_the_first_of_a_group_may_go_anywhere(make_node, make_pod):
    found = placements(make_node("a", labels={"zone": "1"}), make_node("b", labels={"zone": "2"}))
    term = {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "zone"}
    affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    demand = demand_of(make_pod(labels={"app": "x"}, affinity=affinity))
    stranger = demand_of(make_pod(labels={"app": "y"}, affinity=affinity))
    assert "2 node(s) didn't match pod affinity rules" in found.choose(stranger).message
    found.place("u1", "b", demand)
    assert found.choose(demand) == Chosen("b")
    assert found.choose(stranger) == Chosen("b")


def test_topology_spread_holds_the_skew(make_node, make_pod):
    nodes = [make_node("a", labels={"zone": "1"}), make_node("b", labels={"zone": "2"}), make_node("c")]
    found = placements(*nodes)
    spread = {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "x"}},
    }
    demand = demand_of(make_pod(labels={"app": "x"}, topologySpreadConstraints=[spread]))
    for i in range(4):
        found.place(f"u{i}", found.choose(demand).node, demand)
    assert sorted(p.node for p in found.pods.values()) == ["a", "a", "b", "b"]
    found.set_node(make_node("a", labels={"zone": "1"}, unschedulable=True))
    found.place("u5", found.choose(demand).node, demand)
    answer = found.choose(demand)
    assert "1 node(s) didn't match pod topology spread constraints," in answer.message
    assert "(missing required label)" in answer.message


def test_requests_count_init_containers_sidecars_and_overhead():
    def container(cpu, **more):
        return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "containers": [container("1"), container("500m")],
        "initContainers": [container("200m", restartPolicy="Always"), container("3")],
        "overhead": {"cpu": "100m"},
    }
    assert requests_of(spec).cpu_millicores == 3300


# ------------------------------------------------------------------------------------------------ the part


def test_a_pod_is_bound_and_the_event_tells(cluster, make_node, make_pod):
    cluster.add(make_node())
    cluster.drive(parts=[SchedulerPart(cluster)])
    pod = cluster.add(make_pod())
    cluster.settle()
    assert cluster.again(pod)["spec"]["nodeName"] == "n1"
    (event,) = cluster.list("events")
    assert event["message"] == "Successfully assigned default/p to n1"
    assert event["action"] == "Binding"
    assert event["reportingInstance"] == "default-scheduler-lifepod"
    assert event["firstTimestamp"] is None
    assert event["eventTime"] == "2025-01-01T00:00:00.000000Z"


def test_an_unschedulable_pod_is_told_once_and_bound_when_a_node_comes(cluster, make_node, make_pod):
    cluster.drive(parts=[SchedulerPart(cluster)])
    cluster.add(make_node(labels={"no": "thing"}))
    pod = cluster.add(make_pod(nodeSelector={"no": "such"}))
    cluster.run(2)
    (condition,) = cluster.again(pod)["status"]["conditions"]
    assert (condition["reason"], condition["status"]) == ("Unschedulable", "False")
    assert condition["observedGeneration"] == 1
    assert [e[1] for e in cluster.events()] == ["FailedScheduling"]
    cluster.add(make_node("n2", labels={"no": "such"}))
    cluster.run(10)
    assert cluster.again(pod)["spec"]["nodeName"] == "n2"


def test_a_waiting_pod_gets_the_room_of_one_that_ended(cluster, make_node, make_pod):
    cluster.add(make_node(pods="1"))
    cluster.drive(parts=[SchedulerPart(cluster)])
    first, second, third = (cluster.add(make_pod(name)) for name in ("a", "b", "c"))
    cluster.run(1)
    assert [bool(cluster.again(p)["spec"].get("nodeName")) for p in (first, second, third)] == [True, False, False]
    cluster.finish(first)
    cluster.run(20)
    assert [bool(cluster.again(p)["spec"].get("nodeName")) for p in (first, second, third)] == [True, True, False]


def test_a_higher_priority_goes_first(cluster, make_node, make_pod):
    low, high = cluster.add(make_pod("low", priority=0)), cluster.add(make_pod("zhigh", priority=10))
    cluster.add(make_node(pods="1"))
    cluster.drive(parts=[SchedulerPart(cluster)])
    assert "nodeName" not in cluster.again(low)["spec"]
    assert cluster.again(high)["spec"]["nodeName"] == "n1"


def test_gated_and_foreign_pods_are_left_alone(cluster, make_node, make_pod):
    cluster.add(make_node())
    cluster.drive(parts=[SchedulerPart(cluster)])
    gated = cluster.add(make_pod("gated", schedulingGates=[{"name": "x"}]))
    foreign = cluster.add(make_pod("foreign", schedulerName="mine"))
    cluster.run(5)
    assert all("nodeName" not in cluster.again(p)["spec"] for p in (gated, foreign))
    cluster.change(gated, spec={"containers": [], "schedulingGates": []})
    cluster.settle()
    assert cluster.again(gated)["spec"]["nodeName"] == "n1"


def test_a_missing_claim_is_the_pods_own_obstacle(cluster, make_node, make_pod):
    cluster.add(make_node())
    cluster.drive(parts=[SchedulerPart(cluster)])
    pod = cluster.add(make_pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]))
    cluster.settle()
    message = cluster.again(pod)["status"]["conditions"][0]["message"]
    assert message == f'0/1 nodes are available: persistentvolumeclaim "c" not found. {HELPLESS}'


def test_a_snapshot_remembers_the_room_that_is_taken(cluster, make_node, make_pod):
    part = SchedulerPart(cluster)
    cluster.add(make_node(pods="1"))
    cluster.add(make_pod("a"))
    cluster.drive(parts=[part])
    state = part.snapshot()
    other = SchedulerPart(cluster)
    other.restore(state)
    assert isinstance(other._placements.choose(demand_of(make_pod("b"))), Unschedulable)


def test_news_that_changes_nothing_leaves_the_picture_as_it_is(make_node, make_pod):
    found = placements(make_node("a", cpu="1"), make_node("b", cpu="1"))
    demand = demand_of(make_pod(requests={"cpu": "1"}))
    found.place("u", "a", demand)
    version = found.version
    assert found.set_node(make_node("a", cpu="1")) is False
    found.remove_node("nobody")
    found.place("u", "a", demand)
    assert found.remove("nobody") is False
    assert found.version == version
    assert found.set_node(make_node("a", cpu="2")) is True
    assert found.version > version


def test_a_pod_told_on_another_node_has_moved_there(make_node, make_pod):
    found = placements(make_node("a", cpu="1"), make_node("b", cpu="1"))
    demand = demand_of(make_pod(requests={"cpu": "1"}))
    found.place("u", "a", demand)
    found.place("u", "b", demand)
    assert found.choose(demand) == Chosen("a")
    assert found.loads["a"].pods == 0


def test_pods_of_a_node_that_is_not_there_yet_count_when_it_comes(make_node, make_pod):
    found = placements(make_node("a", cpu="1"))
    demand = demand_of(make_pod(requests={"cpu": "1"}))
    found.place("u1", "b", demand)
    found.place("u2", "a", demand)
    found.set_node(make_node("b", cpu="1"))
    assert isinstance(found.choose(demand), Unschedulable)
    found.remove("u1")
    assert found.choose(demand) == Chosen("b")


def test_more_shapes_of_pods_than_are_kept_are_each_placed_right(make_node, make_pod):
    nodes = [make_node(f"n{i}", labels={"number": str(i)}) for i in range(MAX_SHAPES + 4)]
    found = placements(*nodes)
    for _ in range(2):
        for i in range(MAX_SHAPES + 4):
            assert found.choose(demand_of(make_pod(nodeSelector={"number": str(i)}))) == Chosen(f"n{i}")


def test_more_questions_about_neighbours_than_are_kept_are_each_answered_right(make_node, make_pod):
    names = [f"n{i}" for i in range(MAX_SHAPES + 4)]
    found = placements(*(make_node(name) for name in names))
    for name in names:
        found.place(name, name, demand_of(make_pod(name, labels={"app": name})))
    for name in names * 2:
        term = {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "kubernetes.io/hostname"}
        beside = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        assert found.choose(demand_of(make_pod(affinity=beside))) == Chosen(name)


def test_pods_that_come_and_go_leave_no_trace_in_the_order_of_nodes(make_node, make_pod):
    found = placements(make_node("a"), make_node("b"))
    demand = demand_of(make_pod(requests={"cpu": "1"}))
    for i in range(300):
        found.choose(demand)
        found.place(f"u{i}", "a", demand)
        found.remove(f"u{i}")
    assert max(len(candidates.heap) for candidates in found._shapes.values()) <= 4 * 2 + 65
    found.place("last", "a", demand)
    assert found.choose(demand) == Chosen("b")


def test_a_host_port_is_free_again_when_its_pod_goes(make_node, make_pod):
    found = placements(make_node("a"))
    pod = make_pod()
    pod["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
    demand = demand_of(pod)
    found.place("u1", "a", demand)
    assert "didn't have free ports" in found.choose(demand).message
    found.remove("u1")
    assert found.choose(demand) == Chosen("a")


def test_a_pod_that_names_its_node_is_refused_by_the_others(make_node, make_pod):
    found = placements(make_node("a"), make_node("b"))
    assert found.choose(demand_of(make_pod(nodeName="b"))) == Chosen("b")
    answer = found.choose(demand_of(make_pod(nodeName="c")))
    assert "2 node(s) didn't match the requested node name." in answer.message


def test_a_node_that_pods_should_rather_not_go_to_is_taken_last(make_node, make_pod):
    avoided = {"key": "k", "value": "v", "effect": "PreferNoSchedule"}
    found = placements(make_node("a", taints=[avoided]), make_node("b", cpu="1"))
    found.place("u", "b", demand_of(make_pod("other", requests={"cpu": "500m"})))
    assert found.choose(demand_of(make_pod())) == Chosen("b")
    assert found.choose(demand_of(make_pod(tolerations=[{"operator": "Exists"}]))) == Chosen("a")


def test_an_empty_node_selector_term_matches_no_node(make_node, make_pod):
    required = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}]}}}
    answer = placements(make_node()).choose(demand_of(make_pod(affinity=required)))
    assert "1 node(s) didn't match Pod's node affinity/selector." in answer.message


def wanting(**requests):
    return {"resources": {"requests": requests}}


@pytest.mark.parametrize(
    ("about", "spec", "cpu", "memory", "gpus"),
    [
        ("the sum", {"containers": [wanting(gpu="1", cpu="1"), wanting(gpu="2")]}, 1000, 0, 3),
        (
            "an init container that wants more",
            {"containers": [wanting(gpu="1", cpu="1")], "initContainers": [wanting(gpu="4", cpu="500m")]},
            1000,
            0,
            4,
        ),
        (
            "a sidecar beside both",
            {
                "containers": [wanting(gpu="1")],
                "initContainers": [{**wanting(gpu="2"), "restartPolicy": "Always"}, wanting(gpu="3")],
            },
            0,
            0,
            5,
        ),
        (
            "the pod's own level in place of the containers'",
            {"containers": [wanting(cpu="1", memory="1Ki", gpu="1")], **wanting(cpu="250m")},
            250,
            1024,
            1,
        ),
        (
            "and overhead on top",
            {"containers": [wanting(cpu="1")], **wanting(memory="2Ki"), "overhead": {"cpu": "50m", "memory": "1Ki"}},
            1050,
            3072,
            0,
        ),
    ],
)
def test_what_a_pod_asks_for(about, spec, cpu, memory, gpus):
    asked = requests_of(spec)
    assert (asked.cpu_millicores, asked.memory_bytes, dict(asked.named).get("gpu", 0)) == (cpu, memory, gpus), about
