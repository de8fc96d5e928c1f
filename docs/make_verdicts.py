"""Write docs/verdicts.md from the table of verdicts: ``python -m docs.make_verdicts``."""

from __future__ import annotations

from pathlib import Path

from tinygrad_ugan.check import VERDICTS

PAGE = Path(__file__).with_name("verdicts.md")

HEAD = """\
# What each verdict means

Written by `make docs-table` from `tinygrad_ugan/check/audit/verdicts.py`; do not edit.

`ug.check.audit` compares a gradient with d f_K / d theta_G and with what code computes in its
place when it makes a known mistake. These are its verdicts, from the most favourable down; where
several fit, because the game at this point cannot tell them apart, the first of them is given and
the others are named. [How to audit your own code](audit.md).

With f_K(theta_G) = outer(theta_G, theta_D^K), theta_{k+1} = theta_k + eta_k g_k, where g_k is the
gradient of inner in theta_k; lambda_k = d f_K / d theta_k; c_k is what step k contributes.
"""


def render() -> str:
    """The page."""
    parts = [HEAD]
    for name, meaning in VERDICTS.items():
        parts.append(
            f"\n## {name}\n\n"
            f"*{meaning.words[0].upper()}{meaning.words[1:]}.*\n\n"
            f"Computed: `{meaning.formula}`.\n\n"
            f"{meaning.cause}\n\n"
            f"**What to do:** {meaning.cure[0].lower()}{meaning.cure[1:]}\n"
        )
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
