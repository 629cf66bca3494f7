"""A kopf operator, run by kopf itself, against a cluster whose pods take hours and whose watches break."""

import json
import time
from pathlib import Path

import pytest

pytest.importorskip("kopf")
pytest.importorskip("kubernetes")

import kopf
from kopf.testing import KopfRunner

HERE = Path(__file__).parent
KEEPS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
SPEC = {
    "type": "object",
    "required": ["seconds"],
    "properties": {"seconds": {"type": "integer", "minimum": 1}, "frames": {"type": "integer", "default": 1}},
}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "renders.studio.example"},
    "spec": {
        "group": "studio.example",
        "scope": "Namespaced",
        "names": {"plural": "renders", "singular": "render", "kind": "Render"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC, "status": KEEPS}}},
            }
        ],
    },
}
GAP = "api-error status=503 verb=list,watch resource=renders for=1m"

pytestmark = pytest.mark.lifepod(clock="manual")


def render(name, **spec):
    return {
        "apiVersion": "studio.example/v1",
        "kind": "Render",
        "metadata": {"name": name},
        "spec": {"seconds": 7200, **spec},
    }


def running(*files):
    """The operator in a thread, as `kopf run` starts it, with no handlers of an earlier one; it tries again soon when the API fails."""
    settings = kopf.OperatorSettings()
    settings.networking.error_backoffs = [0.05] * 200
    paths = [str(HERE / file) for file in files]
    words = ["run", "--standalone", "-n", "default", *paths]
    return KopfRunner(words, registry=type(kopf.get_default_registry())(), settings=settings, timeout=30)


def until(holds, seconds=20):
    """Wait for the operator, whose time is its own; the cluster's stands still meanwhile."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "the operator did not get there"
        time.sleep(0.02)


def phase(kube, name):
    found = kube.get("renders", name)
    return found and (found.get("status") or {}).get("phase")


def tries(kube, name):
    """How often the operator has tried to start it, as kopf writes it down."""
    progress = kube.get("renders", name)["metadata"].get("annotations", {}).get("kopf.zalando.org/started", "{}")
    return json.loads(progress).get("retries") or 0


def pods_of(kube, name):
    return [pod["metadata"]["name"] for pod in kube.list("pods", selector=f"render={name}")]


def both_are_rendered(kube):
    """Two Renders run and have the studio's two seats."""
    kube.apply(render("film"), render("trailer"))
    until(lambda: pods_of(kube, "film") and pods_of(kube, "trailer"))
    kube.advance("10s")
    until(lambda: phase(kube, "film") == phase(kube, "trailer") == "Running")


def the_watch_breaks(kube):
    """Every watch ends with 410; what happens until the next minute the operator can only see in a new list."""
    kube.fault(GAP)
    kube.fault("watch-gone")


def test_hours_of_rendering_are_followed_from_definition_to_garbage_collection(kube):
    """Mocks return a status that somebody typed. Here the definition is served at once and refuses what its schema forbids, the
    pod's phase comes from a pod that ran two hours (a moment of real time), and the pod goes with its owner because
    `kopf.adopt` got the owner reference right: a wrong uid or a missing `apiVersion` passes every mock.
    """
    kube.apply(DEFINITION)
    with pytest.raises(Exception, match="should be greater than or equal to 1"):
        kube.apply(render("nothing", seconds=0))
    with running("rendering.py", "seats_by_finalizer.py"):
        both_are_rendered(kube)
        kube.patch("renders", "film", {"spec": {"frames": 24}})
        until(lambda: kube.get("renders", "film")["status"].get("reframed") == ["1 to 24"])
        kube.advance("2h")
        until(lambda: phase(kube, "film") == phase(kube, "trailer") == "Succeeded")
        kube.delete("renders", "film")
        until(lambda: kube.get("renders", "film") is None)
        kube.advance("1m")
        assert pods_of(kube, "film") == []
        assert len(pods_of(kube, "trailer")) == 1


def test_after_410_nothing_is_lost_and_nothing_is_done_twice(kube):
    """Mocked watches never break, so nobody sees what a list after 410 does: objects that were known come again (a handler that is not
    idempotent makes a second pod), two changes come as one (1 to 3, never 2), and what was deleted meanwhile does not come at all.
    """
    kube.apply(DEFINITION)
    with running("rendering.py", "seats_by_finalizer.py"):
        both_are_rendered(kube)
        the_watch_breaks(kube)
        kube.patch("renders", "film", {"spec": {"frames": 2}})
        kube.patch("renders", "film", {"spec": {"frames": 3}})
        kube.delete("renders", "trailer")
        kube.apply(render("poster"))
        kube.advance("61s")
        until(lambda: pods_of(kube, "poster"))
        assert kube.get("renders", "trailer") is None
        until(lambda: "reframed" in kube.get("renders", "film")["status"])
        kube.advance("1m")
        until(lambda: phase(kube, "poster") == "Running")
        assert kube.get("renders", "film")["status"]["reframed"] == ["1 to 3"]
        assert [len(pods_of(kube, name)) for name in ("film", "trailer", "poster")] == [1, 0, 1]


@pytest.mark.parametrize("breaks", [False, True], ids=["whole watch", "410"])
def test_a_seat_that_waits_for_a_deleted_event_is_lost_with_the_watch(kube, breaks):
    """The bug that every hand-fed event stream hides: `@kopf.on.event` with type DELETED frees a seat, and does so in each test that
    feeds it the event. After 410 there is a list, and a list does not tell what is gone: the seat is never free again.
    """
    kube.apply(DEFINITION)
    with running("rendering.py", "seats_by_event.py"):
        both_are_rendered(kube)
        if breaks:
            the_watch_breaks(kube)
        kube.delete("renders", "trailer")
        kube.apply(render("poster"))
        kube.advance("61s")
        if breaks:
            until(lambda: tries(kube, "poster") > 5)
            assert kube.get("renders", "trailer") is None
            assert pods_of(kube, "poster") == []
        else:
            until(lambda: pods_of(kube, "poster"))
