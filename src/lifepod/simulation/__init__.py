"""Virtual time: driving a cluster by setting its clock, and one seed for every random choice.

Must not hold rules of its own: whatever a cluster does, it does by `turn`. Read `loop.py` first.
"""

from lifepod.simulation.loop import START, SeededIds, VirtualClock, VirtualLoop

__all__ = ["START", "SeededIds", "VirtualClock", "VirtualLoop"]
