"""What the drivers of SCPI matrices say on the bus, word for word, and what they make of the replies."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError

from mtjlab.drivers.keithley_7001 import Keithley7001
from mtjlab.drivers.keysight_34980a import Keysight34980A
from mtjlab.drivers.keysight_b2200 import KeysightB2200
from mtjlab.errors import InputError, InstrumentError
from mtjlab.roles import Crosspoint

TIMEOUT = VisaIOError(StatusCode.error_timeout)
NO_ERROR = (":SYST:ERR?", '+0,"No error"')
CARDS_7001 = ("*OPT?", "C7012,C7012")
ASK_7001 = ":ROUT:CLOS:STAT?"
TYPES_B2200 = (
    ":SYST:CTYP? 1;:SYST:CTYP? 2;:SYST:CTYP? 3;:SYST:CTYP? 4",
    "AGILENT,B2211A,0,A.01.00;AGILENT,B2211A,0,A.01.00;AGILENT,0,0,0;AGILENT,0,0,0",
)
IDN_B2201 = ("*IDN?", "AGILENT,B2201A,0,A.01.00")
IDN_E5250 = ("*IDN?", "HEWLETT-PACKARD,E5250A,0,A.03.00")
ASK_B2200 = ":CLOS:CARD? 0"
TYPES_34980 = (
    ";".join(f":SYST:CTYP? {slot}" for slot in range(1, 9)),
    ";".join(
        ['"Agilent Technologies,34934A-4x32,MY1,1.00"', '"Agilent Technologies,34932A,MY2,1.00"']
        + ['"Agilent Technologies,0,0,0"'] * 6
    ),
)
HIGH_34934 = "1101:1132,1301:1332,1501:1532,1701:1732"
ROWS_34932 = ",".join(f"2{row}01:2{row}16" for row in range(1, 9))
ASK_34980 = f":ROUT:CLOS? (@{HIGH_34934},{ROWS_34932});:SYST:MOD:ROW:PROT? 1"


def closed_34980(*places: int, mode: str = "AUTO0") -> str:
    """The reply with the flags at these places set."""
    return ",".join("1" if k in places else "0" for k in range(4 * 32 + 8 * 16)) + f";{mode}"


def at(*places: tuple[str, int]) -> frozenset[Crosspoint]:
    return frozenset(Crosspoint(*place) for place in places)


class TestKeithley7001:
    def test_prepare(self, dialogue: Any) -> None:
        reset = ("*RST;*CLS;:ROUT:CONF:BBM ON;:ROUT:CONF:SCH OFF;:ROUT:CONF:CPA OFF;*ESE 1;*OPC", None)
        with dialogue(Keithley7001, reset, (NO_ERROR[0], '0,"No error"')) as matrix:
            matrix.prepare()

    def test_only_what_differs_is_sent_and_opening_comes_first(self, dialogue: Any) -> None:
        first = (f":ROUT:CLOS (@1!1!1,2!3!10);{ASK_7001}", "(@1!1!1,2!3!10)")
        second = (f":ROUT:OPEN (@1!1!1);:ROUT:CLOS (@1!2!1);{ASK_7001}", "(@1!2!1,2!3!10)")
        third = (f":ROUT:OPEN (@1!2!1,2!3!10);{ASK_7001}", "(@)")
        with dialogue(Keithley7001, CARDS_7001, CARDS_7001, (ASK_7001, "(@)"), first, second, third) as matrix:
            matrix.route(at(("1", 101), ("3", 210)))
            assert matrix.route(at(("2", 101), ("3", 210))) == at(("2", 101), ("3", 210))
            assert matrix.route(()) == frozenset()

    def test_after_a_fault_it_is_asked_anew(self, dialogue: Any) -> None:
        lost = (f":ROUT:CLOS (@1!1!1);{ASK_7001}", TIMEOUT)
        again = (f":ROUT:OPEN (@1!4!4);:ROUT:CLOS (@1!1!1);{ASK_7001}", "(@1!1!1)")
        steps = (CARDS_7001, CARDS_7001, (ASK_7001, "(@)"), lost, (ASK_7001, "(@1!4!4)"), again)
        with dialogue(Keithley7001, *steps) as matrix:
            with pytest.raises(InstrumentError, match="did not answer"):
                matrix.route(at(("1", 101)))
            matrix.route(at(("1", 101)))

    def test_a_range_counts_through_the_columns_of_a_card(self, dialogue: Any) -> None:
        with dialogue(Keithley7001, (ASK_7001, "(@1!1!9:1!2!2,2!4!1)"), CARDS_7001, CARDS_7001) as matrix:
            expected = at(("1", 109), ("1", 110), ("2", 101), ("2", 102), ("4", 201))
            assert matrix.closed() == expected

    @pytest.mark.parametrize("reply", ["", "1!1!1", "(@1!1)", "(@1!1!1;1!1!2)", "(@1!1!1:2!1!1)", "(@a)"])
    def test_a_garbled_list_is_explained(self, dialogue: Any, reply: str) -> None:
        with dialogue(Keithley7001, (ASK_7001, reply)) as matrix:
            matrix._fitted = {1: (4, 10), 2: (4, 10)}
            with pytest.raises(InstrumentError, match="cannot be understood"):
                matrix.closed()

    def test_settling_time(self, dialogue: Any) -> None:
        asked = (":ROUT:CONF:SLOT1:STIM?;:ROUT:CONF:SLOT2:STIM?", "0.020;0.020")
        steps = (CARDS_7001, CARDS_7001, (":ROUT:CONF:SLOT1:STIM 0.020;:ROUT:CONF:SLOT2:STIM 0.020", None), asked)
        with dialogue(Keithley7001, *steps) as matrix:
            without = matrix.seconds_per_route
            matrix.settle_seconds(0.02)
            assert matrix.settle_seconds() == 0.02
            assert matrix.seconds_per_route == pytest.approx(without + 0.04)


class TestKeysightB2200:
    def test_prepare_confirms_the_rule(self, dialogue: Any) -> None:
        steps = (("*RST;*CLS;:FUNC ACON;:CONN:RULE 0,SROU;:CONN:SEQ 0,BBM;*ESE 1;*OPC", None),)
        asked = ":CONN:RULE? 0;:CONN:SEQ? 0"
        with dialogue(KeysightB2200, *steps, (asked, "SROU;BBM"), NO_ERROR) as matrix:
            matrix.prepare()
        with (
            dialogue(KeysightB2200, *steps, (asked, "FREE;BBM"), NO_ERROR) as matrix,
            pytest.raises(InstrumentError, match="FREE"),
        ):
            matrix.prepare()

    def test_the_free_rule_is_not_to_be_had_by_the_way(self, dialogue: Any) -> None:
        with dialogue(KeysightB2200) as matrix, pytest.raises(ValueError, match="FREE"):
            matrix.connection_rule("FREE")

    def test_what_a_closing_takes_over_is_not_opened_first(self, dialogue: Any) -> None:
        first = (f":CLOS (@00101,01424);{ASK_B2200}", "(@00101,01424)")
        second = (f":OPEN (@01424);:CLOS (@00201);{ASK_B2200}", "(@00201)")
        with dialogue(
            KeysightB2200, IDN_B2201, IDN_B2201, TYPES_B2200, TYPES_B2200, (ASK_B2200, "(@)"), first, second
        ) as matrix:
            assert matrix.route(at(("1", 101), ("14", 212))) == at(("1", 101), ("14", 212))
            assert matrix.route(at(("2", 101))) == at(("2", 101))

    def test_by_the_free_rule_everything_opens_first(self, dialogue: Any) -> None:
        free = partial(KeysightB2200, allows_free_rule=True)
        first = (f":CLOS (@00101,00102);{ASK_B2200}", "(@00101,00102)")
        second = (f":OPEN (@00101);:CLOS (@00201);{ASK_B2200}", "(@00102,00201)")
        with dialogue(
            free, IDN_B2201, IDN_B2201, TYPES_B2200, TYPES_B2200, (ASK_B2200, "(@)"), first, second
        ) as matrix:
            matrix.route(at(("1", 101), ("1", 102)))
            matrix.route(at(("2", 101), ("1", 102)))

    def test_what_could_do_damage_is_refused(self, dialogue: Any) -> None:
        for allows, wanted, said in (
            (False, at(("1", 101), ("2", 101)), "meet"),
            (True, at(("1", 101), ("2", 101)), "meet"),
            (False, at(("1", 101), ("1", 102)), "single-route"),
        ):
            driver = partial(KeysightB2200, allows_free_rule=allows)
            with (
                dialogue(driver, IDN_B2201, IDN_B2201, TYPES_B2200, TYPES_B2200) as matrix,
                pytest.raises(InstrumentError, match=said),
            ):
                matrix.route(wanted)

    def test_holding_at_a_row(self, dialogue: Any) -> None:
        told = (
            ":BIAS 0,OFF;:AGND 0,OFF;:BIAS:PORT 0,9;:BIAS:CHAN:DIS:CARD 0;:BIAS:CHAN:ENAB (@00101,00113);:BIAS 0,ON;"
            f":BIAS? 0;{ASK_B2200}",
            "1;(@00901,00913)",
        )
        route = (f":CLOS (@00113);{ASK_B2200}", "(@00113,00901)")
        back = (f":OPEN (@00113);{ASK_B2200}", "(@00901,00913)")
        steps = (TYPES_B2200, TYPES_B2200, IDN_B2201, IDN_B2201, (ASK_B2200, "(@)"), told, route, back)
        with dialogue(KeysightB2200, *steps) as matrix:
            assert matrix.hold([101, 201], "9") == at(("9", 101), ("9", 201))
            matrix.route(at(("1", 201)))
            matrix.route(())

    def test_holding_at_ground(self, dialogue: Any) -> None:
        told = (
            ":BIAS 0,OFF;:AGND 0,OFF;:AGND:PORT 0,12;:AGND:CHAN:DIS:CARD 0;:AGND:CHAN:ENAB (@00101);:AGND 0,ON;"
            f":AGND? 0;{ASK_B2200}",
            "1;(@01201)",
        )
        with dialogue(
            KeysightB2200, TYPES_B2200, TYPES_B2200, IDN_B2201, IDN_B2201, (ASK_B2200, "(@)"), told
        ) as matrix:
            assert matrix.hold([101]) == at(("12", 101))

    def test_open_all_ends_the_modes(self, dialogue: Any) -> None:
        with dialogue(KeysightB2200, IDN_B2201, IDN_B2201, (":BIAS 0,OFF;:AGND 0,OFF;:OPEN:CARD 0", None)) as matrix:
            matrix.open_all()
        with dialogue(KeysightB2200, IDN_E5250, IDN_E5250, (":BIAS 0,OFF;:OPEN:CARD 0", None)) as matrix:
            matrix.open_all()

    @pytest.mark.parametrize("reply", ["", "00101", "(@10101)", "(@00125)", "(@001)", "(@00101;00102)"])
    def test_a_garbled_list_is_explained(self, dialogue: Any, reply: str) -> None:
        with dialogue(KeysightB2200, (ASK_B2200, reply), TYPES_B2200, TYPES_B2200) as matrix:
            with pytest.raises(InstrumentError, match="cannot be understood"):
                matrix.closed()
            assert matrix.columns


class TestKeysight34980A:
    def test_prepare_sets_the_row_protection_and_reads_it_back(self, dialogue: Any) -> None:
        steps = (
            TYPES_34980,
            TYPES_34980,
            ("*RST;*CLS;:SYST:MOD:ROW:PROT 1,AUTO0;*ESE 1;*OPC", None),
            (ASK_34980, closed_34980()),
        )
        with dialogue(Keysight34980A, *steps, NO_ERROR) as matrix:
            matrix.prepare()
            assert matrix.rows == tuple("12345678")
            assert matrix.protection_ohms == 0

    def test_a_protection_that_is_not_what_was_told_is_an_error(self, dialogue: Any) -> None:
        steps = (TYPES_34980, TYPES_34980, ("*RST;*CLS;:SYST:MOD:ROW:PROT 1,AUTO0;*ESE 1;*OPC", None))
        garbled = (ASK_34980, closed_34980(mode="AUTO100"))
        with dialogue(Keysight34980A, *steps, garbled) as matrix, pytest.raises(InstrumentError) as caught:
            matrix.prepare()
        assert "AUTO100" in caught.value.what
        assert "100 ohm" in caught.value.what

    def test_what_is_left_in_series_by_mode(self, dialogue: Any) -> None:
        for mode, ohms in (("AUTO100", 100), ("FIX", 100), ("AUTO0", 0), ("ISO", 0)):
            with dialogue(partial(Keysight34980A, row_protection=mode), TYPES_34980, TYPES_34980) as matrix:
                assert matrix.protection_ohms == ohms
        with pytest.raises(InputError, match="AUTO50"):
            Keysight34980A("unit", row_protection="AUTO50")

    def test_channels_of_both_kinds_of_modules(self, dialogue: Any) -> None:
        # 4x32: 200 numbers per row; 34932A: rows 5 to 8 reach the second sixteen columns
        wanted = at(("1", 101), ("4", 132), ("4", 216), ("5", 217), ("8", 232))
        places = (0, 127, 128 + 63, 128 + 64, 128 + 127)
        route = (f":ROUT:CLOS (@1101,1732,2416,2501,2816);{ASK_34980}", closed_34980(*places))
        with dialogue(Keysight34980A, TYPES_34980, TYPES_34980, (ASK_34980, closed_34980()), route) as matrix:
            assert matrix.route(wanted) == wanted
            assert matrix.columns == (*range(101, 133), *range(201, 233))
            assert not matrix.reaches(Crosspoint("1", 217))
            assert not matrix.reaches(Crosspoint("5", 101))

    def test_opening_comes_first(self, dialogue: Any) -> None:
        route = (f":ROUT:OPEN (@1101);:ROUT:CLOS (@1301);{ASK_34980}", closed_34980(32))
        with dialogue(Keysight34980A, TYPES_34980, TYPES_34980, (ASK_34980, closed_34980(0)), route) as matrix:
            assert matrix.route(at(("2", 101))) == at(("2", 101))

    def test_more_coils_than_a_34934a_feeds_are_refused(self, dialogue: Any) -> None:
        wanted = at(*((row, 100 + column) for row in "123" for column in range(1, 23)))
        with (
            dialogue(Keysight34980A, TYPES_34980, TYPES_34980) as matrix,
            pytest.raises(InstrumentError, match="66 closed"),
        ):
            matrix.route(wanted)

    @pytest.mark.parametrize("reply", ["", "1,0;AUTO0", closed_34980().replace("0,", "2,", 1), closed_34980() + ";X"])
    def test_a_garbled_reply_is_explained(self, dialogue: Any, reply: str) -> None:
        with (
            dialogue(Keysight34980A, TYPES_34980, TYPES_34980, (ASK_34980, reply)) as matrix,
            pytest.raises(InstrumentError, match="cannot be understood"),
        ):
            matrix.closed()


MODELS = [
    (Keithley7001, "KEITHLEY INSTRUMENTS INC.,MODEL 7001,0600001,A04  /A01"),
    (Keithley7001, "KEITHLEY INSTRUMENTS INC.,MODEL 7002,0600001,A03  /A02"),
    (KeysightB2200, "AGILENT,B2200A,0,A.01.00"),
    (KeysightB2200, "AGILENT TECHNOLOGIES,B2201A,0,A.01.00"),
    (KeysightB2200, "HEWLETT-PACKARD,E5250A,0,A.03.00"),
    (Keysight34980A, "Agilent Technologies,34980A,MY44000001,2.43-2.40-2.14-0.00"),
]


@pytest.mark.parametrize(("driver", "said"), MODELS)
def test_identity(dialogue: Any, driver: Any, said: str) -> None:
    with dialogue(driver, ("*IDN?", said), ("*IDN?", said)) as matrix:
        assert matrix.identity().firmware
    other = ("*IDN?", "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1,C30")
    with dialogue(driver, other) as matrix, pytest.raises(InstrumentError, match="expected one of"):
        matrix.identity()


@pytest.mark.parametrize("driver", [Keithley7001, KeysightB2200, Keysight34980A])
def test_the_error_queue_is_drained_and_quoted(dialogue: Any, driver: Any) -> None:
    entries = [(":SYST:ERR?", '-222,"Parameter data out of range"'), (":SYST:ERR?", '+305,"Too many"')]
    with dialogue(driver, *entries, NO_ERROR) as matrix, pytest.raises(InstrumentError) as caught:
        matrix.check_errors()
    assert "Parameter data out of range" in caught.value.what
    assert "Too many" in caught.value.what


@pytest.mark.parametrize("driver", [Keithley7001, KeysightB2200, Keysight34980A])
def test_every_parameter_has_label_and_docstring(dialogue: Any, driver: Any) -> None:
    with dialogue(driver) as matrix:
        for name, parameter in matrix.parameters.items():
            if name not in ("IDN", "timeout"):
                assert parameter.label != name
                assert not parameter.__doc__.startswith("Parameter class"), name
