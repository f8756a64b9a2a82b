"""Attention sequence-to-sequence models: their equations, training and evaluation.

Letters in shapes: B sentences, W hypotheses of each (1 in training), S source length, T target length,
E embedding size, H hidden size, M memory size (hidden size x directions), A attention size, V vocabulary.
"""
