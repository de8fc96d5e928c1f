"""Compilation of LLVM IR to machine code, cached on disk.

An object file is named by the hash of everything that determines it: the source that emits it, the
versions of llvmlite and LLVM, the processor and its features. It is written under a temporary
name and renamed, so that processes that start together never see half a file. If the package's own
folder is not writable, the user's cache folder is used, and without either, memory only.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from tinygrad_ugan.kernels import fork_safety
from tinygrad_ugan.kernels.target import Target

CACHE_VARIABLE = "TINYGRAD_UGAN_CACHE"
"""Environment variable that names the cache folder, in place of the two default ones."""

fork_safety.hold_during_fork(
    llvm.ffi.lib._lock
)  # which llvmlite takes in destructors, too, at any time
compiling = fork_safety.fork_safe_lock()
"""Held during compilation by LLVM or numba, whose own locks a forked child would find taken."""

PROGRAM = "program_"
"""Prefix of the modules of compiled functions."""
_SOURCES = ("kernels", "compile", "autodiff/rules", "nn")
"""Folders of what emits code; vector forms are in the records of primitives."""
_MOST_PROGRAMS = 1000
"""Objects of compiled functions that are kept on disk."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class MachineCode:
    """The functions of a module in memory, which is given back with the last reference.

    Attributes
    ----------
    addresses : list of int
        Of the functions.
    nbytes : int
        Size of the object file.
    engine : ExecutionEngine
        Owns the memory.
    """

    addresses: list[int]
    nbytes: int
    engine: llvm.ExecutionEngine


_loaded: WeakValueDictionary[tuple[str, Target], MachineCode] = WeakValueDictionary()
_addresses: dict[tuple[str, Target], int] = {}
_kernels: list[MachineCode] = []  # of which there are few: they stay


def load_function(name: str, target: Target, build: Callable[[], ir.Module]) -> int:
    """Return the address of function `name`; `build` emits its module if it is not cached."""
    address = _addresses.get((name, target))
    if address is None:
        code = load_module(name, [name], target, build)
        _kernels.append(code)
        address = _addresses[name, target] = code.addresses[0]
    return address


def load_module(
    module: str, names: Sequence[str], target: Target, build: Callable[[], ir.Module]
) -> MachineCode:
    """Return the machine code of some functions; `build` emits the module if it is not cached."""
    code = _loaded.get((module, target))
    if code is not None:
        return code
    with compiling:
        code = _loaded.get((module, target))
        if code is None:
            code = _loaded[module, target] = _load(module, names, target, build)
        return code


def _load(
    module: str, names: Sequence[str], target: Target, build: Callable[[], ir.Module]
) -> MachineCode:
    code = _cached(module, target) or _keep(module, target, compile_module(build(), target))
    return _in_memory(names, target, code)


def _in_memory(names: Sequence[str], target: Target, code: bytes) -> MachineCode:
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(target))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return MachineCode([engine.get_function_address(name) for name in names], len(code), engine)


def compile_module(module: ir.Module, target: Target) -> bytes:
    """Optimise a module and compile it to an object file."""
    machine = _machine(target)
    module.data_layout = str(machine.target_data)
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    passes = llvm.create_new_function_pass_manager()  # of few passes, as LLVM's own choice is slow,
    passes.add_sroa_pass()  # and the code is vectorised and unrolled already
    passes.add_loop_rotate_pass()
    passes.add_instruction_combine_pass()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options())
    for function in parsed.functions:
        if not function.is_declaration:
            passes.run(function, builder)
    code: bytes = machine.emit_object(parsed)
    return code


def _machine(target: Target) -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, codemodel="jitdefault", jit=True
    )


@functools.cache
def _fingerprint() -> bytes:
    """Hash of the versions and the source, on which every object depends."""
    versions = (sys.platform, llvmlite.__version__, *llvm.llvm_version_info)
    digest = hashlib.sha256(repr(versions).encode())
    package = Path(__file__).parent.parent
    for room in _SOURCES:
        for path in sorted((package / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.digest()


def _file_name(name: str, target: Target) -> str:
    digest = hashlib.sha256(_fingerprint())
    digest.update(repr((name, target)).encode())
    return f"{name}-{digest.hexdigest()[:32]}.o"


def _folders() -> Iterator[Path]:
    """The cache folders, in order of preference."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        yield Path(chosen)
        return
    yield Path(__file__).parent / "__pycache__"
    base = os.environ.get("XDG_CACHE_HOME")
    with contextlib.suppress(RuntimeError):  # there is no home directory
        yield (Path(base) if base else Path.home() / ".cache") / "tinygrad_ugan"


def _cached(name: str, target: Target) -> bytes | None:
    for folder in _folders():
        with contextlib.suppress(OSError):
            return _checked((folder / _file_name(name, target)).read_bytes())
    return None


def _keep(name: str, target: Target, code: bytes) -> bytes:
    for folder in _folders():
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / _file_name(name, target)
            _write(path, hashlib.sha256(code).digest() + code)
            _remove_stale(path, name)
            break
    return code


def _remove_stale(path: Path, name: str) -> None:
    """Remove the objects of other versions, so that the cache does not grow without bound.

    Those of compiled functions have names of their own; of these the oldest go.
    """
    others = [x for x in path.parent.glob(f"{name}-{'[0-9a-f]' * 32}.o") if x != path]
    if name.startswith(PROGRAM):
        with contextlib.suppress(OSError):  # another process removes them, too
            programs = sorted(path.parent.glob(f"{PROGRAM}*.o"), key=lambda x: x.stat().st_mtime)
            others += programs[:-_MOST_PROGRAMS]
    for other in others:
        other.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise


def _checked(content: bytes) -> bytes | None:
    """The code of a cache file, or None if its checksum does not match."""
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None
