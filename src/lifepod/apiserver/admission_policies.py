"""ValidatingAdmissionPolicies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lifepod.apiserver.admission_call import Call
    from lifepod.apiserver.api import Api


def check_policies(api: Api, call: Call) -> None:
    """Check."""
