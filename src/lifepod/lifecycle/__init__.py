"""What a kubelet decides about one pod: phases, restarts, back-offs, probes, hooks, termination. Values in, values out.

Must not: do IO, read a clock, draw random numbers, log. `machine.step` is the whole of it for a caller; read `vocabulary.py`
first, then `machine.py`. The doing side is `node/`.
"""

from lifepod.lifecycle.machine import new_memory, step
from lifepod.lifecycle.memory import PodMemory, memory_from_json, memory_to_json
from lifepod.lifecycle.pod_spec import pod_from_json, pod_key

__all__ = ["PodMemory", "memory_from_json", "memory_to_json", "new_memory", "pod_from_json", "pod_key", "step"]
