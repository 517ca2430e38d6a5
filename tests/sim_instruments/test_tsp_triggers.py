"""Trigger objects of TSP instruments: lines, timers, blenders; two instruments that step each other over TSP-Link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtjlab.sim_instruments.accuracy_keithley_2600b import MODEL_2602B
from mtjlab.sim_instruments.keithley_2600b import SimKeithley2600B
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

FALLING, EITHER, SYNCHRONOUS_A, SYNCHRONOUS_M, RISING_A, RISING_M = 1, 3, 4, 6, 7, 8


@pytest.fixture
def smu() -> SimKeithley2600B:
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    return SimKeithley2600B("k", world, HostClock(world), smu=MODEL_2602B, serial="42")


def errors(unit: Any) -> list[int]:
    return [unit.status.errors.take().code for _ in range(len(unit.status.errors))]


@pytest.mark.parametrize(("mode", "rests", "pulses"), [(FALLING, "1", "0"), (RISING_A, "1", "0"), (RISING_M, "0", "1")])
def test_a_line_pulses_as_its_mode_says(
    smu: SimKeithley2600B, tell: Any, ask: Any, mode: int, rests: str, pulses: str
) -> None:
    tell(smu, f"line = digio.trigger[5] line.mode = {mode} line.pulsewidth = 1e-2")
    read = "print(string.format('%d', digio.readbit(5)))"
    assert ask(smu, read) == rests
    tell(smu, "line.assert()")
    assert ask(smu, read) == pulses
    assert ask(smu, f"delay(2e-2) {read}") == rests
    tell(smu, "line.pulsewidth = 0 line.assert() delay(10)")
    assert ask(smu, read) == pulses, "until it is released"
    assert ask(smu, f"line.release() {read}") == rests


@pytest.mark.parametrize(("mode", "many"), [(0, 0), (FALLING, 1), (RISING_A, 1), (EITHER, 2), (RISING_M, 0)])
def test_a_line_sees_edges_as_its_mode_says(smu: SimKeithley2600B, tell: Any, ask: Any, mode: int, many: int) -> None:
    """The edges come from whoever is on the wire: here from another line of the same port."""
    seen: list[int] = []
    line = smu.triggers.digital[6]
    watcher = smu.events.detector(lambda: seen.append(1))
    tell(smu, f"digio.trigger[7].mode = {mode}")
    watcher.stimulus = line.event
    line.wire.set("somebody", is_low=True)
    line.wire.set("somebody", is_low=False)
    assert len(seen) == many
    assert ask(smu, "print(digio.trigger[7].wait(0))") == ("true" if many else "false")


def test_a_synchronous_line_latches_until_it_is_asserted(smu: SimKeithley2600B, tell: Any, ask: Any) -> None:
    tell(smu, f"digio.trigger[2].mode = {SYNCHRONOUS_A}")
    wire = smu.triggers.digital[1].wire
    wire.set("somebody", is_low=True)
    wire.set("somebody", is_low=False)
    assert ask(smu, "print(digio.readbit(2))") == "0.00000e+00"
    assert ask(smu, "digio.trigger[2].assert() print(digio.readbit(2))") == "1.00000e+00"


def test_protected_lines_and_overruns(smu: SimKeithley2600B, tell: Any, ask: Any) -> None:
    tell(smu, "digio.writeprotect = 2 digio.writeport(0)")
    assert ask(smu, "print(digio.readport())") == "2.00000e+00"
    tell(smu, "digio.writeprotect = 0 digio.writeport(16383) digio.trigger[1].mode = digio.TRIG_FALLING")
    tell(smu, "digio.trigger[1].assert()", "digio.trigger[1].assert()")
    assert ask(smu, "print(digio.trigger[1].overrun)") == "true"
    assert ask(smu, "print(status.operation.instrument.digio.trigger_overrun.condition)") == "2.00000e+00"
    assert ask(smu, "digio.trigger[1].clear() print(digio.trigger[1].overrun)") == "false"
    tell(smu, "digio.trigger[1].mode = 12", "digio.writeport(99999)", "tsplink.trigger[2].mode = 12")
    assert errors(smu) == [1800, 1101, 1800]


def test_a_timer_runs_while_a_script_waits(smu: SimKeithley2600B, tell: Any, ask: Any) -> None:
    tell(smu, "t = trigger.timer[3] t.delaylist = {0.5, 0.25} t.count = 2")
    tell(smu, "t.stimulus = trigger.generator[1].EVENT_ID")
    asked = "trigger.generator[1].assert() timer.reset() print(t.wait(3), timer.measure.t()) "
    first, second = ask(smu, asked + "print(t.wait(3), timer.measure.t())"), smu._replies[0].decode()
    assert [first.split("\t")[0], second.split("\t")[0]] == ["true", "true"]
    seconds = [float(line.split("\t")[1]) for line in (first, second)]
    assert seconds == pytest.approx([0.5, 0.75], abs=1e-4)
    smu.drop_replies()
    assert ask(smu, "print(t.wait(0.1))") == "false"


def test_blenders(smu: SimKeithley2600B, tell: Any, ask: Any) -> None:
    tell(smu, "b = trigger.blender[1] g = trigger.generator")
    tell(smu, "b.stimulus[1] = g[1].EVENT_ID b.stimulus[2] = g[2].EVENT_ID")
    assert ask(smu, "g[1].assert() print(b.wait(0))") == "false"
    assert ask(smu, "g[1].assert() print(b.overrun)") == "true"
    assert ask(smu, "g[2].assert() print(b.wait(0))") == "true"
    assert ask(smu, "b.clear() b.orenable = true g[1].assert() print(b.wait(0))") == "true"


def test_there_is_nobody_on_the_network_or_at_the_panel(smu: SimKeithley2600B, tell: Any, ask: Any) -> None:
    tell(smu, "lan.trigger[1].connect()", "lan.trigger[1].assert()")
    assert errors(smu) == [2112, 2112]
    assert ask(smu, "print(lan.trigger[1].connected, display.trigger.wait(1))") == "false\tfalse"


BENCH = """
bench: tsp
seed: 11
line_hertz: 50
die: {rows: 3, cols: 3}
instruments:
  - {name: smu, model: keithley_2602b, address: "GPIB0::26::INSTR", tsp_link: {2: matrix}}
  - {name: matrix, model: keithley_707b, address: "GPIB0::16::INSTR", cards: [7174A]}
