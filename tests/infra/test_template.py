"""template.yaml, the functions' code and the README agree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from support.stack import ROOT
from support.template import template

VARIABLE_IN_CODE = re.compile(r'"(PENSTOCK_[A-Z_]+)"')
# Read by logging and by the allocator: known to every function.
COMMON = {"RUST_LOG", "MALLOC_MMAP_THRESHOLD_"}


def functions() -> dict[str, dict[str, Any]]:
    """The functions by the name of their binary."""
    resources = template()["Resources"].values()
    found = [one for one in resources if one["Type"] == "AWS::Serverless::Function"]
    return {one["Metadata"]["BuildProperties"]["Binary"]: one["Properties"] for one in found}


def mappings() -> list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Each event source mapping: the function's name and properties, the mapping's, its queue's."""
    found = []
    for name, function in functions().items():
        for event in function["Events"].values():
            assert event["Type"] == "SQS"
            queue = event["Properties"]["Queue"]["Fn::GetAtt"].split(".")[0]
            found.append((name, function, event["Properties"], template()["Resources"][queue]["Properties"]))
    return found


def set_by_template(function: str) -> set[str]:
    everywhere = template()["Globals"]["Function"]["Environment"]["Variables"]
    own = functions()[function].get("Environment", {}).get("Variables", {})
    return set(everywhere) | set(own)


def read_by_code(function: str) -> set[str]:
    """The variables that the function's configuration names, tests left out, and those of the adapters it takes."""
    text = (ROOT / "functions" / function / "src/config.rs").read_text().split("#[cfg(test)]")[0]
    if "DatabaseConfig" in text:
        text += (ROOT / "shared/aws/src/database/mod.rs").read_text().split("#[cfg(test)]")[0]
    return set(VARIABLE_IN_CODE.findall(text))


def told_by_readme(function: str) -> set[str]:
    """The variables whose row in the README's table names the function."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    return {name for name, users in rows if function in re.split(r"[ ,]+", users) or users.strip() == "all"}


@pytest.mark.parametrize("function", ["ingest", "writer", "job-events"])
def test_template_code_and_readme_name_the_same_variables(function: str) -> None:
    from_template = set_by_template(function) - COMMON
    assert from_template == read_by_code(function)
    assert from_template == told_by_readme(function) - COMMON


def test_every_function_of_the_template_has_its_crate_and_none_is_forgotten() -> None:
    crates = {path.parent.name for path in (ROOT / "functions").glob("*/Cargo.toml")}
    assert set(functions()) == crates


@pytest.mark.parametrize("name", ["ingest", "writer", "job-events"])
def test_a_message_does_not_come_back_while_it_is_worked_on(name: str) -> None:
    for function, properties, mapping, queue in mappings():
        if function == name:
            # AWS asks for six times the function's timeout, plus the batching window.
            window = mapping.get("MaximumBatchingWindowInSeconds", 0)
            assert queue["VisibilityTimeout"] >= 6 * properties["Timeout"] + window


def test_every_mapping_reports_single_failures_and_bounds_its_concurrency() -> None:
    assert len(mappings()) == 3
    for function, _, mapping, _ in mappings():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"], function
        assert 1 <= mapping["BatchSize"] <= 10, function
        assert "MaximumConcurrency" in mapping["ScalingConfig"], function


def test_a_drop_is_read_alone() -> None:
    sizes = {function: mapping["BatchSize"] for function, _, mapping, _ in mappings()}
    assert sizes == {"ingest": 1, "writer": 10, "job-events": 10}


def test_every_queue_has_dead_letters_that_are_kept_as_long() -> None:
    resources = template()["Resources"]
    queues = {name: one["Properties"] for name, one in resources.items() if one["Type"] == "AWS::SQS::Queue"}
    working = {name: queue for name, queue in queues.items() if "RedrivePolicy" in queue}
    assert len(working) == 3
    for queue in working.values():
        dead = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"].split(".")[0]
        assert queues[dead]["MessageRetentionPeriod"] >= queue["MessageRetentionPeriod"]
        assert "RedrivePolicy" not in queues[dead]
    for name, queue in queues.items():
        assert queue["SqsManagedSseEnabled"] is True, name


def test_every_rule_has_a_place_for_events_it_cannot_deliver() -> None:
    rules = [one["Properties"] for one in template()["Resources"].values() if one["Type"] == "AWS::Events::Rule"]
    assert rules
    for rule in rules:
        assert all("DeadLetterConfig" in target for target in rule["Targets"])


def test_no_parameter_of_the_template_is_without_use() -> None:
    text = (ROOT / "template.yaml").read_text()
    for name in template()["Parameters"]:
        assert re.search(rf"!Ref {name}\b|\$\{{{name}\}}|!Equals \[!Ref {name}", text), name


def test_markdown_links_within_the_repository_lead_somewhere() -> None:
    for page in [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / Path(target)).exists(), f"{page.name}: {target}"
