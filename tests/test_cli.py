"""The command as typed: bad input is refused before anything is on, and whatever ends a run leaves the bench safe."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import mtjlab
from mtjlab import cli
from mtjlab.cli import app, main
from mtjlab.nouns import ArrayMap
from mtjlab.sim_instruments import benches
from mtjlab.sim_instruments.simulated_bench import sim_bench

from .commands import change

PACKAGED = Path(benches.__file__).parent


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with copies of the packaged bench, station and wiring files, as the working directory."""
    for path in PACKAGED.glob("passive15*.yaml"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """Run the command; it must end with status 2 and one line on standard error, which is returned."""
    monkeypatch.setattr(sys, "argv", ["mtjlab", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mtjlab:")]
    assert len(lines) == 1
    return lines[0]


def test_help_names_every_command_and_option() -> None:
    result = CliRunner().invoke(app, ["demo", "--help"], terminal_width=200)
    assert result.exit_code == 0
    for option in ("--seed", "--out", "--solutions", "--bench", "--station", "--wiring", "--write-volts", "--json"):
        assert option in result.stdout
    assert mtjlab.__version__ in CliRunner().invoke(app, ["--version"]).stdout


def test_two_lines_on_one_matrix_column(files: Path, capsys, monkeypatch) -> None:
    change(files / "passive15.wiring.yaml", "col_lines: [204", "col_lines: [101")
    message = refused(capsys, monkeypatch, "demo", "--out", "o", "--wiring", "passive15.wiring.yaml")
    assert "passive15.wiring.yaml, line 8" in message
    assert "row_lines[0] and col_lines[0]" in message
    assert "give each line its own" in message
    assert not Path("o").exists()


def test_a_misspelt_key_is_named_with_the_nearest_word(files: Path, capsys, monkeypatch) -> None:
    change(files / "passive15.wiring.yaml", "read_volts:", "read_vlts:")
    message = refused(capsys, monkeypatch, "demo", "--out", "o", "--wiring", "passive15.wiring.yaml")
    assert "line 13" in message
    assert "Did you mean 'read_volts'?" in message


@pytest.mark.parametrize("option", ["--wiring", "--bench"])
def test_a_malformed_file(files: Path, capsys, monkeypatch, option: str) -> None:
    Path("broken.yaml").write_text("rows: [1, 2\n")
    message = refused(capsys, monkeypatch, "demo", "--out", "o", option, "broken.yaml")
    assert "broken.yaml, line 2" in message
    assert "not valid YAML" in message
    assert not Path("o").exists()


def test_a_bench_file_with_an_unknown_die_key(files: Path, capsys, monkeypatch) -> None:
    change(files / "passive15.yaml", "die: {}", "die: {segment_ohm: 3}")
    message = refused(capsys, monkeypatch, "demo", "--out", "o", "--bench", "passive15.yaml")
    assert "Did you mean 'segment_ohms'?" in message


def test_an_instrument_the_station_lacks(files: Path, capsys, monkeypatch) -> None:
    change(files / "passive15.station.yaml", "  sense:\n", "  sence:\n")
    message = refused(
        capsys,
        monkeypatch,
        "demo",
        "--out",
        "o",
        "--station",
        "passive15.station.yaml",
        "--wiring",
        "passive15.wiring.yaml",
    )
    assert "instrument 'sense' is missing" in message
    assert "passive15.station.yaml, key instruments" in message
    assert "did you mean 'sence'?" in message


def test_an_instrument_that_is_not_at_its_address(files: Path, capsys, monkeypatch) -> None:
    change(files / "passive15.station.yaml", "GPIB0::26", "GPIB0::29")
    message = refused(
        capsys,
        monkeypatch,
        "demo",
        "--out",
        "o",
        "--station",
        "passive15.station.yaml",
        "--wiring",
        "passive15.wiring.yaml",
    )
    assert "sense (GPIB0::29::INSTR) does not answer" in message
    assert "address" in message
    assert not sim_bench("passive15").world.is_live


def test_a_relay_column_that_is_not_fitted(files: Path, capsys, monkeypatch) -> None:
    change(files / "passive15.wiring.yaml", "col_lines: [204", "col_lines: [404")
    message = refused(capsys, monkeypatch, "demo", "--out", "o", "--wiring", "passive15.wiring.yaml")
    assert "key col_lines[0]: matrix column 404 is not fitted" in message


def test_a_write_amplitude_beyond_the_limits(files: Path, capsys, monkeypatch) -> None:
    message = refused(capsys, monkeypatch, "demo", "--out", "o", "--write-volts", "1.4")
    assert "1.4 V is beyond this device's limit of +0.9 V" in message
    assert "passive15.wiring.yaml, key device.limits.write_volts_positive" in message


def test_an_output_folder_that_cannot_be_written(files: Path, capsys, monkeypatch) -> None:
    Path("file").write_text("")
    message = refused(capsys, monkeypatch, "demo", "--out", "file/run")
    assert "the output folder cannot be written" in message
    assert "--out" in message


def test_an_output_folder_that_holds_something(files: Path, capsys, monkeypatch) -> None:
    message = refused(capsys, monkeypatch, "demo", "--out", ".")
    assert "not empty" in message
    assert (files / "passive15.yaml").exists()


def test_a_file_that_is_not_there(files: Path, capsys, monkeypatch) -> None:
    assert "nothere.yaml: there is no such file" in refused(capsys, monkeypatch, "demo", "--bench", "nothere.yaml")


def test_a_station_without_wiring(files: Path, capsys, monkeypatch) -> None:
    assert "needs --wiring" in refused(capsys, monkeypatch, "demo", "--station", "passive15.station.yaml")


def test_without_pytorch_the_command_that_installs_it_is_named(files: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("mtjlab.engine.training.HAS_TORCH", False)
    message = refused(capsys, monkeypatch, "demo", "--out", "o")
    assert "PyTorch is not installed" in message
    assert 'pip install -c constraints.txt ".[train]"' in message
    assert not Path("o").exists()


def demo_ending_with(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mtjlab", "demo", "--out", "run", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("instrument", ["drive", "half_select", "sense", "matrix"])
def test_an_instrument_that_stops_answering_in_the_middle(files: Path, capsys, monkeypatch, instrument: str) -> None:
    fault = f"faults: [{{instrument: {instrument}, kind: silent, after_operations: 1000}}]"
    change(files / "passive15.yaml", "faults: []", fault)
    assert demo_ending_with(monkeypatch, "--bench", "passive15.yaml") == 1
    said = capsys.readouterr().err
    result = json.loads(Path("run/result.json").read_text())
    assert result["status"] == "failed"
    assert instrument in result["reason"]
    assert "did not answer" in result["reason"]
    # a source that no longer listens may be at its level: opening the relays under it still parts it from the die
    allowed = set() if instrument == "matrix" else {"hot switching"}
    assert {incident["kind"] for incident in result["incidents"]} <= allowed
    assert instrument in said
    assert f"What was measured is in {files / 'run'}" in said
    others = {name: off for name, off in result["outputs"].items() if name != instrument}
    assert all(others.values())
    assert result["relays_open"] is (None if instrument == "matrix" else True)
    assert len(Path("run/readings.csv").read_text().splitlines()) > 20
    assert ArrayMap.load(Path("run/maps/as_found.npz")).shape == (15, 15)
    assert Path("run/report.html").exists()
    world = sim_bench(str(files / "run" / "bench.yaml")).world
    assert not np.any(np.abs(world.cell_volts()) > 1e-3)


def test_an_instrument_that_hangs_is_cleared_and_switched_off(files: Path, capsys, monkeypatch) -> None:
    change(files / "passive15.yaml", "faults: []", "faults: [{instrument: drive, kind: hang, after_operations: 500}]")
    assert demo_ending_with(monkeypatch, "--bench", "passive15.yaml") == 1
    result = json.loads(Path("run/result.json").read_text())
    assert "drive" in result["reason"]
    assert result["outputs_off"] is True
    assert result["relays_open"] is True


@pytest.mark.parametrize("transactions", [1, 150, 700, 1700])
def test_ctrl_c_at_any_moment(files: Path, capsys, monkeypatch, transactions: int) -> None:
    seen = 0
    listen = cli_listener()

    def interrupt(self, kind, lines, sense, readings) -> None:
        nonlocal seen
        listen(self, kind, lines, sense, readings)
        seen += 1
        if seen == transactions:
            raise KeyboardInterrupt

    monkeypatch.setattr("mtjlab.store.RunFolder.listen", interrupt)
    assert demo_ending_with(monkeypatch) == cli.INTERRUPTED
    result = json.loads(Path("run/result.json").read_text())
    assert (result["status"], result["reason"]) == ("stopped", "stopped by Ctrl-C")
    assert result["outputs_off"] is True
    assert result["relays_open"] is True
    assert result["incidents"] == []
    assert result["readings"] + result["write_pulses"] == transactions
    assert len(Path("run/readings.csv").read_text().splitlines()) == transactions + 1
    assert f"What was measured is in {files / 'run'}" in capsys.readouterr().err


def cli_listener():
    from mtjlab.store import RunFolder

    return RunFolder.listen


def ignore_ctrl_c() -> None:
    """What a shell does to programs that it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send these signals to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_signal_stops_a_run_safely(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "mtjlab", "demo", "--out", str(tmp_path / "run")]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, preexec_fn=ignore_ctrl_c
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("writing both states"):
                process.send_signal(number)
                break
        said = process.stderr.read()
    assert process.returncode == cli.INTERRUPTED
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "stopped"
    assert result["outputs_off"] is True
    assert "All outputs were read back as off, all relays are open" in said
