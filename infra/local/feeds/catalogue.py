"""Random products of three shops for the example feeds, reproducible by a seed."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

CATEGORIES = ("audio", "cameras", "computers", "games", "household", "phones", "software", "television")
CURRENCIES = ("EUR", "EUR", "EUR", "USD", "GBP", "CHF")
Value = TypeVar("Value")
_FIRST_TIME = dt.datetime(2025, 11, 3, 6)


@dataclass(frozen=True)
class Vocabulary:
    """The words of a shop's texts."""

    makers: tuple[str, ...]
    things: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Product:
    """A product. `changed` is the local time of its shop, without an offset."""

    number: int
    title: str
    description: str | None
    maker: str | None
    price: Decimal | None
    currency: str
    gtin: str | None
    category: str
    in_stock: bool | None
    changed: dt.datetime


def product(rng: random.Random, number: int, words: Vocabulary) -> Product:
    """Returns a random product. About one in eight optional values is missing."""
    return Product(
        number=number,
        title=f"{rng.choice(words.things)} {rng.randrange(10, 9999)}",
        description=_maybe(rng, rng.choice(words.remarks)),
        maker=_maybe(rng, rng.choice(words.makers)),
        price=_maybe(rng, Decimal(rng.choice((rng.randrange(100, 20_000), rng.randrange(20_000, 900_000)))) / 100),
        currency=rng.choice(CURRENCIES),
        gtin=_maybe(rng, str(4_000_000_000_000 + rng.randrange(10**10))),
        category=rng.choice(CATEGORIES),
        in_stock=_maybe(rng, rng.random() < 0.7),
        changed=moment(rng),
    )


def moment(rng: random.Random) -> dt.datetime:
    """Returns a random time between 6 and 22 o'clock, when no time zone changes its clocks."""
    return _FIRST_TIME + dt.timedelta(days=rng.randrange(360), seconds=rng.randrange(16 * 3600))


def _maybe(rng: random.Random, value: Value) -> Value | None:
    return None if rng.random() < 0.125 else value


NORDWIND = Vocabulary(
    makers=("Müller & Söhne", "Größenwahn GmbH", "Elbtal", "Kjærgård", "Nordlicht „Premium“"),
    things=("Wasserkocher", "Hörgerät", "Kühltasche", "Bügelbrett", "Fön", "Staubsauger für Allergiker", "Türgriff"),
    remarks=(
        "Preis ab 5 €; solange der Vorrat reicht",
        'Bildschirm mit 27" Diagonale; höhenverstellbar',
        "Spülmaschinenfest.\r\nZwei Jahre Garantie.",
        "Für Küche & Bad – in Weiß",
        " mit Rand ",
    ),
)
LAKESIDE = Vocabulary(
    makers=("Superior", "Huron & Sons", "Erie Electric", "Café Ontario", "O'Michigan"),
    things=("Ice Auger", "Canoe Speaker", "Trail Camera", 'Monitor 27"', "Field Phone", "Fish Finder \\ Sonar"),
    remarks=(
        "Two lines:\nthe second.",
        'Tab\there, quote " there, slash / and backslash \\',
        "Rated 4½ ★ by anglers 🎣",
        "Plain words, nothing more",
        "ships in 24h",
    ),
)
ORIENT = Vocabulary(
    makers=("東京電機", "Ελληνικά", "الشرق", "Škoda Śląsk", "Orient Express"),
    things=("電気ケトル", "ラジオ", "Ραδιόφωνο", "راديو", "Rádió", "Travel Kettle"),
    remarks=("軽い、強い、安い", 'says "hello" and is not quoted', "it's 5\\6 full", "a; b, c | d", "naïve façade 😀"),
)
