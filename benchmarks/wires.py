"""Wire resistance 0 to 20 ohm per segment: the untuned network falls, the tuned one holds."""

from __future__ import annotations

from statistics import median
from typing import Any

from .demo_runs import run_demos


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures; medians over the seeds."""
    ohms = (0.0, 5.0, 20.0) if quick else (0.0, 2.0, 5.0, 10.0, 15.0, 20.0)
    seeds = range(1 if quick else 5)
    jobs = [(r, seed) for r in ohms for seed in seeds]
    results = run_demos([["--segment-ohms", str(r), "--seed", str(seed)] for r, seed in jobs])
    headings = ["ohm/segment", "software", "predicted", "tuned", "untuned", "tuned-g/nominal", "fidelity"]
    rows: list[list[Any]] = [headings]
    curve = []
    for r in ohms:
        of_r = [result for (at, _), result in zip(jobs, results, strict=True) if at == r]
        middle = {key: median(x["accuracy"][key] for x in of_r) for key in of_r[0]["accuracy"]}
        ratio = median(x["g_norm"]["tuned_siemens"] / x["g_norm"]["untuned_siemens"] for x in of_r)
        fidelity = median(x["write_fidelity"] for x in of_r)
        names = ("software", "predicted_from_map", "on_chip", "on_chip_untuned")
        rows.append([f"{r:g}", *[f"{middle[n]:.1%}" for n in names], f"{ratio:.2f}", f"{fidelity:.2%}"])
        curve.append({"segment_ohms": r, **middle, "g_ratio": round(ratio, 3), "write_fidelity": fidelity})
    return f"Median of {len(seeds)} dies at each wire resistance", rows, {"seeds": len(seeds), "sweep": curve}
