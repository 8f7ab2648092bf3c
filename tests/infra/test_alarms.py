"""What goes wrong raises an alarm, the alarm is of something that is measured, and the runbook says what to do.

Each check takes a template, or the runbook beside it, and gives its findings, so that the last tests can show it broken
copies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.code import code_of, emitted, emitted_in
from support.stack import ROOT
from support.template import (
    Breaks,
    Properties,
    Template,
    change,
    function_ids,
    functions,
    intervals,
    of_type,
    schedules,
    target,
    template,
    variables,
)

RUNBOOK = ROOT / "docs/runbook.md"

# Metrics of AWS itself with the dimensions that they have, as the services' documentation lists them.
OF_AWS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): [{"QueueName"}],
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): [{"QueueName"}],
    ("AWS/Lambda", "Errors"): [{"FunctionName"}, {"FunctionName", "Resource", "ExecutedVersion"}],
    ("AWS/Lambda", "Throttles"): [{"FunctionName"}],
    ("AWS/Lambda", "Invocations"): [{"FunctionName"}],
    ("AWS/EMRServerless", "FailedJobs"): [{"ApplicationId"}],
}
# An alarm goes off within five minutes; one of an hour's sum, within the hour. Those of what a schedule tells are those
# of test_schedules.py.
SECONDS = {"RejectedRowsPerHour": 3600}
# Alarms of others that the runbook has a section for: the budget is Terraform's.
NOT_HERE = {"monthly"}
# Sections that no alarm leads to.
NO_ALARM = {"Before you begin", "What no alarm tells", "Undo what a file did"}

QUERY = re.compile(
    r'SELECT (?P<statistic>\w+)\("(?P<metric>\w+)"\) FROM (?:SCHEMA\("(?P<schema>[\w/]+)"(?P<of>(?:, "\w+")*)\)'
    r"|\"(?P<all>[\w/]+)\")(?: WHERE (?P<where>\"\w+\" = '[^']+'(?: AND \"\w+\" = '[^']+')*))?"
)
COMPARED = re.compile(r"\"(\w+)\" = '([^']+)'")
# A metric that counts what is wrong.
COUNTED = re.compile(r'\("(\w+)", Unit::Count')
DESCRIPTION = re.compile(r"Runbook, (.+)")
ROW = re.compile(r"^\| (`.*?`.*?) \| \[(.+?)\]\(", re.MULTILINE)
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)

Findings = Iterator[str]


def alarms(stack: Template) -> dict[str, Properties]:
    return of_type(stack, "AWS::CloudWatch::Alarm")


def short_name(alarm: Properties) -> str:
    """An alarm's name without what all have."""
    return str(alarm["AlarmName"]["Fn::Sub"]).replace("penstock-${Environment}-", "")


def dimensions(alarm: Properties) -> dict[str, Any]:
    return {one["Name"]: one["Value"] for one in alarm.get("Dimensions", [])}


def watches(alarm: Properties, metric: str, dimension: str, resource: str) -> bool:
    """Whether an alarm is of this metric of this resource, and of all its versions."""
    named = {"Ref": resource} if dimension == "FunctionName" else {"Fn::GetAtt": [resource, dimension]}
    return alarm.get("MetricName") == metric and dimensions(alarm) == {dimension: named}


def goes_off(alarm: Properties, threshold: Any = 0) -> bool:
    """Whether an alarm goes off above a threshold."""
    return (alarm["Threshold"], alarm["ComparisonOperator"]) == (threshold, "GreaterThanThreshold")


def of_functions(stack: Template) -> Findings:
    """Functions whose errors or throttles nobody is told of."""
    for name, resource in function_ids(stack).items():
        for metric in ("Errors", "Throttles"):
            found = [one for one in alarms(stack).values() if watches(one, metric, "FunctionName", resource)]
            if not any(goes_off(one) and one["Statistic"] == "Sum" for one in found):
                yield f"{name}: no alarm of its {metric}"


