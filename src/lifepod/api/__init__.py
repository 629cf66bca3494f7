"""Kubernetes objects as data: which kinds there are, and what each one's defaults, rules, columns and patches are.

Pure: no IO, no clock, no randomness; functions never change what they are given. Read `kinds.py` first, then `builtin.py`:
a kind is a value that names its functions. A new kind is a new entry in its group's file (`core_v1.py`, `batch_v1.py`…);
defaults are in `defaults_*.py`, validation in `validation_*.py`, what `kubectl get` prints in `table_*.py`.
"""
