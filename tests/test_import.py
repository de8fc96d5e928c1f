"""What importing the package brings in."""

import subprocess
import sys

LATER = ("matplotlib", "llvmlite", "numba", "scipy", "PIL", "rich", "tyro", "hypothesis", "pytest")


def test_import_leaves_what_is_not_always_needed_for_later():
    check = f"import sys, tinygrad_ugan; print([m for m in {LATER} if m in sys.modules])"
    command = [sys.executable, "-c", check]
    imported = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert imported.strip() == "[]"
