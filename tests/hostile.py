"""Makes run folders, settings, archives and games that somebody has tampered with.

Each generator draws from a seeded `random.Random` and yields what is to be refused, with a word or
two on what was done. Checksums are always right: what is wrong is what the files say.
"""

import copy
import io
import json
import os
import shutil
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import tomli_w

from tests.gan.small import SMALL
from tinygrad_ugan import gan
from tinygrad_ugan.check.audit.game_file import GameFile
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.runs import atomic_io, checkpoint_files

LAST = "checkpoints/00000004"
JSON, ARRAYS = "state.json", "state.safetensors"
NAN = "a NaN as JSON does not know it"
DEEP_JSON = "[" * 100_000
WILD = {"generator_optimizer": {"method": "sgd", "lr": 1e30}, "steps": 20}


def make_runs(folder):
    """A run that ended well, and one that left the finite numbers."""
    gan.train(SMALL, folder=folder / "good")
    try:
        gan.train(SMALL.updated(WILD), folder=folder / "wild")
    except ArgumentError:
        return
    raise AssertionError("it was to fail")


# Run folders


def forged_runs(rng, base, folder, count):
    """Folders with a forged checkpoint, the command to try them with, and what was done."""
    commands = ["sample", "resume", "report", "replay", "compare"]
    for i in range(count):
        command = commands[i % len(commands)]
        source, place = ("wild", "failure/last-good") if command == "replay" else ("good", LAST)
        name = f"{i}/unroll.steps=2,seed=0" if command == "compare" else str(i)
        run = Path(shutil.copytree(base / source, folder / name))
        done = rng.choice(FORGERIES)(rng, run / place)
        yield command, run, done


def forge_json(rng, place):
    """Change, remove or add a value anywhere."""
    files = atomic_io.read_folder(place, (ARRAYS, JSON))
    tree = json.loads(files[JSON])
    path = rng.choice(list(paths(tree)))
    how = rng.choice(["change", "remove", "add"])
    if how == "change":
        put(tree, path, rng.choice(wrong_values(tree, path)))
    elif how == "remove" and isinstance(path[-1], str) and not may_be_missing(path):
        parent(tree, path).pop(path[-1])
    else:
        free = {"environment", "own", "ema"}  # may have any names
        table = rng.choice([p for p in paths(tree, tables=True) if free.isdisjoint(p)])
        at(tree, table)[f"q{rng.randrange(100)}"] = rng.choice([1, "x", None])
    text = json.dumps(tree).replace(json.dumps(NAN), "NaN")
    atomic_io.write_folder(place, files | {JSON: text.encode()})
    return f"{how} {path}"


def may_be_missing(path):
    """Whether a value is not checked, or is filled in as an earlier version left it out."""
    later = {("config", *name.split(".")) for name in checkpoint_files._LATER_SETTINGS}
    columns = path[0] == "metrics" and path[-1] in checkpoint_files._LATER_COLUMNS
    return "environment" in path or columns or tuple(path) in later


def forge_text(rng, place):
    """Write something that is no such JSON at all."""
    files = atomic_io.read_folder(place, (ARRAYS, JSON))
    text = files[JSON].decode()
    texts = {
        "deep": DEEP_JSON.encode(),
        "deep value": text.replace('"environment": {', f'"environment": {DEEP_JSON}', 1).encode(),
        "not UTF-8": b"\xff\xfe" + text.encode(),
        "UTF-16": text.encode("utf-16-be"),
        "empty": b"",
        "null": b"null",
        "a list": b"[]",
        "nearly nothing": b'{"format": 2}',
        "twice": text.replace('"step":', '"step": 4, "step":', 1).encode(),
        "twice inside": text.replace('"seed":', '"seed": 7, "seed":', 1).encode(),
        "many digits": text.replace('"seconds":', f'"x": {"9" * 5000}, "seconds":').encode(),
        "a word for the format": text.replace(
            f'"format": {checkpoint_files.FORMAT}', '"format": "three"'
        ).encode(),
    }
    name = rng.choice(list(texts))
    atomic_io.write_folder(place, files | {JSON: texts[name]})
    return f"text: {name}"


