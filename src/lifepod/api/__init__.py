"""TODO(api)."""
