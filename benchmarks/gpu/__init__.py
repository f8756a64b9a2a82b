"""Every figure of a GPU: `benchmarks/gpu.sh FILE`."""
