"""Clusters for tests: the pytest plugin, and `lifepod.cluster()` without pytest.

Puts together what `assembly` has; decides nothing about pods. Nothing heavy is imported before a test asks for a cluster. Read
`kube.py` first, then `pod_story.py`; `plugin.py` only makes fixtures of them.
"""
