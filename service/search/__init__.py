"""Search in numpy: what the rows of a lane have chosen so far, and what they choose next."""
