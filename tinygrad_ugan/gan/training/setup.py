"""The parts of a training run: the settings, and the game and the data that they name.

Everything that trains, evaluates or stores a run takes its parts from one `Setup`, whether they are
described by the settings or were handed in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.checked_dataclass import Settings
from tinygrad_ugan.data import File, Samples, draw_labelled
from tinygrad_ugan.errors import (
    ArgumentError,
    ArgumentTypeError,
    check_choice,
    kind_of,
    printable,
    shown,
)
from tinygrad_ugan.gan.games.network_calls import is_random
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.registry import (
    OwnData,
    RegisteredData,
    check_imported,
    find,
    name_of,
)
from tinygrad_ugan.kernels.blas_threads import one_thread
from tinygrad_ugan.optim.validation import check_state, is_optimizer, try_update
from tinygrad_ugan.stated import stated
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.validation import is_floating

Metric = Callable[[Any, Any], Any]
Init = Callable[[np.random.Generator], tuple[PyTree, PyTree]]


@dataclass(frozen=True)
class Setup:
    """The parts of a training run; `Setup.of` makes it.

    Attributes
    ----------
    config : Config
        The settings.
    game : Any
        The game, with `inner` and `outer`.
    data : Any
        The data, with `sample` and `dimension`.
    init : callable
        ``init(rng)`` -> (theta_g, theta_d), the parameters to start from.
    metrics : mapping of str to callable
        Columns of one's own in the metrics table: ``metric(state, samples)``, a number.
    optimizers : mapping of str to Any
        The optimisers of the "generator" and the "discriminator"; and for "unroll" that of the
        unrolled steps, if `config.unroll.dynamics` does not describe it.
    handed_in : mapping of str to str
        Those of "game", "data", "init" and "optimizers.generator" ... that the settings do not
        name, and their classes.
    """

    config: Config
    game: Any
    data: Any
    init: Init
    metrics: Mapping[str, Metric]
    optimizers: Mapping[str, Any]
    handed_in: Mapping[str, str]

    @classmethod
    def of(
        cls,
        config: Config | Setup,
        *,
        game: Any = None,
        data: Any = None,
        init: Any = None,
        metrics: Mapping[str, Metric] | None = None,
        optimizers: Mapping[str, Any] | None = None,
        importing: bool = True,
    ) -> Setup:
        """Return the parts that the settings describe, or those that were handed in instead.

        Parameters
        ----------
        config : Config or Setup
            The settings; a setup is returned as it is.
        game : Any, optional
            An object with `inner` and `outer`, or with the players `generator` and
            `discriminator` alone, which then play for ``config.loss``.
        data : Any, optional
            An object with ``sample(n, rng, dtype)`` and `dimension`.
        init : tuple or callable, optional
            theta_g and theta_d, or a function of a random generator that returns them; by default
            the game's own ``init(rng, dtype)``, or that of its players.
        metrics : mapping of str to callable, optional
            Columns of one's own, beside those of the game's own `metrics`.
        optimizers : mapping of str to Any, optional
            Optimisers for the "generator", the "discriminator", and "unroll", the unrolled steps.
        importing : bool
            Whether a module that the settings name may be imported: not if they come from a run's
            folder.

        Raises
        ------
        ArgumentError
            If the settings name a game or data that are not there.
        ArgumentTypeError
            If a part lacks what training needs of it.

        Examples
        --------
        >>> Setup.of(Config()).data
        Ring(modes=8, radius=2.0, std=0.02, labelled=False)
        """
        if isinstance(config, Setup):
            return config
        config, game, data = _named(config, game, data)
        config, own = _named_optimizers(config, optimizers or {})
        given = {"game": game, "data": data, "init": init} | _by_place(own)
        if _file_of(data) is not None:
            given["data"] = None  # the settings name it
        handed_in = {name: identity_of(part) for name, part in given.items() if part is not None}
        if not importing:
            _check_imported(config)
        data = config.build_data() if data is None else data
        _check_data(data)
        config = _recording(config, data, handed_in)
        is_own = game is not None or config.game is not None
        if game is None:
            shape = getattr(data, "image_shape", None)
            images: dict[str, Any] = {"image_shape": shape} if config.networks.kernel else {}
            game = config.build_game(data.dimension, **_labels(config, data), **images)
        if is_own:
            game = _playable(game, config)
        _check_classes(game, data)
        columns = _checked_metrics({**getattr(game, "metrics", {}), **(metrics or {})})
        moves = _optimizers(config, own)
        return cls(config, game, data, _initial(init, game, config), columns, moves, handed_in)

    @property
    def classes(self) -> int:
        """Number of classes of a conditional game; 0 if it takes no labels."""
        return _number_of_classes(self.game)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Array, Array | None]:
        """Draw n samples of the data, and their labels if the game takes them."""
        with one_thread():
            samples, labels = draw_labelled(self.data, n, rng, self.config.dtype)
        return samples, labels if self.classes else None

    def class_of(self, label: int | str) -> int:
        """Return the class that a number, or a name of the data's, stands for.

        Raises
        ------
        ArgumentError
            If there is no such class, or the game is not conditional.
        """
        if not self.classes:
            raise ArgumentError("label", shown(label), "none, as the game is not conditional")
        numbers = [str(i) for i in range(self.classes)]
        names = getattr(self.data, "class_names", ()) or numbers
        if isinstance(label, str) and label in names:
            return int(names.index(label))
        check_choice("label", str(label), dict.fromkeys([*numbers, *names]))
        return int(label)

    @property
    def redraws(self) -> int:
        """Number of times that a generator's step draws the random numbers of its batch anew."""
        unrolled = self.config.unroll
        redrawn = unrolled.redraw and not unrolled.fresh and is_random(self.game)
        return unrolled.steps if redrawn else 0

    @property
    def sizes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The widths of the players' layers; none of players of one's own that do not tell."""
        if self.config.game is None and "game" not in self.handed_in:
            return self.config.networks.sizes(self.data.dimension, self.classes)
        generator, discriminator = (getattr(each, "sizes", ()) for each in _players(self.game))
        return generator, discriminator

    def dynamics(self, optimizer_d: PyTree) -> dict[str, Any]:
        """Return the arguments of `unroll.value_and_grad` that define the unrolled steps.

        Parameters
        ----------
        optimizer_d : pytree
            The state of the discriminator's real optimiser.
        """
        unrolled = self.config.unroll
        found = unrolled.dynamics()
        if (own := self.optimizers.get("unroll")) is not None:
            found = {"steps": unrolled.steps, "optimizer": own}
        return {**found, "state": optimizer_d} if unrolled.state == "carried" else found

    def check_optimizers(
        self, theta_g: PyTree, theta_d: PyTree, optimizer_g: PyTree, optimizer_d: PyTree
    ) -> None:
        """Raise `ArgumentError` if an optimiser is none, or a state cannot be carried."""
        for player, state, theta in (
            ("generator", optimizer_g, theta_g),
            ("discriminator", optimizer_d, theta_d),
        ):
            optimizer = self.optimizers[player]
            if stated(optimizer, "kernel_form") is None:
                with said_of(player):
                    try_update(optimizer, state, theta)
        if self.config.unroll.state == "carried":
            self._check_carried(theta_d, optimizer_d)

    def _check_carried(self, theta_d: PyTree, optimizer_d: PyTree) -> None:
        inner = self.dynamics(optimizer_d).get("optimizer")
        given = f"'carried' from {kind_of(self.optimizers['discriminator'])}"
        if inner is None:
            raise ArgumentError("unroll.state", f"{given} to plain ascent", "'zero'")
        try:
            check_state("unroll.state", optimizer_d, inner.init(theta_d))
        except ArgumentError as error:
            expected = "'zero', or an optimiser of the unrolled steps with the same kind of state"
            raise ArgumentError("unroll.state", f"{given} to {kind_of(inner)}", expected) from error


@contextmanager
def said_of(player: str) -> Iterator[None]:
    """Let errors about an optimiser say which player's it is."""
    try:
        yield
    except ArgumentError as error:
        raise error.within(f"{player}_") from None


