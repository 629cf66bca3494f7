"""TODO(store)."""
