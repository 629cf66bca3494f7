"""The node agent: carries out what the lifecycle core decides about the pods of one node.

Must not decide anything about a pod itself, do IO, or read a clock: it is a `turn.Part`. Read `agent.py` first.
"""

from lifepod.node.agent import Agent
from lifepod.node.node_status import NodeSettings

__all__ = ["Agent", "NodeSettings"]
