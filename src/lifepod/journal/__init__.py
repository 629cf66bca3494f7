"""The store's disk: what was answered survives a kill. `base.py` says what a journal is, `sqlite.py` is the one that writes.

It knows records and revisions, nothing of kinds or verbs. `none.py` keeps nothing.
"""

from lifepod.journal.base import Journal, JournalError, JournalInUse
from lifepod.journal.none import NoJournal

__all__ = ["Journal", "JournalError", "JournalInUse", "NoJournal"]
