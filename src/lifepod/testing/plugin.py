"""The pytest plugin: the fixtures `kube` and `kube_real`. Imported by every pytest run, so it imports nothing heavy itself."""

from __future__ import annotations
