"""The loop: who hears of what, in which order, and what becomes of effects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lifepod.api.builtin import builtin_kinds
from lifepod.api.kinds import KindRegistry
from lifepod.api.objects import JsonObject
from lifepod.api.writes import Write
from lifepod.apiserver.api import Api
from lifepod.apiserver.bootstrap import bootstrap
from lifepod.assembly.cluster import Cluster
from lifepod.simulation.loop import SeededIds
from lifepod.store import Store
from lifepod.turn import Answered, Changed, Interest, News, Turned

NOW = datetime(2025, 1, 1, tzinfo=UTC)


class Recording:
    """A part that keeps its news and returns what it was given."""

    def __init__(self, name: str, *interests: Interest, answers: list[Turned] | None = None) -> None:
        self.name, self.interests = name, interests
        self.news: list[News] = []
        self.looks: list[datetime] = []
        self._answers = answers or []

    def on_news(self, news: tuple[News, ...], now: datetime) -> Turned:
        self.news += news
        self.looks.append(now)
        return self._answers.pop(0) if self._answers else Turned()

    def snapshot(self) -> object:
        return tuple(self.news)

    def restore(self, state: object) -> None:
        assert isinstance(state, tuple)
        self.news = list(state)


def config_map(name: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


def creation(name: str, tag: str = "") -> Write:
    return Write("create", "configmaps", "default", name, config_map(name), tag=tag)


def new_api() -> Api:
    api = Api(Store(), KindRegistry(builtin_kinds()), SeededIds())
    bootstrap(api, NOW)
    return api


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(new_api())


def test_the_first_look_brings_what_exists_and_later_ones_what_changed(cluster: Cluster) -> None:
    cluster.write(creation("a"), NOW)
    part = Recording("part", Interest("configmaps"))
    cluster.add_part(part)
    cluster.turn(NOW)
    cluster.write(creation("b"), NOW)
    cluster.turn(NOW)
    told = [n for n in part.news if isinstance(n, Changed) and n.obj["metadata"]["name"] != "kube-root-ca.crt"]
    seen = [(n.type, n.obj["metadata"]["name"]) for n in told]
    assert seen == [("ADDED", "a"), ("ADDED", "b")]
    assert len(part.looks) == 2


def test_a_write_with_a_tag_is_answered_and_a_refused_one_always(cluster: Cluster) -> None:
    wishes = (creation("a"), creation("b", "mine"), creation("a"))
    part = Recording("part", answers=[Turned(wishes)])
    cluster.add_part(part)
    cluster.turn(NOW)
    answers = [(n.write.tag, n.error.code if n.error else None) for n in part.news if isinstance(n, Answered)]
    assert answers == [("mine", None), ("", 409)]


def test_a_part_is_called_when_its_timer_is_due_and_not_before(cluster: Cluster) -> None:
    later = NOW + timedelta(seconds=5)
    part = Recording("part", answers=[Turned(wake_at=later)])
    cluster.add_part(part)
    assert cluster.turn(NOW) == later
    assert cluster.turn(NOW + timedelta(seconds=4)) == later
    assert cluster.turn(later) is None
    assert part.looks == [NOW, later]


def test_a_node_hears_only_of_its_own_pods(cluster: Cluster) -> None:
    mine, other = Recording("mine", Interest("pods", "n1")), Recording("other", Interest("pods", "n2"))
    for part in (mine, other):
        cluster.add_part(part)
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "busybox:1.36"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}, "spec": spec}
    cluster.write(Write("create", "pods", "default", "p", pod), NOW)
    cluster.turn(NOW)
    assert [type(n) for n in mine.news] == [Changed]
    assert other.news == []


def test_who_is_blind_to_statuses_hears_of_everything_else(cluster: Cluster) -> None:
    blind = Recording("blind", Interest("pods", statuses=False))
    sharp = Recording("sharp", Interest("pods"))
    for part in (blind, sharp):
        cluster.add_part(part)
    spec = {"containers": [{"name": "c", "image": "busybox:1.36"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}, "spec": spec}
    cluster.write(Write("create", "pods", "default", "p", pod), NOW)
    cluster.write(Write("update", "pods", "default", "p", {"status": {"phase": "Running"}}, "status"), NOW)
    cluster.write(Write("patch", "pods", "default", "p", {"metadata": {"labels": {"a": "b"}}}, patch_type="merge"), NOW)
    cluster.turn(NOW)
    told = {part.name: [n.type for n in part.news if isinstance(n, Changed)] for part in (blind, sharp)}
    assert told["blind"] == ["ADDED", "MODIFIED"]  # the labels
    assert told["sharp"] == ["ADDED", "MODIFIED", "MODIFIED"]  # and the phase


def test_who_hears_of_all_hears_of_what_comes_only_when_it_has_owners_or_finalizers(cluster: Cluster) -> None:
    part = Recording("part", Interest("*"))
    cluster.add_part(part)
    cluster.turn(NOW)
    part.news.clear()
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}
    for name, metadata in (("plain", {}), ("owned", {"ownerReferences": [owner]}), ("kept", {"finalizers": ["a.b/c"]})):
        body = config_map(name)
        body = {**body, "metadata": {**body["metadata"], **metadata}}
        cluster.write(Write("create", "configmaps", "default", name, body), NOW)
    cluster.write(Write("delete", "configmaps", "default", "plain", {}), NOW)
    cluster.turn(NOW)
    told = [(n.type, n.obj["metadata"]["name"]) for n in part.news if isinstance(n, Changed)]
    assert told == [("ADDED", "owned"), ("ADDED", "kept"), ("DELETED", "plain")]


def test_one_object_is_told_to_those_who_refer_to_it(cluster: Cluster) -> None:
    part = Recording("part")
    cluster.add_part(part)
    cluster.references.add("part", [("configmaps", "default", "a")])
    cluster.write(creation("a"), NOW)
    cluster.write(creation("b"), NOW)
    cluster.turn(NOW)
    assert [n.obj["metadata"]["name"] for n in part.news if isinstance(n, Changed)] == ["a"]


def test_a_part_that_raises_does_not_stop_the_others() -> None:
    failures: list[str] = []
    cluster = Cluster(new_api(), on_failure=lambda name, _: failures.append(name))

    class Broken(Recording):
        def on_news(self, news: tuple[News, ...], now: datetime) -> Turned:
            raise RuntimeError("broken")

    cluster.add_part(Broken("broken"))
    good = Recording("good")
    cluster.add_part(good)
    cluster.turn(NOW)
    assert failures == ["broken"]
    assert good.looks == [NOW]


def test_whoever_drives_is_woken_by_a_write_from_outside() -> None:
    woken: list[int] = []
    cluster = Cluster(new_api(), wake=lambda: woken.append(1))
    cluster.add_part(Recording("part", Interest("configmaps")))
    cluster.turn(NOW)
    woken.clear()
    cluster.write(creation("a"), NOW)
    assert woken == [1]
    assert cluster.has_news
