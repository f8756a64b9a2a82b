"""Pictures of what models do: python -m models figures NAME. Each is drawn from a measurement that it also prints."""
