"""The README's table of functions agrees with template.yaml.

The check takes both, so the last tests can run it on broken copies.
"""

from __future__ import annotations

from typing import Any

import pytest

from support.stack import ROOT
from support.template import (
    Mutation,
    Template,
    change,
    function_ids,
    functions,
    mappings,
    schedules,
    target,
    template,
)

README = ROOT / "README.md"
HEADER = "| function | trigger | timeout | memory | concurrency | role |"


def rows(readme: str) -> dict[str, list[str]]:
    """Returns the cells of the table after the name of the function, by function."""
    assert readme.count(HEADER) == 1, "the README does not have exactly one table of functions"
    table = readme.split(HEADER)[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[1:]]
    names = [first.strip("`") for first, *_ in cells]
    assert len(set(names)) == len(names), "a function has two rows"
    return {name: rest for name, (_, *rest) in zip(names, cells)}


def shown(value: Any) -> str:
    """Returns a number as text, and a parameter as its name."""
    return f"`{target(value)}`" if target(value) else str(value)


def expected_rows(stack: Template) -> dict[str, list[str]]:
    """Returns the expected cells after the column `takes`."""
    most = {name: mapping["ScalingConfig"]["MaximumConcurrency"] for name, mapping, _ in mappings(stack)}
    # A function without an event source mapping is limited by its reserved concurrency.
    most |= {name: functions(stack)[name]["ReservedConcurrentExecutions"]["Fn::If"][1] for name in schedules(stack)}
    found = {}
    for name, function in functions(stack).items():
        role = stack["Resources"][target(function["Role"])]["Properties"]["RoleName"]["Fn::Sub"]
        found[name] = [
            f"{function['Timeout']} s",
            f"{function['MemorySize']:,} MB",
            shown(most[name]),
            f"`{role.replace('${Environment}', '<env>')}`",
        ]
    return found


def findings(readme: str, stack: Template) -> list[str]:
    """Returns functions without a crate or a row, rows without a function, and wrong cells."""
    actual, expected = rows(readme), expected_rows(stack)
    crates = {path.parent.name for path in (ROOT / "functions").glob("*/Cargo.toml")}
    found = [f"{name}: no crate under functions/" for name in sorted(expected.keys() - crates)]
    found += [f"{name}: no row" for name in sorted(expected.keys() - actual.keys())]
    found += [f"{name}: a row without a function" for name in sorted(actual.keys() - expected.keys())]
    for name in sorted(actual.keys() & expected.keys()):
        takes, *cells = actual[name]
        found += [f"{name}: its input is missing"] if not takes else []
        found += [f"{name}: {one}, not {other}" for one, other in zip(expected[name], cells) if one != other]
        found += [f"{name}: wrong number of cells"] if len(cells) != len(expected[name]) else []
    return found


def test_each_function_has_its_row() -> None:
    assert findings(README.read_text(), template()) == []
    assert rows(README.read_text()).keys() == functions(template()).keys()


@pytest.mark.parametrize(
    ("line", "broken", "finding"),
    [
        ("| 900 s |", "| 600 s |", "ingest: 900 s, not 600 s"),
        ("| 1,769 MB |", "| 1769 MB |", "ingest: 1,769 MB, not 1769 MB"),
        ("`WriterMaximumConcurrency` |", "2 |", "writer: `WriterMaximumConcurrency`, not 2"),
        ("| `penstock-<env>-job-events` |", "| `penstock-<env>-ingest` |", "job-events: `penstock-<env>-job-events`"),
        ("| `writer` | up", "| `loader` | up", "writer: no row"),
        ("| `writer` | up", "| `loader` | up", "loader: a row without a function"),
        ("| 1 | `penstock-<env>-sentinel` |", "| 2 | `penstock-<env>-sentinel` |", "sentinel: 1, not 2"),
        ("| a drop from the drops queue |", "| |", "ingest: its input is missing"),
        ("| 2 | `penstock-<env>-job-events` |", "| 2 |", "job-events: wrong number of cells"),
    ],
)
def test_a_wrong_row_is_found(line: str, broken: str, finding: str) -> None:
    text = README.read_text()
    assert line in text
    found = findings(text.replace(line, broken, 1), template())
    assert any(one.startswith(finding) for one in found), found


def rename(stack: Template) -> None:
    """Gives the binary of the writer a name without a crate."""
    stack["Resources"][function_ids(stack)["writer"]]["Metadata"]["BuildProperties"]["Binary"] = "loader"


@pytest.mark.parametrize(
    ("mutate", "finding"),
    [
        (change("WriterFunction", "Timeout", 240), "writer: 240 s, not 180 s"),
        (change("JobEventsFunction", "MemorySize", 128), "job-events: 128 MB, not 256 MB"),
        (
            change("JobEventsFunction", "Events.JobEvents.Properties.ScalingConfig.MaximumConcurrency", 3),
            "job-events: 3, not 2",
        ),
        (
            change("IngestRole", "RoleName", {"Fn::Sub": "penstock-${Environment}-reader"}),
            "ingest: `penstock-<env>-reader`",
        ),
        (rename, "loader: no crate"),
        (rename, "loader: no row"),
        (lambda stack: stack["Resources"].pop("JobEventsFunction"), "job-events: a row without a function"),
    ],
)
def test_a_changed_function_with_an_old_row_is_found(mutate: Mutation, finding: str) -> None:
    stack = template()
    mutate(stack)
    found = findings(README.read_text(), stack)
    assert any(one.startswith(finding) for one in found), found
