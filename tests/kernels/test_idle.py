"""Programs that wait: lent to one user at a time, and forgotten in the order of their last use."""

from types import SimpleNamespace

from tinygrad_ugan.kernels.idle import Idle


def program(nbytes=1):
    return SimpleNamespace(nbytes=nbytes)


def test_a_program_is_lent_once():
    idle, one, other = Idle(limit=10), program(), program()
    assert idle.take("key") is None
    idle.put("key", one)
    idle.put("key", other)
    taken = [idle.take("key") for _ in range(3)]
    assert taken[2] is None
    assert {id(p) for p in taken[:2]} == {id(one), id(other)}
    assert idle.take("another key") is None


def test_the_longest_unused_is_forgotten_first():
    idle = Idle(limit=3)
    kept = {key: program() for key in "abc"}
    for key, x in kept.items():
        idle.put(key, x)
    idle.put("a", idle.take("a"))
    idle.put("d", program(nbytes=1))
    assert idle.take("b") is None
    assert idle.take("a") is kept["a"]
    assert idle.take("c") is kept["c"]


def test_what_is_larger_than_the_limit_is_not_kept():
    idle = Idle(limit=3)
    idle.put("a", program())
    idle.put("b", program(nbytes=4))
    assert idle.take("a") is None
    assert idle.take("b") is None
    idle.put("a", program())
    assert idle.take("a") is not None
