"""TODO(lifecycle)."""
