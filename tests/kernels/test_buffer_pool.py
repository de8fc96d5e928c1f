import numpy as np

from tinygrad_ugan.kernels.buffer_pool import BufferPool


def place(x):
    return x.__array_interface__["data"][0]


def test_lent_memory_comes_back_with_the_last_array_on_it():
    pool = BufferPool(4096)
    memory = pool.acquire_array()
    assert memory.size == 4096
    assert memory.flags.writeable
    assert place(memory) % 64 == 0
    where, view = place(memory), memory.view(np.float32)[1:-1].reshape(2, -1)[1]
    del memory
    assert place(pool.acquire_array()) != where
    del view
    taken = [pool.acquire() for _ in range(3)]
    assert where in map(place, taken)


def test_no_more_is_kept_than_there_should_be():
    pool = BufferPool(BufferPool._MAX_BYTES // 2)
    for memory in [pool.acquire() for _ in range(3)]:
        pool.release(memory)
    assert len(pool._free) == 2
