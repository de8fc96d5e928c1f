"""Runs on disk: folders that are locked, checkpoints that are whole, and what goes on from them."""
