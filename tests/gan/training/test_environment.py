import platform

from tinygrad_ugan.gan.training.environment import environment
from tinygrad_ugan.kernels.target import host_target


def test_it_names_versions_machine_vector_set_and_thread_limits(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    environment.cache_clear()
    found = environment()
    environment.cache_clear()
    assert found["python"] == platform.python_version()
    assert found["machine"] == platform.platform()
    assert found["vector_set"] == host_target().name
    assert found["OMP_NUM_THREADS"] == "1"
    assert {"numpy", "scipy", "numba"} <= found.keys()
