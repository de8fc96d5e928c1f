"""The heart: games, and the gradient of a generator's objective through K discriminator steps."""

from tinygrad_ugan.unroll import closed_forms as games
from tinygrad_ugan.unroll.advice import Advice, Forecast, Spectrum, advise, inner_spectrum
from tinygrad_ugan.unroll.ascent import ascent
from tinygrad_ugan.unroll.computation import ComputationGraph, computation_graph
from tinygrad_ugan.unroll.decompose import decompose
from tinygrad_ugan.unroll.field import field, game_jacobian
from tinygrad_ugan.unroll.forward import response_jacobian
from tinygrad_ugan.unroll.game import Game, LogitForm, SampleForm, SampleGame
from tinygrad_ugan.unroll.gradient import METHODS, explain_method, value_and_grad
from tinygrad_ugan.unroll.implicit import Implicit, NotConvergedError, implicit_grad
from tinygrad_ugan.unroll.stability import Diagnosis, diagnose
from tinygrad_ugan.unroll.terms import Terms
from tinygrad_ugan.unroll.trajectory import Trajectory, trajectory

__all__ = [
    "METHODS",
    "Advice",
    "ComputationGraph",
    "Diagnosis",
    "Forecast",
    "Game",
    "Implicit",
    "LogitForm",
    "NotConvergedError",
    "SampleForm",
    "SampleGame",
    "Spectrum",
    "Terms",
    "Trajectory",
    "advise",
    "ascent",
    "computation_graph",
    "decompose",
    "diagnose",
    "explain_method",
    "field",
    "game_jacobian",
    "games",
    "implicit_grad",
    "inner_spectrum",
    "response_jacobian",
    "trajectory",
    "value_and_grad",
]