def of_queues(stack: Template) -> Findings:
    """Queues whose dead letters or old messages nobody is told of."""
    for name, queue in of_type(stack, "AWS::SQS::Queue").items():
        if "RedrivePolicy" not in queue:
            continue
        dead = target(queue["RedrivePolicy"]["deadLetterTargetArn"])
        wanted = [
            (dead, "ApproximateNumberOfMessagesVisible", 0),
            (name, "ApproximateAgeOfOldestMessage", {"Ref": "OldestMessageSeconds"}),
        ]
        for queue_name, metric, threshold in wanted:
            found = [one for one in alarms(stack).values() if watches(one, metric, "QueueName", queue_name)]
            if not any(goes_off(one, threshold) and one["Statistic"] == "Maximum" for one in found):
                yield f"{queue_name}: no alarm of {metric}"


def of_metrics(stack: Template) -> Findings:
    """Alarms of what nothing emits."""
    own = emitted()
    for name, function in functions(stack).items():
        if variables(stack, function).get("PENSTOCK_ENVIRONMENT") != {"Ref": "Environment"}:
            yield f"{name}: emits for another environment than the alarms ask for"
    for name, alarm in alarms(stack).items():
        if "MetricName" in alarm:
            known = OF_AWS.get((alarm["Namespace"], alarm["MetricName"]), [])
            if set(dimensions(alarm)) not in known:
                yield f"{name}: nothing emits {alarm['MetricName']} by {sorted(dimensions(alarm))}"
            continue
        for query in alarm["Metrics"]:
            yield from of_query(name, query["Expression"], own)


def of_query(name: str, expression: Any, own: set[tuple[str, frozenset[str]]]) -> Findings:
    text = expression["Fn::Sub"] if isinstance(expression, dict) else expression
    query = QUERY.fullmatch(text)
    if query is None:
        yield f"{name}: no query that these tests can read: {text}"
        return
    compared = dict(COMPARED.findall(query["where"] or ""))
    if query["all"]:
        if compared.keys() not in OF_AWS.get((query["all"], query["metric"]), []):
            yield f"{name}: nothing emits {query['metric']} by {sorted(compared)}"
        return
    schema = frozenset(re.findall(r'"(\w+)"', query["of"]))
    if query["schema"] != "Penstock" or (query["metric"], schema) not in own:
        yield f"{name}: nothing emits {query['metric']} by {sorted(schema)}"
    if compared.pop("Environment", None) != "${Environment}" or "Fn::Sub" not in expression:
        yield f"{name}: adds up other environments, too"
    for by, value in compared.items():
        if by not in schema:
            yield f"{name}: {by} is no dimension of the schema"
        if f'"{value}"' not in code_of("shared/aws/src"):
            yield f"{name}: no {by} is ever {value}"


def of_topic(stack: Template) -> Findings:
    """Alarms that nobody hears, that have another's name, or that go off for want of data."""
    names = [short_name(one) for one in alarms(stack).values()]
    for name, alarm in alarms(stack).items():
        if alarm.get("AlarmActions") != [{"Ref": "AlarmTopicArn"}]:
            yield f"{name}: does not go to the topic"
        if not alarm["AlarmName"]["Fn::Sub"].startswith("penstock-${Environment}-"):
            yield f"{name}: is not named after its environment"
        if names.count(short_name(alarm)) > 1:
            yield f"{name}: has another's name"
        if alarm.get("MetricName") == "Invocations":
            continue
        if alarm.get("TreatMissingData") != "notBreaching":
            yield f"{name}: goes off where there is no data"
        if alarm["ComparisonOperator"] != "GreaterThanThreshold":
            yield f"{name}: does not go off above its threshold"
        threshold = alarm["Threshold"]
        if threshold != 0 and target(threshold) not in stack["Parameters"]:
            yield f"{name}: goes off above a number that is written nowhere else"
        periods = [alarm, *alarm.get("Metrics", [])]
        seconds = alarm["EvaluationPeriods"] * max(one.get("Period", 0) for one in periods)
        if seconds > longest(stack, alarm):
            yield f"{name}: goes off after {seconds} s only"


def longest(stack: Template, alarm: Properties) -> int:
    """The seconds that an alarm may take: of what a schedule tells, two of its runs."""
    runs = [2 * intervals(stack, one)[0] for name, one in schedules(stack).items() if told_by(name) & asked(alarm)]
    return max(runs, default=SECONDS.get(target(alarm["Threshold"]), 300))


def asked(alarm: Properties) -> set[str]:
    """The metrics of our own that an alarm queries."""
    found = [QUERY.fullmatch(str(one["Expression"].get("Fn::Sub"))) for one in alarm.get("Metrics", [])]
    return {one["metric"] for one in found if one}


