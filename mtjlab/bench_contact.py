"""Which instruments of a station answer, and as what: each is asked `*IDN?` and nothing else, with a time limit.

Nothing is driven: no driver is opened (drivers set up what they open), no device clear, no reset. An instrument that
another program uses is not asked: a question between two of its own would be answered to the wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from .bench_lock import Holder, holder_of
from .errors import InputError
from .prober import Prober
from .station import entries_of

QUESTION = "*IDN?"
ANSWER_SECONDS = 2.0
"""How long an instrument may take: what is switched on answers in milliseconds (an assumption for slow adapters)."""
_MOST_ANSWER = 120


@dataclass(frozen=True)
class Contact:
    """What is known of an instrument of a station.

    Attributes:
        name, address: as in the station file.
        holder: the program that uses it now.
        answer: what it says it is; empty if it did not say.
        silent: why there is no answer, in words; empty if there is one, or if it was not asked.
        not_asked: why it was not asked.
    """

    name: str
    address: str
    holder: Holder | None = None
    answer: str = ""
    silent: str = ""
    not_asked: str = ""


def contacts(station_file: Path, *, is_asked: bool = True, seconds: float = ANSWER_SECONDS) -> list[Contact]:
    """Every instrument of a station file.

    Args:
        is_asked: whether to ask the instruments; otherwise only who uses them is looked up.
        seconds: how long each may take to answer.

    Raises InputError if the file cannot be used.
    """
    found = []
    for name, entry in entries_of(station_file).items():
        address = str(entry.get("address", ""))
        holder = holder_of(address)
        if not is_asked:
            found.append(Contact(name, address, holder))
        elif why := "in use" if holder else _other_language(str(entry.get("type", ""))):
            found.append(Contact(name, address, holder, not_asked=why))
        else:
            found.append(_asked(name, address, entry, seconds))
    return found


def _other_language(driver: str) -> str:
    """Why `*IDN?` is nothing to send to what this driver is for; empty if it is."""
    from qcodes.instrument import VisaInstrument

    module, _, name = driver.rpartition(".")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        return f"its driver cannot be loaded ({error})"
    if isinstance(kind, type) and issubclass(kind, Prober):
        return "a prober has a language of its own"
    if not (isinstance(kind, type) and issubclass(kind, VisaInstrument)):
        return "not a VISA instrument"
    return ""


def _asked(name: str, address: str, entry: Mapping[str, Any], seconds: float) -> Contact:
    import pyvisa

    init = entry.get("init")
    library = str(init.get("visalib") or "") if isinstance(init, dict) else ""
    milliseconds = max(1, round(1000 * seconds))
    try:
        manager = pyvisa.ResourceManager(library)
    except (pyvisa.errors.Error, OSError, ValueError, InputError) as error:
        return Contact(name, address, silent=f"the VISA library {library!r} cannot be used ({_line(error)})")
    try:
        session: Any = manager.open_resource(address, open_timeout=milliseconds, timeout=milliseconds)
        with session:
            session.read_termination = session.write_termination = "\n"
            answer = str(session.query(QUESTION)).strip()
    except pyvisa.errors.VisaIOError as error:
        return Contact(name, address, silent=f"no answer within {seconds:g} s ({error.abbreviation})")
    except (pyvisa.errors.Error, OSError, ValueError, InputError) as error:  # ValueError: bytes that are no text
        return Contact(name, address, silent=f"no answer ({_line(error)})")
    return Contact(name, address, answer=answer[:_MOST_ANSWER] or "", silent="" if answer else "an empty answer")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
