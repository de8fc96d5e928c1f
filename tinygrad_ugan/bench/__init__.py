"""The speed of the exact gradient, against the hardware's limit and other libraries.

`workloads` are the games that are timed, `libraries` the gradient as each library writes it, and
`limit` the multiply-adds that it takes at least. `worker` runs a library in a process of its own,
`measure` lets all take turns, and `report` shows and writes what came out, with the `machine`.
"""

from tinygrad_ugan.bench.libraries import OURS, RIVALS, UnsuitableError
from tinygrad_ugan.bench.limit import MultiplyAdds, multiply_adds
from tinygrad_ugan.bench.machine import machine
from tinygrad_ugan.bench.measure import Arena, DisagreementError, Measurement, Timing, quick
from tinygrad_ugan.bench.report import table, write
from tinygrad_ugan.bench.worker import LIMIT, Worker
from tinygrad_ugan.bench.workloads import WORKLOADS, Workload

__all__ = [
    "LIMIT",
    "OURS",
    "RIVALS",
    "WORKLOADS",
    "Arena",
    "DisagreementError",
    "Measurement",
    "MultiplyAdds",
    "Timing",
    "UnsuitableError",
    "Worker",
    "Workload",
    "machine",
    "multiply_adds",
    "quick",
    "table",
    "write",
]
