"""`--data DIR`: what outlives this process. The journal of the objects, the keys that tokens and certificates hang on, the pods.

Layout: `journal/` (SQLite), `credentials.json` (0600), `node/` (the runtime's: containers, logs, volumes),
`images.json` (which images are real, in mode `if-reachable`). A second lifepod on
the same folder is refused by the journal's lock.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import orjson

from lifepod.apiserver.api import Api
from lifepod.apiserver.certificates import CertifiedKey, Credentials, mint_credentials
from lifepod.apiserver.custom_kinds import serve_all
from lifepod.assembly.errors import StartError
from lifepod.journal.base import JournalError
from lifepod.journal.sqlite import SqliteJournal
from lifepod.store import Store


class DataFolder:
    """One folder, held by this process from `__init__` to `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.journal = SqliteJournal(folder / "journal")
        except JournalError as exc:
            raise StartError(str(exc)) from exc
        except OSError as exc:
            raise StartError(
                f"{folder} cannot be used for --data: {exc.strerror or exc}. Give a folder of yours."
            ) from exc

    def attach(self, store: Store) -> int:
        """Fill the store with what was kept, and keep what it changes from now on; returns how many objects came back."""
        self.journal.attach(store)
        return sum(store.count(resource) for resource in store.resources())

    def serve(self, api: Api) -> None:
        """Tell the API what came back besides objects: the kinds that users defined, and whether the disk can be written."""
        serve_all(api)
        api.problem = lambda: self.journal.problem

    def durable(self, revision: int) -> Awaitable[None] | None:
        """What an answer waits for; None when nothing."""
        return self.journal.durable(revision)

    def listen_to(self, turns: Callable[[], int]) -> None:
        """How the journal learns whether one client has the server to itself."""
        self.journal.turns = turns

    def credentials(self, now: datetime, addresses: tuple[str, ...] = ()) -> Credentials:
        """The keys of the first start, so that kubeconfigs and tokens stay good."""
        path = self.folder / "credentials.json"
        try:
            kept = orjson.loads(path.read_bytes())
            pairs = {
                name: CertifiedKey(_bytes(kept[name][0]), _bytes(kept[name][1])) for name in ("ca", "server", "admin")
            }
            return Credentials(pairs["ca"], pairs["server"], pairs["admin"], _bytes(kept["token_key"]))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise StartError(
                f"{path} cannot be read ({exc}). Remove it to have new keys made; old kubeconfigs then end."
            ) from exc
        made = mint_credentials(now, addresses=addresses)
        text = orjson.dumps(
            {
                **{
                    name: [_text(pair.certificate), _text(pair.key)]
                    for name, pair in (("ca", made.ca), ("server", made.server), ("admin", made.admin))
                },
                "token_key": _text(made.token_key),
            }
        )
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        temporary.replace(path)
        return made

    def close(self) -> None:
        """Commit what is left and let go of the folder."""
        self.journal.close()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
