"""What the functions' code says of itself, read from its text: variables, calls of AWS, metrics, constants."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from support.stack import ROOT

FUNCTION = re.compile(r"^ *(?:pub(?:\(crate\))? )?(?:async )?fn (\w+)", re.MULTILINE)
SECONDS = re.compile(r"Duration::from_secs\((\d+)\)")


def without_tests(text: str) -> str:
    return text.split("#[cfg(test)]\nmod tests {")[0]


@cache
def code_of(folder: str) -> str:
    """The code below a folder of the repository, without tests."""
    files = sorted((ROOT / folder).rglob("*.rs"))
    assert files, f"no code in {folder}"
    return "\n".join(without_tests(file.read_text()) for file in files if not is_test(file))


def is_test(file: Path) -> bool:
    return file.name == "tests.rs" or "tests" in file.relative_to(ROOT).parts


@cache
def bodies(file: str) -> dict[str, str]:
    """The text of each function of a file, by its name."""
    return bodies_in(without_tests((ROOT / file).read_text()))


def body_in(code: str, name: str) -> str:
    """The text of the one function of that name."""
    assert len(re.findall(rf"\bfn {name}\b", code)) == 1, f"no function {name}, or several"
    return bodies_in(code)[name]


def bodies_in(text: str) -> dict[str, str]:
    starts = [*FUNCTION.finditer(text)]
    ends = [*(one.start() for one in starts[1:]), len(text)]
    return {one[1]: text[one.end() : end] for one, end in zip(starts, ends)}


def reached(text: str, helpers: dict[str, str]) -> str:
    """The text, and that of each free function of the helpers that it calls, and those that these call."""
    known: set[str] = set()
    whole = text
    while True:
        more = {name for name in helpers.keys() - known if re.search(rf"(?<!fn )(?<![.\w]){name}\(", whole)}
        if not more:
            return whole
        known |= more
        whole = "\n".join([text, *(helpers[name] for name in sorted(known))])


def constant(file: str, name: str) -> int:
    """A constant's value: a number, a product of numbers, or the seconds of a duration."""
    text = (ROOT / file).read_text()
    found = re.search(rf"const {name}: \w+ = (.*?);", text)
    assert found, f"{file} has no constant {name}"
    seconds = SECONDS.fullmatch(found[1])
    product = 1
    for factor in (seconds[1] if seconds else found[1]).split("*"):
        product *= int(factor.strip().replace("_", ""))
    return product
