"""Carries out what `controllers` decides: the doing side, though still plain and synchronous (`turn.Part`).

`manager.py` (read it first) is one part per controller: from changes to keys to looks to writes. `scheduler.py` is the
scheduler's part, `recorder.py` makes Event objects, `store_view.py` is the picture controllers read, `builtin.py` lists
them all. Must not decide anything about Kubernetes objects: a branch on an object's content belongs into `controllers`.
"""

from lifepod.controller_manager.builtin import builtin_parts
from lifepod.controller_manager.manager import ControllerPart
from lifepod.controller_manager.scheduler import SchedulerPart

__all__ = ["ControllerPart", "SchedulerPart", "builtin_parts"]
