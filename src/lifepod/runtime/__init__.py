"""Runs containers: what CRI asks of a runtime, on real processes (`sandbox`, `host`) or from a script (`sim`).

A runtime never decides; it does as told and says what is. Read `base.py` first.
"""
