"""TODO(cli)."""
