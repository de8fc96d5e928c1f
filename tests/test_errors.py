"""Errors name the argument, what came, what is expected and what to do, on one line."""

import pytest

from tinygrad_ugan.errors import (
    ArgumentError,
    ArgumentTypeError,
    NonFiniteError,
    check_choice,
    kind_of,
    printable,
    shown,
)

ERROR = ArgumentError("steps", -1, "a whole number >= 0", "count from 0")


def test_the_message_says_all_four():
    assert str(ERROR) == "steps: expected a whole number >= 0, got -1; count from 0"
    assert str(ERROR.within("config.")).startswith("config.steps: ")
    assert str(ERROR.advising("say 3")).endswith("got -1; say 3")


def test_python_knows_them_by_its_own_classes():
    assert isinstance(ERROR, ValueError)
    assert isinstance(ArgumentTypeError("x", "a list", "an array"), TypeError)
    found = NonFiniteError("x[0]", "nan", "finite numbers").becoming(ArgumentError)
    assert type(found) is ArgumentError
    assert str(found) == "x[0]: expected finite numbers, got nan"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("x", "batch.real, the network's x"), ("x[0].w", "batch.real[0].w, the network's x[0].w")],
)
def test_a_caller_names_its_own_argument(argument, expected):
    error = ArgumentError(argument, 3, "a matrix")
    assert str(error.seen_from("network", {"x": "batch.real"})).startswith(f"{expected}: ")
    assert error.seen_from("network", {"y": "batch.real"}) is error


def test_a_choice_is_refused_with_the_nearest_name():
    check_choice("loss", "hinge", ["hinge", "minimax"])
    with pytest.raises(ArgumentError, match=r"loss: .*'hinge', 'minimax', got 'mimimax'; did you"):
        check_choice("loss", "mimimax", ["hinge", "minimax"])
    with pytest.raises(ArgumentError, match=r"got \['hinge'\]$"):
        check_choice("loss", ["hinge"], ["minimax"])


def test_whatever_came_can_be_shown():
    endless = []
    endless.append(endless)
    nested = 0
    for _ in range(10_000):
        nested = [nested]
    assert shown(10**5000) == "a value of type int that is too long to show"
    assert shown(nested) == "a value of type list that is too long to show"
    assert shown(endless) == "[[...]]"
    message = str(ArgumentError("x", "a" * 10_000, "less"))
    assert len(message) < 350
    assert " ... " in message


def test_nothing_acts_on_a_terminal():
    assert printable("a\x1b[31mb\n\ud800") == r"a\x1b[31mb\n\ud800"
    assert printable("Dvořák, θ") == "Dvořák, θ"


def test_a_kind_has_its_full_name():
    assert kind_of(ERROR) == "tinygrad_ugan.errors.ArgumentError"
    assert kind_of(3.0) == "float"


def test_a_class_of_a_script_has_one_name_in_all_its_processes():
    for module in ("__main__", "__mp_main__"):
        assert kind_of(type("Mine", (), {"__module__": module})()) == "Mine"
