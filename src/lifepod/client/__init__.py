"""TODO(client)."""
