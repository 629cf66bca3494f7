"""TODO(controllers)."""
