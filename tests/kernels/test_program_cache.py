"""Programs that wait: lent to one user at a time, and forgotten in the order of their last use."""

from types import SimpleNamespace

from tinygrad_ugan.kernels.program_cache import LRUCache, ProgramPool


def program(nbytes=1):
    return SimpleNamespace(nbytes=nbytes)


def test_a_program_is_lent_once():
    pool, one, other = ProgramPool(max_bytes=10, max_entries=9), program(), program()
    assert pool.acquire("key") is None
    pool.release("key", one)
    pool.release("key", other)
    taken = [pool.acquire("key") for _ in range(3)]
    assert taken[2] is None
    assert {id(p) for p in taken[:2]} == {id(one), id(other)}
    assert pool.acquire("another key") is None


def test_the_longest_unused_is_forgotten_first():
    pool = ProgramPool(max_bytes=3, max_entries=9)
    kept = {key: program() for key in "abc"}
    for key, x in kept.items():
        pool.release(key, x)
    pool.release("a", pool.acquire("a"))
    pool.release("d", program(nbytes=1))
    assert pool.acquire("b") is None
    assert pool.acquire("a") is kept["a"]
    assert pool.acquire("c") is kept["c"]


def test_what_is_larger_than_the_limit_is_not_kept():
    pool = ProgramPool(max_bytes=3, max_entries=9)
    pool.release("a", program())
    pool.release("b", program(nbytes=4))
    assert pool.acquire("a") is None
    assert pool.acquire("b") is None
    pool.release("a", program())
    assert pool.acquire("a") is not None


def test_no_more_than_so_many_are_kept_and_none_that_is_in_use():
    pool = ProgramPool(max_bytes=100, max_entries=2)
    for key in "aab":
        pool.release(key, program())
    assert pool.acquire("a") is not None  # one of the two
    for key in "bc":
        pool.release(key, program())
    assert pool.acquire("a") is None
    assert len(pool.idle()) == 2
    assert pool.acquire("c") is not None
    assert len(pool._idle) == 1


def test_what_is_in_common_use_is_made_once_and_the_longest_unused_is_forgotten():
    recent, made = LRUCache(max_bytes=100, max_entries=2), []

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
    recent = LRUCache(max_bytes=10, max_entries=9)

    def new(key):
        return program()

    a, b = (recent.get((key,), lambda key: program(4)) for key in "ab")
    b.nbytes = 7
    recent.trim()
    assert recent.get(("b",), new) is b
    assert recent.get(("a",), new) is not a
    b.nbytes = 100
    recent.trim()
    assert list(recent._entries) == [("a",)]
    assert recent.get(("b",), lambda key: b) is b
    assert list(recent._entries) == [("b",)]
