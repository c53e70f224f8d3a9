"""A declarable column: how it is declared, values for it, and what its database's client says."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

Make = Callable[[random.Random], object]

#: What could end a field, a line, a formula, a string or a tag too early.
TEXTS = (
    *("", "0", "007", "客户 🙂 é", "a\tb\nc\\d", "'; --", '"', " x ", "=1+1", "\u200b", "e\u0301"),
    *("-5", "<&>", "NULL", "1E5", "2024-01-02", "a,b;c|d", "true", "_x0041_", "\\N", "%s {0}"),
)


class Kind(Enum):
    """What the values of a column are, whatever its type is called."""

    INTEGER = auto()
    DECIMAL = auto()
    FLOAT = auto()
    SINGLE = auto()
    BOOLEAN = auto()
    TEXT = auto()
    BYTES = auto()
    DATE = auto()
    TIMESTAMP = auto()
    INSTANT = auto()
    TIME = auto()
    INTERVAL = auto()
    JSON = auto()


@dataclass(frozen=True, slots=True)
class Declared:
    """One column of a generated table."""

    kind: Kind
    make: Make
    #: SQL of what the client is asked for, where it would not print the value as it is.
    asked: str = "{}"
    #: SQL that is true for values which are made text because the others are.
    made_text: str = ""


Columns = Mapping[str, Declared]


def one_of(*values: object) -> Make:
    """One of these."""
    return lambda dice: dice.choice(values)


def text(dice: random.Random) -> str:
    """Up to three of `TEXTS`."""
    return "".join(dice.choices(TEXTS, k=dice.randint(0, 3)))


def short_text(length: int) -> Make:
    """A text of at most `length` characters."""
    return lambda dice: text(dice)[:length]


def whole(bits: int, *, signed: bool = True) -> Make:
    """An integer of this width, its ends among them."""
    low = -(2 ** (bits - 1)) if signed else 0
    return lambda dice: dice.choice((low, low + 2**bits - 1, dice.randrange(low, low + 2**bits)))


def digits(whole_digits: int, scale: int) -> Make:
    """A decimal, as text with all its places."""

    def value(dice: random.Random) -> str:
        bound = 10 ** dice.randint(0, whole_digits + scale)
        return f"{Decimal(dice.randrange(-bound + 1, bound)).scaleb(-scale):f}"

    return value


def double(dice: random.Random) -> float:
    """A double, small and large ones among them."""
    return dice.choice((0.1, 1e300, 5e-324, -0.5, 1e15, dice.uniform(-1, 1), dice.gauss(0, 1e6)))


def date(dice: random.Random) -> str:
    """A day of the years 1000 to 9998."""
    return (dt.date(1000, 1, 1) + dt.timedelta(days=dice.randrange(3_287_000))).isoformat()


def clock(dice: random.Random) -> str:
    """A time of day to the microsecond."""
    seconds, fraction = dice.randrange(86_400), dice.choice((0, 250_000, dice.randrange(1_000_000)))
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}"


def moment(dice: random.Random) -> str:
    """A day with a time."""
    return f"{date(dice)} {clock(dice)}"


def instant(dice: random.Random) -> str:
    """A moment that MySQL's TIMESTAMP has, the hour that Berlin has twice among them."""
    doubled = f"2024-10-27 0{dice.randint(0, 1)}:30:00"
    day = f"{dice.randint(1971, 2037)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"
    return dice.choice((doubled, *[f"{day} {clock(dice)}"] * 4))


def octets(dice: random.Random) -> bytes:
    """Bytes that are no text."""
    return dice.randbytes(dice.randint(0, 40))
