"""The cluster's network as pods see it: names (`dns.py`) and Service addresses (`service_addresses.py`).

Both are fed a `ServiceTable` (read `service_table.py` first), and get their sockets from whoever can make them in the node's
network; neither knows how pods get theirs.
"""

from lifepod.net.node_network import NodeNetwork
from lifepod.net.service_table import ServiceTable, service_table

__all__ = ["NodeNetwork", "ServiceTable", "service_table"]
