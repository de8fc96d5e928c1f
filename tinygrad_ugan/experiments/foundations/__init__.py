"""What a GAN is: games, their optima, and how they go wrong (seeds 001 to 003)."""