def told_by(function: str) -> set[str]:
    """The metrics that a function emits itself."""
    return {name for name, _ in emitted_in(code_of(f"functions/{function}/src"))}


def of_schedules(stack: Template) -> Findings:
    """Schedules that may stop unseen, and alarms that do not fit to the runs that tell of them."""
    for name, schedule in schedules(stack).items():
        seconds = intervals(stack, schedule)
        silent = [one for one in alarms(stack).values() if is_of_silence(one, function_ids(stack)[name])]
        if not silent:
            yield f"{name}: no alarm when nothing runs"
        for one in silent:
            if any(one["Period"] % each for each in seconds):
                yield f"{name}: the hour of its silence is no whole number of runs"
        for alarm_name, alarm in alarms(stack).items():
            if not told_by(name) & asked(alarm):
                continue
            # Two runs end so far apart at most: a shorter period would have none at times, and end the alarm.
            if alarm["Metrics"][0]["Period"] < max(seconds) + functions(stack)[name]["Timeout"]:
                yield f"{alarm_name}: between two runs it goes out"
            if not alarm["Metrics"][0]["Expression"]["Fn::Sub"].startswith("SELECT MAX("):
                yield f"{alarm_name}: adds up what several runs tell of the same"
        watched = {metric for alarm in alarms(stack).values() for metric in asked(alarm)}
        for metric in sorted(set(COUNTED.findall(code_of(f"functions/{name}/src"))) - watched):
            yield f"{name}: no alarm of {metric}"


def is_of_silence(alarm: Properties, function: str) -> bool:
    """Whether an alarm goes off when a function did not run for an hour, which has no figure then."""
    below = (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "LessThanThreshold")
    sums = (alarm.get("Statistic"), alarm["EvaluationPeriods"], alarm.get("Period")) == ("Sum", 1, 3600)
    return (
        watches(alarm, "Invocations", "FunctionName", function)
        and below
        and sums
        and alarm.get("TreatMissingData") == "breaching"
    )


def of_runbook(stack: Template, runbook: str) -> Findings:
    """Alarms without a section, and sections without an alarm."""
    titles = SECTION.findall(runbook)
    rows = ROW.findall(SECTION.split(runbook)[0])
    table = {name: title for names, title in rows for name in re.findall(r"`([\w<>-]+)`", names)}
    defined = set()
    for name, alarm in alarms(stack).items():
        found = DESCRIPTION.fullmatch(alarm.get("AlarmDescription", ""))
        title = found[1] if found else ""
        defined.add(short_name(alarm))
        if title not in titles:
            yield f"{name}: the runbook has no section {title!r}"
        if table.get(short_name(alarm)) != title:
            yield f"{name}: the runbook's table leads to {table.get(short_name(alarm))!r}"
    for extra in sorted(set(table) - defined - NOT_HERE):
        yield f"runbook: there is no alarm {extra}"
    for title in sorted(set(titles) - set(table.values()) - NO_ALARM):
        yield f"runbook: no alarm leads to {title!r}"
    for title, text in zip(titles, SECTION.split(runbook)[2::2]):
        # A table may say what to do about each of the things that one sees.
        missing = [
            word for word in ("Means", "Look", "Do") if f"**{word}" not in text and f"| {word.lower()} |" not in text
        ]
        if title in table.values() and missing:
            yield f"runbook: {title!r} does not say: {', '.join(missing)}"


def of_rollback(stack: Template) -> Findings:
    """Deployments that nothing rolls back, or that may not be made."""
    gradual = set()
    for name, function in functions(stack).items():
        if stack["Globals"]["Function"].get("AutoPublishAlias", function.get("AutoPublishAlias")) != "live":
            yield f"{name}: no alias for its versions"
        if not function.get("AutoPublishAliasAllProperties"):
            yield f"{name}: a changed variable makes no version"
        preference = function.get("DeploymentPreference")
        if preference is None:
            continue
        gradual.add(name)
        watched = [alarms(stack).get(target(one), {}) for one in preference.get("Alarms", [])]
        if not any(is_of_new_version(one, function_ids(stack)[name]) for one in watched):
            yield f"{name}: errors of a new version do not roll it back"
        if not all(watched):
            yield f"{name}: rolled back by an alarm that is not there"
        if preference["Type"] != {"Ref": "DeploymentType"}:
            yield f"{name}: is deployed in a way of its own"
        if target(preference.get("Role")) != "DeploymentRole":
            yield f"{name}: is deployed with another role"
    (statement, _) = of_type(stack, "AWS::IAM::Role")["DeploymentRole"]["Policies"][0]["PolicyDocument"]["Statement"]
    may = set(re.findall(r"function:penstock-\$\{Environment\}-([\w-]+)", str(statement["Resource"])))
    for name in sorted(may ^ gradual):
        yield f"{name}: the deployment's role and the deployments differ"