def _checked_metrics(metrics: Mapping[str, Any]) -> Mapping[str, Metric]:
    """The columns, if they are functions under names that a table can have."""
    for name, metric in metrics.items():
        if not str(name).isprintable():
            raise ArgumentError("metrics", repr(name), "names of columns")
        if not callable(metric):
            expected = "a function of a State and samples"
            raise ArgumentTypeError(f"metrics[{name!r}]", f"a {kind_of(metric)}", expected)
    return metrics


def recorded(
    config: Config, handed_in: Mapping[str, str], parts: Mapping[str, Any], where: str
) -> Setup:
    """Return the setup of a run that was written down, with the parts that have to be handed in.

    Parameters
    ----------
    config : Config
        The settings, as read.
    handed_in : mapping of str to str
        The parts that were handed in for training, and their classes.
    parts : mapping of str to Any
        The parts that are handed in now.
    where : str
        The folder, for messages.

    Raises
    ------
    ArgumentError
        If a part is missing, of another class, or not one that was handed in.
    """
    flat = {**parts, "optimizers": None, **_by_place(parts.get("optimizers") or {})}
    for name, kind in handed_in.items():
        given, argument = flat.get(name), name.partition(".")[0]
        if given is None and name != "init":  # whether init is needed, the game knows
            hint = f"hand it in: resume(folder, {argument}=...); or register it before training"
            raise ArgumentError(name, f"none, in {where}", f"the {kind} it was trained with", hint)
        if given is not None and name != "init" and identity_of(given) != kind:
            expected = f"a {kind}, as the run was trained with"
            hint = f"another {name} is another run: train(config, folder, {argument}=...)"
            raise ArgumentError(name, f"a {identity_of(given)}", expected, hint)
    for name, given in flat.items():
        if given is None or name in (*handed_in, "metrics"):
            continue
        if name != "data" or not _is_moved(config.data, given):
            expected = "none, as the settings of the run name it"
            raise ArgumentError(name, f"a {identity_of(given)}", expected)
    setup = Setup.of(config, **parts, importing=False)
    return dataclasses.replace(setup, config=config, handed_in=handed_in)


