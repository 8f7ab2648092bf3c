"""The README's table of functions is what template.yaml says of them.

The check takes both, so that the last tests can show it broken copies.
"""

from __future__ import annotations

from typing import Any

import pytest

from support.stack import ROOT
from support.template import (
    Breaks,
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
    """The table's rows, by the function that each is of: what it takes, then what is compared."""
    assert readme.count(HEADER) == 1, "the README has no table of functions, or two"
    table = readme.split(HEADER)[1].split("\n\n")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[1:]]
    names = [first.strip("`") for first, *_ in cells]
    assert len(set(names)) == len(names), "a function has two rows"
    return {name: rest for name, (_, *rest) in zip(names, cells)}


def meant(value: Any) -> str:
    """A number as it stands, a parameter by its name."""
    return f"`{target(value)}`" if target(value) else str(value)


def true_rows(stack: Template) -> dict[str, list[str]]:
    """What the rows must say after the column `takes`."""
    most = {name: mapping["ScalingConfig"]["MaximumConcurrency"] for name, mapping, _ in mappings(stack)}
    # What no queue's mapping limits, the reserve does.
    most |= {name: functions(stack)[name]["ReservedConcurrentExecutions"]["Fn::If"][1] for name in schedules(stack)}
    found = {}
    for name, function in functions(stack).items():
        role = stack["Resources"][target(function["Role"])]["Properties"]["RoleName"]["Fn::Sub"]
        found[name] = [
            f"{function['Timeout']} s",
            f"{function['MemorySize']:,} MB",
            meant(most[name]),
            f"`{role.replace('${Environment}', '<env>')}`",
        ]
    return found


def findings(readme: str, stack: Template) -> list[str]:
    """Functions without a crate or a row, rows without a function, and cells that are not true."""
    said, true = rows(readme), true_rows(stack)
    crates = {path.parent.name for path in (ROOT / "functions").glob("*/Cargo.toml")}
    found = [f"{name}: no crate under functions/" for name in sorted(true.keys() - crates)]
    found += [f"{name}: no row" for name in sorted(true.keys() - said.keys())]
    found += [f"{name}: a row of no function" for name in sorted(said.keys() - true.keys())]
    for name in sorted(said.keys() & true.keys()):
        takes, *told = said[name]
        found += [f"{name}: does not say what it takes"] if not takes else []
        found += [f"{name}: {one}, and not {other}" for one, other in zip(true[name], told) if one != other]
        found += [f"{name}: another number of cells"] if len(told) != len(true[name]) else []
    return found


def test_each_function_has_its_row() -> None:
    assert findings(README.read_text(), template()) == []
    assert rows(README.read_text()).keys() == functions(template()).keys()


@pytest.mark.parametrize(
    ("line", "broken", "finding"),
    [
        ("| 900 s |", "| 600 s |", "ingest: 900 s, and not 600 s"),
        ("| 1,769 MB |", "| 1769 MB |", "ingest: 1,769 MB, and not 1769 MB"),
        ("`WriterMaximumConcurrency` |", "2 |", "writer: `WriterMaximumConcurrency`, and not 2"),
        ("| `penstock-<env>-job-events` |", "| `penstock-<env>-ingest` |", "job-events: `penstock-<env>-job-events`"),
        ("| `writer` | up", "| `loader` | up", "writer: no row"),
        ("| `writer` | up", "| `loader` | up", "loader: a row of no function"),
        ("| 1 | `penstock-<env>-sentinel` |", "| 2 | `penstock-<env>-sentinel` |", "sentinel: 1, and not 2"),
        ("| a drop from the drops queue |", "| |", "ingest: does not say what it takes"),
        ("| 2 | `penstock-<env>-job-events` |", "| 2 |", "job-events: another number of cells"),
    ],
)
def test_a_row_that_is_not_true_is_found(line: str, broken: str, finding: str) -> None:
    text = README.read_text()
    assert line in text
    found = findings(text.replace(line, broken, 1), template())
    assert any(one.startswith(finding) for one in found), found


def rename(stack: Template) -> None:
    """The writer's binary gets a name that no crate has."""
    stack["Resources"][function_ids(stack)["writer"]]["Metadata"]["BuildProperties"]["Binary"] = "loader"


@pytest.mark.parametrize(
    ("breaks", "finding"),
    [
        (change("WriterFunction", "Timeout", 240), "writer: 240 s, and not 180 s"),
        (change("JobEventsFunction", "MemorySize", 128), "job-events: 128 MB, and not 256 MB"),
        (
            change("JobEventsFunction", "Events.JobEvents.Properties.ScalingConfig.MaximumConcurrency", 3),
            "job-events: 3, and not 2",
        ),
        (
            change("IngestRole", "RoleName", {"Fn::Sub": "penstock-${Environment}-reader"}),
            "ingest: `penstock-<env>-reader`",
        ),
        (rename, "loader: no crate"),
        (rename, "loader: no row"),
        (lambda stack: stack["Resources"].pop("JobEventsFunction"), "job-events: a row of no function"),
    ],
)
def test_a_function_that_changes_without_its_row_is_found(breaks: Breaks, finding: str) -> None:
    stack = template()
    breaks(stack)
    found = findings(README.read_text(), stack)
    assert any(one.startswith(finding) for one in found), found
