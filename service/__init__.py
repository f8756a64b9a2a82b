"""The server: a gRPC edge around an engine that batches every decoder step over all requests in flight.

Letters in shapes: B sentences in slots, W hypotheses of each, S source length, C candidates, V vocabulary.
"""

VERSION = "0.1.0"  # of the server; the client has its own
