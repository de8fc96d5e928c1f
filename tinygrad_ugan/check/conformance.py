"""Conformance cases: small games with their exact gradients to 30 digits, as data.

The files are in ``tinygrad_ugan/check/cases``; docs/conformance.md says how to read them in any
language. This is how Python reads them.
"""

from __future__ import annotations

import importlib.resources
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_ugan import gan, nn, unroll
from tinygrad_ugan.errors import check_choice
from tinygrad_ugan.gan.training.config import OPTIMIZERS
from tinygrad_ugan.typing import PyTree


@dataclass(frozen=True)
class Expected:
    """The right results, as float64; all digits are in the document.

    Attributes
    ----------
    value : float
        f_K.
    gradient, direct : pytree like theta_g
        d f_K / d theta_G, and the same with theta_K held constant.
    theta_d : pytree like theta_d
        theta_K, the discriminator after K steps.
    lambda_0 : pytree like theta_d
        d f_K / d theta_0.
    """

    value: Any
    gradient: PyTree
    direct: PyTree
    theta_d: PyTree
    lambda_0: PyTree


@dataclass(frozen=True)
class Case:
    """A game, a point, and the right results there.

    Attributes
    ----------
    name, about : str
    game : unroll.Game or gan.Game
    theta_g, theta_d : pytree of arrays
        float64; all numbers of a case are exact in float32 too.
    batch : Any
        One batch, a list of K + 1, or None.
    options : dict
        ``steps``, and ``lr`` or ``optimizer``, as `unroll.value_and_grad` takes them.
    expected : Expected
    document : dict
        The file as it is; numbers are strings.
    """

    name: str
    about: str
    game: Any
    theta_g: PyTree
    theta_d: PyTree
    batch: Any
    options: dict[str, Any]
    expected: Expected
    document: dict[str, Any] = field(repr=False)


def cases(name: str | None = None) -> tuple[Case, ...]:
    """Read the conformance cases, or the one of a name.

    Raises
    ------
    ArgumentError
        If there is no such case.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> [case] = ug.check.cases("dirac-gan")
    >>> value, gradient = ug.unroll.value_and_grad(
    ...     case.game, case.theta_g, case.theta_d, case.batch, **case.options)
    >>> bool(abs(gradient - case.expected.gradient) < 1e-15)
    True
    """
    folder = importlib.resources.files("tinygrad_ugan.check") / "cases"
    files = {file.name.removesuffix(".json"): file for file in folder.iterdir()}
    if name is not None:
        check_choice("name", name, sorted(files))
    names = sorted(files) if name is None else [name]
    return tuple(_case(json.loads(files[n].read_text(encoding="utf-8"))) for n in names)


def _case(document: dict[str, Any]) -> Case:
    expected = _numbers(document["expected"])
    batches = [gan.Batch(**_numbers(batch)) for batch in document["batches"]]
    return Case(
        name=document["name"],
        about=document["about"],
        game=_GAMES[document["game"]["kind"]](document["game"]),
        theta_g=_numbers(document["theta_g"]),
        theta_d=_numbers(document["theta_d"]),
        batch=batches if len(batches) > 1 else next(iter(batches), None),
        options={"steps": document["steps"]} | _dynamics(document["optimizer"]),
        expected=Expected(theta_d=expected.pop("theta_K"), **expected),
        document=document,
    )


def _numbers(tree: Any) -> Any:
    """Arrays of strings become arrays of numbers; dicts, and lists of dicts, stay what they are."""
    if isinstance(tree, dict):
        return {name: _numbers(x) for name, x in tree.items()}
    if isinstance(tree, list) and any(isinstance(x, dict) for x in tree):
        return [_numbers(x) for x in tree]
    return np.array(tree, float)[()]


def _dynamics(optimizer: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: _numbers(x) for name, x in optimizer.items() if name != "kind"}
    if optimizer["kind"] == "sgd":
        return {"lr": numbers["lr"]}
    return {"optimizer": OPTIMIZERS[optimizer["kind"]](**numbers)}


def _bilinear(game: dict[str, Any]) -> unroll.Game:
    return unroll.games.bilinear(_numbers(game["matrix"])).game


def _quadratic(game: dict[str, Any]) -> unroll.Game:
    arrays = {name: _numbers(x) for name, x in game.items() if name != "kind"}
    return unroll.games.quadratic(**arrays).game


def _gan(game: dict[str, Any]) -> gan.Game:
    return gan.Game(_mlp(game["generator"]), _mlp(game["discriminator"]), loss=game["loss"])


def _mlp(network: dict[str, Any]) -> nn.MLP:
    scale = float(network["input_scale"])
    return nn.MLP(network["sizes"], network["activation"], input_scale=scale)


_GAMES = {
    "bilinear": _bilinear,
    "quadratic": _quadratic,
    "dirac_gan": lambda game: unroll.games.dirac_gan().game,
    "gan": _gan,
}
