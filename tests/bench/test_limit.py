"""The loop that measures the multiply-add limit is made of what it claims."""

import re
import time

import pytest

from tinygrad_ugan.bench.limit import MultiplyAdds, Vectors, host_vectors, loop_source


@pytest.mark.parametrize(
    ("dtype", "kind", "lanes"), [("float32", "float", 8), ("float64", "double", 4)]
)
def test_a_turn_is_one_vector_multiply_add_for_every_chain(dtype, kind, lanes):
    source = loop_source(dtype, Vectors(bytes=32, chains=5))
    calls = re.findall(rf"call <{lanes} x {kind}> @\"llvm\.fma\.", source)
    assert len(calls) == 5
    assert "load" not in source
    assert "store" not in source


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_host_keeps_its_pace_over_the_count(dtype):
    """Time grows with the count: the loop is not optimised away."""
    limit = MultiplyAdds(dtype, threads=1)

    def best(count):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            limit(count)
            times.append(time.perf_counter() - start)
        return min(times)

    assert best(4 * 10**8) > 8 * best(10**7)


def test_the_widest_vectors_are_a_power_of_two():
    assert host_vectors().bytes in (16, 32, 64)
