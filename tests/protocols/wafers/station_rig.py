"""A wafer under a real prober's driver on a simulated station, whose commands can be told to fail one by one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtjlab.drivers.formfactor_velox import FormFactorVelox
from mtjlab.drivers.mpi_sentio import MpiSentio
from mtjlab.errors import InstrumentError
from mtjlab.nouns import Line
from mtjlab.prober import ErrorClass
from mtjlab.protocols.probe_wafer import probe_wafer
from mtjlab.protocols.probe_wafer_parts import (
    CONTACT,
    Answer,
    BinRules,
    ContactFinding,
    ContactRules,
    Question,
    Step,
    StepResult,
    Visit,
    WaferBench,
    WaferOutcome,
    WaferSettings,
)
from mtjlab.protocols.probe_wafer_steps import CONTACT_UNITS, wafer_plan
from mtjlab.provenance import Provenance
from mtjlab.records import RunStore
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

WAFER = """
wafer: W7
die: {rows: 1, cols: 1}
pitch_mm: [5, 5]
radius_mm: 8
"""
BENCH = """
bench: walked
seed: 7
line_hertz: 50
wafer: wafer.yaml
cables: [{{from: smu.hi, to: die.row.0}}, {{from: die.col.0, to: ground}}]
instruments:
  - {{name: smu, model: keithley_2400, address: "GPIB0::24::INSTR"}}
  - {{name: prober, model: {model}, address: "{address}", prober: {{axes: UR}}}}
"""
MODELS: dict[str, tuple[str, str, Any]] = {
    "velox": ("formfactor_velox", "TCPIP0::10.0.0.5::1412::SOCKET", FormFactorVelox),
    "sentio": ("mpi_sentio", "GPIB0::20::INSTR", MpiSentio),
}
ERRORS: dict[str, dict[ErrorClass, tuple[int, str]]] = {
    "velox": {
        ErrorClass.RETRY: (5, '"Command timed out"'),
        ErrorClass.OPERATOR: (40, '"Chamber door is open"'),
        ErrorClass.FATAL: (999, '"Servo broke"'),
    },
    "sentio": {
        ErrorClass.RETRY: (19, "Command timed out"),
        ErrorClass.OPERATOR: (60, "Chamber door is open"),
        ErrorClass.FATAL: (1, "Servo broke"),
    },
}
WORDS = {
    ErrorClass.RETRY: "Command timed out",
    ErrorClass.OPERATOR: "Chamber door is open",
    ErrorClass.FATAL: "Servo broke",
}
DIE = (0, 0)
SILENT = ContactFinding((Line("row", 0),), 2)
GOOD = ContactFinding((), 2)


@dataclass
class StationRig:
    """One die that needs a re-probe and a cleaning before it makes contact; its bin goes to the station.

    Attributes:
        failing: number of the command that fails, from 1; 0 for none.
        error: how; None for silence.
        acts: whether it is carried out all the same.
        heard: names of all commands.
    """

    folder: Path
    kind: str
    failing: int = 0
    error: ErrorClass | None = ErrorClass.RETRY
    acts: bool = False
    answers: list[Answer] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    level: float = 0.0
    readings: int = 0
    failing_reading: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        model, address, driver = MODELS[self.kind]
        (self.folder / "wafer.yaml").write_text(WAFER, encoding="utf-8")
        path = self.folder / "walked.yaml"
        path.write_text(BENCH.format(model=model, address=address), encoding="utf-8")
        self.bench: SimBench = sim_bench(str(path))
        self.instrument: Any = self.bench.by_name["prober"]
        self.station = self.instrument.station
        self._carried_out = self.instrument._carried_out
        self._run = self.instrument._answer
        self.instrument._carried_out = self._overheard
        self.instrument._answer = self._answered
        self.source = self.bench.world.sources_of("smu")[0]
        self.prober: Any = driver(f"prober_{self.folder.name}", address, visalib=f"{path}@mtjlab")
        self.touched_before = 0

    def close(self) -> None:
        self.prober.close()
        self.bench.close()

    def _overheard(self, name: str, text: Any) -> tuple[Any, ...]:
        self.heard.append(name)
        if len(self.heard) != self.failing or self.error is None:
            return tuple(self._carried_out(name, text))
        if self.acts:
            self._carried_out(name, text)
        code, words = ERRORS[self.kind][self.error]
        return (code, words) if self.kind == "velox" else (code, 0, words)

    def _answered(self, message: str) -> str | None:
        before = len(self.heard)
        reply: str | None = self._run(message)
        is_silent = self.error is None and len(self.heard) == self.failing != before
        return None if is_silent else reply

    # what the run is given

    def drive(self, volts: float) -> None:
        self.level = volts
        if volts:
            self.source.drive_volts(volts, 1e-3)
        else:
            self.source.disconnect()

    def _reading(self) -> None:
        """Leaves its output on, as a bench does that fails half-way; `idle` switches it off."""
        self.drive(0.1)
        self.readings += 1
        if self.readings == self.failing_reading:
            raise InstrumentError("no reply", where="drive")

    def check(self, visit: Visit) -> ContactFinding:
        self._reading()
        return GOOD if self.station.card.cleanings else SILENT

    def measure(self, visit: Visit) -> StepResult:
        self._reading()
        return StepResult(scalars={"figure": float(self.station.is_in_contact and not self.station.is_aside)})

    def ask(self, question: Question) -> Answer:
        assert self.level == 0.0, "a person was asked while an output was on"
        self.questions.append(question)
        return self.answers.pop(0) if self.answers else Answer.STOP

    def run(self, **more: Any) -> WaferOutcome:
        bench = WaferBench(
            lambda die: (),
            lambda: self.drive(0.0),
            lambda: self.bench.world.seconds,
            {"drive": lambda: self.level != 0},
        )
        contact = ContactRules(check=self.check, tries=1, cleans=True, most_silent_lines=0)
        settings = WaferSettings(contact=contact, bins=BinRules(), overtravel_metres=30e-6, writes_bins=True)
        return probe_wafer(
            self.prober, bench, [Step("measure", self.measure)], self.store(), settings, ask=self.ask, **more
        )

    def store(self) -> RunStore:
        if (self.folder / "run").exists():
            return RunStore.open(self.folder / "run")
        failing, self.failing = self.failing, 0
        wafer_map = self.prober.wafer_map()
        self.heard.clear()
        self.failing = failing
        units = {CONTACT: CONTACT_UNITS, "measure": {"figure": ""}}
        plan = wafer_plan(wafer_map, units, BinRules(), only=[DIE])
        return RunStore.create(self.folder / "run", plan, Provenance())

    @property
    def incidents(self) -> list[str]:
        return [incident.kind for incident in self.bench.world.incidents]


MakeStationRig = Callable[..., StationRig]


def closed(rigs: list[StationRig]) -> None:
    for rig in rigs:
        with suppress(InstrumentError):
            rig.close()