def is_of_new_version(alarm: Properties, function: str) -> bool:
    of = dimensions(alarm)
    return (
        alarm.get("MetricName") == "Errors"
        and alarm.get("Statistic") == "Sum"
        and goes_off(alarm)
        and target(of.get("FunctionName")) == function
        and of.get("Resource") == {"Fn::Sub": f"${{{function}}}:live"}
        and of.get("ExecutedVersion") == {"Fn::GetAtt": [function, "Version.Version"]}
    )


def of_log_groups(stack: Template) -> Findings:
    """Functions that log without a group of their own, for ever, or in the clear."""
    groups = of_type(stack, "AWS::Logs::LogGroup")
    for name, function in functions(stack).items():
        group = groups.get(target(function.get("LoggingConfig", {}).get("LogGroup")), {})
        if group.get("LogGroupName") != {"Fn::Sub": f"/aws/lambda/penstock-${{Environment}}-{name}"}:
            yield f"{name}: logs to no group of its own"
        if group.get("RetentionInDays") != {"Ref": "LogRetentionDays"}:
            yield f"{name}: its log is kept for ever"
        if group.get("KmsKeyId") != {"Ref": "DataKeyArn"}:
            yield f"{name}: its log is not encrypted with the data key"
        if function["FunctionName"] != {"Fn::Sub": f"penstock-${{Environment}}-{name}"}:
            yield f"{name}: is not named after its environment and crate"
    used = {target(one.get("LoggingConfig", {}).get("LogGroup")) for one in functions(stack).values()}
    for name in sorted(groups.keys() - used):
        yield f"{name}: nobody logs there"


CHECKS = [of_functions, of_queues, of_metrics, of_topic, of_schedules, of_rollback, of_log_groups]


@pytest.mark.parametrize("check", CHECKS)
def test_what_goes_wrong_is_told(check: Callable[[Template], Findings]) -> None:
    assert list(check(template())) == []


def test_each_alarm_has_its_section_and_each_section_its_alarm() -> None:
    assert list(of_runbook(template(), RUNBOOK.read_text())) == []


def test_the_alarms_and_metrics_are_read() -> None:
    # A guard of the reading itself: were it to find nothing, nothing would be missed above.
    assert len(alarms(template())) >= 24
    assert ("AccountingBroken", frozenset({"Environment", "source"})) in emitted()
    assert ("rows_rejected", frozenset({"Environment", "source", "state"})) in emitted()
    assert told_by("sentinel") == {"late", "seconds_since_drop", "missed_drops", "stuck_batches"}


def remove(resource: str) -> Breaks:
    return lambda stack: stack["Resources"].pop(resource)


def ask(resource: str, right: str, wrong: str) -> Breaks:
    """Another query of an alarm."""

    def breaks(stack: Template) -> None:
        query = stack["Resources"][resource]["Properties"]["Metrics"][0]
        assert right in query["Expression"]["Fn::Sub"]
        query["Expression"]["Fn::Sub"] = query["Expression"]["Fn::Sub"].replace(right, wrong)

    return breaks


def let_in(pattern: str) -> Breaks:
    """Other values of the schedule."""
    return lambda stack: stack["Parameters"]["SentinelSchedule"].update(AllowedPattern=pattern)


def set_environment(name: str) -> Breaks:
    return lambda stack: stack["Globals"]["Function"]["Environment"]["Variables"].update(PENSTOCK_ENVIRONMENT=name)


def resolve_no_parameter(resource: str) -> Breaks:
    """A query as it is written, in which CloudFormation puts nothing in."""

    def breaks(stack: Template) -> None:
        query = stack["Resources"][resource]["Properties"]["Metrics"][0]
        query["Expression"] = query["Expression"]["Fn::Sub"]

    return breaks


