"""HIPS Autograd's own tests and examples, run against this engine: ``make peers``.

Nothing of Autograd is in this repository. Its source distribution comes from PyPI, or is the folder
that the environment variable PEERS_SOURCE names. Its tests import the look-alike beside this file,
which has Autograd's names and this engine beneath. Its examples run twice, with Autograd and with
the look-alike, and their first gradients are compared. What is left out, and why, is in `left_out`.
"""

import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import left_out
import numpy as np

VERSION = "1.9.1"
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORK = ROOT / "build" / "peers"
LOOKALIKE = HERE / "lookalike"

# A few roundings of a long example, relative to its largest number.
TOLERANCE = 1e-9
SECONDS = 900

SHARE_OF_TESTS, EXAMPLES = 0.97, 30


def main():
    """Run both; exit with 1 if one falls short of what is promised."""
    WORK.mkdir(parents=True, exist_ok=True)
    source = get_source()
    share = run_tests(source)
    agreeing = run_examples(source)
    sys.exit(int(share < SHARE_OF_TESTS or agreeing < EXAMPLES))


def get_source():
    """The folder with Autograd's package, tests and examples."""
    if "PEERS_SOURCE" in os.environ:
        return Path(os.environ["PEERS_SOURCE"]).resolve()
    folder = WORK / f"autograd-{VERSION}"
    if not folder.exists():
        name = f"autograd=={VERSION}"
        options = ["--no-deps", "--no-binary", "autograd", "--dest", str(WORK), "--quiet"]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, name], check=True)
        with tarfile.open(WORK / f"autograd-{VERSION}.tar.gz") as archive:
            archive.extractall(WORK, filter="data")
    return folder


def environment(*paths):
    """This process's environment with other places to import from."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "MPLBACKEND": "Agg"}


def run_tests(source):
    """The share of the applicable tests that pass."""
    report = WORK / "tests.xml"
    options = ["-q", "--tb=line", "-c", os.devnull, "-p", "no:cacheprovider", "-p", "plugin"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--junitxml={report}", str(source / "tests")],
        env=environment(LOOKALIKE, HERE, ROOT),
        stdout=subprocess.DEVNULL,
        check=False,
    )
    reasons, failed, passed = Counter(), [], 0
    for case in ET.parse(report).iter("testcase"):  # noqa: S314  (pytest wrote it just now)
        skipped = case.find("skipped")
        if skipped is not None:
            reasons[skipped.get("message")] += 1
        elif case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname')}::{case.get('name')}")
        else:
            passed += 1
    applicable = passed + len(failed)
    for file, reason in left_out.FILES.items():
        print(f"left out, {file}: {reason}")
    for reason, number in reasons.most_common():
        print(f"left out, {number:3}: {reason}")
    print("\n".join(f"failed: {name}" for name in failed))
    print(f"tests: {passed} of {applicable} that apply pass ({passed / applicable:.1%})\n")
    return passed / applicable


def run_examples(source):
    """How many of the examples run and have Autograd's gradients."""
    folder = source / "examples"
    files = [p for p in sorted(folder.rglob("*.py")) if p.stem not in left_out.HELPERS]
    agreeing = 0
    for path in files:
        name = path.relative_to(folder).as_posix()
        if name in left_out.EXAMPLES:
            print(f"{name:40} left out: {left_out.EXAMPLES[name]}", flush=True)
            continue
        ours, theirs = gradients(path, LOOKALIKE, ROOT), gradients(path, source)
        verdict, agrees = compare(ours, theirs)
        agreeing += int(agrees)
        print(f"{name:40} {verdict}", flush=True)
    print(f"examples: {agreeing} of {len(files)} agree with Autograd")
    return agreeing


def gradients(path, *imports):
    """The gradients of an example in order; the last line of its error if it fails."""
    record = WORK / "record.npz"
    record.unlink(missing_ok=True)
    command = [sys.executable, "-W", "ignore", str(HERE / "example.py"), str(path), str(record)]
    done = subprocess.run(
        command,
        env=environment(*imports),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    with np.load(record) as arrays:
        return [arrays[name] for name in arrays.files]


def compare(ours, theirs):
    """What to say of an example, and whether it agrees."""
    for who, outcome in (("with Autograd", theirs), ("here", ours)):
        if isinstance(outcome, str):
            return f"fails {who}: {outcome}", False
    if [x.shape for x in ours] != [x.shape for x in theirs]:
        return f"{len(ours)} gradients here, {len(theirs)} with Autograd", False
    if not ours:
        return "runs, and takes no gradient", True
    pairs = zip(ours, theirs, strict=True)
    error = max(np.max(abs(x - y)) / max(np.max(abs(y)), 1e-300) for x, y in pairs)
    plural = "s" if len(ours) > 1 else ""
    verdict = f"{len(ours)} gradient{plural}, largest relative difference {error:.1e}"
    return verdict, error <= TOLERANCE


if __name__ == "__main__":
    main()
