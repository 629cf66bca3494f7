"""TODO(assembly)."""
