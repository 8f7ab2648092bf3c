"""The commands of the README's section "Load your own file" print what the README shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stack import BINARIES, ROOT, Stack

CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BATCH = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
# Differs from run to run: durations, and the date in the key of a drop.
VARIABLE = re.compile(r"[0-9.]+ s, [0-9,]+ rows/s|/[0-9]{4}/[0-9]{2}/[0-9]{2}/")


def examples(readme: str) -> Iterator[tuple[str, str]]:
    """The commands of all console blocks, each with the output shown."""
    for block in CONSOLE.findall(readme):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.partition("\n")
            yield command, output


def pattern(output: str) -> re.Pattern[str]:
    """Matches the same output of another run. A line `…` matches any further lines."""
    lines = []
    for line in output.splitlines():
        parts = [re.escape(part) for part in VARIABLE.split(line)]
        lines.append(r"(.*\n)*" if line == "…" else r"\S+(?: s, \S+ rows/s)?".join(parts) + r"[ ]*\n")
    return re.compile("".join(lines))


def run(command: str, folder: Path, stack: Stack) -> str:
    """Returns the output of a command, in a folder that is laid out like a checkout with a running stack."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PENSTOCK_", "AWS_"))}
    environment |= {"PATH": f"{BINARIES}:{environment['PATH']}", "PENSTOCK_STATE_DIR": str(stack.state_dir)}
    done = subprocess.run(
        ["sh", "-c", command],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.rstrip("\n") + "\n"


@pytest.mark.skipif(shutil.which("psql") is None, reason="the README queries the table with psql")
def test_the_commands_of_the_readme_print_what_it_shows(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / ".penstock").symlink_to(stack.state_dir)
    steps = list(examples((ROOT / "README.md").read_text()))
    assert len(steps) == 6
    batches: dict[str, str] = {}
    for command, shown in steps:
        for old, new in batches.items():
            command, shown = command.replace(old, new), shown.replace(old, new)
        printed = run(command, tmp_path, stack)
        for old, new in zip(BATCH.findall(shown), BATCH.findall(printed)):
            batches[old] = new
            shown = shown.replace(old, new)
        assert pattern(shown).fullmatch(printed), f"$ {command}\n{printed}\nThe README shows:\n{shown}"


@pytest.mark.parametrize(
    ("shown", "printed", "matches"),
    [
        ("a 0.00 s, 46,105 rows/s\n", "a 0.01 s, 1,105 rows/s\n", True),
        ("s3://raw/a/2026/11/28/a.csv\n", "s3://raw/a/2027/01/02/a.csv\n", True),
        ("rows 3\n…\n", "rows 3\nread as\nseconds\n", True),
        ("rows 3\n", "rows 4\n", False),
        ("rows 3\n", "rows 3\nmore\n", False),
    ],
)
def test_an_output_matches_only_if_it_says_the_same(shown: str, printed: str, matches: bool) -> None:
    assert bool(pattern(shown).fullmatch(printed)) == matches
