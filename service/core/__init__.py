"""What computes for a model: here, or in a process of its own."""
