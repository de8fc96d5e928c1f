"""What a function depends on besides its arguments: by value, as it is now, or refused in words."""

import functools
import types
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan import gan, nn, optim
from tinygrad_ugan.compile import UnknownFunctionError, form_of, purity
from tinygrad_ugan.compile.purity import MAX_BYTES

PENALTIES = gan.penalties


def game(width=3, loss="minimax", **settings):
    generator, discriminator = nn.MLP((4, width)), nn.Sequential(nn.MLP((width, 8)), np.tanh)
    return gan.Game(generator, discriminator, loss, **settings)


# Each makes a new object at every call.
MADE = {
    "game": lambda: game().inner,
    "other loss": lambda: game(loss="hinge").inner,
    "other networks": lambda: game(width=2).inner,
    "other method": lambda: game().outer,
    "classes": lambda: game(classes=2).inner,
    "smoothed": lambda: game(loss=gan.label_smoothing("minimax", 0.1)).inner,
    "smoothed more": lambda: game(loss=gan.label_smoothing("minimax", 0.2)).inner,
    "penalty": lambda: gan.Penalized(game(), PENALTIES.R1()).inner,
    "stronger penalty": lambda: gan.Penalized(game(), PENALTIES.R1(11.0)).inner,
    "other penalty": lambda: gan.Penalized(game(), PENALTIES.R2()).inner,
    "instance noise": lambda: gan.InstanceNoise(game(), 0.1).inner,
    "batch norm": lambda: nn.Sequential(nn.BatchNorm(3), nn.Dropout(3)),
    "other rate": lambda: nn.Sequential(nn.BatchNorm(3), nn.Dropout(3, 0.2)),
    "activation": lambda: nn.ACTIVATIONS["relu"],
    "function of ours": lambda: nn.ACTIVATIONS["softplus"],
    "NumPy": lambda: np.tanh,
    "partial": lambda: functools.partial(np.clip, a_min=0, a_max=1),
    "other partial": lambda: functools.partial(np.clip, a_min=0, a_max=2),
    "adam": lambda: optim.Adam(),
    "momentum": lambda: optim.Momentum(),
    "nesterov": lambda: optim.Nesterov(),
    "schedule": lambda: optim.Adam(optim.CosineSchedule(0.1, 5)),
    "longer schedule": lambda: optim.Adam(optim.CosineSchedule(0.1, 6)),
    "chain": lambda: optim.chain(optim.clip_by_norm(1.0), optim.SGD()),
    "shorter": lambda: optim.chain(optim.clip_by_norm(0.5), optim.SGD()),
    "by leaf": lambda: optim.scale({"w": np.array([1.0, 2.0])}),
    "other leaf": lambda: optim.scale({"w": np.array([1.0, 3.0])}),
    "other dtype": lambda: optim.scale({"w": np.array([1.0, 2.0], np.float32)}),
    "plus zero": lambda: optim.scale(0.0),
    "minus zero": lambda: optim.scale(-0.0),
    "whole": lambda: optim.scale(0),
    "closed form": lambda: ug.unroll.games.bilinear().game.inner,
    "other matrix": lambda: ug.unroll.games.bilinear([[2.0]]).game.inner,
}


def test_equal_objects_have_equal_forms_and_others_have_not():
    forms = {name: form_of(make()) for name, make in MADE.items()}
    for name, make in MADE.items():
        again = form_of(make())
        assert again == forms[name]
        assert hash(again) == hash(forms[name])
        assert [other for other, form in forms.items() if form == again] == [name]


def plain(theta, x):
    return theta * x


class Net:
    """An own network, declared by nobody."""

    def __call__(self, theta, x):
        return x @ theta


@dataclass(frozen=True)
class Frozen:
    width: int

    def __call__(self, theta, x):
        return x @ theta


class Overriding(gan.Game):
    def _logits(self, samples, theta_d, batch):
        return 0.0, 1.0


class Wrapped(nn.MLP):
    def __getattribute__(self, name):
        return object.__getattribute__(self, name)


class Pair(NamedTuple):
    real: Any

    @property
    def noise(self):
        return self.real


