"""The table of derivatives, one line a function, in files by kind of operation.

`TABLE` maps every NumPy function to its primitive; `COMPOSITES` maps the functions that are
written in terms of others; `CONSTANTS` are those whose derivative is zero wherever it exists.
"""

from tinygrad_ugan.autodiff.rules import elementwise, linalg, reductions, shape

PRIMITIVES = (*elementwise.RULES, *reductions.RULES, *shape.RULES, *linalg.RULES)
TABLE = {rule.function: rule for rule in PRIMITIVES}
COMPOSITES = {**reductions.COMPOSITES, **shape.COMPOSITES, **linalg.COMPOSITES}
CONSTANTS = frozenset({*elementwise.CONSTANTS, *reductions.CONSTANTS, *shape.CONSTANTS})

__all__ = ["COMPOSITES", "CONSTANTS", "PRIMITIVES", "TABLE"]