def forge_meaning(rng, place):
    """Values of the right types that do not fit together."""
    files = atomic_io.read_folder(place, (ARRAYS, JSON))
    tree = json.loads(files[JSON])
    state = tree["draws"]["state"]
    other = {
        "another step": lambda: tree.update(step=tree["step"] + 1),
        "rows twice": lambda: tree["metrics"].append(tree["metrics"][-1]),
        "rows of the future": lambda: tree["metrics"][-1].update(step=10**6),
        "rows backwards": lambda: tree["metrics"].insert(0, {**tree["metrics"][0], "step": 3}),
        "another stream": lambda: state.update(inc=state["inc"] + 2),
        "a state of 129 bits": lambda: state.update(state=2**128),
        "another generator": lambda: tree["draws"].update(bit_generator="MT19937"),
        "wider": lambda: tree["config"]["networks"].update(generator=[9]),
        "enormous": lambda: tree["config"]["networks"].update(generator=[100_000] * 100),
        "deeper": lambda: tree["config"]["networks"].update(discriminator=[8, 8]),
        "more noise": lambda: tree["config"]["networks"].update(noise=100_000),
        "finer": lambda: tree["config"].update(precision="float64"),
        "other optimiser": lambda: tree["config"]["discriminator_optimizer"].update(method="sgd"),
        "more steps of D": lambda: tree["config"]["update"].update(discriminator_steps=2),
        "another seed": lambda: tree["config"].update(seed=5),
        "more dimensions": lambda: tree["config"].update(data=gan.Embedded().to_dict()),
        "older format": lambda: tree.update(format=1),
        "newer format": lambda: tree.update(format=2**70),
    }
    if not tree["metrics"]:
        other = {name: change for name, change in other.items() if "rows" not in name}
    if "last-good" in place.name:  # of step 0, after which any number of steps of D is 0 steps
        other.pop("more steps of D")
    name = rng.choice(list(other))
    other[name]()
    atomic_io.write_folder(place, files | {JSON: json.dumps(tree).encode()})
    return f"meaning: {name}"


def forge_arrays(rng, place):
    """Change names, shapes, dtypes or numbers of arrays."""
    files = atomic_io.read_folder(place, (ARRAYS, JSON))
    arrays = read_arrays(files[ARRAYS])
    name = rng.choice(list(arrays))
    x = arrays[name]
    floating = x.dtype.kind == "f"
    ways = {
        "drop": lambda: None if not name.startswith("pictures") else np.zeros((3, 2), x.dtype),
        "half": lambda: x.astype(np.float16),
        "double": lambda: x.astype(np.float64 if x.dtype != np.float64 else np.float32),
        "complex": lambda: x.astype(np.complex64),
        "bytes": lambda: x.astype(np.uint8),
        "bool": lambda: x.astype(bool),
        "longer": lambda: np.concatenate([np.atleast_1d(x), np.atleast_1d(x)]),
        "deeper": lambda: x[None],
        "empty": lambda: np.zeros((0, 4), x.dtype),
        "flat": lambda: x.reshape(-1) if x.ndim == 2 else x[None],
    }
    if x.ndim == 2 and x.shape[0] != x.shape[1]:
        ways["transposed"] = lambda: np.ascontiguousarray(x.T)
    if floating and not name.startswith("pictures"):
        ways["NaN"] = lambda: spoiled(rng, x, np.nan)
        ways["negative infinity"] = lambda: spoiled(rng, x, -np.inf)
    if not floating:
        ways["another number"] = lambda: x + rng.choice([-10, 1, 10**12])
    way = rng.choice(list(ways))
    changed = ways[way]()
    if changed is None:
        del arrays[name]
    else:
        arrays[name] = changed
    atomic_io.write_folder(place, files | {ARRAYS: write_arrays(arrays)})
    return f"{way} {name}"


def forge_names(rng, place):
    """Give arrays names that are not theirs."""
    files = atomic_io.read_folder(place, (ARRAYS, JSON))
    arrays = read_arrays(files[ARRAYS])
    extra = rng.choice(
        ["state", "pictures.", "pictures.x", "pictures.-1", "pictures.03", "pictures.3", "",
         "a[/b]", "pictures." + "9" * 400, "state.theta_g[7]['w']", "\x1b[31m", "$\\foo$"]
    )  # fmt: skip
    arrays[extra] = np.zeros((50, 2), np.float32)
    atomic_io.write_folder(place, files | {ARRAYS: write_arrays(arrays)})
    return f"array {extra[:20]!r}"


