"""From a training run to a bundle: the only place where PyTorch meets ONNX Runtime.

Letters in shapes: B sentences, W hypotheses of each, S source length, H hidden size, M memory size, A attention size,
C candidates, V vocabulary, D directions of the encoder.
"""
