"""The few system calls that Python 3.11 has no name for. Imported only by the small processes beside lifepod."""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_CAPBSET_DROP = 24
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63

IS_LINUX = sys.platform == "linux"

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int = 0) -> None:
    """Enter the namespace that `fd` stands for."""
    _check(_libc.setns(fd, kind), "setns")


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    _check(
        _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()),
        f"mount {target}",
    )


def unmount(target: str) -> None:
    """umount2(2), detached at once."""
    _check(_libc.umount2(target.encode(), 2), f"umount {target}")


def _prctl(option: int, value: int) -> int:
    zero = ctypes.c_ulong(0)
    return int(_libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero))


def become_subreaper() -> None:
    """Orphans below this process become its children."""
    if IS_LINUX:
        _check(_prctl(_PR_SET_CHILD_SUBREAPER, 1), "prctl")


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send a signal when the parent ends."""
    if IS_LINUX:
        _check(_prctl(_PR_SET_PDEATHSIG, signal_number), "prctl")


def set_name(name: bytes) -> None:
    """The name of this thread, at most 15 bytes."""
    _check(_libc.prctl(_PR_SET_NAME, ctypes.c_char_p(name), *[ctypes.c_ulong(0)] * 3), "prctl")


def set_no_new_privileges() -> None:
    """Neither this process nor what it executes can gain privileges."""
    _check(_prctl(_PR_SET_NO_NEW_PRIVS, 1), "prctl")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def refuse_calls(program: bytes) -> None:
    """Have the kernel ask a BPF program before every system call; `set_no_new_privileges` first."""
    described = _Program(len(program) // 8, program)
    zero = ctypes.c_ulong(0)
    mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)
    _check(_libc.prctl(_PR_SET_SECCOMP, mode, ctypes.byref(described), zero, zero), "prctl")


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def keep_capabilities(kept: tuple[int, ...]) -> None:
    """Give up every capability but `kept`, for what is executed later too."""
    for number in range(_LAST_CAPABILITY + 1):
        if number not in kept and _prctl(_PR_CAPBSET_DROP, number) != 0:
            break  # the kernel knows no higher one
    mask = sum(1 << number for number in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = _CapHeader(_CAPABILITY_VERSION_3, 0)
    data = (_CapData * 2)(_CapData(low, low, 0), _CapData(high, high, 0))
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")
