"""Real processes: the node process that forks them, the supervisor of each container, and the runtime that both levels share.

`node_process.py` and what it imports run in a small single-threaded Python of their own and import nothing heavy. It never
decides: it starts, watches and ends what it is told. Read `runtime.py` first, then `node_process.py` and `supervisor.py`.
"""
