"""GANs as games: two networks, an objective for each, and the batches that they see."""
