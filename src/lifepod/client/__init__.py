"""The far side of any Kubernetes API: this process's own, or a cluster of the user's kubeconfig. Read `base.py` first.

Must not know what the answers mean; `ui` and `assembly` do.
"""
