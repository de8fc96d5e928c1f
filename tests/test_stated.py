"""What an object states of its methods holds as long as they are the ones it was written beside."""

import dataclasses

import pytest

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.stated import stated, states, why_not


class Line:
    def __init__(self, slope):
        self.factor = slope

    def __call__(self, x):
        return self._scaled(x) + self.shift

    def _scaled(self, x):
        return self.factor * x

    @property
    def shift(self):
        return 1

    @states("__call__", "_scaled", "shift")
    def coefficients(self):
        """Slope and intercept."""
        return self.factor, 1


class Unchanged(Line):
    def another(self):
        return 5


class Fields(Line):
    __slots__ = ("more",)


def test_it_holds_for_the_class_and_for_who_overrides_nothing():
    for line in (Line(3), Unchanged(3), Fields(3)):
        assert stated(line, "coefficients") == line.coefficients == (3, 1)
        assert why_not(line, "coefficients") == ""
    assert Line.coefficients.__doc__ == "Slope and intercept."


class Bent(Line):
    def __call__(self, x):
        return x**2


class BentWithin(Line):
    def _scaled(self, x):
        return x**2


class Shifted(Line):
    shift = 7


class FarBelow(BentWithin):
    """Inherits from one that overrides."""


class Slotted(Line):
    __slots__ = ("_scaled",)


class Intercepted(Line):
    def __getattribute__(self, name):
        return 7 if name == "shift" else super().__getattribute__(name)


class ReturnsTheOld:
    """A descriptor that shows the class the old function, and objects a new one."""

    def __get__(self, thing, owner=None):
        return Line.__dict__["_scaled"] if thing is None else lambda x: x**2


class Hidden(Line):
    _scaled = ReturnsTheOld()


class Meta(type):
    """A metaclass that shows the old function to whoever asks the class."""

    def __getattribute__(cls, name):
        return Line.__dict__["_scaled"] if name == "_scaled" else super().__getattribute__(name)


class UnderMeta(Line, metaclass=Meta):
    def _scaled(self, x):
        return x**2


class Mixed:
    def _scaled(self, x):
        return x**2


class WithMixin(Mixed, Line):
    pass


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Bent, "__call__"),
        (BentWithin, "_scaled"),
        (FarBelow, "_scaled"),
        (WithMixin, "_scaled"),
        (Shifted, "shift"),
        (Slotted, "_scaled"),
        (Intercepted, "__getattribute__"),
        (Hidden, "_scaled"),
        (UnderMeta, "_scaled"),
    ],
)
def test_it_is_lost_with_any_method_and_the_method_is_named(kind, name):
    assert stated(kind(3), "coefficients") is None
    assert kind(3).coefficients is None
    assert why_not(kind(3), "coefficients") == f"{kind.__name__} overrides {name}"


def test_it_is_lost_on_the_one_object_that_is_changed():
    one, other = Line(3), Line(3)
    one._scaled = lambda x: x**2
    assert stated(one, "coefficients") is None
    assert why_not(one, "coefficients") == "this Line itself overrides _scaled"
    assert stated(other, "coefficients") == (3, 1)


def test_it_is_lost_while_the_class_is_changed(monkeypatch):
    line = Line(3)
    with monkeypatch.context() as patch:
        patch.setattr(Line, "_scaled", lambda self, x: x**2)
        assert stated(line, "coefficients") is None
        assert stated(Unchanged(3), "coefficients") is None
    with monkeypatch.context() as patch:
        patch.delattr(Line, "_scaled")
        assert stated(line, "coefficients") is None
    assert stated(line, "coefficients") == (3, 1)


def test_a_subclass_may_state_it_anew():
    class Twice(Line):
        def _scaled(self, x):
            return 2 * super()._scaled(x)

        @states("__call__", "_scaled", "shift")
        def coefficients(self):
            return 2 * self.factor, 1

    class Thrice(Twice):
        def _scaled(self, x):
            return 3 * x

    assert stated(Twice(3), "coefficients") == (6, 1)
    assert stated(Thrice(3), "coefficients") is None


class Named:
    """Has an attribute of that name, and states nothing."""

    coefficients = (3, 1)


class Proxy:
    def __init__(self, line):
        self.line = line

    def __getattr__(self, name):
        return getattr(self.line, name)


class Restated(Line):
    def coefficients(self):
        return 4, 4


@pytest.mark.parametrize("thing", [Named(), Proxy(Line(3)), Restated(3), Line, None, 3, "abc"])
def test_attributes_of_that_name_state_nothing(thing):
    assert stated(thing, "coefficients") is None
    assert why_not(thing, "coefficients") == ""


def test_frozen_dataclasses_with_slots_may_state():
    @dataclasses.dataclass(frozen=True, slots=True)
    class Point:
        x: float

        def double(self):
            return 2 * self.x

        @states("double")
        def factor(self):
            return 2

    class Other(Point):
        def double(self):
            return 3 * self.x

    assert stated(Point(1.0), "factor") == 2
    assert stated(Other(1.0), "factor") is None


def test_a_method_that_is_not_there_is_named_when_the_class_is_written():
    with pytest.raises((ArgumentError, RuntimeError)) as raised:  # RuntimeError before Python 3.12

        class Wrong:
            @states("nothing")
            def form(self):
                return 1

    cause = raised.value.__cause__ or raised.value
    assert str(cause) == "states: expected methods of Wrong, got 'nothing'"
