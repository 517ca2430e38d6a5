import pytest
import pyvisa

from mtjlab.sim_instruments.simulated_bench import sim_bench


@pytest.fixture
def drive():
    manager = pyvisa.ResourceManager("passive15@mtjlab")
    sim_bench("passive15").reset()
    yield manager.open_resource("GPIB0::24::INSTR")
    manager.close()


def test_an_instrument_that_is_only_written_to_does_not_fall_behind_the_host(drive) -> None:
    for _ in range(5000):
        drive.write(":SOUR:VOLT:LEV 0")
    drive.timeout = 500
    assert drive.query(":OUTP?").strip() == "0"
