"""Level `host`: plain processes in sessions of their own, for machines where no namespace can be had.

It must not pretend: what it cannot give (mounts, pod addresses, isolation) it refuses with the reason. Read `runtime.py`.
"""

from lifepod.runtime.host.runtime import HostRuntime

__all__ = ["HostRuntime"]
