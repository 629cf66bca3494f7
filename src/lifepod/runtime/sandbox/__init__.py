"""Level `sandbox`: Linux namespaces by bubblewrap, one network namespace a pod, no daemon and no root.

`runtime.py` says what a container is; `pod_namespaces.py` runs inside the node process and makes namespaces and network.
This isolates as containers do, with this machine's kernel and, in image mode `host`, its files; it is no virtual machine.
"""

from lifepod.runtime.sandbox.bubblewrap import NoBubblewrap, find_bubblewrap
from lifepod.runtime.sandbox.runtime import SandboxRuntime

__all__ = ["NoBubblewrap", "SandboxRuntime", "find_bubblewrap"]
