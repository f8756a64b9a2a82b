"""Programs whose models are imported, each in an environment of its own."""
