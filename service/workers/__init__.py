"""Several servers as one program: `--workers N`."""
