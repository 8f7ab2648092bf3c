"""A source that delivers less often than its contract promises raises an alarm, of a metric that the code emits.

Each check takes Terraform's folder, or the runbook beside it, and gives its findings, so that tests can show it broken
copies.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.code import code_of, emitted
from support.stack import CONTRACTS, ROOT, penstock
from support.terraform import Body, Module, blocks_of, read_module, unquoted

TERRAFORM = ROOT / "infra/terraform"
RUNBOOK = ROOT / "docs/runbook.md"
# What each hour without a drop becomes, of the metric that stands beside it.
FILLED = re.compile(r"FILL\((\w+), 0\)")

Findings = Iterator[str]


def observability(folder: Path) -> Module:
    return read_module(folder / "modules/observability")


def late(folder: Path) -> Body:
    """The alarm of late sources."""
    [alarm] = [one.body for one in observability(folder).resources if one.type == "aws_cloudwatch_metric_alarm"]
    return alarm


def plain(value: Any) -> Any:
    return unquoted(value) if isinstance(value, str) else value


def of_alarm(folder: Path) -> Findings:
    """Why it would not go off when a source is silent for its hours, or nobody would hear it."""
    wanted = {
        "for_each": "${var.late_after_hours}",
        "alarm_name": "${var.name}-late-${each.key}",
        "comparison_operator": "LessThanThreshold",
        "threshold": 1,
        "evaluation_periods": "${each.value}",
        "datapoints_to_alarm": "${each.value}",
        "treat_missing_data": "breaching",
        "alarm_actions": ["${aws_sns_topic.alarms.arn}"],
    }
    alarm = late(folder)
    for name, value in wanted.items():
        if plain(alarm.get(name)) != value:
            yield f"{name} is {plain(alarm.get(name))}"


def of_metric(folder: Path) -> Findings:
    """Figures that nothing emits, that are of another environment or source, or that end where none are."""
    queries = [query for name, query in blocks_of(late(folder)) if name == "metric_query"]
    read = {plain(one["id"]): dict(blocks_of(one))["metric"] for one in queries if "metric" in one}
    for query in queries:
        if query.get("return_data") is True:
            filled = FILLED.fullmatch(plain(query.get("expression", "")))
            if filled is None or filled[1] not in read:
                yield "an hour without a drop has no figure"
    if [one.get("return_data") for one in queries].count(True) != 1:
        yield "the alarm is not of one query"
    for metric in read.values():
        dimensions = {name: plain(value) for name, value in metric["dimensions"].items()}
        name = plain(metric["metric_name"])
        if plain(metric["namespace"]) != "Penstock" or (name, frozenset(dimensions)) not in emitted():
            yield f"nothing emits {name} by {sorted(dimensions)}"
        if (plain(metric["stat"]), metric["period"]) != ("Sum", 3600):
            yield "the figures are not those of an hour"
        if dimensions.get("Environment") != "${local.environment}" or dimensions.get("source") != "${each.key}":
            yield "the figures are of another environment or source"
        if f'"{dimensions.get("state")}"' not in code_of("shared/aws/src"):
            yield f"no state is ever {dimensions.get('state')}"
    if observability(folder).locals["environment"] != '${trimprefix(var.name, "penstock-")}':
        yield "the environment is not the one of the template's functions"


def of_root(folder: Path) -> Findings:
    """Hours that do not reach the alarm."""
    root = read_module(folder)
    if root.calls["observability"]["late_after_hours"] != "${var.alarm_late_sources ? local.late_after_hours : {}}":
        yield "the module is not given the hours, or cannot be without"
    hours = "${{for source, due in jsondecode(file(local.catalog_file)).freshness : source => due.hours}}"
    if root.locals["late_after_hours"] != hours or plain(root.locals["catalog_file"]) != "${path.root}/catalog.json":
        yield "the hours are not those of catalog.json"


def of_runbook(folder: Path, runbook: str) -> Findings:
    """An alarm that leads to no section."""
    title = plain(late(folder)["alarm_description"]).removeprefix("Runbook, ")
    if f"\n## {title}\n" not in runbook:
        yield f"the runbook has no section {title!r}"
    if f"| `late-<source>` | [{title}](#{title.lower().replace(' ', '-')}) |" not in runbook:
        yield "the runbook's table does not lead there"


@pytest.mark.parametrize("check", [of_alarm, of_metric, of_root])
def test_a_late_source_is_told(check: Callable[[Path], Findings]) -> None:
    assert list(check(TERRAFORM)) == []


def test_its_alarm_has_a_section() -> None:
    assert list(of_runbook(TERRAFORM, RUNBOOK.read_text())) == []


ALARM = "modules/observability/late.tf"


@pytest.mark.parametrize(
    ("check", "file", "right", "wrong", "finding"),
    [
        (of_alarm, ALARM, '"breaching"', '"notBreaching"', "treat_missing_data is notBreaching"),
        (of_alarm, ALARM, '"LessThanThreshold"', '"GreaterThanThreshold"', "comparison_operator is Greater"),
        (of_alarm, ALARM, "datapoints_to_alarm = each.value", "datapoints_to_alarm = 1", "datapoints_to_alarm is 1"),
        (of_alarm, ALARM, "= 1\n", "= 2\n", "threshold is 2"),
        (of_alarm, ALARM, "[aws_sns_topic.alarms.arn]", "[]", "alarm_actions is []"),
        (of_alarm, ALARM, "-late-", "-", "alarm_name is"),
        (of_metric, ALARM, '"batches"\n      stat', '"Batches"\n      stat', "nothing emits Batches by"),
        (of_metric, ALARM, '"Penstock"', '"penstock"', "nothing emits batches by"),
        (of_metric, ALARM, '        state       = "committed"\n', "", "batches by ['Environment', 'source']"),
        (of_metric, ALARM, "Environment = local.environment", 'Environment = "dev"', "another environment or source"),
        (of_metric, ALARM, "source      = each.key", 'source      = "abt"', "another environment or source"),
        (of_metric, ALARM, '"committed"', '"loaded"', "no state is ever loaded"),
        (of_metric, ALARM, "= 3600", "= 60", "the figures are not those of an hour"),
        (of_metric, ALARM, "FILL(batches, 0)", "batches", "an hour without a drop has no figure"),
        (of_metric, ALARM, "FILL(batches, 0)", "FILL(batches, 1)", "an hour without a drop has no figure"),
        (of_metric, ALARM, "return_data = true", "", "the alarm is not of one query"),
        (of_metric, "modules/observability/dashboard.tf", '"penstock-")', '"penstock")', "not the one of the"),
        (of_root, "main.tf", "var.alarm_late_sources ? local.late_after_hours : {}", "{}", "not given the hours"),
        (of_root, "main.tf", "due.hours", "due.days", "the hours are not those of catalog.json"),
    ],
)  # fmt: skip
def test_a_broken_copy_has_a_finding(
    tmp_path: Path, check: Callable[[Path], Findings], file: str, right: str, wrong: str, finding: str
) -> None:
    copy = tmp_path / "terraform"
    shutil.copytree(TERRAFORM, copy, ignore=shutil.ignore_patterns(".terraform*"))
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong, 1))
    found = list(check(copy))
    assert any(finding in one for one in found), found


@pytest.mark.parametrize(
    ("right", "wrong", "finding"),
    [
        ("## Late source\n", "## Late\n", "the runbook has no section 'Late source'"),
        ("| `late-<source>` |", "| `late` |", "the runbook's table does not lead there"),
        ("(#late-source)", "(#late)", "the runbook's table does not lead there"),
    ],
)
def test_a_broken_copy_of_the_runbook_has_a_finding(right: str, wrong: str, finding: str) -> None:
    runbook = RUNBOOK.read_text()
    assert right in runbook
    assert finding in list(of_runbook(TERRAFORM, runbook.replace(right, wrong)))


def freshness(folder: Path, promises: str) -> Any:
    """What the program prints for a source with these promises."""
    contract = folder / "abt.yaml"
    contract.write_text((CONTRACTS / "abt.yaml").read_text() + f"slaProperties: [{promises}]\n")
    made = penstock(folder, "contract", "catalog", contract)
    assert made.status == 0, made.err
    return made.json["freshness"]


@pytest.mark.parametrize(
    ("promises", "hours"),
    [
        ("{property: frequency, value: 1, unit: d}", 24),
        ("{property: frequency, value: 1, unit: d}, {property: latency, value: 90, unit: m}", 26),
        ("{property: frequency, value: 5, unit: m}", 1),
        ("{property: frequency, value: 1, unit: w}", 168),
        ("{property: frequency, value: 1, unit: w}, {property: latency, value: 1, unit: s}", None),
        ("{property: frequency, value: 1, unit: mo}", None),
        ("{property: latency, value: 1, unit: h}", None),
        ("", None),
    ],
)
def test_a_source_is_late_after_its_frequency_and_latency_in_whole_hours(
    tmp_path: Path, promises: str, hours: int | None
) -> None:
    assert freshness(tmp_path, promises) == ({} if hours is None else {"abt": {"hours": hours}})


def test_some_of_the_examples_promise_a_frequency_and_some_do_not() -> None:
    contracts = [yaml.safe_load(file.read_text()) for file in CONTRACTS.glob("*.yaml")]
    promising = {
        one["name"] for one in contracts if any(sla["property"] == "frequency" for sla in one.get("slaProperties", []))
    }
    made = penstock(ROOT, "contract", "catalog", *sorted(CONTRACTS.glob("*.yaml")))
    assert set(made.json["freshness"]) == promising
    assert 0 < len(promising) < len(contracts)
