"""TODO(apiserver)."""
