"""Predefined trigger models of a 2450 and those of its sweeps (Reference Manual, TRIGger:LOAD and SOURce:SWEep).

Which blocks the instrument puts where is assumed; what they do together is the manual's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .keithley_2450_blocks import (
    always_block,
    clear_block,
    constant_limit_block,
    counter_block,
    delay_block,
    digital_block,
    duration_block,
    limited_block,
    measure_block,
    next_block,
    nop_block,
    notify_block,
    output_block,
    recall_block,
    wait_block,
)
from .keithley_2450_trigger import Block

_BIN_MASK = 0b1111
Limit = tuple[float, float, int]
"""High, low, and the pattern that goes to digital lines 1 to 4."""


def simple_loop(count: int, delay_seconds: float, buffer: str) -> list[Block]:
    """The predefined model SimpleLoop."""
    return [
        clear_block(buffer),
        delay_block(delay_seconds),
        measure_block(buffer, 1),
        counter_block(4, count, 2),
    ]


def duration_loop(seconds: float, delay_seconds: float, buffer: str) -> list[Block]:
    """The predefined model DurationLoop."""
    return [
        clear_block(buffer),
        delay_block(delay_seconds),
        measure_block(buffer, 1),
        duration_block(seconds, 2),
    ]


def config_list(measure: str, source: str, points: int, delay_seconds: float, buffer: str) -> list[Block]:
    """The predefined model ConfigList: one measurement for each point of the lists, with the output on meanwhile."""
    return [
        recall_block([(source, 1), (measure, 1)]),
        output_block(True),
        clear_block(buffer),
        delay_block(delay_seconds),
        measure_block(buffer, 1),
        counter_block(6, points, 8),
        always_block(10),
        next_block([source, measure]),
        always_block(4),
        output_block(False),
    ]


def logic_trigger(
    line: int, count: int, *, is_cleared: bool, delay_seconds: float, buffer: str, notification: int = 1
) -> list[Block]:
    """The predefined model LogicTrigger: an edge on digital line `line` starts a measurement; it notifies the end."""
    return [
        wait_block(1, [f"DIG{line}"], is_cleared=is_cleared, needs_all=False),
        delay_block(delay_seconds),
        measure_block(buffer, 1),
        notify_block(notification),
        counter_block(5, count, 1),
    ]


def loop_until_event(event: str, *, is_cleared: bool, after: int, delay_seconds: float, buffer: str) -> list[Block]:
    """The predefined model LoopUntilEvent: measure until the event, and `after` readings more."""
    wait = wait_block(3, [event], is_cleared=is_cleared, needs_all=False)
    return [
        clear_block(buffer),
        measure_block(buffer, math.inf),
        wait,
        delay_block(delay_seconds),
        measure_block(buffer, max(after, 1)),
    ]


def binning(
    components: int,
    line: int,
    delays: tuple[float, float],
    limits: Sequence[Limit],
    all_pattern: int,
    buffer: str,
    *,
    is_grading: bool,
) -> list[Block]:
    """The predefined models GradeBinning and SortBinning: every part that a handler starts on digital line `line` is
    measured and its bin put on digital lines 1 to 4.

    Grading sends the pattern of the first limit that the part is outside of, sorting that of the first it is inside of.
    A limit whose high value is below its low one is not used.
    """
    used = [limit for limit in limits if limit[0] >= limit[1]]
    blocks = [
        clear_block(buffer),
        wait_block(2, [f"DIG{line}"], is_cleared=True, needs_all=False),
        delay_block(delays[0]),
        measure_block(buffer, 1),
    ]
    first_pattern = len(blocks) + len(used) + 3
    end = first_pattern + 2 * len(used)
    for place, (high, low, _) in enumerate(used):
        kind = "OUT" if is_grading else "IN"
        blocks.append(constant_limit_block(kind, low, high, first_pattern + 2 * place, 4))
    blocks += [digital_block(all_pattern, _BIN_MASK), always_block(end)]
    for _, _, pattern in used:
        blocks += [digital_block(pattern, _BIN_MASK), always_block(end)]
    return [*blocks, delay_block(delays[1]), counter_block(end + 1, components, 2)]


def sweep(
    name: str, begin: int, points: int, delay_seconds: float, count: int, *, aborts: bool, buffer: str
) -> list[Block]:
    """A sweep over `points` points of a source configuration list from point `begin`, with the output off afterwards.

    Args:
        count: how often; 0 is for ever.
    """
    last = 10
    repeat = counter_block(8, points * count, 4) if count else always_block(4)
    return [
        recall_block([(name, begin)]),
        output_block(True),
        clear_block(buffer),
        delay_block(delay_seconds),
        measure_block(buffer, 1),
        limited_block(last) if aborts else nop_block(),
        next_block([name]),
        repeat,
        nop_block(),
        output_block(False),
    ]
