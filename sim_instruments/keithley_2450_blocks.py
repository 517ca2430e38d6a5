"""The building blocks of a 2450's trigger model (Reference Manual, TRIGger:BLOCk)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from .keithley_2450_events import ERROR, INFORMATION, WARNING, Event
from .keithley_2450_host import Host
from .keithley_2450_trigger import Block, Pauses, TriggerModel
from .scpi_errors import ScpiError

_LOGGED = {
    **{f"INFO{n}": Event(2733 + n, "", INFORMATION) for n in range(1, 5)},
    **{f"WARN{n}": Event(2737 + n, "", WARNING) for n in range(1, 5)},
    **{f"ERR{n}": Event(2741 + n, "", ERROR) for n in range(1, 5)},
    "ABOR": Event(2733, "", WARNING),
}


def _text(kind: str, **details: object) -> str:
    shown = " ".join(f"{name}: {value}" for name, value in details.items())
    return f"{kind:<22} {shown}".rstrip()


def clear_block(buffer: str) -> Block:
    """Empty a buffer."""
    return Block(_text("BUFFER_CLEAR", BUFFER=buffer), lambda host, _: host.clear_buffer(buffer))


def measure_block(buffer: str, count: float) -> Block:
    """Take `count` readings, infinity until the model ends, none to stop that."""

    def act(host: Host, model: TriggerModel) -> Pauses:
        if math.isinf(count):
            model.endless = _endless(host, buffer)
            return None
        model.endless = None
        yield from host.measure(buffer, int(count), is_alone=not model.is_in_background)
        return None

    told = "INFINITE" if math.isinf(count) else int(count)
    return Block(_text("MEASURE", BUFFER=buffer, COUNT=told), act, buffer=buffer)


def _endless(host: Host, buffer: str) -> Iterator[float]:
    while True:
        yield from host.measure(buffer, 1, is_alone=False)


def delay_block(seconds: float) -> Block:
    """Wait."""

    def act(host: Host, model: TriggerModel) -> Pauses:
        if seconds > 0:
            yield seconds
        return None

    return Block(_text("DELAY_CONSTANT", DELAY=f"{seconds:.9f}"), act)


def user_delay_block(name: str) -> Block:
    """Wait as long as a user delay says when it is reached."""

    def act(host: Host, model: TriggerModel) -> Pauses:
        yield host.user_delay(name)
        return None

    return Block(_text("DELAY_DYNAMIC", USER_DELAY=name), act)


def output_block(is_on: bool) -> Block:
    """Output on or off."""

    def act(host: Host, model: TriggerModel) -> Pauses:
        yield host.put_output(is_on)
        return None

    return Block(_text("SOURCE_OUTPUT", OUTPUT="ON" if is_on else "OFF"), act)


def nop_block() -> Block:
    """Nothing."""
    return Block("NO_OPERATION", lambda host, _: None)


def notify_block(number: int) -> Block:
    """Make the event NOTIFY."""
    return Block(_text("NOTIFY", ID=number), lambda host, _: host.bus.emit(f"NOT{number}", host.seconds))


def digital_block(pattern: int, mask: int) -> Block:
    """Set digital lines."""
    text = _text("DIGITAL_IO", PATTERN=pattern, MASK=mask)
    return Block(text, lambda host, _: host.write_lines(pattern, mask))


def log_block(kind: str, message: str) -> Block:
    """Log an event; ABOR ends the model as well."""

    def act(host: Host, model: TriggerModel) -> int | None:
        host.log(_LOGGED[kind], message)
        return MOST if kind == "ABOR" else None

    return Block(_text("LOG_EVENT", EVENT=kind, MESSAGE=message), act)


MOST = 10**6
"""Beyond every block: the model ends."""


def _recall(names: Sequence[str], moved: Callable[[str, TriggerModel, int], int]) -> Callable[..., Pauses]:
    def act(host: Host, model: TriggerModel) -> Pauses:
        for name in names:
            index = moved(name, model, host.list_size(name))
            model.indices[name] = index
            if (seconds := host.recall_point(name, index)) > 0:
                yield seconds
        return None

    return act


def recall_block(points: Sequence[tuple[str, int]]) -> Block:
    """Recall a point of a configuration list, or of a source and a measure list: (name, index)."""
    given = dict(points)
    text = _text("CONFIG_RECALL", CONFIG_LIST=points[0][0], INDEX=points[0][1])
    text += "".join(f" CONFIG_LIST2: {name} INDEX2: {index}" for name, index in points[1:])
    return Block(text, _recall(list(given), lambda name, model, size: given[name]))


def _names(names: Sequence[str]) -> str:
    return names[0] + "".join(f" CONFIG_LIST2: {name}" for name in names[1:])


def next_block(names: Sequence[str]) -> Block:
    """Recall the next point of each configuration list; the first one after the last."""
    act = _recall(names, lambda name, model, size: model.indices.get(name, 0) % max(size, 1) + 1)
    return Block(_text("CONFIG_NEXT", CONFIG_LIST=_names(names)), act)


def previous_block(names: Sequence[str]) -> Block:
    """Recall the point before of each configuration list; the last one at first, and after the first."""
    act = _recall(names, lambda name, model, size: (model.indices.get(name, 1) - 2) % max(size, 1) + 1)
    return Block(_text("CONFIG_PREVIOUS", CONFIG_LIST=_names(names)), act)


def always_block(target: int) -> Block:
    """Branch always."""
    return Block(_text("BRANCH_ALWAYS", BRANCH_BLOCK=target), lambda host, _: target, target=target)


def counter_block(number: int, count: int, target: int) -> Block:
    """Branch to `target` until this block, `number`, has been reached `count` times."""

    def act(_: Host, model: TriggerModel) -> int | None:
        passes = model.counters.get(number, 0)
        passes = 1 if passes >= count else passes + 1
        model.counters[number] = passes
        return target if passes < count else None

    return Block(_text("BRANCH_COUNTER", VALUE=count, BRANCH_BLOCK=target), act)


def reset_block(counter: int) -> Block:
    """Set a branch counter to zero."""

    def act(_: Host, model: TriggerModel) -> None:
        model.counters[counter] = 0

    return Block(_text("RESET_BRANCH_COUNT", COUNTER=counter), act)


def once_block(number: int, target: int, *, is_excluded: bool) -> Block:
    """Branch the first time that block `number` is reached, or every time but the first."""

    def act(_: Host, model: TriggerModel) -> int | None:
        is_first = number not in model.seen
        model.seen.add(number)
        return target if is_first != is_excluded else None

    text = _text("BRANCH_ONCE_EXCLUDED" if is_excluded else "BRANCH_ONCE", BRANCH_BLOCK=target)
    return Block(text, act, target=target if is_excluded else None)


def _last(host: Host, model: TriggerModel, measure: int, count: int) -> list[float]:
    """The last readings of a measure block, 0 for the one run last; raises ScpiError -221 if there are too few."""
    block = model.blocks.get(measure or model.measured or 0)
    if block is None or block.buffer is None:
        raise ScpiError(-221)
    return host.last_values(block.buffer, count)


def within(kind: str, low: float, high: float, value: float) -> bool:
    """Whether a value is ABOV, BEL, IN or OUT of limits; the smaller one is the lower, whatever the order."""
    if kind == "ABOV":
        return value > high
    if kind == "BEL":
        return value < low
    is_inside = min(low, high) <= value <= max(low, high)
    return is_inside if kind == "IN" else not is_inside


def constant_limit_block(kind: str, low: float, high: float, target: int, measure: int) -> Block:
    """Branch if the last reading of block `measure` is within limits given here."""

    def act(host: Host, model: TriggerModel) -> int | None:
        values = _last(host, model, measure, 1)
        return target if values and within(kind, low, high, values[-1]) else None

    text = _text(
        "BRANCH_LIMIT_CONSTANT", TYPE=kind, LIMIT_A=low, LIMIT_B=high, BRANCH_BLOCK=target, MEASURE_BLOCK=measure
    )
    return Block(text, act, target=target)


def dynamic_limit_block(kind: str, number: int, target: int, measure: int) -> Block:
    """Branch if the last reading of block `measure` is within limit test 1 or 2 as it then is."""

    def act(host: Host, model: TriggerModel) -> int | None:
        values = _last(host, model, measure, 1)
        return target if values and within(kind, *host.limits_of(number), values[-1]) else None

    text = _text("BRANCH_LIMIT_DYNAMIC", TYPE=kind, LIMIT=number, BRANCH_BLOCK=target, MEASURE_BLOCK=measure)
    return Block(text, act, target=target)


def delta_block(difference: float, target: int, measure: int) -> Block:
    """Branch if the last two readings of block `measure` differ by no more than `difference`."""

    def act(host: Host, model: TriggerModel) -> int | None:
        values = _last(host, model, measure, 2)
        return target if len(values) == 2 and values[0] - values[1] <= difference else None

    text = _text("BRANCH_DELTA", DIFFERENCE=difference, BRANCH_BLOCK=target, MEASURE_BLOCK=measure)
    return Block(text, act, target=target)


def limited_block(target: int) -> Block:
    """Branch if the source is at its limit."""
    text = _text("BRANCH_ON_EVENT", EVENT="SOURCE LIMIT", BRANCH_BLOCK=target)
    return Block(text, lambda host, _: target if host.is_limiting else None, target=target)


def _refuse_none(*events: str) -> Callable[[], None]:
    def check() -> None:
        if events[0] == "NONE":
            raise ScpiError(-221)

    return check


def event_block(number: int, event: str, target: int) -> Block:
    """Branch if an event has come since block `number` last saw it, or the model began."""

    def act(host: Host, model: TriggerModel) -> int | None:
        host.bus.advance(host.seconds)
        if not host.bus.came_since(event, model.marks.get(number, model.start_mark)):
            return None
        model.marks[number] = host.bus.mark
        return target

    text = _text("BRANCH_ON_EVENT", EVENT=event, BRANCH_BLOCK=target)
    return Block(text, act, target=target, check=_refuse_none(event))


def wait_block(number: int, events: Sequence[str], *, is_cleared: bool, needs_all: bool) -> Block:
    """Wait for one or all of the events; those that came before count unless `is_cleared`."""
    wanted = [event for event in events if event != "NONE"]

    def act(host: Host, model: TriggerModel) -> Pauses:
        mark = host.bus.mark if is_cleared else model.marks.get(number, model.start_mark)
        while True:
            host.bus.advance(host.seconds)
            came = [host.bus.came_since(event, mark) for event in wanted]
            if all(came) if needs_all else any(came):
                break
            yield max(host.bus.next_due - host.seconds, math.ulp(host.seconds))
        model.marks[number] = host.bus.mark
        return None

    details = {f"EVENT{k or ''}": event for k, event in enumerate(events)}
    text = _text("WAIT", **details, CLEAR="ENTER" if is_cleared else "NEVER", LOGIC="AND" if needs_all else "OR")
    return Block(text, act, check=_refuse_none(*events))


def duration_block(seconds: float, target: int) -> Block:
    """Branch to `target` until `seconds` have passed since the model began."""
    text = _text("BRANCH_ON_TIME", DURATION=seconds, BRANCH_BLOCK=target)
    return Block(text, lambda host, model: target if host.seconds - model.began < seconds else None)
