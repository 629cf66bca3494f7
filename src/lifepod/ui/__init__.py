"""TODO(ui)."""