def identity_of(part: Any) -> str:
    """Return the class of a part, and the identity that it gives, if it does."""
    own = getattr(part, "identity", None)
    return kind_of(part) if own is None else printable(f"{kind_of(part)} {own}")


def _file_of(data: Any) -> File | None:
    """The settings that read data again, if these are of a file and nothing but its samples."""
    return data.file if type(data) is Samples else None


def _is_moved(recorded: Settings, given: Any) -> bool:
    """Whether data are those of the file that is recorded, at another place."""
    return isinstance(recorded, File) and recorded.same_but_for_path(_file_of(given))


def _recording(config: Config, data: Any, handed_in: Mapping[str, str]) -> Config:
    """The settings, with what there is to record of data that are not settings themselves."""
    if (file := _file_of(data)) is not None:
        return config.updated({"data": file.to_dict()})
    if "data" in handed_in:
        return config.updated({"data": OwnData(handed_in["data"]).to_dict()})
    if not isinstance(config.data, RegisteredData):
        return config
    before, now = config.data.identity, identity_of(data)
    if before not in ("", now):
        hint = "other data are another run, in another folder"
        raise ArgumentError("data.name", f"{config.data.name!r}, a {now}", f"a {before}", hint)
    return config.updated({"data.identity": now})


def _named(config: Config, game: Any, data: Any) -> tuple[Config, Any, Any]:
    """The settings, naming the game and the data that have a name; None for these."""
    if game is not None and (name := name_of(game)) is not None:
        config, game = config.updated({"game": name}), None
    if data is not None and (name := name_of(data)) is not None:
        config, data = config.updated({"data": RegisteredData(name).to_dict()}), None
    if isinstance(data, Settings):
        with suppress(ArgumentError, ArgumentTypeError):  # of a class that settings do not hold
            config, data = config.updated({"data": data.to_dict()}), None
    return config, game, data


_GROUPS = {
    "generator": "generator_optimizer",
    "discriminator": "discriminator_optimizer",
    "unroll": "unroll",
}


def _by_place(optimizers: Mapping[str, Any]) -> dict[str, Any]:
    return {f"optimizers.{player}": each for player, each in optimizers.items()}


def _named_optimizers(
    config: Config, optimizers: Mapping[str, Any]
) -> tuple[Config, dict[str, Any]]:
    """The settings, naming the optimisers that have a name, and the others."""
    own = {}
    for player, each in optimizers.items():
        check_choice("optimizers", player, _GROUPS)
        if (name := name_of(each)) is None:
            own[player] = each
        else:
            config = config.updated({f"{_GROUPS[player]}.registered": name})
    return config, own


def _optimizers(config: Config, own: Mapping[str, Any]) -> dict[str, Any]:
    """The optimisers that were handed in, or else those that the settings name or describe."""
    found = {}
    if "unroll" in own and isinstance(config.unroll.step_sizes(), tuple):
        expected = "one step size in the settings, as the optimiser that is handed in has its own"
        raise ArgumentError("optimizers.unroll", "step sizes that vary", expected)
    for player, group in _GROUPS.items():
        settings, place = getattr(config, group), f"optimizers.{player}"
        each = own.get(player)
        if each is None and settings.registered is not None:
            place = f"{group}.registered"
            each = find(place, settings.registered, settings)
        if each is None and player != "unroll":
            each = settings.build()
        if each is None:
            continue
        if not is_optimizer(each):
            given = f"the class {each.__name__}" if isinstance(each, type) else f"a {kind_of(each)}"
            raise ArgumentTypeError(place, given, "an object with init and update")
        found[player] = each
    return found


def names_in(config: Config) -> Iterator[tuple[str, str]]:
    """Yield each setting that names a thing of one's own, and the name."""
    for group in _GROUPS.values():
        if (name := getattr(config, group).registered) is not None:
            yield f"{group}.registered", name
    if config.game is not None:
        yield "game", config.game
    if isinstance(config.data, RegisteredData):
        yield "data.name", config.data.name


