"""The only place that puts the parts together: clusters in real and virtual time, and what the commands do with them.

Decides nothing about pods. Read `cluster.py` (the one loop), then `control_plane.py`, then `local_cluster.py` or `simulated.py`.
"""
