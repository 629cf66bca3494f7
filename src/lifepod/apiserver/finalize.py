"""PUT of `namespaces/x/finalize`: the namespace controller says that the contents are gone.

Source: k8s.io/kubernetes v1.34.4 pkg/registry/core/namespace/strategy.go: namespaceFinalizeStrategy.PrepareForUpdate
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.apiserver.admission import agree, as_webhooks_want
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.metadata import kept_metadata, with_names
from lifepod.apiserver.options import WriteOptions
from lifepod.apiserver.status_errors import not_found
from lifepod.apiserver.update import write

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def finalize(api: Api, kind: Kind, name: str, obj: JsonObject, options: WriteOptions) -> JsonObject:
    """Replace the finalizers in `spec`; the namespace goes with the last one."""
    old = api.store.get("namespaces", "", name)
    if old is None:
        raise not_found(kind, name)
    obj = with_names(kind, "", name, obj)
    new = {**old, "metadata": kept_metadata(kind, obj, old), "spec": obj.get("spec") or {}}
    call = Call("UPDATE", kind, new, old, options, "finalize")
    new = {**new, "spec": as_webhooks_want(api, call).get("spec") or {}}
    agree(api, call._replace(obj=new))
    return write(api, kind, new, old, options)
