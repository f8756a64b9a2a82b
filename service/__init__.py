"""The server: a gRPC edge around an engine that batches every decoder step over all requests in flight.

Letters in shapes: B sentences in slots, W hypotheses of each, S source length, C candidates, V vocabulary.
"""

import os

VERSION = "0.1.0"  # of the server; the client has its own

# From 1.29 on ONNX Runtime's wheels report sessions to their maker unless told not to, and must be told before import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
