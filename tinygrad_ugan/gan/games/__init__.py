"""GANs as games: the networks, an objective for each player, and the batches."""
