"""Unrolling on mixtures of Gaussians, and the gain from its second-order term."""
