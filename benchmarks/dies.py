"""Twenty simulated dies through the whole chain: accuracy on the array beside software and prediction."""

from __future__ import annotations

from statistics import median
from typing import Any

from .demo_runs import run_demos

CELLS = 225
GOOD_DIE = 0.97
HEADINGS = ("seed", "good", "software", "predicted", "on-chip", "untuned", "fidelity")
HEADINGS += ("pulses", "readings", "bench-s", "wall-s", "incidents", "off")


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    seeds = range(3 if quick else 20)
    results = run_demos([["--seed", str(seed)] for seed in seeds])
    rows: list[list[Any]] = [list(HEADINGS)]
    good, gaps, misses = [], [], []
    for seed, result in zip(seeds, results, strict=True):
        accuracy = result["accuracy"]
        share = 1 - sum(result["defects"].values()) / CELLS
        gap = accuracy["software"] - accuracy["on_chip"]
        misses.append(abs(accuracy["on_chip"] - accuracy["predicted_from_map"]))
        if share >= GOOD_DIE:
            good.append(seed)
            gaps.append(gap)
        percents = [f"{accuracy[k]:.1%}" for k in ("software", "predicted_from_map", "on_chip", "on_chip_untuned")]
        cost = [result["write_pulses"], result["readings"], round(result["bench_seconds"]), result["wall_seconds"]]
        ending = [len(result["incidents"]), result["outputs_off"]]
        rows.append([seed, f"{share:.1%}", *percents, f"{result['write_fidelity']:.2%}", *cost, *ending])
    figures = {
        "dies": len(results),
        "good_dies": len(good),
        "largest_gap_to_software_on_good_dies": round(max(gaps), 4),
        "median_abs_on_chip_minus_predicted": round(median(misses), 4),
        "median_on_chip": round(median(r["accuracy"]["on_chip"] for r in results), 4),
        "incidents": sum(len(r["incidents"]) for r in results),
        "all_outputs_off": all(r["outputs_off"] for r in results),
        "median_wall_seconds": median(r["wall_seconds"] for r in results),
    }
    return f"{len(results)} dies of the bench passive15", rows, figures
