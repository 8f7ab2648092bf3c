"""docs/cli.md and docs/check.md list the commands and options that `penstock help` has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stack import ROOT, penstock

COMMAND = re.compile(r"^  ([a-z-]+) {2,}", re.MULTILINE)
# Commands that only have commands of their own.
GROUPS = {"contract", "dead-letters"}
OPTION = re.compile(r"^ +(?:-\w, )?(--[a-z-]+)", re.MULTILINE)
# Options for tests and special setups, which `penstock help up` describes.
UP_ONLY_IN_HELP = {
    "--fast-database",
    "--function-variable",
    "--functions",
    "--json",
    "--parameter",
    "--visibility-timeout",
}


def help_of(*command: str) -> str:
    shown = penstock(Path("unused"), *command, "--help")
    assert shown.status == 0, shown.err
    return shown.out


def commands() -> Iterator[tuple[str, ...]]:
    """Every command that does something itself, e.g. `("contract", "lint")`."""
    for name in COMMAND.findall(help_of()):
        inner = COMMAND.findall(help_of(name)) if name in GROUPS else []
        yield from ((name, one) for one in inner if one != "help")
        if not inner and name != "help":
            yield (name,)


def options(*command: str) -> set[str]:
    return set(OPTION.findall(help_of(*command))) - {"--help", "--version"}


def documented(page: str) -> dict[tuple[str, ...], set[str]]:
    """The options in the usage of each command."""
    found = {}
    for row in re.findall(r"^\| (`penstock .*?`) \|", page, re.MULTILINE):
        for usage in re.findall(r"`penstock ([^`]*)`", row):
            command = tuple(re.match(r"(?:[a-z]+(?:-[a-z]+)*(?: |$))*", usage)[0].split())  # type: ignore[index]
            found[command] = set(re.findall(r"--[a-z-]+", usage))
    return found


def table(page: str, head: str) -> set[str]:
    """The options in the first column of a table."""
    rows = page.split(head, 1)[1].split("\n\n", 1)[0].splitlines()
    return {option for row in rows for option in re.findall(r"--[a-z][a-z-]*", row.split(" | ")[0])}


def test_every_command_and_option_is_on_the_page_of_commands() -> None:
    page = documented((ROOT / "docs/cli.md").read_text())
    assert set(page) == set(commands())
    for command, listed in page.items():
        unlisted = UP_ONLY_IN_HELP if command == ("up",) else set()
        # The page of `contract infer` has its table of options.
        if command == ("contract", "infer"):
            assert listed <= options(*command), command
        else:
            assert listed == options(*command) - unlisted, command


@pytest.mark.parametrize(
    ("command", "head", "elsewhere"),
    [
        (("check",), "| option | what it does |", {"--contract"}),
        (("contract", "infer"), "| option | meaning |", {"--out", "--json"}),
    ],
)
def test_the_page_of_check_has_a_row_for_every_option(command: tuple[str, ...], head: str, elsewhere: set[str]) -> None:
    listed = table((ROOT / "docs/check.md").read_text(), head)
    assert listed == options(*command) - elsewhere
