"""Scripted containers in virtual time: what a manifest's command says, an annotation, or a Python generator.

Must not do IO, start threads or read a clock: time comes in by `SimRuntime.on_news`. Read `runtime.py` first.
"""

from lifepod.runtime.sim.names import service_names
from lifepod.runtime.sim.program import Container, Program
from lifepod.runtime.sim.runtime import SimRuntime

__all__ = ["Container", "Program", "SimRuntime", "service_names"]
