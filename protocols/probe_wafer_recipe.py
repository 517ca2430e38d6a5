"""The steps of a recipe on each die of a wafer: the same functions that serve a die under fixed probes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from mtjlab.network_file import PlacedNetwork
from mtjlab.nouns import ArrayMap
from mtjlab.prober import MOST_OVERTRAVEL_METRES
from mtjlab.recipe import Recipe, WaferPart
from mtjlab.recipe_steps import ContactStep, Step

from .die_steps import DieContext, run_steps
from .probe_wafer_parts import CONTACT, BinRules, ContactRules, StepResult, Visit, WaferSettings, check_lines
from .probe_wafer_parts import Step as WaferStep
from .probe_wafer_steps import CONTACT_UNITS

MakeContext = Callable[[Visit], DieContext]
"""Makes what the steps of a die share, with the die's Crossbar, for a die that is now under the probes."""


@dataclass
class _OnDie:
    """The steps' common ground of the die under the probes, and what the present step has given."""

    make: MakeContext
    context: DieContext | None = None
    maps: dict[str, ArrayMap] = field(default_factory=dict)
    networks: dict[str, PlacedNetwork] = field(default_factory=dict)

    def of(self, visit: Visit) -> DieContext:
        """A new one for the first step of a visit."""
        if self.context is None or not visit.earlier:
            self.context = self.make(visit)
        self.maps.clear()
        self.networks.clear()
        self.context.keep = self.maps.__setitem__
        self.context.keep_network = self.networks.__setitem__
        return self.context


def wafer_steps(recipe: Recipe, make_context: MakeContext) -> list[WaferStep]:
    """What is done on each die, without the contact check that comes before."""
    shared = _OnDie(make_context)
    return [WaferStep(step.label, partial(_run, step, shared)) for step in _others(recipe.steps)]


def _run(step: Step, shared: _OnDie, visit: Visit) -> StepResult:
    """Of several maps that a step gave, the last is the step's own: what the die was at its end."""
    context = shared.of(visit)
    (outcome,) = run_steps([step], context)
    maps = {
        name.removeprefix(f"{step.label}_"): replace(one, die=visit.die)
        for name, one in shared.maps.items()
        if not one.is_partial
    }
    own = list(maps)[-1] if maps else ""
    spent = {"pulses": outcome.cost.pulses, "readings": outcome.cost.readings}
    figures = dict(outcome.found.numbers) | {f"spent_{name}": count for name, count in spent.items()}
    return StepResult(
        [maps.pop(own)] if own else [],
        figures,
        ends_die=outcome.found.reason if outcome.found.ends_die else "",
        map_name=own,
        more_maps={name: [one] for name, one in maps.items()},
        files={f"{name.removeprefix(f'{step.label}_')}.npz": one.to_bytes() for name, one in shared.networks.items()},
        details={"reason": outcome.found.reason} | dict(outcome.found.details),
    )


def step_units(recipe: Recipe) -> dict[str, Mapping[str, str]]:
    """Step -> figure -> unit, the contact check first, for `wafer_plan`."""
    spent = {"spent_pulses": "", "spent_readings": ""}
    units = {step.label: {**step.tests, **spent} for step in _others(recipe.steps)}
    return ({CONTACT: CONTACT_UNITS} if _contact(recipe.steps) else {}) | units


def wafer_settings(recipe: Recipe, wafer: WaferPart) -> WaferSettings:
    """Rules of a recipe."""
    bins, contact = recipe.bins, _contact(recipe.steps)
    clean = wafer.clean
    every = clean.every_touchdowns if clean else 0
    rules = ContactRules(check=None, clean_every=every)
    if contact is not None:
        rules = ContactRules(
            check=partial(check_lines, read_volts=contact.read_volts),
            tries=wafer.reprobe.tries,
            more_metres=wafer.reprobe.more_metres,
            cleans=clean is not None and clean.on_bad_contact,
            clean_every=every,
            most_silent_lines=0 if contact.stops else 1_000_000,
            most_bad_in_a_row=wafer.stop_after_bad,
        )
    good, unfinished = (bins.good.hard, bins.good.soft), (bins.unfinished.hard, bins.unfinished.soft)
    return WaferSettings(
        contact=rules,
        bins=BinRules(tuple(recipe.limits()), good, unfinished, no_contact=unfinished),
        overtravel_limit_metres=min(wafer.most_overtravel_metres, MOST_OVERTRAVEL_METRES),
        overtravel_metres=wafer.overtravel_metres,
        writes_bins=wafer.write_bins,
    )


def _contact(steps: Sequence[Step]) -> ContactStep | None:
    """The step that looks at the contact: the first, under its own name."""
    first = steps[0]
    return first if isinstance(first, ContactStep) and first.label == CONTACT else None


def _others(steps: Sequence[Step]) -> Sequence[Step]:
    return steps[1:] if _contact(steps) else steps