def forge_header(rng, place):
    """A file of arrays whose header is bad."""
    files = atomic_io.read_folder(place, (ARRAYS, JSON))
    content = files[ARRAYS]
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    some = rng.choice([name for name in header if name != "__metadata__"])
    offsets = header[some]["data_offsets"]
    wrong = {
        "dtype": "F9", "shape": [2**40, 2**40], "data_offsets": [offsets[0], offsets[1] + 4],
    }  # fmt: skip
    field = rng.choice(list(wrong))
    changed = copy.deepcopy(header)
    changed[some][field] = wrong[field]
    headless = copy.deepcopy(header)
    del headless[some][field]
    contents = {
        "2^60": struct.pack("<Q", 2**60) + content[8:],
        "2^64 - 1": struct.pack("<Q", 2**64 - 1) + content[8:],
        "short": content[: rng.randrange(8)],
        "cut": content[: rng.randrange(8, len(content))],
        "longer": content + b"\0" * rng.randrange(1, 9),
        "no JSON": struct.pack("<Q", 4) + b"abcd" + data,
        "deep": pack(DEEP_JSON.encode(), data),
        "not UTF-8": pack(b'{"\xff": 1}', data),
        f"wrong {field}": pack(json.dumps(changed).encode(), data),
        f"no {field}": pack(json.dumps(headless).encode(), data),
        "negative": pack(json.dumps(header).replace("[0, ", "[-4, ").encode(), data),
    }
    name = rng.choice(list(contents))
    atomic_io.write_folder(place, files | {ARRAYS: contents[name]})
    return f"header: {name}"


def forge_files(rng, place):
    """Things that are no files, where files are expected."""
    file = place / rng.choice([ARRAYS, JSON, atomic_io.SUMS])
    file.unlink()
    how = rng.choice(["nothing", "a folder", "a pipe", "a device", "a loop", "text"])
    if how == "a folder":
        file.mkdir()
    elif how == "a pipe":
        os.mkfifo(file)
    elif how == "a device":
        file.symlink_to("/dev/zero")
    elif how == "a loop":
        file.symlink_to(file.name)
    elif how == "text":
        file.write_text("x" * 100)
    return f"{how} for {file.name}"


FORGERIES = [
    forge_json, forge_json, forge_json, forge_text, forge_meaning, forge_meaning,
    forge_arrays, forge_arrays, forge_names, forge_header, forge_files,
]  # fmt: skip


def paths(tree, place=(), *, tables=False):
    """The way to every value that is no table, or to every table."""
    if isinstance(tree, dict):
        if tables:
            yield place
        for name, value in tree.items():
            yield from paths(value, (*place, name), tables=tables)
    elif isinstance(tree, list) and tree and isinstance(tree[0], dict):
        for i, value in enumerate(tree):
            yield from paths(value, (*place, i), tables=tables)
    elif not tables:
        yield place


def at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def parent(tree, path):
    return at(tree, path[:-1])


def put(tree, path, value):
    parent(tree, path)[path[-1]] = value


def wrong_values(tree, path):
    """Values that cannot be there."""
    wrong = [{"x": 1}, [[1]], NAN, True]
    if isinstance(at(tree, path), bool):
        wrong[-1] = 1
    if path[0] == "environment":
        return [*wrong, 1, None]
    wrong.append(10**400)
    if path[-1] not in NAMES:
        wrong += ["x[/a]", "\x1b[2J"]
    may_be_none = path[0] == "config" and at(tree, path) is None
    return wrong if may_be_none else [*wrong, None]


def spoiled(rng, x, value):
    x = x.copy()
    x.flat[rng.randrange(x.size)] = value
    return x


SHORT = {
    "float32": "F32", "float64": "F64", "int64": "I64", "float16": "F16", "uint8": "U8",
    "bool": "BOOL", "complex64": "C64",
}  # fmt: skip


def pack(header, data):
    return struct.pack("<Q", len(header)) + header + data


def read_arrays(content):
    import safetensors.numpy

    return safetensors.numpy.load(content)


