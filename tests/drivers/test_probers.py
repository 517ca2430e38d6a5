"""What the drivers of probers say on the wire, word for word, and what they make of answers nobody hopes for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from mtjlab.drivers.formfactor_velox import FormFactorVelox
from mtjlab.drivers.manual_prober import ManualProber
from mtjlab.drivers.mpi_sentio import MpiSentio
from mtjlab.errors import InputError, InstrumentError
from mtjlab.prober import DiePosition, ErrorClass, ProberError

Dialogue = Callable[..., AbstractContextManager[Any]]


def velox(framing: str) -> Callable[..., FormFactorVelox]:
    return lambda name, **kwargs: FormFactorVelox(name, framing=framing, **kwargs)  # type: ignore[arg-type]


def sentio(name: str, **kwargs: Any) -> MpiSentio:
    return MpiSentio(name, wait=lambda seconds: None, **kwargs)


REGISTER = ("FCN=1:RegisterProberApp:unit unit 0", "FCN=1:0:")
SELECT = ("*RCS 1", None)
STILL = ("ReadChuckStatus", "0: 15 21 0 0 Default 1 S N 0 N 0")
HEIGHTS, SEPARATED, DOWN = "0: 12000.0 40.0 500.0 300.0 0.0", "0: 0.0 0.0 11700.0", "0: 0.0 0.0 12040.0"


SEPARATED_AT = ("ReadChuckPosition Y Z", SEPARATED)

# Velox


def test_on_the_socket_it_registers_once_and_numbers_its_commands(dialogue: Dialogue) -> None:
    script = [
        REGISTER,
        ("Cmd=2:ReadMapPosition2:", "Rsp=2:0:3 -4 15000.0 -20000.0 0 2 17 36 0 0"),
        ("Cmd=3:GetWaferID:", 'Rsp=3:0:"W 07"'),
    ]
    with dialogue(velox("socket"), *script) as unit:
        assert unit.position() == DiePosition(3, -4)
        assert unit.command("GetWaferID") == ["W 07"]


def test_answers_to_other_questions_and_notifications_are_passed_over(dialogue: Dialogue) -> None:
    stray = ["Ntf=31:chuck moving", "Rsp=999:0:9 9 0 0 0 0 0 0 0 0", "Rsp=2:0:3 -4 0.0 0.0 0 0 1 1 0 0"]
    with dialogue(velox("socket"), REGISTER, ("Cmd=2:ReadMapPosition2:", stray)) as unit:
        assert unit.position() == DiePosition(3, -4)


def test_an_answer_of_any_length_is_read_whole(dialogue: Dialogue) -> None:
    slots = " ".join(f"slot{n}" for n in range(2000))
    script = [("Cmd=2:GetCassetteStatus:1", f"Rsp=2:0:{slots}"), ("Cmd=3:EchoData:a", "Rsp=3:0:a")]
    with dialogue(velox("socket"), REGISTER, *script) as unit:
        assert len(unit.command("GetCassetteStatus", 1)) == 2000
        assert unit.command("EchoData", "a") == ["a"]


def test_answers_end_with_a_carriage_return_too_and_have_any_letters(dialogue: Dialogue) -> None:
    script = [("Cmd=2:GetWaferID:", "Rsp=2:0:W7\r"), ("Cmd=3:MoveChuckContact:", 'Rsp=3:77:"door, 5 µm"\r')]
    with dialogue(velox("socket"), REGISTER, *script) as unit:
        assert unit.command("GetWaferID") == ["W7"]
        with pytest.raises(ProberError, match="door, 5 µm"):
            unit.command("MoveChuckContact")


def test_only_stray_lines_are_no_answer(dialogue: Dialogue) -> None:
    steps = [REGISTER, ("Cmd=2:EchoData:a", ["Rsp=7:0:a"] * 50)]
    refused = pytest.raises(InstrumentError, match="cannot be understood")
    with dialogue(velox("socket"), *steps) as unit, refused:
        unit.command("EchoData", "a")


def test_numbers_of_commands_begin_again_after_999(dialogue: Dialogue) -> None:
    with dialogue(velox("socket"), REGISTER, ("Cmd=1:EchoData:a", "Rsp=1:0:a")) as unit:
        unit._number = 999
        unit.command("EchoData", "a")


def test_a_step_asks_whether_it_may_and_where_it_is_then(dialogue: Dialogue) -> None:
    script = [
        STILL,
        ("ReadChuckHeights Y", HEIGHTS),
        ("ReadChuckPosition Y Z", SEPARATED),
        ("StepNextDie 3 4 0", "0: 3 4 0 0"),
        ("ReadMapPosition2", "0: 3 4 0.0 0.0 0 0 5 36 0 0"),
    ]
    with dialogue(velox("gpib"), *script) as unit:
        assert unit.to_die(3, 4) == DiePosition(3, 4)


def test_it_never_steps_from_a_height_between_separation_and_contact(dialogue: Dialogue) -> None:
    script = [STILL, ("ReadChuckHeights Y", HEIGHTS), ("ReadChuckPosition Y Z", "0: 0.0 0.0 11800.0")]
    with dialogue(velox("gpib"), *script) as unit, pytest.raises(ProberError, match="not separated"):
        unit.to_die(3, 4)


def test_without_a_contact_height_an_operator_is_needed(dialogue: Dialogue) -> None:
    with dialogue(velox("gpib"), STILL, ("ReadChuckHeights Y", "0: -1 0.0 0.0 0.0 0.0")) as unit:
        with pytest.raises(ProberError, match="no contact height") as caught:
            unit.is_separated()
        assert caught.value.error_class is ErrorClass.OPERATOR


def test_first_and_next_keep_bins_and_subsites_out_of_it(dialogue: Dialogue) -> None:
    may = [STILL, ("ReadChuckHeights Y", HEIGHTS), ("ReadChuckPosition Y Z", SEPARATED)]
    here = ("ReadMapPosition2", "0: 1 1 0.0 0.0 -1 0 1 36 0 0")
    script = [*may, ("StepFirstDie 0 0", "0: 1 1 0 0"), here, *may, ("StepNextDie 0 0 -1", '703: "end of wafer"')]
    with dialogue(velox("gpib"), *script) as unit:
        assert unit.first_die() == DiePosition(1, 1, 0), "no subsite selected is the first one"
        assert unit.next_die() is None


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        ('40: "Chamber door is open"', ErrorClass.OPERATOR),
        ('5: "Command timed out"', ErrorClass.RETRY),
        ("999:", ErrorClass.FATAL),
        ('703: "x"', ErrorClass.END_OF_WAFER),
    ],
)
def test_errors_are_classed_by_number_or_by_words(dialogue: Dialogue, answer: str, error_class: ErrorClass) -> None:
    with dialogue(velox("gpib"), ("MoveChuckContact", answer)) as unit, pytest.raises(ProberError) as caught:
        unit.command("MoveChuckContact")
    assert caught.value.error_class is error_class
    assert caught.value.code == int(answer.partition(":")[0])


def test_taking_over_sets_the_interlock_and_looks_whether_it_stays(dialogue: Dialogue) -> None:
    separate = [
        ("MoveChuckSeparation", "0:"),
        STILL,
        ("ReadChuckHeights Y", HEIGHTS),
        ("ReadChuckPosition Y Z", SEPARATED),
    ]
    mode = ("SetChuckMode 2 0 1 2 2 2", "0:")
    good = "0: 15 21 0 0 Default 1 S N 0 N 0"  # overtravel, interlock, contact is set
    status = ("ReadChuckStatus", good)
    script = [mode, status, status, *separate, status, ("ReadChuckHeights Y", HEIGHTS)]
    with dialogue(velox("gpib"), *script) as unit:
        unit.prepare(overtravel_limit_metres=50e-6)
    for flags in (17, 23, 5):  # no interlock, automatic Z, no contact height
        status = ("ReadChuckStatus", f"0: 15 {flags} 0 0 Default 1 S N 0 N 0")
        with dialogue(velox("gpib"), mode, status) as unit, pytest.raises(ProberError, match="interlock"):
            unit.prepare(overtravel_limit_metres=50e-6)


def test_a_chuck_that_still_moves_is_neither_separated_nor_in_contact(dialogue: Dialogue) -> None:
    moving = ("ReadChuckStatus", "0: 15 21 0 4 Default 1 S N 0 N 0")
    with dialogue(velox("gpib"), moving, moving, STILL, ("ReadChuckHeights Y", HEIGHTS), SEPARATED_AT) as unit:
        assert not unit.is_separated() and not unit.is_in_contact()
        assert unit.is_separated()


def test_a_locked_chuck_needs_an_operator(dialogue: Dialogue) -> None:
    locked = ("ReadChuckStatus", "0: 15 149 0 0 Default 1 S N 0 N 0")
    with dialogue(velox("gpib"), locked) as unit, pytest.raises(ProberError, match="locked") as caught:
        unit.check_errors()
    assert caught.value.error_class is ErrorClass.OPERATOR


def test_velox_cleans_by_a_sequence_with_a_name_and_half_an_hour(dialogue: Dialogue) -> None:
    seen: list[float] = []
    with dialogue(velox("gpib"), ('ExecuteCleaningSequence "Deep" 0 0 0', "0:")) as unit:
        unit._cleaning = "Deep"
        ask = unit.ask_raw
        unit.ask_raw = lambda cmd: (seen.append(unit.visa_handle.timeout), ask(cmd))[1]
        unit._clean()
    assert seen == pytest.approx([1_800_000.0])


def test_velox_bins_of_another_die_than_wanted_stop_everything(dialogue: Dialogue) -> None:
    may = [STILL, ("ReadChuckHeights Y", HEIGHTS), SEPARATED_AT]
    with dialogue(velox("gpib"), *may, ("BinMapDie 3 4 5", "0: 4 5"), *may, ("BinMapDie 3 4 5", "0: 4 6")) as unit:
        unit.write_bin(4, 5, 3)
        with pytest.raises(ProberError, match=r"has set that of die \(4, 6\)") as caught:
            unit.write_bin(4, 5, 3)
    assert caught.value.error_class is ErrorClass.FATAL


@pytest.mark.parametrize("answer", ["", "nonsense", "0", "x: 1 2", "0: 1 2 3"])
def test_answers_that_cannot_be_are_no_positions(dialogue: Dialogue, answer: str) -> None:
    refused = pytest.raises(InstrumentError, match="cannot be understood")
    with dialogue(velox("gpib"), ("ReadMapPosition2", answer)) as unit, refused:
        unit.position()


def test_overtravel_that_is_switched_off_is_none_and_setting_it_switches_it_on(dialogue: Dialogue) -> None:
    separated = [STILL, ("ReadChuckHeights Y", HEIGHTS), ("ReadChuckPosition Y Z", SEPARATED)]
    script = [
        ("ReadChuckStatus", "0: 15 20 0 0 Default 1 S N 0 N 0"),
        *separated,
        ("SetChuckHeight O V Y 40.00", "0:"),
        ("SetChuckMode 1 2 2 2 2 2", "0:"),
        ("ReadChuckStatus", "0: 15 21 0 0 Default 1 S N 0 N 0"),
        ("ReadChuckHeights Y", HEIGHTS),
    ]
    with dialogue(velox("gpib"), *script) as unit:
        assert unit.overtravel_metres() == 0.0
        unit._most_overtravel = 50e-6
        unit.set_overtravel(40e-6)


@pytest.mark.parametrize(
    ("answer", "words"), [("0: 0", "understood"), ("0: 99999999", "understood"), ("0:", "understood")]
)
def test_absurd_numbers_of_dies_are_refused(dialogue: Dialogue, answer: str, words: str) -> None:
    refused = pytest.raises(InstrumentError, match=words)
    with dialogue(velox("gpib"), ("GetNumSelectedDies", answer)) as unit, refused:
        unit.wafer_map()


def test_a_wafer_whose_name_climbs_out_of_its_folder_is_refused(dialogue: Dialogue) -> None:
    script = [
        ("GetNumSelectedDies", "0: 1"),
        ("GetSelectedDieCoords 1", "0: 0 0"),
        ("GetMapDims", "0: Circle 5000.0 5000.0 1 1"),
        ("GetMapDims", "0: Circle 5000.0 5000.0 1 1"),
        ("GetWaferID", '0: "../../etc"'),
    ]
    with dialogue(velox("gpib"), *script) as unit, pytest.raises(InputError, match="cannot be used as a name"):
        unit.wafer_map()


def test_each_command_has_its_own_patience(dialogue: Dialogue) -> None:
    with dialogue(velox("gpib"), ("HeatChuck 45.00 C", "0: 45.0 C"), ("EchoData a", "0: a")) as unit:
        seen: list[float] = []
        ask = unit.ask_raw
        unit.ask_raw = lambda cmd: (seen.append(unit.visa_handle.timeout), ask(cmd))[1]
        unit.command("HeatChuck", "45.00", "C", seconds=3000.0)
        unit.command("EchoData", "a")
    assert seen == pytest.approx([3_000_000.0, 5_000.0])


# SENTIO


def test_sentio_selects_its_commands_once_and_takes_status_bits_off_the_error(dialogue: Dialogue) -> None:
    script = [SELECT, ("map:step_die 3, 4, 0", "1024,0,3,4,0"), ("map:step_next_die 0", "1035,0,End of route")]
    with dialogue(sentio, *script) as unit:
        assert unit.command("map:step_die", 3, 4, 0) == ["3", "4", "0"]
        assert unit.is_last_of_route
        with pytest.raises(ProberError, match="End of route") as caught:
            unit.command("map:step_next_die", 0)
    assert (caught.value.code, caught.value.error_class) == (11, ErrorClass.END_OF_WAFER)


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        ("60,0,Front door open", ErrorClass.OPERATOR),
        ("68,0,Vacuum failed", ErrorClass.OPERATOR),
        ("38,0,Stepping when chuck is below separation", ErrorClass.FATAL),
        ("19,0,Timeout", ErrorClass.RETRY),
        ("2,0,wafer alignment rejected", ErrorClass.OPERATOR),
        ("2,0,something else", ErrorClass.FATAL),
    ],
)
def test_sentio_errors_are_classed(dialogue: Dialogue, answer: str, error_class: ErrorClass) -> None:
    with dialogue(sentio, SELECT, ("move_chuck_contact", answer)) as unit, pytest.raises(ProberError) as caught:
        unit.command("move_chuck_contact")
    assert caught.value.error_class is error_class


def test_sentio_locks_its_contact_mode_before_anything_moves(dialogue: Dialogue) -> None:
    script = [
        SELECT,
        ("set_stepping_contact_mode LockContact", "0,0,OK"),
        ("get_chuck_site_status Wafer", "0,0,1,1,0,1"),
        ("get_door_status prober", "0,0,1,1"),
        ("move_chuck_separation", "0,0,11700.0"),
        ("get_chuck_site_heights Wafer", "0,0,12000.0,300.0,40.0,50.0"),
        ("get_chuck_z Zero", "0,0,11700.0"),
        ("get_chuck_site_status Wafer", "0,0,1,1,0,1"),
    ]
    with dialogue(sentio, *script) as unit:
        unit.prepare(overtravel_limit_metres=10e-6)  # the gap is larger, but overtravel is off


@pytest.mark.parametrize(
    ("status", "words"), [("0,0,0,1,0,1", "home"), ("0,0,1,0,0,1", "contact"), ("0,0,1,1,0,0", "vacuum")]
)
def test_sentio_is_not_taken_over_before_it_is_ready(dialogue: Dialogue, status: str, words: str) -> None:
    script = [SELECT, ("set_stepping_contact_mode LockContact", "0,0,OK"), ("get_chuck_site_status Wafer", status)]
    with dialogue(sentio, *script) as unit, pytest.raises(ProberError, match=words) as caught:
        unit.prepare(overtravel_limit_metres=10e-6)
    assert caught.value.error_class is ErrorClass.OPERATOR


def test_a_shorter_soak_than_asked_for_is_refused_before_anything_heats(dialogue: Dialogue) -> None:
    script = [
        SELECT,
        ("get_chuck_site_heights Wafer", "0,0,12000.0,300.0,40.0,50.0"),
        ("get_chuck_z Zero", "0,0,11700.0"),
        ("status:get_soaking_time 26.85", "0,0,30"),
    ]
    with dialogue(sentio, *script) as unit, pytest.raises(ProberError, match="soaks for 30 s"):
        unit.soak(300.0, 60.0)


@pytest.mark.parametrize("answer", ["", "x,0,1", "0,y,1", "garbage"])
def test_sentio_answers_that_cannot_be_are_refused(dialogue: Dialogue, answer: str) -> None:
    refused = pytest.raises(InstrumentError, match="cannot be understood")
    with dialogue(sentio, SELECT, ("status:get_chuck_temp", answer)) as unit, refused:
        unit.thermal()


# a person


def manual(*answers: str, **more: Any) -> ManualProber:
    left = list(answers)
    return ManualProber("hand", person=lambda text: left.pop(0), **more)


def test_a_person_is_asked_again_but_not_for_ever() -> None:
    unit = manual("what?", "over there", "3 -4", "perhaps", "hm", "no idea")
    try:
        assert unit.position() == DiePosition(3, -4)
        with pytest.raises(ProberError, match="nobody says yes or no") as caught:
            unit.is_separated()
        assert caught.value.error_class is ErrorClass.OPERATOR
        with pytest.raises(InputError, match="wafer map"):
            unit.wafer_map()
    finally:
        unit.close()


def test_what_was_told_before_a_fault_does_not_count_after_it() -> None:
    unit = manual("1 1", "y", "2 2", "n")
    try:
        assert (unit.position(), unit.is_separated()) == (DiePosition(1, 1), True)
        unit.recover()
        assert (unit.position(), unit.is_separated()) == (DiePosition(2, 2), False)
    finally:
        unit.close()


# cleaning, bins and heights of SENTIO


@pytest.mark.parametrize("heights", ["0,0,12000.0,300.0,40.0,50.0", "0,0,12000.0,11700.0,40.0,50.0"])
def test_sentio_may_tell_where_it_separates_as_a_gap_or_as_a_height(dialogue: Dialogue, heights: str) -> None:
    ask = ("get_chuck_site_heights Wafer", heights)
    script = [SELECT, ask, ("get_chuck_z Zero", "0,0,11700.0"), ask, ("get_chuck_z Zero", "0,0,11800.0")]
    with dialogue(sentio, *script) as unit:
        assert unit.is_separated()
        assert not unit.is_separated()


def test_sentio_cleans_as_often_as_it_is_told_or_as_it_is_set(dialogue: Dialogue) -> None:
    with dialogue(sentio, SELECT, ("aux:cleaning:start", "0,0,OK"), ("aux:cleaning:start 5", "0,0,OK")) as unit:
        unit._clean()
        unit._cleaning_touchdowns = 5
        unit._clean()


def test_sentio_bins_that_read_back_otherwise_stop_everything(dialogue: Dialogue) -> None:
    may = [("get_chuck_site_heights Wafer", "0,0,12000.0,300.0,40.0,50.0"), ("get_chuck_z Zero", "0,0,11700.0")]
    script = [SELECT, *may, ("map:bins:set_bin 3, 4, 5", "0,0,OK"), ("map:bins:get_bin 4, 5", "0,0,0")]
    with dialogue(sentio, *script) as unit, pytest.raises(ProberError, match="reads back 0") as caught:
        unit.write_bin(4, 5, 3)
    assert caught.value.error_class is ErrorClass.FATAL


def test_sentio_sets_the_overtravel_of_the_wafer_s_site_alone(dialogue: Dialogue) -> None:
    heights = ("get_chuck_site_heights Wafer", "0,0,12000.0,300.0,30.0,50.0")
    script = [
        SELECT,
        heights,
        ("get_chuck_z Zero", "0,0,11700.0"),
        ("set_chuck_site_overtravel_gap Wafer, 30.00", "0,0,OK"),
        ("enable_chuck_overtravel True", "0,0,OK"),
        ("get_chuck_site_status Wafer", "0,0,1,1,1,1"),
        heights,
    ]
    with dialogue(sentio, *script) as unit:
        unit._most_overtravel = 50e-6
        unit.set_overtravel(30e-6)


def test_a_person_who_cannot_answer_is_an_error_for_an_operator() -> None:
    def gone(text: str) -> str:
        raise EOFError

    prober = ManualProber("by_hand")
    try:
        prober.use_person(gone)
        with pytest.raises(ProberError, match="nobody is there who could answer") as failed:
            prober.position()
        assert failed.value.error_class is ErrorClass.OPERATOR
    finally:
        prober.close()
