"""Whether the kernels can take a problem, and if not, why."""

from __future__ import annotations

import functools
import itertools
from typing import Any, cast

import numpy as np

from tinygrad_ugan.autodiff.pytrees import is_traced
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.problem import Problem
from tinygrad_ugan.unroll.stated_form import TRACED, StatedForm

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def why_not_fused(problem: Problem) -> str | None:
    """Why `fused` cannot take a problem; None if it can."""
    form = problem.form
    if isinstance(form, str):
        return form
    if form.discriminator.sizes[-1] != 1:
        return f"the discriminator has {form.discriminator.sizes[-1]} outputs, not one logit"
    if form.generator.sizes[-1] != form.discriminator.sizes[0]:
        return "the generator's output does not fit the discriminator's input"
    return _why_not_arrays(form, problem)


def _why_not_arrays(form: StatedForm, problem: Problem) -> str | None:
    arrays = _arrays_if_fit(problem.theta_g, form.generator.sizes)
    others = _arrays_if_fit(problem.state.theta, form.discriminator.sizes)
    if arrays is None or others is None:
        name, theta = "theta_g", problem.theta_g
        if arrays is not None:
            name, theta = "theta_d", problem.state.theta
        if is_traced(theta):
            return f"{name} {TRACED}"
        return f"{name} is not a list of {{'w', 'b'}} with the shapes of its MLP"
    arrays += others
    for tree in remembered(problem):
        memory = _arrays_if_fit(tree, form.discriminator.sizes)
        if memory is None:
            return f"state {TRACED}" if is_traced(tree) else "state is not like theta_d"
        arrays += memory
    dtype = arrays[0].dtype
    if dtype not in _DTYPES:
        return f"the parameters are of dtype {dtype}, neither float32 nor float64"
    d, z = form.discriminator.sizes[0], form.generator.sizes[0]
    rows = None
    for batch in problem.batches if problem.is_fresh else problem.batches[:1]:
        try:
            real, noise = batch.real, batch.noise
        except AttributeError:
            return "the batch has no real and noise, as ug.gan.Batch does"
        if not (_is_matrix(real, d) and _is_matrix(noise, z)):
            if is_traced((real, noise)):
                return f"the batch {TRACED}"
            return "the batch does not hold two matrices with the networks' numbers of columns"
        rows = rows or (len(real), len(noise))
        if (len(real), len(noise)) != rows:
            return "the batches are not all of one size"
        arrays += (real, noise)
    if [x.dtype for x in arrays] != [dtype] * len(arrays):
        return "parameters and batch are not all of one dtype"
    return None


def remembered(problem: Problem) -> list[PyTree]:
    """Return the trees like theta_D that the rule of the kernels remembers at theta_0."""
    from tinygrad_ugan.kernels.sweep import RULES

    rule = cast("StatedForm", problem.form).rule
    return [getattr(problem.state.memory, name) for name in RULES[rule].memory]


def _arrays_if_fit(theta: Any, sizes: tuple[int, ...]) -> list[Array] | None:
    """W and b of every layer, if they are as a network of these sizes makes them."""
    if type(theta) is not list or len(theta) != len(sizes) - 1:
        return None
    arrays = []
    for layer, shapes in zip(theta, _shapes(sizes), strict=True):
        if type(layer) is not dict or len(layer) != 2:
            return None
        for name, shape in shapes:
            x = layer.get(name)
            if type(x) is not np.ndarray or x.shape != shape:
                return None
            arrays.append(x)
    return arrays


@functools.cache
def _shapes(sizes: tuple[int, ...]) -> list[tuple[tuple[str, tuple[int, ...]], ...]]:
    """Names and shapes of w and b of every layer."""
    return [(("w", (m, n)), ("b", (n,))) for m, n in itertools.pairwise(sizes)]


def _is_matrix(x: Any, columns: int) -> bool:
    return type(x) is np.ndarray and x.ndim == 2 and x.shape[1] == columns and len(x) > 0
