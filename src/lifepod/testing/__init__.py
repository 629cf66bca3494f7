"""TODO(testing)."""
