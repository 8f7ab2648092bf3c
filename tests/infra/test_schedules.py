"""What runs on a schedule ends before it begins again, and looks neither too early nor too far back.

Each check takes a template and gives its findings, so that the last tests can show it broken copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import hcl2
import pytest
import tomlkit

from support.stack import ROOT
from support.template import (
    Breaks,
    Properties,
    Template,
    change,
    functions,
    intervals,
    of_type,
    schedules,
    seconds_of,
    target,
    template,
)

ENVIRONMENTS = ROOT / "infra/terraform/environments"
DAY = 86_400

Findings = Iterator[str]


def of_runs(stack: Template) -> Findings:
    """Runs that meet the next one, are done again beside it, or may be switched off in the template."""
    for name, schedule in schedules(stack).items():
        function = functions(stack)[name]
        shortest = min(intervals(stack, schedule))
        if function["Timeout"] >= shortest:
            yield f"{name}: a run of {function['Timeout']} s meets the next one after {shortest} s"
        if function["ReservedConcurrentExecutions"] != {"Fn::If": ["ReservesConcurrency", 1, {"Ref": "AWS::NoValue"}]}:
            yield f"{name}: reserves more or less than the one run that there is"
        invoked = function.get("EventInvokeConfig", {})
        if invoked.get("MaximumRetryAttempts") != 0:
            yield f"{name}: a run that failed is done again, although the next one comes"
        if not 60 <= invoked.get("MaximumEventAgeInSeconds", 21_600) < shortest:
            yield f"{name}: runs that could not begin pile up"
        if schedule.get("State", "ENABLED") != "ENABLED" or schedule.get("Enabled", True) is not True:
            yield f"{name}: its schedule is switched off"
        if schedule.get("Name") != function["FunctionName"]:
            yield f"{name}: its schedule is not named after it"
        if "Input" in schedule:
            yield f"{name}: is told something else than EventBridge's event"


def of_ages(stack: Template) -> Findings:
    """Ages at which a drop is missed that is only being worked on, or at which nothing is left to know of it."""
    missed, lookback, stuck = (
        stack["Parameters"][f"{one}Seconds"] for one in ("MissedAfter", "Lookback", "StuckAfter")
    )
    visible = of_type(stack, "AWS::SQS::Queue")["DropsQueue"]["VisibilityTimeout"]
    if missed["MinValue"] <= visible:
        yield "a drop is missed while its message waits to come back"
    # The function refuses to begin otherwise (functions/sentinel/src/config.rs).
    for what, parameter in (("missed", missed), ("stuck", stuck)):
        if parameter.get("MaxValue", lookback["MinValue"]) >= lookback["MinValue"]:
            yield f"nothing is ever {what}: it would be older than what is looked at"
    if lookback["MaxValue"] >= shortest_retention(stack) * DAY:
        yield "a receipt is gone before its drop is looked at for the last time, and the drop is missed"


def shortest_retention(stack: Template) -> int:
    """The fewest days after which a receipt of any environment is gone."""
    files = sorted(ENVIRONMENTS.glob("*/terraform.tfvars"))
    assert len(files) == 3
    return min(int(hcl2.loads(file.read_text())["lake"]["processed_retention_days"]) for file in files)


def of_environments(stack: Template, samconfig: dict[str, Any]) -> Findings:
    """Environments with a schedule of their own that nothing else fits to."""
    for name, schedule in schedules(stack).items():
        parameter = target(schedule["Schedule"])
        for environment in sorted(samconfig.keys() - {"version", "default"}):
            given = samconfig[environment]["deploy"]["parameters"]["parameter_overrides"]
            for value in [one.split("=", 1)[1] for one in given if one.startswith(f"{parameter}=")]:
                if seconds_of(value) not in intervals(stack, schedule):
                    yield f"{environment}: {name} runs by {value}"


def samconfig() -> dict[str, Any]:
    return tomlkit.parse((ROOT / "samconfig.toml").read_text()).unwrap()


@pytest.mark.parametrize("check", [of_runs, of_ages])
def test_a_schedule_fits_to_what_relies_on_it(check: Callable[[Template], Findings]) -> None:
    assert list(check(template())) == []


def test_no_environment_has_a_schedule_that_does_not_fit() -> None:
    assert list(of_environments(template(), samconfig())) == []


def test_the_schedule_and_its_rates_are_read() -> None:
    # A guard of the reading itself: were it to find nothing, nothing would be missed above.
    (name,) = schedules(template())
    assert name == "sentinel"
    assert intervals(template(), schedules(template())["sentinel"]) == [900, 600, 1200]


@pytest.mark.parametrize("wrong", ["rate(1 minutes)", "rate(15 minute)", "rate(015 minutes)", "rate(15)", "15 minutes"])
def test_a_rate_that_eventbridge_refuses_is_found(wrong: str) -> None:
    with pytest.raises(AssertionError):
        seconds_of(wrong)
    stack = template()
    stack["Parameters"]["SentinelSchedule"]["Default"] = wrong
    with pytest.raises(AssertionError):
        intervals(stack, schedules(stack)["sentinel"])


def parameter(name: str, **values: Any) -> Breaks:
    return lambda stack: stack["Parameters"][name].update(values)


def scheduled(name: str, value: Any) -> Breaks:
    """A property of the sentinel's schedule."""

    def breaks(stack: Template) -> None:
        schedule: Properties = schedules(stack)["sentinel"]
        schedule[name] = value

    return breaks


