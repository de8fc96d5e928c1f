"""How fast the exact gradient is: against the hardware's limit, and against other libraries."""

from tinygrad_ugan.bench.contenders import LIMIT
from tinygrad_ugan.bench.libraries import OURS, RIVALS, UnsuitableError
from tinygrad_ugan.bench.limit import MultiplyAdds
from tinygrad_ugan.bench.machine import machine
from tinygrad_ugan.bench.measure import Arena, DisagreementError, Figure
from tinygrad_ugan.bench.multiply_adds import multiply_adds
from tinygrad_ugan.bench.quick import quick
from tinygrad_ugan.bench.report import Record, table, write
from tinygrad_ugan.bench.worker import Worker
from tinygrad_ugan.bench.workloads import WORKLOADS, Workload

__all__ = [
    "LIMIT",
    "OURS",
    "RIVALS",
    "WORKLOADS",
    "Arena",
    "DisagreementError",
    "Figure",
    "MultiplyAdds",
    "Record",
    "UnsuitableError",
    "Worker",
    "Workload",
    "machine",
    "multiply_adds",
    "quick",
    "table",
    "write",
]
