"""Labels from arbitrary names, which matplotlib would take for formulas or hide."""

from __future__ import annotations

from tinygrad_ugan.errors import printable

_LONGEST = 60  # characters; pictures have no room for more


def plain(name: str) -> str:
    r"""Return text that matplotlib draws literally as `name`, and does not omit from legends.

    Control characters are escaped, and the middle of a long name is left out.

    Examples
    --------
    >>> print(plain("$x"), plain("_a"), plain("a\nb"))
    \$x  _a a\nb
    """
    name = printable(name)
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST // 2]}...{name[3 - _LONGEST // 2 :]}"
    hidden = " " if name.startswith("_") else ""  # legends omit names with an underscore first
    return hidden + name.replace("$", r"\$")
