"""Provenance that is complete once the instruments answer; what changes between two sessions is noted."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from mtjlab.bench_facts import bench_records, prober_facts, station_snapshot
from mtjlab.clock_source import clock_source
from mtjlab.errors import InstrumentError
from mtjlab.prober import ErrorClass, ProberError, ThermalState
from mtjlab.provenance import InstrumentRecord, Provenance, differences
from mtjlab.provenance_words import provenance_lines
from mtjlab.records import RunStore
from mtjlab.roles import Identity
from mtjlab.sim_instruments.memory_prober import MemoryProber
from mtjlab.store import open_run
from mtjlab.wafer_map import MapDie, WaferMap

from .conftest import DIES, PROVENANCE, probe

SMU = InstrumentRecord("smu", "Keithley", "2602B", "41", "3.3.5", "GPIB0::26::INSTR", "2027-03-01")
SNAPSHOT: dict[str, Any] = {"instruments": {"smu": {"volts": 0.5}}}


def test_what_the_instruments_say_completes_the_provenance_of_the_run(create: Callable[..., RunStore]) -> None:
    with create() as store:
        store.describe_bench(snapshot=SNAPSHOT, instruments=(SMU,), chuck_kelvin=301.0, is_light_on=False)
        probe(store, DIES[0])
    with open_run(store.folder) as run:
        assert run.provenance == replace(PROVENANCE, instruments=(SMU,), chuck_kelvin=301.0, is_light_on=False)
        assert [event for event in run.events() if event.kind == "bench changed"] == []
    database = sqlite3.connect(store.folder / "data.db")
    kept = database.execute("SELECT snapshot, mtjlab_provenance FROM runs").fetchall()
    database.close()
    assert [json.loads(snapshot) for snapshot, _ in kept] == [SNAPSHOT] * 2
    assert {json.loads(text)["instruments"][0]["serial"] for _, text in kept} == {"41"}


def test_another_bench_in_a_later_session_is_noted_and_the_first_one_stays(create: Callable[..., RunStore]) -> None:
    with create() as store:
        store.describe_bench(snapshot=SNAPSHOT, instruments=(SMU,), chuck_kelvin=301.0, probe_card="PC-1")
        probe(store, DIES[0])
    with RunStore.open(store.folder) as again:
        again.describe_bench(
            snapshot={"instruments": {}},
            instruments=(replace(SMU, serial="42"),),
            chuck_kelvin=301.2,
            probe_card="PC-2",
        )
        probe(again, DIES[1])
    with open_run(store.folder) as run:
        assert run.provenance.instruments == (SMU,)
        assert [event.text for event in run.events() if event.kind == "bench changed"] == [
            "probe card is now PC-2, it was PC-1",
            "instrument smu is now Keithley 2602B 42 3.3.5, it was Keithley 2602B 41 3.3.5",
        ]
        own = json.loads(run.fact("bench_2"))
        assert (own["instruments"][0]["serial"], own["chuck_kelvin"]) == ("42", 301.2)


def test_differences_name_what_came_and_went() -> None:
    before = Provenance(instruments=(SMU,), chuck_kelvin=300.0)
    after = Provenance(instruments=(replace(SMU, name="prober"),), chuck_kelvin=350.0)
    assert differences(before, after) == [
        "chuck kelvin is now 350.0, it was 300.0",
        "instrument smu is now not there, it was Keithley 2602B 41 3.3.5",
        "instrument prober is now Keithley 2602B 41 3.3.5, it was not there",
    ]
    assert differences(before, before) == []


def test_lines_say_what_is_known_and_which_calibration_has_run_out() -> None:
    known = Provenance(
        instruments=(SMU,),
        chuck_kelvin=300.0,
        overtravel_meters=35e-6,
        probe_card="PC-1",
        card_touchdowns=812,
        is_light_on=False,
        files_sha256={"wiring": "ab12"},
    )
    said = dict(provenance_lines(known, date(2027, 3, 1)))
    assert said["instrument smu"].endswith("calibrated until 2027-03-01, GPIB0::26::INSTR")
    assert said["chuck"] == "300.00 K (26.9 °C)" and said["overtravel"] == "35 µm" and said["light"] == "off"
    assert said["probe card"] == "PC-1, 812 touch-downs before this run" and said["wiring file SHA-256"] == "ab12"
    assert not {"operator", "field", "parent run"} & said.keys()
    assert "RUN OUT" in dict(provenance_lines(known, date(2027, 3, 2)))["instrument smu"]


def test_records_of_an_open_bench() -> None:
    identity = Identity("Keithley", "2602B", "41", "3.3.5")
    found = bench_records({"smu": identity}, {"smu": SMU.address}, {"smu": date(2027, 3, 1)})
    assert found == (SMU,)
    assert bench_records({"smu": identity})[0].calibration_due == ""
    assert station_snapshot([object()], {"instruments": {}}) == {
        "instruments": {},
        "parameters": {},
        "components": {},
        "config": {"instruments": {}},
    }


class BareProber(MemoryProber):
    """One that has no heater behind its commands, and no camera whose light could be switched."""

    def thermal(self) -> ThermalState:
        raise ProberError("no thermal system", error_class=ErrorClass.OPERATOR)

    def set_light(self, is_on: bool) -> None:
        raise InstrumentError("no reply")


def test_a_prober_tells_what_it_can_and_its_light_goes_off() -> None:
    dies = WaferMap("W", (MapDie(0, 0),))
    prober = MemoryProber(dies)
    known = {"chuck_kelvin": prober.thermal().kelvin, "overtravel_meters": prober.overtravel_metres()}
    assert prober_facts(prober) == known | {"is_light_on": False}
    assert prober_facts(BareProber(dies)) == {"overtravel_meters": prober.overtravel_metres()}


@pytest.mark.parametrize(
    ("system", "said", "status", "found"),
    [
        ("Linux", "yes\n", 0, "system clock, kept by NTP"),
        ("Linux", "no\n", 0, "system clock, kept by nothing"),
        ("Linux", "", 1, "system clock"),
        ("Windows", "time.windows.com,0x8\r\n", 0, "system clock, follows time.windows.com,0x8"),
        ("Windows", "The service has not been started.\n", 2, "system clock"),
        ("Darwin", "yes\n", 0, "system clock"),
    ],
)
def test_the_source_of_the_wall_clock(
    monkeypatch: pytest.MonkeyPatch, system: str, said: str, status: int, found: str
) -> None:
    done = subprocess.CompletedProcess([], status, said, "")
    monkeypatch.setattr("mtjlab.clock_source.subprocess.run", lambda *given, **named: done)
    assert clock_source(system) == found


def test_a_system_without_the_program_says_only_that_there_is_a_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*given: Any, **named: Any) -> None:
        raise FileNotFoundError("timedatectl")

    monkeypatch.setattr("mtjlab.clock_source.subprocess.run", missing)
    assert clock_source("Linux") == "system clock"