cables:
  - {from: smu.a.hi, to: matrix.row.A, ohms: 0.1}
  - {from: matrix.col.101, to: ground, ohms: 1000}
  - {from: matrix.col.102, to: ground, ohms: 2000}
  - {from: matrix.col.103, to: ground, ohms: 4000}
"""
HANDSHAKE = """loadandrunscript
tsplink.reset(2)
local matrix = node[2]
matrix.scan.create("1A01:1A03")
matrix.scan.bypass = matrix.scan.OFF
for _, link in ipairs({tsplink, matrix.tsplink}) do
  link.trigger[1].mode = tsplink.TRIG_FALLING
  link.trigger[2].mode = tsplink.TRIG_FALLING
end
matrix.tsplink.trigger[2].stimulus = matrix.scan.trigger.EVENT_CHANNEL_READY
matrix.scan.trigger.channel.stimulus = matrix.tsplink.trigger[1].EVENT_ID
matrix.scan.background()
trigger.blender[1].orenable = true
trigger.blender[1].stimulus[1] = smua.trigger.ARMED_EVENT_ID
trigger.blender[1].stimulus[2] = smua.trigger.PULSE_COMPLETE_EVENT_ID
tsplink.trigger[1].stimulus = trigger.blender[1].EVENT_ID
smua.reset()
smua.source.rangev = 1
smua.measure.rangei = 1e-3
smua.measure.nplc = 0.1
smua.nvbuffer1.clear()
smua.nvbuffer1.appendmode = 1
smua.trigger.source.listv({0.1})
smua.trigger.source.action = smua.ENABLE
smua.trigger.source.stimulus = tsplink.trigger[2].EVENT_ID
smua.trigger.measure.i(smua.nvbuffer1)
smua.trigger.measure.action = smua.ENABLE
smua.trigger.endpulse.action = smua.SOURCE_IDLE
smua.trigger.count = 3
smua.source.output = 1
smua.trigger.initiate()
waitcomplete()
smua.source.output = 0
printbuffer(1, smua.nvbuffer1.n, smua.nvbuffer1)
print(matrix.scan.state())
print(matrix.channel.getclose("allslots"))
endscript"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[SimBench]:
    (tmp_path / "bench.yaml").write_text(BENCH)
    made = sim_bench(str(tmp_path / "bench.yaml"))
    yield made
    made.close()


def test_a_matrix_steps_with_a_sweep_over_trigger_lines(bench: SimBench, tell: Any) -> None:
    smu: Any = bench.by_name["smu"]
    tell(smu, *HANDSHAKE.split("\n"))
    replies = [reply.decode().strip() for reply in smu._replies]
    amps = [float(part) for part in replies[0].split(", ")]
    assert amps == pytest.approx([1e-4, 5e-5, 2.5e-5], rel=0.02), "one column after the other"
    assert replies[1:] == ["6.00000e+00\t1.00000e+00\t3.00000e+00", "1A03"]
    assert errors(smu) == []
    assert bench.world.incidents == [], "no relay moves while there is voltage on it"


def test_any_node_can_be_the_master(bench: SimBench, ask: Any, tell: Any) -> None:
    matrix, smu = bench.by_name["matrix"], bench.by_name["smu"]
    assert ask(matrix, "print(tsplink.reset(), node[1].localnode.model)") == "2.00000e+00\t2602B"
    tell(matrix, "node[1].smua.source.levelv = 0.25 node[1].dataqueue.add({1, {2}})")
    assert ask(smu, "print(smua.source.levelv, dataqueue.count, dataqueue.next()[2][1])").startswith("2.50000e-01\t1.0")
    assert ask(smu, "print(tsplink.master, tsplink.node)") == "2.00000e+00\t1.00000e+00"
    tell(matrix, "node[1].execute('answer = 42')")
    assert ask(matrix, "print(node[1].getglobal('answer'))") == "4.20000e+01"
