"""The Open Inference Protocol, version 2 (KServe, Triton): a thin way in to the same translator."""
