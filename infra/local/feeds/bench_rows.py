"""The product file of the benchmarks: any number of rows, reproducible by a seed.

Ten comma-separated columns, about 223 bytes per row, keys in random order. All texts are from pools that are generated
first, so that a million rows take seconds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

HEADER = "id,source,title,brand,category,price,currency,gtin,updated_at,attributes\r\n"
BLOCK_ROWS = 10_000
POOL = 4_096

ADJECTIVES = "Compact Classic Cordless Digital Foldable Heavy-duty Insulated Portable Reversible Stackable".split()
THINGS = "Drill Kettle Lamp Backpack Speaker Shelf Router Blender Jacket Tripod Monitor Keyboard".split()
TAILS = [
    "with carrying case, charger and spare parts",
    "for home, office and travel, graphite grey",
    "two-pack in fully recycled packaging",
    "with three years of on-site warranty",
    "second generation with the extended set",
]
BRANDS = "Aurum Borealis Castor Dynamo Elbe Fjord Gneis Helio Isar Jura Kestrel Lumen".split()
CATEGORIES = ["Tools & Garden", "Kitchen", "Lighting", "Luggage", "Audio", "Computers", "Outdoor", "Photo"]
CURRENCIES = ["EUR", "EUR", "EUR", "USD", "GBP", "CHF"]
COLOURS = "black white graphite silver red petrol".split()
BAD_PRICES = ["on request", "12.345", "-4.00", "1,299.00"]


def rows(count: int, seed: int, bad_percent: float = 0.0, first: int = 0) -> Iterator[str]:
    """Yields the file in blocks of text, starting with the header. Keys are numbered from `first`."""
    rng = random.Random(seed)
    titles = [_title(rng) for _ in range(POOL)]
    attributes = [_attributes(rng) for _ in range(POOL)]
    brands = [f"{brand},{category}" for brand in BRANDS for category in CATEGORIES]
    prices = [f"{rng.randrange(99, 500_000) / 100:.2f}" for _ in range(POOL)]
    times = [_time(rng) for _ in range(POOL)]
    numbers = list(range(first, first + count))
    rng.shuffle(numbers)

    yield HEADER
    for start in range(0, count, BLOCK_ROWS):
        block = numbers[start : start + BLOCK_ROWS]
        size = len(block)
        block_prices = rng.choices(prices, k=size)
        for index in range(size if bad_percent > 0 else 0):
            if rng.random() * 100 < bad_percent:
                block_prices[index] = f'"{rng.choice(BAD_PRICES)}"'
        columns = zip(
            block,
            rng.choices(titles, k=size),
            rng.choices(brands, k=size),
            block_prices,
            rng.choices(CURRENCIES, k=size),
            rng.choices(times, k=size),
            rng.choices(attributes, k=size),
        )
        yield "".join(
            f"SKU-{n:09d},warehouse-{n % 7},{title},{brand},{price},"
            f"{currency},{4_000_000_000_000 + n * 7},{time},{more}\r\n"
            for n, title, brand, price, currency, time, more in columns
        )


def write(path: Path, count: int, seed: int, bad_percent: float = 0.0, first: int = 0) -> None:
    """Writes the file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for block in rows(count, seed, bad_percent, first):
            file.write(block)


def _title(rng: random.Random) -> str:
    title = f"{rng.choice(ADJECTIVES)} {rng.choice(THINGS)} {rng.randrange(100, 9999)} {rng.choice(TAILS)}"
    return f'"{title}"' if "," in title else title


def _attributes(rng: random.Random) -> str:
    weight, width = rng.randrange(50, 20_000), rng.randrange(5, 200)
    text = f'{{"color":"{rng.choice(COLOURS)}","weight_g":{weight},"width_cm":{width},"new":true}}'
    return '"' + text.replace('"', '""') + '"'


def _time(rng: random.Random) -> str:
    day, second = rng.randrange(1, 29), rng.randrange(86_400)
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return f"2026-{rng.randrange(1, 10):02d}-{day:02d}T{clock}.{rng.randrange(1000):03d}Z"
