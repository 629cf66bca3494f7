"""TODO(node)."""
