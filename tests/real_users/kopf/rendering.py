"""An ordinary operator, which knows nothing of lifepod: each Render gets one of the studio's seats and a pod, its status follows the pod.

How a seat becomes free again stands in `seats_by_event.py` (wrong) and `seats_by_finalizer.py` (right); `kopf run` takes both files.
"""

import kopf
import kubernetes

SEATS = 2


@kopf.on.startup()
def opened(memo, **_):
    kubernetes.config.load_config()
    memo.seats = set()


@kopf.on.create("renders")
@kopf.on.resume("renders")
def started(body, name, namespace, uid, spec, memo, **_):
    if uid not in memo.seats and len(memo.seats) >= SEATS:
        raise kopf.TemporaryError("all seats are taken", delay=0.2)
    memo.seats.add(uid)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": f"{name}-", "labels": {"render": name}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "busybox", "command": ["sleep", str(spec["seconds"])]}],
        },
    }
    kopf.adopt(pod, owner=body)
    made = kubernetes.client.CoreV1Api().create_namespaced_pod(namespace, pod)
    return {"pod": made.metadata.name}


@kopf.on.field("renders", field="spec.frames", old=kopf.PRESENT)
def reframed(old, new, status, patch, **_):
    patch.status["reframed"] = [*status.get("reframed", []), f"{old} to {new}"]


@kopf.on.field("pods", labels={"render": kopf.PRESENT}, field="status.phase")
def followed(new, meta, namespace, **_):
    kubernetes.client.CustomObjectsApi().patch_namespaced_custom_object_status(
        "studio.example", "v1", namespace, "renders", meta["labels"]["render"], {"status": {"phase": new}}
    )
