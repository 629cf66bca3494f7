"""Which capabilities a container keeps: a container runtime's usual ones, changed as its security context says.

They hold inside the container's own user namespace, so none of them reaches this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lifepod.runtime.base import SecurityConfig

NUMBERS = {
    name: number
    for number, name in enumerate(
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
        "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
        "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
        "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE".split()
    )
}
_DEFAULT = frozenset(
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
    "AUDIT_WRITE".split()
)


def kept_capabilities(security: SecurityConfig) -> tuple[str, ...]:
    """The names kept, without `CAP_`, in the kernel's order. A user other than root keeps none.

    Source: containerd v1.6 pkg/cri/server/container_create_linux.go: containerSpec; oci/spec.go: defaultUnixCaps
    """
    if security.run_as_user not in (None, 0):
        return ()
    if security.privileged:
        return tuple(NUMBERS)
    added, dropped = (
        {_plain(name) for name in names} for names in (security.add_capabilities, security.drop_capabilities)
    )
    kept = set(NUMBERS) if "ALL" in added else set() if "ALL" in dropped else set(_DEFAULT)
    kept = (kept | added) - dropped if "ALL" not in dropped else kept | added
    return tuple(name for name in NUMBERS if name in kept)


def _plain(name: str) -> str:
    return name.upper().removeprefix("CAP_")
