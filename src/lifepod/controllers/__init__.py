"""What Kubernetes' controllers and its scheduler want written: pure functions of a present picture.

Read `outcome.py` first (what a look is and leads to), then `view.py` (what it may read). One file per controller; rules
that a controller needs several of lie beside it under its name (`job_backoff.py`, `scheduler_filters.py`). Nothing here
reads a clock, does IO or remembers anything: `controller_manager` carries the outcomes out.
"""
