"""Checkpoints of other programs, turned into models of ours: python -m export import PROGRAM FILE NAME."""
