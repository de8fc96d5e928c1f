"""Pictures of the records that `unrolled.py` and `unrolled_scaling.py` keep."""

from matplotlib.figure import Figure

COLOURS = {
    "fused": "tab:red",
    "adjoint": "tab:orange",
    "jax jit": "tab:blue",
    "jax jit, malloc tuned": "tab:cyan",
    "torch": "tab:green",
    "torch.compile": "tab:olive",
    "autograd": "tab:gray",
}
GAMES = {
    "A": "A: D 2-128-128-1 tanh, batch 512",
    "B": "B: D 2-128-1 ReLU, batch 512",
    "C": "C: D 2-32-32-1 tanh, batch 64",
}


def roofline(records, path):
    """GFLOP/s against K under the roof, a panel for each game and dtype; the most threads."""
    threads = max(record["threads"] for record in records)
    records = [record for record in records if record["threads"] == threads]
    rows = sorted({record["workload"]["dtype"] for record in records})
    steps = sorted({record["workload"]["steps"] for record in records})
    figure = Figure(figsize=(11, 1 + 3.2 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(GAMES), squeeze=False, sharex=True, sharey=True)
    for dtype, line in zip(rows, axes, strict=True):
        for game, axis in zip(GAMES, line, strict=True):
            chosen = [r for r in records if (r["game"], r["workload"]["dtype"]) == (game, dtype)]
            _panel(axis, chosen, steps)
            axis.set_title(f"{GAMES[game]}\n{dtype}", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("unrolled steps K")
    for axis in axes[:, 0]:
        axis.set_ylabel("necessary GFLOP/s")
    handles = {h.get_label(): h for axis in axes.flat for h in axis.get_lines()}
    figure.legend(
        handles=list(handles.values()), ncols=len(handles), loc="outside lower center", fontsize=9
    )
    plural = "s" if threads > 1 else ""
    figure.suptitle(f"Exact value and gradient on {threads} thread{plural}: higher is faster")
    figure.savefig(path, dpi=120)


def _panel(axis, records, steps):
    records = sorted(records, key=lambda record: record["workload"]["steps"])
    places = [steps.index(record["workload"]["steps"]) for record in records]
    roof = [record["gigaflops"]["limit"] for record in records]
    axis.plot(places, roof, color="black", linewidth=2, label="measured multiply-add limit")
    for name, colour in COLOURS.items():
        points = [
            (x, record["gigaflops"][name])
            for x, record in zip(places, records, strict=True)
            if name in record["gigaflops"]
        ]
        if points:
            axis.plot(*zip(*points, strict=True), "o-", color=colour, markersize=4, label=name)
    axis.set_yscale("log")
    axis.set_xticks(range(len(steps)), steps)
    axis.grid(alpha=0.3)


def scaling(records, path):
    """Time and peak memory against batch, width and K, both axes logarithmic."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    axes = figure.subplots(2, 3, sharex="col", sharey="row")
    titles = {
        "batch": "batch (width 128, K = 10)",
        "width": "width of D and G (batch 512, K = 10)",
        "steps": "K (width 128, batch 512)",
    }
    for (quantity, label), column in zip(titles.items(), axes.T, strict=True):
        chosen = [record for record in records if record["against"] == quantity]
        for name, colour in COLOURS.items():
            mine = [record for record in chosen if record["library"] == name]
            sizes = [record["size"] for record in mine]
            style = {"color": colour, "markersize": 4, "label": name}
            column[0].plot(sizes, [record["seconds"] for record in mine], "o-", **style)
            megabytes = [max(record["peak_bytes"] / 2**20, 0.1) for record in mine]
            column[1].plot(sizes, megabytes, "o-", **style)
        measured = [(record["size"], record["limit_seconds"]) for record in chosen]
        sizes = sorted({size for size, _ in measured})
        limits = [min(t for size, t in measured if size == wanted) for wanted in sizes]
        column[0].plot(sizes, limits, "k:", label="multiply-add limit", linewidth=1.5)
        column[1].set_xlabel(label)
        for axis in column:
            axis.set(xscale="log", yscale="log")
            axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("peak memory of a call, MB")
    lines = {h.get_label(): h for h in axes[0, 0].get_lines() if len(h.get_xdata())}
    figure.legend(
        handles=list(lines.values()), ncols=len(lines), loc="outside lower center", fontsize=9
    )
    figure.savefig(path, dpi=120)
