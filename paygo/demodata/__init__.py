"""A plausible past for demonstrations, lived through the same code as a real one."""
