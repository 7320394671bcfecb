"""Pictures of what is asked for."""
