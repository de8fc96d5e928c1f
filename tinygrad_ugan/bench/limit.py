"""The multiply-add limit: how many a gradient needs at least, and how fast this processor does them
when nothing holds its arithmetic units up.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_ugan.kernels import fork_safety

if TYPE_CHECKING:
    from tinygrad_ugan.kernels.target import Target


def multiply_adds(
    generator: Sequence[int], discriminator: Sequence[int], batch: int, steps: int
) -> int:
    """Count the multiply-adds of the matrix products in one exact value and gradient of f_K.

    The minimax game of two MLPs, K steps of plain ascent on one batch, by the adjoint recursion in
    its cheapest known form: every activation and every delta is kept, and a reverse step is
    d/d(eps) of (forward + backward) at theta_k + eps lambda_{k+1}, in which every product becomes
    two. For a network of widths n_0 ... n_L let P = sum_i n_i n_{i+1} and F = n_0 n_1 (its first
    layer). A row costs

    ====================================  =====================  ======  =================
    sweep of one row                      forward                deltas  weight gradients
    ====================================  =====================  ======  =================
    a gradient                            P                      P - F   P
    a reverse step (inputs do not move)   2 P - F                2P - 2F 2 P - F
    ====================================  =====================  ======  =================

    and the delta of the input, where it is wanted, F or 2 F more. What is left out because nothing
    depends on it: the input's delta of real rows; at K = 0 all of D's weight gradients and the
    real rows' deltas; in the last reverse step (k = 0) the update of lambda, and with it all the
    real rows. The generator runs forwards and backwards once. Elementwise work is not counted.

    Parameters
    ----------
    generator, discriminator : sequence of int
        Widths, from the input to the output.
    batch : int
        Rows of the real and of the generated batch.
    steps : int
        K.

    Returns
    -------
    int

    Examples
    --------
    Two linear layers and one row: G forwards and backwards is 2 + 2, D forwards on the real row
    and forwards and back to the input on the generated one 3 + 3 + 3.

    >>> multiply_adds((2, 1), (1, 3), batch=1, steps=0)
    13
    """
    g, g_first = _products(generator)
    d, d_first = _products(discriminator)
    through_generator = 3 * g - g_first
    if steps == 0:
        return batch * (through_generator + 3 * d)
    gradient = 3 * d - d_first
    reverse = 6 * d - 4 * d_first
    return batch * (
        through_generator
        + 2 * steps * gradient
        + (2 * gradient + d_first)
        + (steps - 1) * (2 * reverse + 2 * d_first)
        + (4 * d - d_first)
    )


def _products(sizes: Sequence[int]) -> tuple[int, int]:
    """P and F."""
    return sum(m * n for m, n in itertools.pairwise(sizes)), sizes[0] * sizes[1]


class Vectors(NamedTuple):
    """The arithmetic units of a processor.

    Attributes
    ----------
    bytes : int
        Width of its widest vectors.
    chains : int
        Independent sums: more than latency times units, few enough to stay in registers.
    has_fma : bool
        Whether a multiply-add is one instruction.
    """

    bytes: int
    chains: int
    has_fma: bool = True


class MultiplyAdds:
    """Do a number of fused multiply-adds in registers, on several threads.

    Parameters
    ----------
    dtype : str
        "float32" or "float64".
    threads : int
        Threads that share the work equally.
    vectors : Vectors, optional
        By default those of this processor.

    Examples
    --------
    >>> limit = MultiplyAdds("float32", threads=2)
    >>> limit(10**6)
    """

    def __init__(self, dtype: str, threads: int, vectors: Vectors | None = None) -> None:
        vectors = vectors or host_vectors()
        self._loop = _compiled(dtype, vectors)
        self._a_turn = vectors.chains * vectors.bytes // np.dtype(dtype).itemsize
        self._threads = threads

    def __call__(self, count: int) -> None:
        """Return when `count` of them are done, rounded up to full turns of the loop."""
        turns = -(-count // (self._a_turn * self._threads))
        if self._threads == 1:
            self._loop(turns)
        else:
            list(_pool(self._threads).map(self._loop, [turns] * self._threads))


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


fork_safety.call_in_child(_pool.cache_clear)


def host_vectors() -> Vectors:
    """Return the vectors of this machine."""
    from tinygrad_ugan.kernels.target import host_target

    return vectors_of(host_target())


def vectors_of(target: Target) -> Vectors:
    """Return the vectors of a target."""
    chains = 12 if target.name in ("avx2", "generic") else 24  # of sixteen registers, or of 32
    return Vectors(target.vector_bytes, chains, target.has_fma)


def loop_source(dtype: str, vectors: Vectors) -> str:
    """LLVM's text of ``double loop(int64 turns)``, one multiply-add for every chain in a turn.

    Each chain is a vector s with s = s + a b, or s = a + b s without such an instruction. The
    function returns an element of their total: without that they would be dead code.
    """
    from llvmlite import ir

    kind = {"float32": ir.FloatType(), "float64": ir.DoubleType()}[dtype]
    lanes = vectors.bytes // np.dtype(dtype).itemsize
    vector, count = ir.VectorType(kind, lanes), ir.IntType(64)
    module = ir.Module()
    name = f"llvm.fma.v{lanes}f{8 * np.dtype(dtype).itemsize}"
    fma = ir.Function(module, ir.FunctionType(vector, [vector] * 3), name)
    function = ir.Function(module, ir.FunctionType(ir.DoubleType(), [count]), "loop")
    entry, body, end = (function.append_basic_block(name) for name in ("entry", "body", "end"))
    ir.IRBuilder(entry).branch(body)

    builder = ir.IRBuilder(body)
    turn = builder.phi(count)
    sums = [builder.phi(vector) for _ in range(vectors.chains)]
    a, b = (ir.Constant(vector, [x] * lanes) for x in (0.5, 0.25))
    if vectors.has_fma:
        grown = [builder.call(fma, [a, b, s]) for s in sums]
    else:  # the product of two constants would be one
        grown = [builder.fadd(a, builder.fmul(b, s)) for s in sums]
    following = builder.add(turn, ir.Constant(count, 1))
    turn.add_incoming(ir.Constant(count, 0), entry)
    turn.add_incoming(following, body)
    for i, (s, g) in enumerate(zip(sums, grown, strict=True)):
        s.add_incoming(ir.Constant(vector, [float(i)] * lanes), entry)
        s.add_incoming(g, body)
    builder.cbranch(builder.icmp_signed("<", following, function.args[0]), body, end)

    builder = ir.IRBuilder(end)
    total = functools.reduce(builder.fadd, grown)
    first = builder.extract_element(total, ir.Constant(ir.IntType(32), 0))
    builder.ret(first if dtype == "float64" else builder.fpext(first, ir.DoubleType()))
    return str(module)


@functools.cache
def _compiled(dtype: str, vectors: Vectors) -> Any:
    """The loop as a function of C, which leaves Python's lock to others while it runs."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(loop_source(dtype, vectors)), machine)
    engine.finalize_object()
    loop = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64)(engine.get_function_address("loop"))
    loop.engine = engine  # type: ignore[attr-defined] # its code lives as long as the engine
    return loop
