"""What was promised, measured: each module is a command that prints its figures."""
