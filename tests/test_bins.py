"""The first limit that is not kept decides the bin; what was not measured counts last."""

from mtjlab.bins import Bin, TestLimit, sort_die

CONTACT = TestLimit("contact.silent_lines", None, 0.0, 2, 21, "no contact")
SHARE = TestLimit("classify.healthy_share", 0.9, None, 3, 31, "defects")
TMR = TestLimit("classify.tmr", 0.5, 2.0, 4, 41)
LIMITS = [CONTACT, SHARE, TMR]
GOOD, UNFINISHED = (1, 1), (9, 90)


def sort(**numbers: float) -> Bin:
    return sort_die({name.replace("__", "."): value for name, value in numbers.items()}, LIMITS, GOOD, UNFINISHED)


def test_a_die_that_keeps_all_is_good_at_the_bounds_too() -> None:
    assert sort(contact__silent_lines=0, classify__healthy_share=0.9, classify__tmr=2.0) == Bin(1, 1, True, "good")


def test_the_first_that_fails_decides_and_all_are_named() -> None:
    found = sort(contact__silent_lines=0, classify__healthy_share=0.5, classify__tmr=0.1)
    assert (found.hard, found.soft, found.name, found.failed) == (3, 31, "defects", "classify.healthy_share")
    assert found.all_failed == ("classify.healthy_share", "classify.tmr")


def test_a_die_given_up_early_goes_where_its_fault_belongs() -> None:
    assert sort(contact__silent_lines=2).hard == 2


def test_a_later_fault_that_was_measured_counts_before_an_earlier_number_that_is_missing() -> None:
    assert sort(contact__silent_lines=0, classify__tmr=0.1).hard == 4


def test_numbers_that_are_missing_without_a_reason_are_no_pass() -> None:
    found = sort(contact__silent_lines=0, classify__healthy_share=float("nan"), classify__tmr=1.0)
    assert (found.hard, found.soft, found.is_good) == (9, 90, False)
    assert found.failed == "classify.healthy_share"


def test_without_limits_every_die_is_good() -> None:
    assert sort_die({}, [], GOOD, UNFINISHED).is_good