def write_arrays(arrays):
    """The format of safetensors, whatever the arrays."""
    header, data = {}, b""
    for name, x in arrays.items():
        raw = np.ascontiguousarray(x).tobytes()
        header[name] = {
            "dtype": SHORT[str(x.dtype)], "shape": list(x.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }  # fmt: skip
        data += raw
    return pack(json.dumps(header).encode(), data)


# Settings


def leaves(group, place=""):
    for name, value in group.items():
        nested = isinstance(value, dict)
        yield from leaves(value, f"{place}{name}.") if nested else [(place + name, value)]


NAMES = {"game", "registered", "metric"}  # any of which there may be
FIELDS = {
    name: value
    for name, value in leaves(gan.Config().to_dict())
    if name not in ("data.kind", "penalty.kind") and name.rpartition(".")[2] not in NAMES
}
TOO_LARGE = (10**12, 2**63, 2**64, 10**30, 10**400)
COMBINATIONS = [  # each setting within its bounds, and all together more than any machine has
    {"batch": 10**8, "networks.noise": 10**5},
    {"evaluation_samples": 10**8, "networks.generator": [10**5]},
    {"networks.generator": [10**5] * 100},
    {"networks.discriminator": [10**5] * 100, "unroll.steps": 10**4},
    {"unroll.fresh": True, "unroll.steps": 10**4, "batch": 10**7},
    {"update.discriminator_steps": 10**4, "batch": 10**7},
    {"data.modes": 10**5, "evaluation_samples": 10**8},
    {"pictures": 400, "evaluation_samples": 10**8},
]


def hostile_settings(rng, folder, count):
    """Arguments of the command line that ask for too much, and what they ask for."""
    for i in range(count):
        way = rng.choice(["flag", "flag", "json", "toml", "vary", "combination", "text", "other"])
        yield WAYS[way](rng, folder / f"settings-{i}")


def too_much(rng):
    """A setting, and a value that is beyond its largest."""
    name = rng.choice(sorted(FIELDS))
    value = FIELDS[name]
    if isinstance(value, bool) or (isinstance(value, str) and value):
        return name, rng.choice(["x" * 10**5, "x[/a]", "$\\foo$", "\x1b[2J", "nan\n\nnan"])
    if isinstance(value, list):
        return name, rng.choice([[n] for n in TOO_LARGE] + [[1] * 10**4, [2] * 101])
    if isinstance(value, int) or name in ("threads", "unroll.truncate"):
        return name, rng.choice(TOO_LARGE[1:] if name == "seed" else TOO_LARGE)
    return name, rng.choice([1.1e300, 1e308, 10**301, 10**400])


def write_settings(file, tree):
    """JSON or TOML, as the suffix says."""
    text = json.dumps(tree) if file.suffix == ".json" else tomli_w.dumps(tree)
    file.write_text(text)
    return ["--config", str(file)]


def nested(name, value):
    for part in reversed(name.split(".")):
        value = {part: value}
    return value


def by_flag(rng, place):
    name, value = too_much(rng)
    while isinstance(value, list | bool) or isinstance(FIELDS[name], bool):
        name, value = too_much(rng)
    value = "9" * 4300 if value == 10**400 else value
    command = rng.choice(["train", "compare", "sweep"])
    return [command, f"--{name.replace('_', '-')}={value}"], name


def by_json(rng, place):
    name, value = too_much(rng)
    file = place.with_suffix(".json")
    return ["train", *write_settings(file, nested(name, value))], name


def by_toml(rng, place):
    name, value = too_much(rng)
    while isinstance(value, str) and not value.isprintable():
        name, value = too_much(rng)
    return ["compare", *write_settings(place.with_suffix(".toml"), nested(name, value))], name


def by_vary(rng, place):
    name, value = too_much(rng)
    while isinstance(value, str):
        name, value = too_much(rng)
    return ["sweep", "--vary", f"{name}={json.dumps(value)}"], name


def by_combination(rng, place):
    tree = {}
    for name, value in rng.choice(COMBINATIONS).items():
        group, _, leaf = name.rpartition(".")
        (tree.setdefault(group, {}) if group else tree)[leaf] = value
    command = rng.choice(["train", "compare", "sweep"])
    return [command, *write_settings(place.with_suffix(".json"), tree)], "memory"


def by_text(rng, place):
    """Files that are no settings."""
    suffix = rng.choice(list(NO_SETTINGS))
    file = place.with_suffix(suffix)
    file.write_bytes(rng.choice(NO_SETTINGS[suffix]))
    return ["train", "--config", str(file)], "text"


NO_SETTINGS = {
    ".json": [
        DEEP_JSON.encode(), b'{"a":' * 50_000, b"\xff", b"", b"null", b'{"seed": 1, "seed": 2}',
        b'{"seed": ' + b"9" * 5000 + b"}", b"{" + b'"x": 1,' * 200_000, b'{"batch": 1e400}',
    ],
    ".toml": [
        b"a = " + DEEP_JSON.encode(), b"[" + b"a." * 50_000 + b"a]", b"\xff", b"seed = 1\nseed = 2",
        b"seed = " + b"9" * 5000, b"#" * 2**21, b"seed = nan", b"batch = 1979-05-27",
    ],
}  # fmt: skip


def by_other(rng, place):
    """Other arguments, and places that are no files."""
    pipe, device = place.with_suffix(".json"), place.with_suffix(".toml")
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    return rng.choice([
        ["train", "--config", str(pipe)],
        ["train", "--config", str(device)],
        ["train", "--config", "x" * 5000 + ".json"],
        ["train", "--out", "x" * 5000],
        ["compare", "--seeds", str(2**63)],
        ["compare", "--unroll-steps", str(10**30)],
        ["sweep", "--seeds", "0", str(10**30)],
        ["sweep", "--workers", str(10**9)],
        ["run", "bilinear", "--quick", "--seeds", str(10**30)],
        ["bench", "--threads", str(2**63)],
        ["train", "--x[/a]", "1"],
        ["train", "$\\foo$"],
        ["x[/a]\x1b[2J"],
    ]), "other"  # fmt: skip


WAYS = {
    "flag": by_flag, "json": by_json, "toml": by_toml, "vary": by_vary,
    "combination": by_combination, "text": by_text, "other": by_other,
}  # fmt: skip


# Archives and games

GAME = {"steps": 2, "generator": {"sizes": [3, 4, 2]}, "discriminator": {"sizes": [2, 1]}}
SHAPES = {
    "theta_g.0.w": (3, 4), "theta_g.0.b": (4,), "theta_g.1.w": (4, 2), "theta_g.1.b": (2,),
    "theta_d.0.w": (2, 1), "theta_d.0.b": (1,), "gradient": (26,), "real": (5, 2), "noise": (5, 3),
}  # fmt: skip
CALLABLES = [
    "..:x", ".:x", ":", "x:", ":x", "", "a b:c", "os:system", "os:getcwd", "builtins:exit", "1:2",
    "sys:exit", "builtins:print", "builtins:len", "json:loads", "os:sep", "os.path:join", "x[/a]:y",
    "no.such:thing", "numpy:nothing", "\x1b[2J:x", "builtins:open", "builtins:__import__",
    "math:sqrt", "numpy:zeros",
]  # fmt: skip


def hostile_audits(rng, folder, count):
    """Arguments of ``ugan audit``, and what is wrong with them."""
    for i in range(count):
        place = folder / f"audit-{i}"
        place.mkdir()
        game, archive = place / "game.toml", place / "gradient.npz"
        game.write_text(tomli_w.dumps(GAME))
        np.savez(archive, **numbers())
        arguments = ["audit", "--gradient", str(archive), "--game", str(game)]
        way = rng.choice(["array", "array", "member", "zip", "game", "game", "callable", "file"])
        if way == "callable":
            name = rng.choice(CALLABLES)
            more = ["--game", str(game)] if rng.random() < 0.5 else []
            yield ["audit", f"--callable={name}", *more], name
        else:
            yield arguments, f"{way}: {SPOILS[way](rng, game, archive)}"


def numbers():
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}


