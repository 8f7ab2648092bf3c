"""The runbook has a section for each alarm, and quotes only log messages that exist.

The check takes the template and the runbook, so the last tests can run it on broken copies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from support.registries import log_messages
from support.stack import ROOT
from support.template import Template, alarm_name, alarms, change, template

RUNBOOK = ROOT / "docs/runbook.md"
# Alarms with a section in the runbook that are defined elsewhere: the budget is Terraform's.
DEFINED_ELSEWHERE = {"monthly"}
# Sections that belong to no alarm.
WITHOUT_ALARM = {
    "Before you begin",
    "What no alarm detects",
    "Undo the effect of a file",
    "After a restore of the database",
    "Files from before the pipeline",
}

DESCRIPTION = re.compile(r'See "(.+)" in docs/runbook\.md\.')
ROW = re.compile(r"^\| (`.*?`.*?) \| \[(.+?)\]\(", re.MULTILINE)
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
# The runbook quotes log messages, and nothing else, in double quotes.
QUOTED = re.compile(r'"([^"\n]+)"')
CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`", re.MULTILINE | re.DOTALL)

Findings = Iterator[str]


def check_runbook(stack: Template, runbook: str) -> Findings:
    """Yields alarms without a section, sections without an alarm, and quoted log messages that do not exist."""
    titles = SECTION.findall(runbook)
    rows = ROW.findall(SECTION.split(runbook)[0])
    table = {name: title for names, title in rows for name in re.findall(r"`([\w<>-]+)`", names)}
    defined = set()
    for name, alarm in alarms(stack).items():
        found = DESCRIPTION.fullmatch(alarm.get("AlarmDescription", ""))
        title = found[1] if found else ""
        defined.add(alarm_name(alarm))
        if title not in titles:
            yield f"{name}: the runbook has no section {title!r}"
        if table.get(alarm_name(alarm)) != title:
            yield f"{name}: the runbook's table links to {table.get(alarm_name(alarm))!r}"
    for extra in sorted(set(table) - defined - DEFINED_ELSEWHERE):
        yield f"runbook: there is no alarm {extra}"
    for title in sorted(set(titles) - set(table.values()) - WITHOUT_ALARM):
        yield f"runbook: {title!r} is the section of no alarm"
    for title, text in zip(titles, SECTION.split(runbook)[2::2]):
        # A table may have what to do in a column.
        missing = [
            word
            for word in ("Meaning", "Diagnosis", "Action")
            if f"**{word}" not in text and f"| {word.lower()} |" not in text
        ]
        if title in table.values() and missing:
            yield f"runbook: {title!r} lacks: {', '.join(missing)}"
    quoted = set(QUOTED.findall(CODE.sub("", runbook)))
    for message in sorted(quoted ^ log_messages()):
        yield f"runbook: {message!r} is {'not a log event' if message in quoted else 'not mentioned'}"


def test_each_alarm_has_a_section_and_each_section_an_alarm() -> None:
    assert list(check_runbook(template(), RUNBOOK.read_text())) == []


@pytest.mark.parametrize(
    ("right", "wrong", "finding"),
    [
        ("## Rejects", "## Rejected rows", "RejectsAlarm: the runbook has no section 'Rejects'"),
        ("| `rejects` |", "| `rejected` |", "RejectsAlarm: the runbook's table links to None"),
        ("| `rejects` |", "| `rejected` |", "runbook: there is no alarm rejected"),
        ("## Budget", "## Slow source\n\n## Budget", "runbook: 'Slow source' is the section of no alarm"),
        (
            "**Action.** Fix the cause that the error names",
            "Fix the cause",
            "'Oldest message: job events' lacks: Action",
        ),
    ],
)
def test_a_broken_copy_of_the_runbook_has_a_finding(right: str, wrong: str, finding: str) -> None:
    runbook = RUNBOOK.read_text()
    assert right in runbook
    found = list(check_runbook(template(), runbook.replace(right, wrong)))
    assert any(finding in one for one in found), found


def test_an_alarm_without_a_section_is_found() -> None:
    stack = template()
    change("RejectsAlarm", "AlarmDescription", 'See "Rejekts" in docs/runbook.md.')(stack)
    assert "RejectsAlarm: the runbook has no section 'Rejekts'" in check_runbook(stack, RUNBOOK.read_text())
