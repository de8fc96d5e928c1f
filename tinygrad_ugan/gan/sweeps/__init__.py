"""Sweeps: grids of hyperparameters with several seeds, trained in parallel."""
