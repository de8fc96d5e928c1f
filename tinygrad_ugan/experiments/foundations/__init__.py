"""The theory of GANs: games, their optima, and how training fails (seeds 001 to 003)."""
