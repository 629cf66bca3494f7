"""TODO(controller_manager)."""
