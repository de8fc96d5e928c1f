"""Losses, tricks and uses of GANs, with and without unrolling."""
