"""What the second-order term buys: a map over loss, K, inner step size and width of D.

`cells` are the games of the map, `measures` what a training run of one comes to and how two methods
compare, `claims` and `pictures` what is shown of them all, `experiment` the whole.
"""

from tinygrad_ugan.experiments.unrolling.exact_vs_detached.experiment import EXPERIMENT

__all__ = ["EXPERIMENT"]
