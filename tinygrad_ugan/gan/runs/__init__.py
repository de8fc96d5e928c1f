"""Runs on disk: their folders, locks and checkpoints; training, resuming, loading and replaying."""
