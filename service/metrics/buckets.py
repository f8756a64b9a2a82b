"""Upper bounds of histograms at the edge; the engine's are in `service.stats`."""

# From 1 ms to 30 s, with the usual objectives (50, 100, 200, 300, 500 ms, 1 s) on an edge.
LATENCY = (
    *(0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75),
    *(1, 1.5, 2.5, 5, 10, 30),
)
TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # a word to a long paragraph
LENGTH_RATIO = (0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
SHARE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
