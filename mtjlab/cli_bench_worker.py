"""A process with a simulated bench of its own, which measures dies that the prober of another process will touch next.

It opens the same bench files through the same drivers behind PyVISA. The dies are as they were made; noise begins anew
at each touch-down, fixed by seed, place and touch number. So what is measured here is what the other process would
have measured. This is composition, so it stands beside the command line; it has no commands.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .nouns import DieId, Floats

if TYPE_CHECKING:
    from mtjlab.protocols.probe_wafer_parts import ContactFinding, Step, StepResult, WaferSettings
    from mtjlab.sim_instruments.die import Die
    from mtjlab.sim_instruments.world import Incident, World

    from .cli_open_bench import BenchFiles, OpenBench
    from .cli_recipe_wafer import WaferRun


@dataclass(frozen=True, eq=False)
class Touch:
    """A touch-down to come.

    Attributes:
        die: in the prober's numbers.
        place: the same, and the subsite, in those of the wafer's description.
        number: how often the place has been touched by then, this time included.
        factors: what the touch-down makes of the contacts, as `UnderProbes.touch` has them.
    """

    die: DieId
    place: tuple[int, int, int]
    number: int
    factors: Floats


@dataclass(frozen=True, eq=False)
class Part:
    """The contact check or a step of a die.

    Attributes:
        name: of the step.
        found: by it.
        seconds: of the simulated bench that it took.
        incidents: logged meanwhile.
        die: as it was left.
    """

    name: str
    found: ContactFinding | StepResult
    seconds: float
    incidents: tuple[Incident, ...]
    die: Die


@dataclass(frozen=True, eq=False)
class Measured:
    """What came of a touch-down.

    Attributes:
        contact_ohms: of the touch-down; a measurement counts only for one with the same.
        parts: as far as they make sense: a die that will be re-probed has no steps.
    """

    touch: Touch
    contact_ohms: Floats
    parts: tuple[Part, ...]


def serve(pipe: Any, run: WaferRun, files: BenchFiles) -> None:
    """Measure what comes through the pipe, a `Touch` at a time, until it is closed or the other process has died.

    Sends a `Measured` for each; words, and nothing more, once something has gone wrong.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal: the first one decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _serve(pipe, run, files)
    except (EOFError, OSError):
        return  # nobody is there any more
    except Exception as error:  # whatever it was, the other process meets it itself
        pipe.send(str(error) or type(error).__name__)


def _end_with_parent() -> None:
    """In the middle of whatever is being measured: a killed run leaves no process behind."""
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _serve(pipe: Any, run: WaferRun, files: BenchFiles) -> None:
    from mtjlab.protocols.probe_wafer_recipe import wafer_settings

    from .cli_open_bench import opened_bench
    from .cli_recipe_wafer import steps_on

    bench_part = run.loaded.recipe.bench
    assert bench_part is not None
    settings = wafer_settings(run.loaded.recipe, run.part)
    with opened_bench(files, run.wiring, bench_part, log=Path(os.devnull)) as bench:
        steps = steps_on(run, bench)
        while (touch := pipe.recv()) is not None:
            pipe.send(_measured(touch, bench, steps, settings))


def _measured(touch: Touch, bench: OpenBench, steps: list[Step], settings: WaferSettings) -> Measured:
    assert bench.simulated is not None
    world = bench.simulated.world
    under: Any = world.under_probes
    under.bring(touch.place)
    world.renew_draws(*touch.place, touch.number)
    under.touch(touch.factors)
    ohms = world.die.contact_ohms.copy()
    parts = tuple(_parts(touch, bench, world, steps, settings))
    under.lift()
    under.forget(touch.place)
    return Measured(touch, ohms, parts)


def _parts(touch: Touch, bench: OpenBench, world: World, steps: list[Step], settings: WaferSettings) -> Iterator[Part]:
    """As `DieVisit` of the other process asks for them."""
    from mtjlab.protocols.probe_wafer_parts import CONTACT, Visit

    bench.crossbar.new_die()
    visit = Visit(touch.die, [("array", lambda: bench.crossbar)])
    rules = settings.contact
    if rules.check is not None:
        found = _timed(CONTACT, rules.check, visit, bench, world)
        yield found
        silent = len(found.found.silent)  # type: ignore[union-attr]
        if silent > rules.most_silent_lines or (silent and rules.tries):
            return
    earlier: dict[str, StepResult] = {}
    for step in steps:
        found = _timed(step.name, step.run, Visit(touch.die, visit.arrays, dict(earlier)), bench, world)
        yield found
        earlier[step.name] = found.found  # type: ignore[assignment]
        if earlier[step.name].ends_die:
            return


def _timed(name: str, act: Any, visit: Any, bench: OpenBench, world: World) -> Part:
    import copy

    began, incidents = world.seconds, len(world.incidents)
    found = act(visit)
    spent, logged = world.seconds - began, tuple(world.incidents[incidents:])
    bench.crossbar.idle()
    return Part(name, found, spent, logged, copy.deepcopy(world.die))
