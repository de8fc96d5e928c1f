"""Losses, tricks and uses of GANs, with and without unrolling (seeds 001 and 004)."""
