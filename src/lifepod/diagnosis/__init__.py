"""TODO(diagnosis)."""
