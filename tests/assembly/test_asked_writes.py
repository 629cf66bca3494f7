"""Writes of parts that webhooks are asked about keep the order that matters, and in virtual time the order of the questions."""

from __future__ import annotations

import json
from concurrent.futures import Future

from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError, Write
from lifepod.apiserver.webhook_session import Question, Reply
from lifepod.assembly.asked_writes import AskedWrites, user_of
from lifepod.assembly.simulated import SimulatedCluster

CONFIGURATION = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "v"},
    "webhooks": [
        {
            "name": "v.example.com",
            "clientConfig": {"url": "https://localhost/"},
            "rules": [
                {"operations": ["UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
            ],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
    ],
}


class Desk:
    """A cluster with two config maps, whose questions pile up here until they are answered."""

    def __init__(self) -> None:
        self.sim = SimulatedCluster()
        self.open: list[tuple[Question, Future[Reply]]] = []
        self.told: list[tuple[str, str, int]] = []
        for name in "ab":
            self.sim.request("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": name}})
        self.sim.request("POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", CONFIGURATION)
        self.sim.api.ask = self._ask
        self.asked = AskedWrites(self.sim.api, self._tell)

    def _ask(self, question: Question) -> Future[Reply]:
        future: Future[Reply] = Future()
        self.open.append((question, future))
        return future

    def _tell(self, part: str, write: Write, obj: JsonObject | None, error: ApiError | None) -> None:
        self.told.append((write.name, write.body["data"]["n"], error.code if error else 0))

    def write(self, name: str, number: str) -> None:
        now = self.sim.clock.now()
        write = Write("patch", "configmaps", "default", name, {"data": {"n": number}})
        self.asked.do("part", write, lambda: self.sim.api.carry_out(write, now), now)

    def answer(self, index: int, *, allowed: bool = True) -> None:
        question, future = self.open.pop(index)
        request = json.loads(question.body)["request"]
        response = {"uid": request["uid"], "allowed": allowed}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        future.set_result(Reply(json.dumps(review).encode()))
        self.asked.take()


def test_what_nobody_is_asked_about_is_done_at_once() -> None:
    desk = Desk()
    desk.sim.request("DELETE", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/v")
    desk.write("a", "1")
    assert desk.told == [("a", "1", 0)]


def test_writes_to_one_object_are_asked_about_one_after_the_other() -> None:
    desk = Desk()
    desk.write("a", "1")
    desk.write("a", "2")
    assert len(desk.open) == 1
    desk.answer(0)
    assert desk.told == [("a", "1", 0)]
    desk.answer(0)
    assert desk.told == [("a", "1", 0), ("a", "2", 0)]
    assert not desk.asked.holds_any()


def test_writes_to_several_objects_do_not_wait_for_each_other() -> None:
    desk = Desk()
    desk.write("a", "1")
    desk.write("b", "1")
    desk.answer(1)
    assert desk.told == [("b", "1", 0)]


def test_in_virtual_time_the_first_question_is_answered_first() -> None:
    desk = Desk()
    desk.asked.in_order = True
    desk.write("a", "1")
    desk.write("b", "1")
    desk.answer(1)
    assert desk.told == []
    desk.answer(0)
    assert desk.told == [("a", "1", 0), ("b", "1", 0)]


def test_a_refusal_is_told_to_the_part() -> None:
    desk = Desk()
    desk.write("a", "1")
    desk.answer(0, allowed=False)
    assert desk.told == [("a", "1", 400)]
    assert "data" not in (desk.sim.get("configmaps", "a") or {})


def test_what_is_held_can_be_wished_for_again_elsewhere() -> None:
    desk = Desk()
    desk.write("a", "1")
    assert [(held.part, held.write.name) for held in desk.asked.snapshot()] == [("part", "a")]
    desk.asked.clear()
    desk.answer(0)
    assert desk.told == []


def test_parts_are_known_by_the_names_of_upstreams_components() -> None:
    assert user_of("node/n1")["username"] == "system:node:n1"
    assert user_of("scheduler")["username"] == "system:kube-scheduler"
    assert user_of("replica-set")["username"] == "system:serviceaccount:kube-system:replicaset-controller"
    assert user_of("job")["username"] == "system:serviceaccount:kube-system:job-controller"
