"""Random messages for the fuzz benchmark: from an instrument's own commands, mutated, and plain garbage."""

from __future__ import annotations

import random
from collections.abc import Callable

from mtjlab.sim_instruments.wire_instrument import WireInstrument

from ._fuzz_lua import WALK, lua_maker
from ._fuzz_scpi import scpi_maker

Make = Callable[[], bytes]
_SIGNS = (
    b";",
    b":",
    b"?",
    b'"',
    b"'",
    b"#",
    b"(",
    b")",
    b",",
    b" ",
    b"\n",
    b"\r",
    b"*",
    b"\0",
    b"\t",
    b"#15",
    b"e999",
    b"@",
)
_DEEP = (
    b":A" * 500,
    b"(" * 2000,
    b"#" * 3000,
    b"'" * 3001,
    b"A" * 5000,
    b"1" * 5000,
    b";" * 5000,
    b"[" * 3000,
    b"{" * 190,
)


def talk(instrument: WireInstrument, message: str) -> list[str]:
    """What an instrument answers to a message, line by line."""
    return instrument.exchange(message.encode("latin-1"), 0.0).decode("latin-1").splitlines()


def maker(instrument: WireInstrument, rng: random.Random) -> Make:
    """Makes messages for this instrument."""
    tree = getattr(instrument, "tree", None)
    if tree is not None:
        make = scpi_maker(tree, instrument, rng)
    elif hasattr(instrument, "engine"):
        make = lua_maker([name for name in talk(instrument, WALK) if name.isprintable()], rng)
    else:
        return lambda: _garbage(rng)
    return lambda: _mutated(make(), rng)


def _garbage(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(1, 60))


def _mutated(message: bytes, rng: random.Random) -> bytes:
    """As it is, or cut, changed, repeated, in other letters, with signs in it, or something else."""
    way = rng.random()
    if way < 0.65:
        return message
    place = rng.randrange(len(message) + 1)
    if way < 0.72:
        return message[:place]
    if way < 0.8:
        return message[:place] + rng.randbytes(1) + message[place + 1 :]
    if way < 0.9:
        return message[:place] + rng.choice(_SIGNS) + message[place:]
    if way < 0.93:
        return message.swapcase()
    if way < 0.95:
        return message * rng.randrange(2, 6)
    if way < 0.96:
        return message[:place] + rng.choice(_DEEP) + message[place:]
    return _garbage(rng)
