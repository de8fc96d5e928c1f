"""What unrolling does to mixtures of Gaussians, and what its second-order term buys (000, 004)."""
