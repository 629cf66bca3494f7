"""What the node says about itself, once each: a field that has no effect here, an image that something else stands in for.

They are Events on the Node; the pod's own events stay as Kubernetes has them.
"""

from __future__ import annotations

from lifepod.api.objects import JsonObject
from lifepod.api.supported import unhonoured_in_pod_spec
from lifepod.lifecycle.vocabulary import Event

FIELD_NOT_HONOURED = "FieldNotHonoured"
IMAGE_SUBSTITUTED = "ImageSubstituted"


def unhonoured_fields(pod: JsonObject, told: frozenset[str]) -> tuple[Event, ...]:
    """A Warning for each field of the pod that has no effect and was not told of yet."""
    events = []
    for path, why in unhonoured_in_pod_spec(pod["spec"]):
        event = Event("Warning", FIELD_NOT_HONOURED, f"{path} has no effect on this node: {why}")
        if event.message not in told:
            events.append(event)
    return tuple(events)


def image_substituted(image: str, why: str, told: frozenset[str]) -> tuple[Event, ...]:
    """Told once an image name that this machine's own files stand in for."""
    text = f'Image "{image}" is not pulled: its containers run this machine\'s own files ({why})'
    return () if text in told else (Event("Normal", IMAGE_SUBSTITUTED, text),)
