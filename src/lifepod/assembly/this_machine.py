"""What this machine is, as its Node object tells: size, names, versions."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from lifepod._version import __version__
from lifepod.node.node_status import NodeSettings

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def node_settings(name: str, address: str, scheme: str, pod_cidr: str = "10.244.0.0/24") -> NodeSettings:
    """A node of this machine's size."""
    uname = os.uname()
    return NodeSettings(
        name,
        addresses=(address,),
        cpu=str(os.cpu_count() or 1),
        memory=f"{_memory_kib()}Ki",
        pod_cidr=pod_cidr,
        runtime_version=f"{scheme}://{__version__}",
        architecture=_ARCHITECTURES.get(uname.machine, uname.machine),
        operating_system=platform.system().lower(),
        os_image=_os_image(),
        kernel_version=uname.release,
        machine_id=_machine_id(),
    )


def _memory_kib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024


def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return ""


def resolv_conf() -> str:
    """The machine's own, for pods with dnsPolicy Default."""
    try:
        return Path("/etc/resolv.conf").read_text()
    except OSError:
        return ""