def roll_back_by(*names: str) -> Breaks:
    """Other alarms that roll the writer back."""

    def breaks(stack: Template) -> None:
        functions(stack)["writer"]["DeploymentPreference"]["Alarms"] = [{"Ref": name} for name in names]

    return breaks


def of_arn(queue: str) -> list[dict[str, Any]]:
    """A dimension that is an ARN instead of a name."""
    return [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "Arn"]}}]


def deploy_at_once(stack: Template) -> None:
    del functions(stack)["writer"]["DeploymentPreference"]


BROKEN: list[tuple[Callable[[Template], Findings], Breaks, str]] = [
    (of_functions, remove("WriterThrottlesAlarm"), "writer: no alarm of its Throttles"),
    (of_functions, change("IngestErrorsAlarm", "Threshold", 5), "ingest: no alarm of its Errors"),
    (of_functions, change("IngestErrorsAlarm", "Statistic", "Average"), "ingest: no alarm of its Errors"),
    (of_queues, remove("LoadDeadLettersAlarm"), "LoadDeadLettersQueue: no alarm of Approx"),
    (of_queues, change("DropsOldestMessageAlarm", "Threshold", 1209601), "DropsQueue: no alarm of Approx"),
    (of_queues, change("JobEventsOldestMessageAlarm", "ComparisonOperator", "LessThanThreshold"), "JobEventsQueue: no"),
    (of_metrics, change("WriterErrorsAlarm", "MetricName", "Error"), "nothing emits Error by ['FunctionName']"),
    (of_metrics, change("WriterErrorsAlarm", "Namespace", "AWS/lambda"), "nothing emits Errors by ['FunctionName']"),
    (of_metrics, change("WriterErrorsAlarm", "Dimensions", []), "nothing emits Errors by []"),
    (of_metrics, ask("AccountingBrokenAlarm", "AccountingBroken", "accounting_broken"), "emits accounting_broken by"),
    (of_metrics, ask("AccountingBrokenAlarm", "Penstock", "penstock"), "nothing emits AccountingBroken by"),
    (of_metrics, ask("RejectsAlarm", ', "state"', ""), "emits rows_rejected by ['Environment', 'source']"),
    (of_metrics, ask("RejectsAlarm", '"Environment", ', ""), "nothing emits rows_rejected by ['source', 'state']"),
    (of_metrics, ask("AccountingBrokenAlarm", " WHERE \"Environment\" = '${Environment}'", ""), "adds up other"),
    (of_metrics, ask("FailedBatchAlarm", "'${Environment}'", "'dev'"), "FailedBatchAlarm: adds up other environments"),
    (of_metrics, set_environment("prod"), "writer: emits for another environment than the alarms ask for"),
    (of_metrics, resolve_no_parameter("RejectsAlarm"), "RejectsAlarm: adds up other environments"),
    (of_metrics, ask("FailedBatchAlarm", "'refused'", "'declined'"), "no state is ever declined"),
    (of_metrics, ask("FailedBatchAlarm", 'AND "state"', 'AND "table"'), "table is no dimension"),
    (of_metrics, ask("RejectsAlarm", "SELECT", "SELECTS"), "no query that these tests can read"),
    (of_topic, change("RejectsAlarm", "AlarmActions", None), "RejectsAlarm: does not go to the topic"),
    (of_topic, change("RejectsAlarm", "TreatMissingData", "breaching"), "goes off where there is no data"),
    (of_topic, change("RejectsAlarm", "AlarmName", {"Fn::Sub": "rejects"}), "is not named after its environment"),
    (
        of_topic,
        change("RejectsAlarm", "AlarmName", {"Fn::Sub": "penstock-${Environment}-failed-job"}),
        "another's name",
    ),
    (
        of_queues,
        change("LoadDeadLettersAlarm", "Dimensions", of_arn("LoadDeadLettersQueue")),
        "LoadDeadLettersQueue: no",
    ),
    (of_topic, change("FailedJobAlarm", "ComparisonOperator", "LessThanThreshold"), "does not go off above its"),
    (of_topic, change("FailedJobAlarm", "Threshold", 7), "FailedJobAlarm: goes off above a number"),
    (
        of_topic,
        change("LoadOldestMessageAlarm", "EvaluationPeriods", 60),
        "LoadOldestMessageAlarm: goes off after 3600 s",
    ),
    (of_topic, change("LateSourceAlarm", "EvaluationPeriods", 2), "LateSourceAlarm: goes off after 3600 s only"),
    (of_schedules, remove("SentinelSilentAlarm"), "sentinel: no alarm when nothing runs"),
    (of_schedules, change("SentinelSilentAlarm", "TreatMissingData", "notBreaching"), "no alarm when nothing runs"),
    (
        of_schedules,
        change("SentinelSilentAlarm", "ComparisonOperator", "GreaterThanThreshold"),
        "no alarm when nothing",
    ),
    (of_schedules, change("SentinelSilentAlarm", "EvaluationPeriods", 24), "sentinel: no alarm when nothing runs"),
    (of_schedules, change("SentinelSilentAlarm", "Dimensions", []), "sentinel: no alarm when nothing runs"),
    (of_schedules, let_in("rate\\((10|15|25) minutes\\)"), "the hour of its silence is no whole number of runs"),
    (of_schedules, let_in("rate\\((15|30) minutes\\)"), "LateSourceAlarm: between two runs it goes out"),
    (of_schedules, ask("MissedDropAlarm", "MAX", "SUM"), "MissedDropAlarm: adds up what several runs tell of the same"),
    (of_schedules, remove("StuckBatchAlarm"), "sentinel: no alarm of stuck_batches"),
    (
        of_rollback,
        change("WriterNewVersionErrorsAlarm", "Statistic", "Average"),
        "writer: errors of a new version do not",
    ),
    (of_rollback, change("WriterFunction", "DeploymentPreference.Role", {"Ref": "WriterRole"}), "with another role"),
    (of_rollback, roll_back_by("AccountingBrokenAlarm"), "writer: errors of a new version do not roll it back"),
    (of_rollback, roll_back_by("IngestNewVersionErrorsAlarm"), "errors of a new version do not roll it back"),
    (of_rollback, roll_back_by("WriterNewVersionErrorsAlarm", "Gone"), "an alarm that is not there"),
    (of_rollback, deploy_at_once, "writer: the deployment's role and the deployments differ"),
    (of_rollback, lambda stack: stack["Globals"]["Function"].pop("AutoPublishAlias"), "no alias for its versions"),
    (of_rollback, change("JobEventsFunction", "AutoPublishAliasAllProperties", None), "makes no version"),
    (of_log_groups, remove("IngestLogGroup"), "ingest: logs to no group of its own"),
    (of_log_groups, change("WriterFunction", "LoggingConfig", None), "writer: logs to no group of its own"),
    (of_log_groups, change("WriterLogGroup", "RetentionInDays", None), "writer: its log is kept for ever"),
    (of_log_groups, change("WriterLogGroup", "KmsKeyId", None), "writer: its log is not encrypted"),
    (of_log_groups, change("WriterFunction", "FunctionName", "writer"), "writer: is not named after"),
]


