"""TODO(net)."""
