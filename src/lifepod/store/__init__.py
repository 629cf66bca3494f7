"""The API's objects in memory: revisions, conflicts, the watch history. Pure and synchronous.

It knows nothing of verbs, users or HTTP (`apiserver`), nor of disks (`journal`). Read `objects.py` first.
"""

from lifepod.store.errors import AlreadyExists, Missing, StoreError, TooOld, WrongRevision
from lifepod.store.objects import Page, Store, StoreState
from lifepod.store.record import Change, Record, key_of
from lifepod.store.selection import EVERYTHING, FieldTerm, Selection
from lifepod.store.watch import Seen, Watch

__all__ = [
    "EVERYTHING",
    "AlreadyExists",
    "Change",
    "FieldTerm",
    "Missing",
    "Page",
    "Record",
    "Seen",
    "Selection",
    "Store",
    "StoreError",
    "StoreState",
    "TooOld",
    "Watch",
    "WrongRevision",
    "key_of",
]
