"""How many files this process may have open: every client and every container takes some."""

from __future__ import annotations

import contextlib
import resource


def allow_many_files() -> None:
    """Raise the soft limit, often 1,024 for the sake of programs that call select, to the hard one.

    Source: golang os/rlimit.go: init (what kube-apiserver and the kubelet do as every program in Go)
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS says infinity and means less
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
