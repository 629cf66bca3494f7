"""DELETE of a collection: everything that the selectors match, one by one.

Source: k8s.io/apiserver v0.34.4 pkg/registry/generic/registry/store.go: DeleteCollection
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lifepod.api.kinds import Kind
from lifepod.api.objects import JsonObject
from lifepod.api.writes import ApiError
from lifepod.apiserver.admission import agree_without_object
from lifepod.apiserver.admission_call import Call
from lifepod.apiserver.delete import delete_stored
from lifepod.apiserver.list import list_page
from lifepod.apiserver.options import DeleteOptions, ListOptions, WriteOptions
from lifepod.apiserver.webhook_session import Question, Unanswered
from lifepod.store.record import Record

if TYPE_CHECKING:
    from lifepod.apiserver.api import Api


def delete_collection(
    api: Api, kind: Kind, which: ListOptions, wanted: DeleteOptions, options: WriteOptions
) -> JsonObject:
    """Delete the matching objects; returns the list of them as they were found."""
    page = list_page(api, kind, which)
    storage = page.storage
    refused = _refusals(api, storage, page.records, wanted, options) if api.session is not None else {}
    for record in page.records:
        if error := refused.get(record.key):
            raise error
        obj = api.store.get(storage.resource, record.namespace, record.name)
        if obj is not None:
            delete_stored(api, storage, obj, wanted, options)
    head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": page.metadata}
    return {**head, "items": page.objects(api)}


def _refusals(
    api: Api, kind: Kind, records: Sequence[Record], wanted: DeleteOptions, options: WriteOptions
) -> dict[str, ApiError]:
    """What webhooks and policies refuse to have deleted. All are asked about before the first one goes. Raises Unanswered."""
    refused: dict[str, ApiError] = {}
    open_questions: list[Question] = []
    for record in records:
        obj = api.store.decoded(record)
        try:
            agree_without_object(api, Call("DELETE", kind, None, obj, options, wanted=wanted))
        except ApiError as error:
            refused[record.key] = error
        except Unanswered as stopped:
            open_questions += stopped.questions
    if open_questions:
        raise Unanswered(tuple(open_questions))
    return refused