@pytest.mark.parametrize(("check", "breaks", "finding"), BROKEN)
def test_a_broken_copy_has_a_finding(check: Callable[[Template], Findings], breaks: Breaks, finding: str) -> None:
    stack = template()
    breaks(stack)
    found = list(check(stack))
    assert any(finding in one for one in found), found


@pytest.mark.parametrize(
    ("right", "wrong", "finding"),
    [
        ("## Rejects", "## Rejected rows", "RejectsAlarm: the runbook has no section 'Rejects'"),
        ("| `rejects` |", "| `rejected` |", "RejectsAlarm: the runbook's table leads to None"),
        ("| `rejects` |", "| `rejected` |", "runbook: there is no alarm rejected"),
        ("## Budget", "## Slow source\n\n## Budget", "runbook: no alarm leads to 'Slow source'"),
        ("**Do.** Mend and redrive; or", "Mend and redrive; or", "'Dead letters: job events' does not say: Do"),
    ],
)
def test_a_broken_copy_of_the_runbook_has_a_finding(right: str, wrong: str, finding: str) -> None:
    runbook = RUNBOOK.read_text()
    assert right in runbook
    found = list(of_runbook(template(), runbook.replace(right, wrong)))
    assert any(finding in one for one in found), found


def test_an_alarm_that_the_runbook_does_not_know_is_found() -> None:
    stack = template()
    change("RejectsAlarm", "AlarmDescription", "Runbook, Rejekts")(stack)
    assert "RejectsAlarm: the runbook has no section 'Rejekts'" in of_runbook(stack, RUNBOOK.read_text())