BROKEN: list[tuple[Callable[[Template], Findings], Breaks, str]] = [
    (of_runs, change("SentinelFunction", "Timeout", 600), "sentinel: a run of 600 s meets the next one after 600 s"),
    (of_runs, parameter("SentinelSchedule", AllowedPattern=".*"), "a run of 300 s meets the next one after 60 s"),
    (of_runs, scheduled("Schedule", "rate(15 minutes)"), "a run of 300 s meets the next one after 60 s"),
    (of_runs, change("SentinelFunction", "ReservedConcurrentExecutions", 1), "reserves more or less than"),
    (of_runs, change("SentinelFunction", "EventInvokeConfig", None), "a run that failed is done again"),
    (of_runs, change("SentinelFunction", "EventInvokeConfig.MaximumRetryAttempts", 2), "that failed is done again"),
    (of_runs, change("SentinelFunction", "EventInvokeConfig.MaximumEventAgeInSeconds", 3600), "begin pile up"),
    (of_runs, scheduled("Enabled", False), "sentinel: its schedule is switched off"),
    (of_runs, scheduled("State", "DISABLED"), "sentinel: its schedule is switched off"),
    (of_runs, scheduled("Name", "sentinel"), "sentinel: its schedule is not named after it"),
    (of_runs, scheduled("Input", "{}"), "is told something else than EventBridge's event"),
    (of_ages, parameter("MissedAfterSeconds", MinValue=5400), "a drop is missed while its message waits"),
    (of_ages, change("DropsQueue", "VisibilityTimeout", 7200), "a drop is missed while its message waits"),
    (of_ages, parameter("MissedAfterSeconds", MaxValue=86400), "nothing is ever missed"),
    (of_ages, parameter("LookbackSeconds", MinValue=43200), "nothing is ever stuck"),
    (of_ages, parameter("LookbackSeconds", MaxValue=2592000), "a receipt is gone before"),
]


@pytest.mark.parametrize(("check", "breaks", "finding"), BROKEN)
def test_a_broken_copy_has_a_finding(check: Callable[[Template], Findings], breaks: Breaks, finding: str) -> None:
    stack = template()
    breaks(stack)
    found = list(check(stack))
    assert any(finding in one for one in found), found


def test_an_environment_that_runs_at_another_rate_is_found() -> None:
    config = samconfig()
    config["prod"]["deploy"]["parameters"]["parameter_overrides"].append("SentinelSchedule=rate(30 minutes)")
    assert list(of_environments(template(), config)) == ["prod: sentinel runs by rate(30 minutes)"]
