"""Names that are not ours, as matplotlib shows them letter by letter."""

from __future__ import annotations

from tinygrad_ugan.errors import printable

_LONGEST = 60  # letters that a picture has room for


def plain(name: str) -> str:
    r"""Return a text that matplotlib draws as `name`: no formulas, and not left out of a legend.

    Control characters become their escapes, and a long name loses its middle.

    Examples
    --------
    >>> print(plain("$x"), plain("_a"), plain("a\nb"))
    \$x  _a a\nb
    """
    name = printable(name)
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST // 2]}...{name[3 - _LONGEST // 2 :]}"
    hidden = " " if name.startswith("_") else ""  # a legend leaves such names out
    return hidden + name.replace("$", r"\$")