REFUSED = {
    "plain": plain,
    "<lambda>": lambda x: x,
    "Net": Net(),
    "Frozen.__call__": Frozen(3),
    "Overriding._logits": Overriding(nn.MLP((2, 3)), nn.MLP((3, 1))).inner,
    "Wrapped.__getattribute__": Wrapped((2, 1)),
    "generator": gan.Game(plain, nn.MLP((3, 1))).inner,
    "list_iterator": iter([1, 2]),
    "Generator": np.random.default_rng(0),
    "cython_function": np.random.normal,
    "bytes": optim.scale(np.zeros(MAX_BYTES)),
    "scheduled": optim.SGD(lambda count: 0.1),
    "chained": optim.chain(optim.Transform(lambda p: (), lambda g, s, p: (g, s))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_look_at_what_changes_is_refused(name):
    words = {"generator": "plain", "scheduled": "<lambda>", "chained": "<lambda>"}.get(name, name)
    with pytest.raises(UnknownFunctionError, match=words):
        form_of(REFUSED[name])


def test_what_is_compiled_is_known_by_itself():
    f, g = ug.compile(plain), ug.compile(plain)
    assert form_of(f) == form_of(f) != form_of(g)
    players = gan.Game(f, nn.MLP((3, 1))), gan.Game(g, nn.MLP((3, 1)))
    assert form_of(players[0].inner) == form_of(gan.Game(f, nn.MLP((3, 1))).inner)
    assert form_of(players[0].inner) != form_of(players[1].inner)


class Layer:
    """An own layer, whose call is declared."""

    def __init__(self, scale):
        self.scale = scale

    def init(self, rng, dtype):
        return ()

    def helped(self, x):
        return self.scale * x

    @ug.compile
    def __call__(self, theta, x):
        return self.helped(x)


def test_own_objects_with_compiled_methods_are_known_by_their_attributes():
    layer = Layer(2.0)
    before = form_of(layer)
    assert form_of(Layer(2.0)) == before != form_of(Layer(3.0))
    layer.scale = 3.0
    assert form_of(layer) == form_of(Layer(3.0)) != before
    layer.scale = object()
    with pytest.raises(UnknownFunctionError, match="object"):
        form_of(layer)


class Slotted:
    __slots__ = ("scale",)
    __call__ = ug.compile(plain)


def test_attributes_in_slots_count():
    a, b = Slotted(), Slotted()
    a.scale, b.scale = 1.0, 2.0
    assert form_of(a) != form_of(b)


def test_a_change_of_an_object_or_a_class_is_seen_at_once(monkeypatch):
    mlp = nn.MLP((2, 3, 1))
    net = nn.Sequential(mlp, np.tanh)
    before = form_of(net)
    net.layers = (mlp, np.sin)
    assert form_of(net) != before
    net.layers = (mlp, np.tanh)
    assert form_of(net) == before
    object.__setattr__(mlp, "activation", "relu")
    assert form_of(net) != before
    object.__setattr__(mlp, "activation", "tanh")
    object.__setattr__(mlp, "__call__", types.MethodType(plain, mlp))
    with pytest.raises(UnknownFunctionError, match="plain"):
        form_of(net)
    del mlp.__dict__["__call__"]
    with monkeypatch.context() as patch:
        patch.setattr(nn.MLP, "__call__", lambda self, theta, x: x)
        with pytest.raises(UnknownFunctionError, match=r"MLP\.__call__"):
            form_of(net)
    assert form_of(net) == before


def test_another_function_under_the_name_of_a_loss_is_seen(monkeypatch):
    before = form_of(game().inner)
    other = gan.LOSSES["minimax"]._replace(inner=gan.LOSSES["hinge"].inner)
    monkeypatch.setattr(gan.games.game, "LOSSES", {"minimax": other})
    assert form_of(game().inner) != before


def test_a_function_that_claims_to_be_ours_is_not_believed():
    fake = types.FunctionType(plain.__code__, {"__name__": "tinygrad_ugan.unroll.game"}, "fake")
    fake.__module__ = "tinygrad_ugan.unroll.game"
    with pytest.raises(UnknownFunctionError, match="fake"):
        form_of(fake)


def test_containers_of_ones_own_are_looked_at():
    assert form_of((1, [2.0, {"a": "b"}])) == form_of((1, [2.0, {"a": "b"}]))
    assert form_of([1]) != form_of((1,))
    assert form_of(1) != form_of(1.0) != form_of(True)
    assert form_of(float("nan")) == form_of(float("nan"))
    with pytest.raises(UnknownFunctionError, match=r"Pair\.noise"):
        form_of(Pair(1.0))
    with pytest.raises(UnknownFunctionError, match=r"Pair\.noise"):
        form_of(Pair)


def test_an_object_that_holds_itself_is_refused():
    layer = Layer(1.0)
    layer.scale = layer
    with pytest.raises(UnknownFunctionError, match="Layer holds itself"):
        form_of(layer)


def test_what_is_remembered_of_an_object_is_looked_at_again(monkeypatch):
    calls = []
    find = purity._memory_of
    monkeypatch.setattr(purity, "_memory_of", lambda *args: calls.append(args) or find(*args))
    network = nn.MLP((2, 3, 1))
    first = form_of(network)
    assert calls
    calls.clear()
    assert form_of(network) == first
    assert not calls
    object.__setattr__(network, "activation", "relu")
    assert form_of(network) != first


def test_arrays_among_the_attributes_are_compared_by_their_numbers():
    @dataclass
    class Weighted:
        weights: np.ndarray

        @ug.compile
        def __call__(self, x):
            return x @ self.weights

    thing = Weighted(np.ones(3))
    first = form_of(thing)
    thing.weights[0] = 2.0
    assert form_of(thing) != first
    thing.weights[0] = 1.0
    assert form_of(thing) == first


def test_few_objects_are_remembered():
    kept = [nn.MLP((2, width, 1)) for width in range(1, 2 * purity.MOST_REMEMBERED)]
    assert len({form_of(each) for each in kept}) == len(kept)
    assert len(purity._remembered) <= purity.MOST_REMEMBERED
