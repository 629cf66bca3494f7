"""TODO(journal)."""
