"""Training and inference of many networks on crossbars: 300 Wine networks, fresh dies at every step, exact wires."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from . import _engine_cases as cases
from ._measure import in_child, significant

NETWORKS, EPOCHS, SAMPLES, DIES, IMAGES = 300, 500, 60_000, 36, 10_000
WANTED = {"times_faster_than_a_loop": 25.0, "statistics_aware_over_ideal": 3.0}


def _case(what: str, act: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    found, megabytes = in_child(act, *arguments)
    return {"what": what, **found, "megabytes": round(megabytes)}


def _on(device: str, quick: bool) -> dict[str, dict[str, Any]]:
    """All cases on one device."""
    epochs, few, samples = (60, 1, 6000) if quick else (EPOCHS, 5, SAMPLES)
    dies, images = (4, 1000) if quick else (DIES, IMAGES)
    network = f"196-{cases.HIDDEN}-10"
    many = f"{dies} dies x {images} images, {network}"
    return {
        "batch": _case(
            f"{NETWORKS} Wine networks x {epochs} epochs, at once", cases.wine_batch, device, NETWORKS, epochs
        ),
        "loop": _case(f"{few} of them one by one, plain PyTorch", cases.wine_loop, device, few, epochs, False),
        "loop_fused": _case("the same with Adam as one kernel", cases.wine_loop, device, few, epochs, True),
        "ideal": _case(f"{network}, {samples} pictures, one epoch, ideal", cases.epoch, device, samples, 0),
        "aware": _case("the same, a fresh die at every step", cases.epoch, device, samples, 1),
        "aware_8": _case("the same, 8 fresh dies at every step", cases.epoch, device, samples, 8),
        "plain": _case(f"{many}, wires without resistance", cases.dies_and_images, device, dies, images, False, False),
        "wires": _case(f"{many}, exact wires", cases.dies_and_images, device, dies, images, True, False),
        "plain_step": _case(
            f"gradient on {dies} dies, 128 images", cases.dies_and_images, device, dies, 128, False, True
        ),
        "wires_step": _case("the same through exact wires", cases.dies_and_images, device, dies, 128, True, True),
    }


def _ratios(found: dict[str, dict[str, Any]], clock: str, few: int) -> dict[str, float]:
    """Of the seconds that count on the device; the loop's scaled to all networks."""
    seconds = {name: case[clock] for name, case in found.items()}
    return {
        "times_faster_than_a_loop": seconds["loop"] * NETWORKS / few / seconds["batch"],
        "times_faster_than_a_loop_with_fused_adam": seconds["loop_fused"] * NETWORKS / few / seconds["batch"],
        "statistics_aware_over_ideal": seconds["aware"] / seconds["ideal"],
        "eight_dies_over_ideal": seconds["aware_8"] / seconds["ideal"],
        "exact_wires_over_none": seconds["wires"] / seconds["plain"],
        "gradient_with_exact_wires_over_none": seconds["wires_step"] / seconds["plain_step"],
    }


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures; the loop is measured on a few networks and scaled."""
    few = 1 if quick else 5
    rows: list[list[Any]] = [["device", "what", "CPU, s", "wall, s", "peak MB", "of it on the device"]]
    figures: dict[str, Any] = {"threads": 1, "loop_scaled_from": few, "wanted": WANTED}
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        found = _on(device, quick)
        for case in found.values():
            on_device = f"{case['device_megabytes']:.0f}" if "device_megabytes" in case else "-"
            times = [f"{significant(case[clock]):g}" for clock in ("cpu", "wall")]
            rows.append([device, case["what"], *times, case["megabytes"], on_device])
        ratios = _ratios(found, "cpu" if device == "cpu" else "wall", few)
        rows += [[device, name.replace("_", " "), f"{value:.3g}", "", "", ""] for name, value in ratios.items()]
        kept = {name: {key: _short(value) for key, value in case.items()} for name, case in found.items()}
        figures[device] = {"cases": kept, **{name: significant(value) for name, value in ratios.items()}}
    title = f"one thread; ratios of CPU seconds (of wall seconds on CUDA); the loop is scaled from {few} to {NETWORKS}"
    return title, rows, figures


def _short(value: Any) -> Any:
    return significant(value, 4) if isinstance(value, float) else value