def spoil_array(rng, game, archive):
    """An array that is not what the game needs."""
    arrays = numbers()
    name = rng.choice(list(arrays))
    x = arrays[name]
    ways = {
        "NaN": lambda: spoiled(rng, x, np.nan),
        "infinity": lambda: spoiled(rng, x, np.inf),
        "complex": lambda: x.astype(complex),
        "words": lambda: x.astype(str),
        "objects": lambda: x.astype(object),
        "dates": lambda: x.astype("M8[s]"),
        "structures": lambda: x.astype([("a", float)]),
        "one more": lambda: np.concatenate([x, x, x[:1]]),
        "deeper": lambda: x[None, None],
        "scalar": lambda: np.float64(1.0),
        "empty": lambda: x[:0],
    }
    if name in ("real", "noise"):
        del ways["one more"]  # as many rows as one likes
    way = rng.choice(list(ways))
    if rng.random() < 0.2:
        del arrays[name]
        way = "missing"
    elif rng.random() < 0.2:
        arrays[rng.choice(["x[/a]", "gradient.0.w", "theta_g.9.w", "\x1b", "a/../b"])] = x
        way = "one more name"
    else:
        arrays[name] = ways[way]()
    np.savez(archive, **arrays)
    return f"{way} {name}"


def npy(header, data=b""):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def spoil_member(rng, game, archive):
    """A member that is no array."""
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': %s}"
    contents = {
        "text": b"hello",
        "empty": b"",
        "huge": npy(header % "(1000000000000,)"),
        "huge twice": npy(header % "(4294967296, 4294967296)"),
        "negative": npy(header % "(-1,)"),
        "no shape": npy(header % "'x'"),
        "code": npy(header % "__import__('os').getpid()"),
        "deep": npy(header % ("(" * 3000)),
        "long": npy(header % ("(5, 2)" + " " * 20_000)),
        "object": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"cos\nsystem\n."),
        "short": npy(header % "(5, 2)", b"\0" * 79),
        "version": b"\x93NUMPY\x09\x00" + b"\0" * 99,
        "names": npy("{'descr': 'x[/a]', 'fortran_order': False, 'shape': (5, 2)}", b"\0" * 80),
    }
    name = rng.choice(list(contents))
    write_archive(archive, {"real.npy": contents[name]})
    return name


