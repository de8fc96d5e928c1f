"""Compilation of LLVM IR to machine code, cached on disk.

An object file is named by the hash of everything that determines it: the source of this package,
the versions of llvmlite and LLVM, the processor and its features. It is written under a temporary
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
from collections.abc import Callable, Iterator
from pathlib import Path

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

_addresses: dict[tuple[str, Target], int] = {}
_engines: list[llvm.ExecutionEngine] = []  # they own the machine code


def load_function(name: str, target: Target, build: Callable[[], ir.Module]) -> int:
    """Return the address of function `name`; `build` emits its module if it is not cached."""
    known = _addresses.get((name, target))
    if known is not None:
        return known
    with compiling:
        if (name, target) not in _addresses:
            _addresses[name, target] = _load(name, target, build)
        return _addresses[name, target]


def _load(name: str, target: Target, build: Callable[[], ir.Module]) -> int:
    code = _cached(name, target) or _keep(name, target, compile_module(build(), target))
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(target))
    _engines.append(engine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address: int = engine.get_function_address(name)
    return address


def compile_module(module: ir.Module, target: Target) -> bytes:
    """Optimise a module and compile it to an object file."""
    machine = _machine(target)
    module.data_layout = str(machine.target_data)
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.slp_vectorization = options.loop_vectorization = (
        False  # the code is vectorised and unrolled already
    )
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
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
    for path in sorted(Path(__file__).parent.glob("*.py")):
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
    """Remove the objects of other versions, so that the cache does not grow without bound."""
    for other in path.parent.glob(f"{name}-{'[0-9a-f]' * 32}.o"):
        if other != path:
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
