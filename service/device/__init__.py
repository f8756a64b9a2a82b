"""Models whose slots lie in the memory of a device: what moves there, and when the host hears of it."""
