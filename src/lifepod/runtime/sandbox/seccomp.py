"""Which system calls a container may not make: what Docker's and containerd's default profile refuses, as a BPF program.

The profile is theirs turned around: they list what is allowed, here stands what is thereby refused, so that a call newer than
this list is not refused by mistake. Capabilities that are added allow the calls that belong to them.
Source: github.com/moby/profiles seccomp/default_linux.go; Docker docs: "Significant syscalls blocked by the default profile"
Differs: programs of another architecture (32-bit ones on a 64-bit machine) may make no calls at all.

In a container that has but one user nothing can belong to another, and the kernel refuses every change of owner with EINVAL, where
tar, cp -p and most packages' scripts give up. `owners_stay` lets such a change of root's succeed and do nothing.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_EPERM, _ENOSYS = 1, 38
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000

_REFUSED_ALWAYS = (
    "add_key clock_adjtime create_module get_kernel_syms io_uring_enter io_uring_register io_uring_setup kexec_file_load "
    "kexec_load keyctl migrate_pages move_pages nfsservctl pivot_root query_module request_key swapoff swapon sysctl sysfs "
    "uselib userfaultfd ustat"
).split()
_ALLOWED_WITH = {
    "BPF": "bpf",
    "DAC_READ_SEARCH": "open_by_handle_at",
    "PERFMON": "perf_event_open",
    "SYS_ADMIN": "bpf clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree "
    "perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount2 unshare",
    "SYS_BOOT": "reboot",
    "SYS_MODULE": "delete_module finit_module init_module",
    "SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "SYS_PACCT": "acct",
    "SYS_PTRACE": "kcmp pidfd_getfd",
    "SYS_RAWIO": "ioperm iopl",
    "SYS_TIME": "clock_settime settimeofday",
    "SYS_TTY_CONFIG": "vhangup",
    "SYSLOG": "syslog",
}
_SINCE_LINUX_5 = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "set_mempolicy_home_node": 450,
}
_NUMBERS = {
    "x86_64": {
        "clone": 56,
        "syslog": 103,
        "uselib": 134,
        "ustat": 136,
        "sysfs": 139,
        "vhangup": 153,
        "pivot_root": 155,
        "sysctl": 156,
        "acct": 163,
        "settimeofday": 164,
        "mount": 165,
        "umount2": 166,
        "swapon": 167,
        "swapoff": 168,
        "reboot": 169,
        "sethostname": 170,
        "setdomainname": 171,
        "iopl": 172,
        "ioperm": 173,
        "create_module": 174,
        "init_module": 175,
        "delete_module": 176,
        "get_kernel_syms": 177,
        "query_module": 178,
        "quotactl": 179,
        "nfsservctl": 180,
        "lookup_dcookie": 212,
        "clock_settime": 227,
        "mbind": 237,
        "set_mempolicy": 238,
        "get_mempolicy": 239,
        "kexec_load": 246,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "migrate_pages": 256,
        "unshare": 272,
        "move_pages": 279,
        "perf_event_open": 298,
        "fanotify_init": 300,
        "open_by_handle_at": 304,
        "clock_adjtime": 305,
        "setns": 308,
        "kcmp": 312,
        "finit_module": 313,
        "kexec_file_load": 320,
        "bpf": 321,
        "userfaultfd": 323,
        **_SINCE_LINUX_5,
    },
    "aarch64": {
        "lookup_dcookie": 18,
        "umount2": 39,
        "mount": 40,
        "pivot_root": 41,
        "nfsservctl": 42,
        "vhangup": 58,
        "quotactl": 60,
        "acct": 89,
        "unshare": 97,
        "kexec_load": 104,
        "init_module": 105,
        "delete_module": 106,
        "clock_settime": 112,
        "syslog": 116,
        "reboot": 142,
        "sethostname": 161,
        "setdomainname": 162,
        "settimeofday": 170,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "clone": 220,
        "swapon": 224,
        "swapoff": 225,
        "mbind": 235,
        "get_mempolicy": 236,
        "set_mempolicy": 237,
        "migrate_pages": 238,
        "move_pages": 239,
        "perf_event_open": 241,
        "fanotify_init": 262,
        "open_by_handle_at": 265,
        "clock_adjtime": 266,
        "setns": 268,
        "kcmp": 272,
        "finit_module": 273,
        "bpf": 280,
        "userfaultfd": 282,
        "kexec_file_load": 294,
        **_SINCE_LINUX_5,
    },
}
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CHANGES_OF_OWNER = {
    "x86_64": {"chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260},
    "aarch64": {"fchownat": 54, "fchown": 55},
}


def default_profile(capabilities: Collection[str], machine: str = os.uname().machine) -> bytes:
    """The program for a container with these capabilities (without `CAP_`); b"" on a machine that has no table here."""
    if machine not in _ARCHITECTURES:
        return b""
    numbers = _NUMBERS[machine]
    refused = {name for names in _ALLOWED_WITH.values() for name in names.split()} | set(_REFUSED_ALWAYS)
    for capability in capabilities:
        refused -= set(_ALLOWED_WITH.get(capability, "").split())
    code = [
        *_call_of(machine, otherwise=_ERRNO | _EPERM),
        _step(_AT_LEAST, _X32, if_false=1),
        _step(_RETURN, _ERRNO | _EPERM),
    ]
    for name in sorted(refused & numbers.keys()):
        # A C library that is told ENOSYS takes the older call, whose flags can be looked at.
        error = _ENOSYS if name == "clone3" else _EPERM
        code += [_step(_EQUAL, numbers[name], if_false=1), _step(_RETURN, _ERRNO | error)]
    if "SYS_ADMIN" not in capabilities:
        code += [
            _step(_EQUAL, numbers["clone"], if_false=3),
            _step(_LOAD, _FIRST_ARGUMENT_AT),
            _step(_ANY_BIT, _NEW_NAMESPACES, if_false=1),
            _step(_RETURN, _ERRNO | _EPERM),
        ]
    return b"".join([*code, _step(_RETURN, _ALLOW)])


def owners_stay(machine: str = os.uname().machine) -> bytes:
    """The program under which a change of owner succeeds without effect; added to the profile's, or alone.

    Differs: a node's root may give files away. Where users are mapped from /etc/subuid this is not in force.
    """
    if machine not in _ARCHITECTURES:
        return b""
    code = _call_of(machine, otherwise=_ALLOW)
    for number in _CHANGES_OF_OWNER[machine].values():
        code += [_step(_EQUAL, number, if_false=1), _step(_RETURN, _ERRNO)]
    return b"".join([*code, _step(_RETURN, _ALLOW)])


def _call_of(machine: str, otherwise: int) -> list[bytes]:
    """Load the call's number; a program of another architecture gets `otherwise`."""
    return [
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_EQUAL, _ARCHITECTURES[machine], if_true=1),
        _step(_RETURN, otherwise),
        _step(_LOAD, _NUMBER_AT),
    ]


def _step(operation: int, value: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", operation, if_true, if_false, value)
