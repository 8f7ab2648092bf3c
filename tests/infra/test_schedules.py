"""A scheduled function ends before its next run, and its periods match the retention of drops and messages.

Each check takes a template and returns its findings, so the last tests can run it on broken copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import hcl2
import pytest
import tomlkit

from support.stack import ROOT
from support.template import (
    Mutation,
    Properties,
    Template,
    change,
    functions,
    intervals,
    resources_of_type,
    schedules,
    seconds_of,
    target,
    template,
)

ENVIRONMENTS = ROOT / "infra/terraform/environments"
DAY = 86_400

Findings = Iterator[str]


def check_runs(stack: Template) -> Findings:
    """Yields runs that overlap with the next one or are retried during it, and disabled schedules."""
    for name, schedule in schedules(stack).items():
        function = functions(stack)[name]
        shortest = min(intervals(stack, schedule))
        if function["Timeout"] >= shortest:
            yield f"{name}: a run of {function['Timeout']} s overlaps with the next one after {shortest} s"
        if function["ReservedConcurrentExecutions"] != {"Fn::If": ["ReservesConcurrency", 1, {"Ref": "AWS::NoValue"}]}:
            yield f"{name}: does not reserve exactly one execution"
        invoked = function.get("EventInvokeConfig", {})
        if invoked.get("MaximumRetryAttempts") != 0:
            yield f"{name}: a failed run is retried, although the next one follows"
        if not 60 <= invoked.get("MaximumEventAgeInSeconds", 21_600) < shortest:
            yield f"{name}: delayed events accumulate"
        if schedule.get("State", "ENABLED") != "ENABLED" or schedule.get("Enabled", True) is not True:
            yield f"{name}: its schedule is disabled"
        if schedule.get("Name") != function["FunctionName"]:
            yield f"{name}: its schedule does not have its name"
        if "Input" in schedule:
            yield f"{name}: its input is not EventBridge's event"


def check_ages(stack: Template) -> Findings:
    """Yields ages at which a drop in progress counts as missed, or at which its receipt has expired."""
    missed, lookback, stuck = (
        stack["Parameters"][f"{name}Seconds"] for name in ("MissedAfter", "Lookback", "StuckAfter")
    )
    visible = resources_of_type(stack, "AWS::SQS::Queue")["DropsQueue"]["VisibilityTimeout"]
    if missed["MinValue"] <= visible:
        yield "a drop counts as missed before its message is retried"
    # The function rejects such a configuration (functions/sentinel/src/config.rs).
    for what, parameter in (("missed", missed), ("stuck", stuck)):
        if parameter.get("MaxValue", lookback["MinValue"]) >= lookback["MinValue"]:
            yield f"nothing is ever {what}: it would be older than the lookback period"
    if lookback["MaxValue"] >= shortest_retention(stack) * DAY:
        yield "a receipt expires before the last check of its drop, which then counts as missed"


def shortest_retention(stack: Template) -> int:
    """Returns the shortest retention of receipts in any environment, in days."""
    files = sorted(ENVIRONMENTS.glob("*/terraform.tfvars"))
    assert len(files) == 3
    return min(int(hcl2.loads(file.read_text())["lake"]["processed_retention_days"]) for file in files)


def check_environments(stack: Template, samconfig: dict[str, Any]) -> Findings:
    """Yields environments with a schedule that the template does not allow."""
    for name, schedule in schedules(stack).items():
        parameter = target(schedule["Schedule"])
        for environment in sorted(samconfig.keys() - {"version", "default"}):
            given = samconfig[environment]["deploy"]["parameters"]["parameter_overrides"]
            for value in [override.split("=", 1)[1] for override in given if override.startswith(f"{parameter}=")]:
                if seconds_of(value) not in intervals(stack, schedule):
                    yield f"{environment}: {name} has the schedule {value}"


def samconfig() -> dict[str, Any]:
    return tomlkit.parse((ROOT / "samconfig.toml").read_text()).unwrap()


@pytest.mark.parametrize("check", [check_runs, check_ages])
def test_schedules_and_periods_are_consistent(check: Callable[[Template], Findings]) -> None:
    assert list(check(template())) == []


def test_each_environment_has_an_allowed_schedule() -> None:
    assert list(check_environments(template(), samconfig())) == []


def test_the_schedule_and_its_rates_are_read() -> None:
    # If nothing were read, the checks above would pass.
    (name,) = schedules(template())
    assert name == "sentinel"
    assert intervals(template(), schedules(template())["sentinel"]) == [900, 600, 1200]


@pytest.mark.parametrize("wrong", ["rate(1 minutes)", "rate(15 minute)", "rate(015 minutes)", "rate(15)", "15 minutes"])
def test_an_invalid_rate_is_found(wrong: str) -> None:
    with pytest.raises(AssertionError):
        seconds_of(wrong)
    stack = template()
    stack["Parameters"]["SentinelSchedule"]["Default"] = wrong
    with pytest.raises(AssertionError):
        intervals(stack, schedules(stack)["sentinel"])


def parameter(name: str, **values: Any) -> Mutation:
    return lambda stack: stack["Parameters"][name].update(values)


def scheduled(name: str, value: Any) -> Mutation:
    """Sets a property of the sentinel's schedule."""

    def mutate(stack: Template) -> None:
        schedule: Properties = schedules(stack)["sentinel"]
        schedule[name] = value

    return mutate


