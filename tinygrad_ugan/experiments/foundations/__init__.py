"""The theory of GANs: games, their optima, and how training fails."""
