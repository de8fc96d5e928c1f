"""Training in memory: settings, batches, the step, the loop, and metrics."""