def write_archive(archive, changed, names=None, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(archive, "w", compression) as file:
        for name, x in numbers().items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, x)
            file.writestr(f"{name}.npy", changed.get(f"{name}.npy", stream.getvalue()))
        for name in names or ():
            file.writestr(name, b"x")


def spoil_zip(rng, game, archive):
    """A damaged archive."""
    how = rng.choice(
        ["cut", "bytes", "encrypted", "method", "bomb", "sizes", "stranger", "twice", "no zip"]
    )
    if how in ("stranger", "twice"):
        name = {"stranger": "../../x.txt", "twice": "real.npy"}[how]
        with warnings.catch_warnings(action="ignore"):
            write_archive(archive, {}, [name])
        return how
    if how == "bomb":  # 300 MB in 300 kB
        write_archive(archive, {"real.npy": npy("{'descr': '<f8'}", bytes(300 * 10**6))})
        return how
    write_archive(archive, {})
    content = bytearray(archive.read_bytes())
    entry = content.index(b"PK\x01\x02")
    if how == "cut":
        del content[rng.randrange(10, len(content) - 1) :]
    elif how == "bytes":
        content[60 + rng.randrange(30)] ^= 0xFF
    elif how == "encrypted":
        content[6] |= 1
        content[entry + 8] |= 1
    elif how == "method":
        content[8] = content[entry + 10] = rng.choice([1, 6, 12, 14, 95])
    elif how == "sizes":
        content[entry + 24 : entry + 28] = struct.pack("<I", rng.choice([2**31, 2**32 - 2, 7]))
    else:
        content = bytearray(rng.randbytes(1000))
    archive.write_bytes(content)
    return how


def spoil_game(rng, game, archive):
    """A game that cannot be."""
    name = rng.choice([name for name, _ in leaves(GameFile().to_dict())])
    wrong = [
        {"x": 1},
        [[1]],
        float("nan"),
        -1,
        10**31,
        10**400,
        "x[/a]",
        float("inf"),
        1e308,
        [10**9] * 3,
    ]
    if name.endswith("lr"):  # of which 1e31 is one
        wrong.remove(10**31)
    tree = copy.deepcopy(GAME)
    *group, leaf = name.split(".")
    (tree.setdefault(group[0], {}) if group else tree)[leaf] = (value := rng.choice(wrong))
    if rng.random() < 0.2:
        tree = {**copy.deepcopy(GAME), "generator": {"sizes": [3, 100_000, 100_000, 2]}}
        name = "the size"
    game.write_text(tomli_w.dumps(tree))
    return f"{name} {str(value)[:20]}"


def spoil_file(rng, game, archive):
    """No file at all, or none of such a kind."""
    file = rng.choice([game, archive])
    file.unlink()
    how = rng.choice(["nothing", "a folder", "a pipe", "a device", "deep", "not UTF-8", "long"])
    if how == "a folder":
        file.mkdir()
    elif how == "a pipe":
        os.mkfifo(file)
    elif how == "a device":
        file.symlink_to("/dev/zero")
    elif how == "deep":
        file.write_text("a = " + DEEP_JSON)
    elif how == "not UTF-8":
        file.write_bytes(b'loss = "\xff"')
    elif how == "long":
        file.write_bytes(b"#" * 2**21)
    return f"{how} for {file.name}"


SPOILS = {
    "array": spoil_array, "member": spoil_member, "zip": spoil_zip, "game": spoil_game,
    "file": spoil_file,
}  # fmt: skip
