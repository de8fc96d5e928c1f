"""The gain from the second-order term: a map over loss, K, inner step size and width of D.

`cells` lists the games of the map, `measures` scores training runs and compares two methods,
`claims` and `pictures` present the map, and `experiment` runs it all.
"""

from tinygrad_ugan.experiments.unrolling.exact_vs_detached.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
