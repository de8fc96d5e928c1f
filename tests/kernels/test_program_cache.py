"""Programs that wait: lent to one user at a time, and forgotten in the order of their last use."""

from types import SimpleNamespace

from tinygrad_ugan.kernels.program_cache import Idle, Recent


def program(nbytes=1):
    return SimpleNamespace(nbytes=nbytes)


def test_a_program_is_lent_once():
    idle, one, other = Idle(limit=10, most=9), program(), program()
    assert idle.take("key") is None
    idle.put("key", one)
    idle.put("key", other)
    taken = [idle.take("key") for _ in range(3)]
    assert taken[2] is None
    assert {id(p) for p in taken[:2]} == {id(one), id(other)}
    assert idle.take("another key") is None


def test_the_longest_unused_is_forgotten_first():
    idle = Idle(limit=3, most=9)
    kept = {key: program() for key in "abc"}
    for key, x in kept.items():
        idle.put(key, x)
    idle.put("a", idle.take("a"))
    idle.put("d", program(nbytes=1))
    assert idle.take("b") is None
    assert idle.take("a") is kept["a"]
    assert idle.take("c") is kept["c"]


def test_what_is_larger_than_the_limit_is_not_kept():
    idle = Idle(limit=3, most=9)
    idle.put("a", program())
    idle.put("b", program(nbytes=4))
    assert idle.take("a") is None
    assert idle.take("b") is None
    idle.put("a", program())
    assert idle.take("a") is not None


def test_no_more_than_so_many_are_kept_and_none_that_is_in_use():
    idle = Idle(limit=100, most=2)
    for key in "aab":
        idle.put(key, program())
    assert idle.take("a") is not None  # one of the two
    for key in "bc":
        idle.put(key, program())
    assert idle.take("a") is None
    assert len(idle.kept()) == 2
    assert idle.take("c") is not None
    assert len(idle._programs) == 1


def test_what_is_in_common_use_is_made_once_and_the_longest_unused_is_forgotten():
    recent, made = Recent(limit=100, most=2), []

    def make(key):
        made.append(program())
        return made[-1]

    a, b = recent.get(("a",), make), recent.get(("b",), make)
    assert recent.get(("a",), make) is a
    recent.get(("c",), make)  # in the place of b
    assert recent.get(("a",), make) is a
    assert recent.get(("b",), make) is not b
    assert len(made) == 4


def test_things_that_have_grown_push_out_the_longest_unused_but_not_the_last():
    recent = Recent(limit=10, most=9)

    def new(key):
        return program()

    a, b = (recent.get((key,), lambda key: program(4)) for key in "ab")
    b.nbytes = 7
    recent.trim()
    assert recent.get(("b",), new) is b
    assert recent.get(("a",), new) is not a
    b.nbytes = 100
    recent.trim()
    assert list(recent._things) == [("a",)]
    assert recent.get(("b",), lambda key: b) is b
    assert list(recent._things) == [("b",)]