BROKEN: list[tuple[Callable[[Template], Findings], Mutation, str]] = [
    (
        check_runs,
        change("SentinelFunction", "Timeout", 600),
        "sentinel: a run of 600 s overlaps with the next one after 600 s",
    ),
    (
        check_runs,
        parameter("SentinelSchedule", AllowedPattern=".*"),
        "a run of 300 s overlaps with the next one after 60 s",
    ),
    (check_runs, scheduled("Schedule", "rate(15 minutes)"), "a run of 300 s overlaps with the next one after 60 s"),
    (check_runs, change("SentinelFunction", "ReservedConcurrentExecutions", 1), "does not reserve exactly one"),
    (check_runs, change("SentinelFunction", "EventInvokeConfig", None), "a failed run is retried"),
    (check_runs, change("SentinelFunction", "EventInvokeConfig.MaximumRetryAttempts", 2), "a failed run is retried"),
    (
        check_runs,
        change("SentinelFunction", "EventInvokeConfig.MaximumEventAgeInSeconds", 3600),
        "delayed events accumulate",
    ),
    (check_runs, scheduled("Enabled", False), "sentinel: its schedule is disabled"),
    (check_runs, scheduled("State", "DISABLED"), "sentinel: its schedule is disabled"),
    (check_runs, scheduled("Name", "sentinel"), "sentinel: its schedule does not have its name"),
    (check_runs, scheduled("Input", "{}"), "its input is not EventBridge's event"),
    (check_ages, parameter("MissedAfterSeconds", MinValue=5400), "a drop counts as missed before"),
    (check_ages, change("DropsQueue", "VisibilityTimeout", 7200), "a drop counts as missed before"),
    (check_ages, parameter("MissedAfterSeconds", MaxValue=86400), "nothing is ever missed"),
    (check_ages, parameter("LookbackSeconds", MinValue=43200), "nothing is ever stuck"),
    (check_ages, parameter("LookbackSeconds", MaxValue=2592000), "a receipt expires before"),
]


@pytest.mark.parametrize(("check", "mutate", "finding"), BROKEN)
def test_a_broken_copy_has_a_finding(check: Callable[[Template], Findings], mutate: Mutation, finding: str) -> None:
    stack = template()
    mutate(stack)
    found = list(check(stack))
    assert any(finding in message for message in found), found


def test_an_environment_with_another_rate_is_found() -> None:
    config = samconfig()
    config["prod"]["deploy"]["parameters"]["parameter_overrides"].append("SentinelSchedule=rate(30 minutes)")
    assert list(check_environments(template(), config)) == ["prod: sentinel has the schedule rate(30 minutes)"]
