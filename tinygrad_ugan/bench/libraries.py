"""The exact gradient in every library, as an expert of each would write it for speed.

Each function takes a `Workload` and returns a call without arguments, which gives the value and
the gradient when they are there. The library is imported in it: none but ours need be installed.
All see the same parameters and data, and the generated samples are computed once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import optree

from tinygrad_ugan import gan, unroll
from tinygrad_ugan.bench.workloads import Workload

GradientCall = Callable[[], tuple[Any, Any]]

#: Compilers that unroll the loop take a time that grows faster than K; beyond this, minutes.
LONGEST_UNROLLED = 10

#: Memory that glibc keeps instead of giving it back to the system, to be cleared again, at each
#: call: what makes JAX slow at large K.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**36),
    "MALLOC_TOP_PAD_": str(2**28),
}


class UnsuitableError(Exception):
    """The library cannot do this workload in reasonable time; the message says why."""


def ours(workload: Workload, method: str) -> GradientCall:
    """`unroll.value_and_grad` by one of its methods."""
    game, (theta_g, theta_d, real, noise) = workload.game, workload.arrays()
    batch = gan.Batch(real, noise)

    def call() -> tuple[Any, Any]:
        return unroll.value_and_grad(
            game, theta_g, theta_d, batch, steps=workload.steps, lr=workload.lr, method=method
        )

    return call


def jax(workload: Workload) -> GradientCall:
    """Everything in one jit, the loop unrolled or scanned: whichever turns out faster."""
    return fastest(jax_calls(workload))


def jax_calls(workload: Workload) -> list[GradientCall]:
    """Everything in one jit, in each form of the loop that may be the faster one."""
    forms = (True,) if workload.steps > LONGEST_UNROLLED else (False, True)
    return [_jax(workload, scan=scan) for scan in forms]


def _jax(workload: Workload, *, scan: bool) -> GradientCall:
    import jax
    from jax import numpy as jnp
    from jax.nn import log_sigmoid

    jax.config.update("jax_enable_x64", True)
    act = {"tanh": jnp.tanh, "relu": jax.nn.relu}[workload.activation]

    def mlp(params: Any, x: Any, act: Any) -> Any:
        for layer in params[:-1]:
            x = act(x @ layer["w"] + layer["b"])
        return x @ params[-1]["w"] + params[-1]["b"]

    def f(theta: Any, real: Any, fake: Any) -> Any:
        r, s = (mlp(theta, x * workload.input_scale, act) for x in (real, fake))
        return log_sigmoid(r).mean() + log_sigmoid(-s).mean()

    def f_K(theta_g: Any, theta: Any, real: Any, noise: Any) -> Any:
        fake = mlp(theta_g, noise, jnp.tanh)

        def step(theta: Any, _: Any) -> Any:
            g = jax.grad(f)(theta, real, fake)
            return jax.tree.map(lambda p, g: p + workload.lr * g, theta, g), None

        if scan:
            theta, _ = jax.lax.scan(step, theta, None, length=workload.steps)
        else:
            for _ in range(workload.steps):
                theta, _ = step(theta, None)
        return f(theta, real, fake)

    compiled = jax.jit(jax.value_and_grad(f_K))
    arguments = jax.tree.map(jnp.asarray, tuple(workload.arrays()))
    return lambda: jax.block_until_ready(compiled(*arguments))


def torch(workload: Workload) -> GradientCall:
    """Eager, with ``create_graph``."""
    import torch

    f, mlp = _torch_objective(workload)
    theta_g, theta_d, real, noise = _tensors(workload)
    for p in theta_g + theta_d:
        p.requires_grad_()

    def call() -> tuple[Any, Any]:
        fake, theta = mlp(theta_g, noise, torch.tanh), theta_d
        for _ in range(workload.steps):
            g = torch.autograd.grad(f(theta, real, fake), theta, create_graph=True)
            theta = [torch.add(p, g, alpha=workload.lr) for p, g in zip(theta, g, strict=True)]
        value = f(theta, real, fake)
        return value.detach(), torch.autograd.grad(value, theta_g)

    return call


def torch_compile(workload: Workload) -> GradientCall:
    """One compiled graph. What it cannot do is differentiate twice outside: so all is inside."""
    import torch

    if workload.steps > LONGEST_UNROLLED:
        raise UnsuitableError(f"takes minutes to compile beyond K = {LONGEST_UNROLLED}")
    f, mlp = _torch_objective(workload)

    def f_K(theta_g: Any, theta: Any, real: Any, noise: Any) -> Any:
        fake = mlp(theta_g, noise, torch.tanh)
        for _ in range(workload.steps):
            g = torch.func.grad(f)(theta, real, fake)
            theta = [p + workload.lr * g for p, g in zip(theta, g, strict=True)]
        return f(theta, real, fake)

    torch.compiler.reset()  # a program of its own for every workload
    compiled = torch.compile(
        lambda *arguments: torch.func.grad_and_value(f_K)(*arguments), fullgraph=True
    )
    arguments = _tensors(workload)

    def call() -> tuple[Any, Any]:
        gradient, value = compiled(*arguments)
        return value, gradient

    return call


def _tensors(workload: Workload) -> list[Any]:
    """The arguments; parameters as flat lists."""
    import torch

    theta_g, theta_d, real, noise = optree.tree_map(torch.from_numpy, workload.arrays())
    flat = [[layer[key] for layer in theta for key in "bw"] for theta in (theta_g, theta_d)]
    return [*flat, real, noise]


def _torch_objective(workload: Workload) -> tuple[Any, Any]:
    import torch
    from torch.nn import functional

    act = {"tanh": torch.tanh, "relu": torch.relu}[workload.activation]

    def mlp(theta: Any, x: Any, act: Any) -> Any:
        *hidden, (b, w) = zip(theta[::2], theta[1::2], strict=True)
        for b_l, w_l in hidden:
            x = act(torch.addmm(b_l, x, w_l))
        return torch.addmm(b, x, w)

    def f(theta: Any, real: Any, fake: Any) -> Any:
        r, s = (mlp(theta, x * workload.input_scale, act) for x in (real, fake))
        return functional.logsigmoid(r).mean() + functional.logsigmoid(-s).mean()

    return f, mlp


def autograd(workload: Workload) -> GradientCall:
    """HIPS Autograd."""
    import autograd.numpy as np
    from autograd import grad, value_and_grad

    theta_g, theta_d, real, noise = workload.arrays()
    act = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}[workload.activation]

    def mlp(params: Any, x: Any, act: Any) -> Any:
        for layer in params[:-1]:
            x = act(np.dot(x, layer["w"]) + layer["b"])
        return np.dot(x, params[-1]["w"]) + params[-1]["b"]

    def f(theta: Any, fake: Any) -> Any:
        r, s = (mlp(theta, x * workload.input_scale, act) for x in (real, fake))
        return -np.mean(np.logaddexp(0, -r)) - np.mean(np.logaddexp(0, s))

    ascent = grad(f)

    def f_K(theta_g: Any) -> Any:
        fake, theta = mlp(theta_g, noise, np.tanh), theta_d
        for _ in range(workload.steps):
            pairs = zip(theta, ascent(theta, fake), strict=True)
            theta = [{key: p[key] + workload.lr * g[key] for key in p} for p, g in pairs]
        return f(theta, fake)

    differentiated = value_and_grad(f_K)
    return lambda: differentiated(theta_g)


def fastest(calls: Sequence[GradientCall]) -> GradientCall:
    """The fastest of some calls, which takes some of each unless there is only one."""
    return calls[0] if len(calls) == 1 else min(calls, key=_seconds)


def _seconds(call: GradientCall) -> float:
    """The best of a few calls, after one that compiles."""
    call()
    best = math.inf
    for _ in range(8):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


#: Ours by the name of the method; the rivals as the tables name them.
OURS: Mapping[str, Callable[[Workload], GradientCall]] = MappingProxyType(
    {method: partial(ours, method=method) for method in ("fused", "adjoint")}
)
RIVALS: Mapping[str, Callable[[Workload], GradientCall]] = MappingProxyType(
    {
        "jax jit": jax,
        "jax jit, malloc tuned": jax,
        "torch": torch,
        "torch.compile": torch_compile,
        "autograd": autograd,
    }
)
