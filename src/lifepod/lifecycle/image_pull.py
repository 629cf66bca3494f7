"""Is an image pulled, taken as it is, or refused? And what is said when that goes wrong.

Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/images/image_manager.go: EnsureImageExists
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from lifepod.api.image_reference import BadReference, parse
from lifepod.lifecycle.memory import Backoff
from lifepod.lifecycle.restart_backoff import MAX_DELAY_SECONDS
from lifepod.lifecycle.vocabulary import PullPolicy

Verdict = Literal["present", "pull", "never"]


def name_error(image: str) -> str:
    """Why the name of an image cannot be used, "" when it can."""
    try:
        parse(image)
    except BadReference as bad:
        return f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {bad}'
    return ""


def pull_verdict(policy: PullPolicy, is_present: bool) -> Verdict:
    """By pull policy. Source: image_manager.go: shouldPullImage."""
    if policy == "Never":
        return "present" if is_present else "never"
    if policy == "Always":
        return "pull"
    return "present" if is_present else "pull"


def may_pull_at(backoff: Backoff | None, now: datetime) -> datetime:
    """When the image may be pulled again: 10 s, 20 s … 300 s after the failed pull; idle for 600 s, it starts over.

    A pull that succeeds does not: the next failure waits twice as long as the last one did.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/images/image_manager.go: pullImage (drops only what expired);
            k8s.io/client-go v0.34.4 util/flowcontrol/backoff.go: IsInBackOffSinceUpdate
    """
    if backoff is None or now - backoff.changed_at > timedelta(seconds=2 * MAX_DELAY_SECONDS):
        return now
    return max(now, backoff.changed_at + timedelta(seconds=backoff.delay_seconds))


def pull_error(image: str, reason: str, message: str) -> tuple[str, str]:
    """(waiting reason, message) of a failed pull.

    Source: k8s.io/kubernetes v1.34.4 pkg/kubelet/images/image_manager.go: evalCRIPullErr
    """
    for word, text in (
        ("RegistryUnavailable", f"image pull failed for {image} because the registry is unavailable"),
        ("SignatureValidationFailed", f"image pull failed for {image} because the signature validation failed"),
    ):
        if reason == word or message.startswith(word):
            return word, text + message.removeprefix(word)
    return reason or "ErrImagePull", message


def backoff_message(image: str, last_error: str) -> str:
    """The message of ImagePullBackOff; the last error when it is known."""
    text = f'Back-off pulling image "{image}"'
    return f"{text}: {last_error}" if last_error else text
