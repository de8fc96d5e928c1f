"""Things of one's own on their way to the processes that train the runs of a sweep.

They are pickled, one by one, so that what cannot be is named before anything is trained. The
processes are spawned, on every system: they inherit no memory, and import what a pickle names.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, kind_of
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.registry import import_plugin, register, registered
from tinygrad_ugan.gan.training.setup import names_in

_HINT = (
    "a lambda, a function within a function and what is defined in an interactive session cannot"
    " be: define it at the top of a module"
)


@dataclass(frozen=True)
class Carried:
    """Everything that a process needs to train a run; `carry` makes it.

    Attributes
    ----------
    plugins : tuple of str
        The modules to import first.
    registered : mapping of str to bytes
        What the settings name, by its registered name.
    parts : mapping
        The parts that are handed to `train`; bytes, or a mapping of them.
    """

    plugins: tuple[str, ...]
    registered: Mapping[str, bytes]
    parts: Mapping[str, Any]

    def unpack(self) -> dict[str, Any]:
        """Import the plugins, register what has a name, and return the parts: new objects."""
        for name in self.plugins:
            import_plugin("plugin", name)
        for name, content in self.registered.items():
            if registered(name) is None:
                register(name, _unpacked(f"the registered {name!r}", content))
        return {name: _unpacked(name, content) for name, content in self.parts.items()}


def carry(
    parts: Mapping[str, Any], configs: Iterable[Config], plugins: Sequence[str] = ()
) -> Carried:
    """Pickle the parts that are handed in, and what the settings name.

    Parameters
    ----------
    parts : mapping of str to Any
        Arguments of `train`: the game, the data, and so on.
    configs : iterable of Config
        The settings of the runs.
    plugins : sequence of str
        Modules that the processes import first; what has a name and cannot be pickled is expected
        to be registered by one of them.

    Raises
    ------
    ArgumentError
        If a plugin cannot be imported.
    ArgumentTypeError
        If a thing cannot be handed to another process.
    """
    for name in plugins:  # if one cannot be imported, say so here
        import_plugin("plugin", name)
    found = {}
    named = dict.fromkeys(name for config in configs for _, name in names_in(config))
    for name in (name for name in named if registered(name) is not None):
        try:
            found[name] = _packed(f"the registered {name!r}", registered(name))
        except ArgumentTypeError as error:
            if not plugins:
                raise error.advising(f"{_HINT}, or give the module: plugins=[...]") from None
    packed = {name: _packed(name, part) for name, part in parts.items() if part is not None}
    return Carried(tuple(plugins), found, packed)


def _packed(name: str, thing: Any) -> Any:
    if isinstance(thing, Mapping):
        return {key: _packed(f"{name}[{key!r}]", value) for key, value in thing.items()}
    try:
        content = pickle.dumps(thing)
        loader = _Loader(io.BytesIO(content))
        loader.load()
    except Exception as error:  # of any kind, from the thing's own methods
        given = f"a {kind_of(thing)} ({error})"
        raise ArgumentTypeError(name, given, "one that can be pickled", _HINT) from error
    if "__main__" in loader.modules and not _main_is_file():
        given = f"a {kind_of(thing)} of an interactive session"
        raise ArgumentTypeError(name, given, "one that another process can import", _HINT)
    return content


def _unpacked(name: str, content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _unpacked(f"{name}[{key!r}]", value) for key, value in content.items()}
    try:
        return pickle.loads(content)  # noqa: S301  # from the process that started this one
    except Exception as error:
        given = f"{type(error).__name__}: {error}"
        raise ArgumentError(name, given, "one that another process can import", _HINT) from error


class _Loader(pickle.Unpickler):
    """Notes the modules that a pickle imports."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.modules: set[str] = set()

    def find_class(self, module: str, name: str, /) -> Any:
        """Find a class or a function by its name."""
        self.modules.add(module)
        return super().find_class(module, name)


def _main_is_file() -> bool:
    """Whether a spawned process can run the main module again."""
    main = sys.modules["__main__"]
    named = getattr(main, "__spec__", None) is not None
    return named or os.path.exists(getattr(main, "__file__", ""))