def _check_imported(config: Config) -> None:
    """Refuse to import what the settings name: only the user may ask for that."""
    for setting, name in names_in(config):
        check_imported(setting, name)


def _number_of_classes(thing: Any) -> int:
    """The classes of a game or data, which may be anybody's."""
    classes = getattr(thing, "classes", 0)
    return classes if isinstance(classes, int) else 0


def _labels(config: Config, data: Any) -> dict[str, Any]:
    """The classes for the networks that the settings describe."""
    if config.game is not None or not config.networks.conditional:
        return {}
    if not (classes := _number_of_classes(data)):
        hint = "data.labels names the column of a file, data.labelled = true labels a ring or grid"
        raise ArgumentError("networks.conditional", "true", "data with labels", hint)
    return {"classes": classes}


def _check_classes(game: Any, data: Any) -> None:
    """Refuse data without the labels that a game takes."""
    wanted, there = map(_number_of_classes, (game, data))
    if wanted and wanted != there:
        given = f"labels of {there}" if there else "no labels"
        raise ArgumentError("data", given, f"labels of {wanted} classes, as the game takes")


def _check_data(data: Any) -> None:
    if not callable(getattr(data, "sample", None)) or not hasattr(data, "dimension"):
        expected = "an object with sample(n, rng, dtype) and dimension"
        hint = "ug.data.Samples makes one of an array or a file, ug.data.Function of a function"
        raise ArgumentTypeError("data", f"a {kind_of(data)}", expected, hint)


def _playable(game: Any, config: Config) -> Any:
    """The game itself, or the one that two players without objectives play."""
    if all(callable(getattr(game, name, None)) for name in ("inner", "outer")):
        _check_unchanged(config, game)
        return game
    generator, discriminator = _players(game)
    if not (callable(generator) and callable(discriminator)):
        expected = "an object with inner and outer, or with a generator and a discriminator"
        raise ArgumentTypeError("game", f"a {kind_of(game)}", expected)
    return config.play(generator, discriminator)


_OF_PLAYERS = ("loss", "label_smoothing", "penalty", "instance_noise", "feature_matching")


def _check_unchanged(config: Config, game: Any) -> None:
    """Refuse settings that would change the objectives of a game of one's own."""
    default = Config()
    for name in _OF_PLAYERS:
        given = getattr(config, name)
        if given not in (getattr(default, name), getattr(game, name, None)):
            expected = f"{getattr(default, name)!r}, as a {kind_of(game)} has objectives of its own"
            hint = "a game of two players, `generator` and `discriminator`, takes these settings"
            raise ArgumentError(name, repr(given), expected, hint)


def _initial(init: Any, game: Any, config: Config) -> Init:
    """The function that draws the initial parameters, or returns those that were given."""

    def drawn(rng: np.random.Generator) -> Any:
        if callable(init):
            return init(rng)
        if init is not None:
            return init
        if callable(own := getattr(game, "init", None)):
            return own(rng, config.dtype)
        return tuple(player.init(rng, config.dtype) for player in _drawing(game))

    def checked(rng: np.random.Generator) -> tuple[PyTree, PyTree]:
        with one_thread():  # orthogonal weights are a product of BLAS
            return _checked_parameters(drawn(rng), config)

    return checked


def _players(game: Any) -> tuple[Any, Any]:
    return getattr(game, "generator", None), getattr(game, "discriminator", None)


def _drawing(game: Any) -> tuple[Any, Any]:
    """The two players, each of which can draw its parameters."""
    players = _players(game)
    for name, player in zip(("generator", "discriminator"), players, strict=True):
        if not callable(getattr(player, "init", None)):
            given = f"a game whose {name} has no init"
            hint = "or give the game an init(rng, dtype) that returns them"
            raise ArgumentTypeError("init", given, "theta_g and theta_d", hint)
    return players


def _checked_parameters(found: Any, config: Config) -> tuple[PyTree, PyTree]:
    if not isinstance(found, list | tuple) or len(found) != 2:
        expected = "theta_g and theta_d, or a function of a random generator that returns them"
        raise ArgumentTypeError("init", f"a {kind_of(found)}", expected)
    for name, theta in zip(("theta_g", "theta_d"), found, strict=True):
        for leaf in optree.tree_leaves(theta):
            if not is_floating(leaf) or np.asarray(leaf).dtype != config.dtype:
                given = f"{getattr(leaf, 'dtype', kind_of(leaf))} in {name}"
                expected = f"{config.dtype} in all of it, as the precision says"
                raise ArgumentError("init", given, expected)
    return found[0], found[1]
