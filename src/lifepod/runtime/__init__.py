"""TODO(runtime)."""
