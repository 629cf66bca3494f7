"""TODO(simulation)."""
