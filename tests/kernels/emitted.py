"""Run what the emitter writes on arrays."""

import ctypes

import llvmlite.binding as llvm
import numpy as np

from tinygrad_ugan.kernels.emitter import Emitter
from tinygrad_ugan.kernels.jit_cache import compile_module
from tinygrad_ugan.kernels.target import emulated_target, host_target

TARGETS = {t.name: t for t in (host_target(), *map(emulated_target, ("avx2", "neon", "generic")))}


class Elementwise:
    """A function of vectors, ``f(emitter, *vectors) -> vector``, as one of arrays of a dtype."""

    def __init__(self, f, target, dtype, arguments=1, emitter=Emitter):
        self.dtype = np.dtype(dtype)
        self.lanes = target.lanes(dtype)
        code = compile_module(
            _elementwise_module(f, emitter("elementwise", target, dtype), arguments), target
        )
        self.engine = llvm.create_mcjit_compiler(
            llvm.parse_assembly(""), llvm.Target.from_default_triple().create_target_machine()
        )
        self.engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self.engine.finalize_object()
        address = self.engine.get_function_address("elementwise")
        self.kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(address)

    def __call__(self, *arrays):
        flat = [np.asarray(a, self.dtype).ravel() for a in arrays]
        padding = -flat[0].size % self.lanes
        padded = [np.concatenate([a, np.zeros(padding, self.dtype)]) for a in flat]
        result = np.empty_like(padded[0])
        places = np.array([a.ctypes.data for a in (*padded, result)], np.int64)
        self.kernel(places.ctypes.data, result.size)
        return result[: flat[0].size].reshape(np.shape(arrays[0]))


def _elementwise_module(f, e, arguments):
    *sources, destination = [e.pointer() for _ in range(arguments + 1)]
    with e.loop(e.rows, step=e.lanes) as i:
        e.store(f(e, *(e.load(s, i) for s in sources)), destination, i)
    return e.finish()
