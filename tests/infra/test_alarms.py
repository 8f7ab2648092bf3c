"""Failures raise an alarm, and each alarm watches a metric that exists.

Each check yields its findings on a template, so that the last tests can run it on broken copies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.registries import batch_states, metric_schemas, metrics_of
from support.template import (
    Mutation,
    Properties,
    Template,
    alarm_name,
    alarms,
    change,
    function_ids,
    functions,
    intervals,
    resources_of_type,
    schedules,
    target,
    template,
    variables,
)

# The metrics of AWS services and their dimensions, as listed in the services' documentation.
OF_AWS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): [{"QueueName"}],
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): [{"QueueName"}],
    ("AWS/SQS", "NumberOfMessagesDeleted"): [{"QueueName"}],
    ("AWS/Lambda", "Errors"): [{"FunctionName"}, {"FunctionName", "Resource", "ExecutedVersion"}],
    ("AWS/Lambda", "Throttles"): [{"FunctionName"}],
    ("AWS/Lambda", "Invocations"): [{"FunctionName"}],
    ("AWS/EMRServerless", "FailedJobs"): [{"ApplicationId"}],
}
# An alarm is raised within five minutes, except one on an hourly sum.
SECONDS = {"RejectedRowsPerHour": 3600, "IngestMaximumConcurrency": 3600}
# Counts of what the sentinel has put in order, which is no failure.
WITHOUT_ALARM = {"orphans_removed"}

QUERY = re.compile(
    r'SELECT (?P<statistic>\w+)\("(?P<metric>\w+)"\) FROM (?:SCHEMA\("(?P<schema>[\w/]+)"(?P<of>(?:, "\w+")*)\)'
    r"|\"(?P<all>[\w/]+)\")(?: WHERE (?P<where>\"\w+\" = '[^']+'(?: AND \"\w+\" = '[^']+')*))?"
)
COMPARED = re.compile(r"\"(\w+)\" = '([^']+)'")

Findings = Iterator[str]


def dimensions(alarm: Properties) -> dict[str, Any]:
    return {one["Name"]: one["Value"] for one in alarm.get("Dimensions", [])}


def watches(alarm: Properties, metric: str, dimension: str, resource: str) -> bool:
    """Returns whether an alarm watches this metric of a resource, over all of its versions."""
    named = {"Ref": resource} if dimension == "FunctionName" else {"Fn::GetAtt": [resource, dimension]}
    return alarm.get("MetricName") == metric and dimensions(alarm) == {dimension: named}


def is_raised_above(alarm: Properties, threshold: Any = 0) -> bool:
    """Returns whether an alarm is raised above a threshold."""
    return (alarm["Threshold"], alarm["ComparisonOperator"]) == (threshold, "GreaterThanThreshold")


def check_functions(stack: Template) -> Findings:
    """Functions without an alarm on errors or throttles."""
    for name, resource in function_ids(stack).items():
        for metric in ("Errors", "Throttles"):
            found = [one for one in alarms(stack).values() if watches(one, metric, "FunctionName", resource)]
            if not any(is_raised_above(one) and one["Statistic"] == "Sum" for one in found):
                yield f"{name}: no alarm on {metric}"


def check_queues(stack: Template) -> Findings:
    """Queues without an alarm on dead letters or old messages."""
    for name, queue in resources_of_type(stack, "AWS::SQS::Queue").items():
        if "RedrivePolicy" not in queue:
            continue
        dead = target(queue["RedrivePolicy"]["deadLetterTargetArn"])
        wanted = [
            (dead, "ApproximateNumberOfMessagesVisible", 0),
            (name, "ApproximateAgeOfOldestMessage", {"Ref": "OldestMessageSeconds"}),
        ]
        for queue_name, metric, threshold in wanted:
            found = [one for one in alarms(stack).values() if watches(one, metric, "QueueName", queue_name)]
            if not any(is_raised_above(one, threshold) and one["Statistic"] == "Maximum" for one in found):
                yield f"{queue_name}: no alarm on {metric}"


def check_metrics(stack: Template) -> Findings:
    """Alarms on metrics that nothing emits."""
    own = metric_schemas()
    for name, function in functions(stack).items():
        if variables(stack, function).get("PENSTOCK_ENVIRONMENT") != {"Ref": "Environment"}:
            yield f"{name}: emits for an environment that the alarms do not watch"
    for name, alarm in alarms(stack).items():
        if "MetricName" in alarm:
            known = OF_AWS.get((alarm["Namespace"], alarm["MetricName"]), [])
            if set(dimensions(alarm)) not in known:
                yield f"{name}: nothing emits {alarm['MetricName']} by {sorted(dimensions(alarm))}"
            continue
        stats = {one["Id"]: one["MetricStat"] for one in alarm["Metrics"] if "MetricStat" in one}
        for query in alarm["Metrics"]:
            if "MetricStat" in query:
                yield from check_stat(name, query["MetricStat"]["Metric"], own)
            elif stats:
                yield from check_math(name, query["Expression"], set(stats))
            else:
                yield from check_query(name, query["Expression"], own)


def check_stat(name: str, metric: Properties, own: set[tuple[str, frozenset[str]]]) -> Findings:
    of = dimensions(metric)
    known = OF_AWS.get((metric["Namespace"], metric["MetricName"]), [])
    is_own = metric["Namespace"] == "Penstock" and (metric["MetricName"], frozenset(of)) in own
    if not is_own and set(of) not in known:
        yield f"{name}: nothing emits {metric['MetricName']} by {sorted(of)}"
    if is_own and of["environment"] != {"Ref": "Environment"}:
        yield f"{name}: includes other environments"


def check_math(name: str, expression: str, ids: set[str]) -> Findings:
    """An expression that is not over exactly the metrics of its alarm."""
    if set(re.findall(r"\b[a-z]\w*", expression)) != ids:
        yield f"{name}: {expression} is not over {sorted(ids)}"


def check_query(name: str, expression: Any, own: set[tuple[str, frozenset[str]]]) -> Findings:
    text = expression["Fn::Sub"] if isinstance(expression, dict) else expression
    query = QUERY.fullmatch(text)
    if query is None:
        yield f"{name}: these tests cannot parse the query: {text}"
        return
    compared = dict(COMPARED.findall(query["where"] or ""))
    if query["all"]:
        if compared.keys() not in OF_AWS.get((query["all"], query["metric"]), []):
            yield f"{name}: nothing emits {query['metric']} by {sorted(compared)}"
        return
    schema = frozenset(re.findall(r'"(\w+)"', query["of"]))
    if query["schema"] != "Penstock" or (query["metric"], schema) not in own:
        yield f"{name}: nothing emits {query['metric']} by {sorted(schema)}"
    if compared.pop("environment", None) != "${Environment}" or "Fn::Sub" not in expression:
        yield f"{name}: includes other environments"
    for by, value in compared.items():
        if by not in schema:
            yield f"{name}: {by} is not a dimension of the schema"
        if by == "state" and value not in batch_states():
            yield f"{name}: {by} is never {value}"


def check_topic(stack: Template) -> Findings:
    """Alarms that notify nobody, share a name, or are raised by missing data."""
    names = [alarm_name(one) for one in alarms(stack).values()]
    for name, alarm in alarms(stack).items():
        if alarm.get("AlarmActions") != [{"Ref": "AlarmTopicArn"}]:
            yield f"{name}: does not notify the topic"
        if not alarm["AlarmName"]["Fn::Sub"].startswith("penstock-${Environment}-"):
            yield f"{name}: is not named after its environment"
        if names.count(alarm_name(alarm)) > 1:
            yield f"{name}: shares its name with another alarm"
        if alarm.get("MetricName") == "Invocations":
            continue
        if alarm.get("TreatMissingData") != "notBreaching":
            yield f"{name}: is raised when there is no data"
        if alarm["ComparisonOperator"] != "GreaterThanThreshold":
            yield f"{name}: is not raised above its threshold"
        threshold = alarm["Threshold"]
        if threshold != 0 and target(threshold) not in stack["Parameters"]:
            yield f"{name}: its threshold is a number that no parameter sets"
        periods = [alarm, *alarm.get("Metrics", [])]
        seconds = alarm["EvaluationPeriods"] * max(one.get("MetricStat", one).get("Period", 0) for one in periods)
        if seconds > longest(stack, alarm):
            yield f"{name}: is raised only after {seconds} s"


def longest(stack: Template, alarm: Properties) -> int:
    """Returns how many seconds an alarm may take: two runs when a scheduled function emits its metric."""
    runs = [2 * intervals(stack, one)[0] for name, one in schedules(stack).items() if names_of(name) & queried(alarm)]
    return max(runs, default=SECONDS.get(target(alarm["Threshold"]), 300))


def queried(alarm: Properties) -> set[str]:
    """Returns the metrics of Penstock that an alarm queries."""
    expressions = [one.get("Expression") for one in alarm.get("Metrics", [])]
    found = [QUERY.fullmatch(one["Fn::Sub"]) for one in expressions if isinstance(one, dict)]
    return {one["metric"] for one in found if one}


def names_of(function: str) -> set[str]:
    """Returns the names of the metrics that a function emits."""
    return {metric["name"] for metric in metrics_of(function)}


def check_schedules(stack: Template) -> Findings:
    """Schedules that may stop unnoticed, and alarms whose period does not suit the schedule."""
    for name, schedule in schedules(stack).items():
        seconds = intervals(stack, schedule)
        silent = [one for one in alarms(stack).values() if is_of_silence(one, function_ids(stack)[name])]
        if not silent:
            yield f"{name}: no alarm for when it does not run"
        for one in silent:
            if any(one["Period"] % each for each in seconds):
                yield f"{name}: an hour is not a multiple of its interval"
        for alarm_id, alarm in alarms(stack).items():
            if not names_of(name) & queried(alarm):
                continue
            # The ends of two runs are at most this far apart. A shorter period may contain none, which ends the alarm.
            if alarm["Metrics"][0]["Period"] < max(seconds) + functions(stack)[name]["Timeout"]:
                yield f"{alarm_id}: its period may be without a run"
            if not alarm["Metrics"][0]["Expression"]["Fn::Sub"].startswith("SELECT MAX("):
                yield f"{alarm_id}: sums values that several runs report of one state"
        watched = {metric for alarm in alarms(stack).values() for metric in queried(alarm)}
        counts = {metric["name"] for metric in metrics_of(name) if metric["unit"] == "Count"}
        for metric in sorted(counts - watched - WITHOUT_ALARM):
            yield f"{name}: no alarm on {metric}"


def is_of_silence(alarm: Properties, function: str) -> bool:
    """Returns whether an alarm is raised when a function has not run for an hour, a period without data."""
    below = (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "LessThanThreshold")
    sums = (alarm.get("Statistic"), alarm["EvaluationPeriods"], alarm.get("Period")) == ("Sum", 1, 3600)
    return (
        watches(alarm, "Invocations", "FunctionName", function)
        and below
        and sums
        and alarm.get("TreatMissingData") == "breaching"
    )


def check_rollback(stack: Template) -> Findings:
    """Deployments that nothing rolls back, or that the role does not permit."""
    gradual = set()
    for name, function in functions(stack).items():
        if stack["Globals"]["Function"].get("AutoPublishAlias", function.get("AutoPublishAlias")) != "live":
            yield f"{name}: no alias for its versions"
        if not function.get("AutoPublishAliasAllProperties"):
            yield f"{name}: a changed variable publishes no version"
        preference = function.get("DeploymentPreference")
        if preference is None:
            continue
        gradual.add(name)
        watched = [alarms(stack).get(target(one), {}) for one in preference.get("Alarms", [])]
        if not any(is_of_new_version(one, function_ids(stack)[name]) for one in watched):
            yield f"{name}: errors of a new version do not roll it back"
        if not all(watched):
            yield f"{name}: is rolled back by an alarm that does not exist"
        if preference["Type"] != {"Ref": "DeploymentType"}:
            yield f"{name}: has its own deployment type"
        if target(preference.get("Role")) != "DeploymentRole":
            yield f"{name}: is deployed with a different role"
    (statement, _) = resources_of_type(stack, "AWS::IAM::Role")["DeploymentRole"]["Policies"][0]["PolicyDocument"][
        "Statement"
    ]
    may = set(re.findall(r"function:penstock-\$\{Environment\}-([\w-]+)", str(statement["Resource"])))
    for name in sorted(may ^ gradual):
        yield f"{name}: is in the deployment role or has a gradual deployment, not both"


def is_of_new_version(alarm: Properties, function: str) -> bool:
    of = dimensions(alarm)
    return (
        alarm.get("MetricName") == "Errors"
        and alarm.get("Statistic") == "Sum"
        and is_raised_above(alarm)
        and target(of.get("FunctionName")) == function
        and of.get("Resource") == {"Fn::Sub": f"${{{function}}}:live"}
        and of.get("ExecutedVersion") == {"Fn::GetAtt": [function, "Version.Version"]}
    )


def check_log_groups(stack: Template) -> Findings:
    """Functions whose log group is shared, is retained forever, or is not encrypted."""
    groups = resources_of_type(stack, "AWS::Logs::LogGroup")
    for name, function in functions(stack).items():
        group = groups.get(target(function.get("LoggingConfig", {}).get("LogGroup")), {})
        if group.get("LogGroupName") != {"Fn::Sub": f"/aws/lambda/penstock-${{Environment}}-{name}"}:
            yield f"{name}: has no log group of its own"
        if group.get("RetentionInDays") != {"Ref": "LogRetentionDays"}:
            yield f"{name}: its log is retained forever"
        if group.get("KmsKeyId") != {"Ref": "DataKeyArn"}:
            yield f"{name}: its log is not encrypted with the data key"
        if function["FunctionName"] != {"Fn::Sub": f"penstock-${{Environment}}-{name}"}:
            yield f"{name}: is not named after its environment and crate"
    used = {target(one.get("LoggingConfig", {}).get("LogGroup")) for one in functions(stack).values()}
    for name in sorted(groups.keys() - used):
        yield f"{name}: no function logs to it"


CHECKS = [check_functions, check_queues, check_metrics, check_topic, check_schedules, check_rollback, check_log_groups]


@pytest.mark.parametrize("check", CHECKS)
def test_failures_raise_an_alarm(check: Callable[[Template], Findings]) -> None:
    assert list(check(template())) == []


def test_the_alarms_and_the_registry_are_found() -> None:
    # If nothing were found, the checks above would pass.
    assert len(alarms(template())) >= 24
    assert ("accounting_broken", frozenset({"environment", "source"})) in metric_schemas()
    assert ("rows_rejected", frozenset({"environment", "source", "state"})) in metric_schemas()
    of_sentinel = {"late", "seconds_since_drop", "missed_drops", "stuck_batches", "orphans_removed"}
    assert names_of("sentinel") == of_sentinel


def remove(resource: str) -> Mutation:
    return lambda stack: stack["Resources"].pop(resource)


def requery(resource: str, right: str, wrong: str) -> Mutation:
    """Replaces a part of an alarm's query."""

    def mutate(stack: Template) -> None:
        query = stack["Resources"][resource]["Properties"]["Metrics"][0]
        assert right in query["Expression"]["Fn::Sub"]
        query["Expression"]["Fn::Sub"] = query["Expression"]["Fn::Sub"].replace(right, wrong)

    return mutate


def allow_schedules(pattern: str) -> Mutation:
    """Replaces the pattern of the schedules that are allowed."""
    return lambda stack: stack["Parameters"]["SentinelSchedule"].update(AllowedPattern=pattern)


def set_environment(name: str) -> Mutation:
    return lambda stack: stack["Globals"]["Function"]["Environment"]["Variables"].update(PENSTOCK_ENVIRONMENT=name)


def query_without_sub(resource: str) -> Mutation:
    """Removes `Fn::Sub`, so that CloudFormation does not fill in the parameters."""

    def mutate(stack: Template) -> None:
        query = stack["Resources"][resource]["Properties"]["Metrics"][0]
        query["Expression"] = query["Expression"]["Fn::Sub"]

    return mutate


def roll_back_by(*names: str) -> Mutation:
    """Replaces the alarms that roll the writer back."""

    def mutate(stack: Template) -> None:
        functions(stack)["writer"]["DeploymentPreference"]["Alarms"] = [{"Ref": name} for name in names]

    return mutate


def arn_dimension(queue: str) -> list[dict[str, Any]]:
    """Returns a dimension with the queue's ARN instead of its name."""
    return [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "Arn"]}}]


def math_of(alarm: str) -> list[dict[str, Any]]:
    """Returns a copy of the metrics of an alarm."""
    metrics: list[dict[str, Any]] = alarms(template())[alarm]["Metrics"]
    return metrics


def other_queue() -> list[dict[str, Any]]:
    metrics = math_of("DropsConsumerAlarm")
    metrics[2]["MetricStat"]["Metric"]["Dimensions"].pop()
    return metrics


def other_math() -> list[dict[str, Any]]:
    metrics = math_of("DropsConsumerAlarm")
    metrics[0]["Expression"] = "taken - settled"
    return metrics


def deploy_at_once(stack: Template) -> None:
    del functions(stack)["writer"]["DeploymentPreference"]


BROKEN: list[tuple[Callable[[Template], Findings], Mutation, str]] = [
    (check_functions, remove("WriterThrottlesAlarm"), "writer: no alarm on Throttles"),
    (check_functions, change("IngestErrorsAlarm", "Threshold", 5), "ingest: no alarm on Errors"),
    (check_functions, change("IngestErrorsAlarm", "Statistic", "Average"), "ingest: no alarm on Errors"),
    (check_queues, remove("LoadDeadLettersAlarm"), "LoadDeadLettersQueue: no alarm on Approx"),
    (check_queues, change("DropsOldestMessageAlarm", "Threshold", 1209601), "DropsQueue: no alarm on Approx"),
    (
        check_queues,
        change("JobEventsOldestMessageAlarm", "ComparisonOperator", "LessThanThreshold"),
        "JobEventsQueue: no",
    ),
    (check_metrics, change("WriterErrorsAlarm", "MetricName", "Error"), "nothing emits Error by ['FunctionName']"),
    (check_metrics, change("WriterErrorsAlarm", "Namespace", "AWS/lambda"), "nothing emits Errors by ['FunctionName']"),
    (check_metrics, change("WriterErrorsAlarm", "Dimensions", []), "nothing emits Errors by []"),
    (
        check_metrics,
        requery("AccountingBrokenAlarm", "accounting_broken", "AccountingBroken"),
        "emits AccountingBroken by",
    ),
    (check_metrics, requery("AccountingBrokenAlarm", "Penstock", "penstock"), "nothing emits accounting_broken by"),
    (check_metrics, requery("RejectsAlarm", ', "state"', ""), "emits rows_rejected by ['environment', 'source']"),
    (
        check_metrics,
        requery("RejectsAlarm", '"environment", ', ""),
        "nothing emits rows_rejected by ['source', 'state']",
    ),
    (
        check_metrics,
        requery("AccountingBrokenAlarm", " WHERE \"environment\" = '${Environment}'", ""),
        "includes other",
    ),
    (
        check_metrics,
        requery("FailedBatchAlarm", "'${Environment}'", "'dev'"),
        "FailedBatchAlarm: includes other environments",
    ),
    (check_metrics, change("DropsConsumerAlarm", "Metrics", other_queue()), "nothing emits messages_settled by"),
    (check_metrics, change("DropsConsumerAlarm", "Metrics", other_math()), "taken - settled is not over"),
    (check_metrics, set_environment("prod"), "writer: emits for an environment that the alarms do not watch"),
    (check_metrics, query_without_sub("RejectsAlarm"), "RejectsAlarm: includes other environments"),
    (check_metrics, requery("FailedBatchAlarm", "'refused'", "'declined'"), "state is never declined"),
    (check_metrics, requery("FailedBatchAlarm", 'AND "state"', 'AND "table"'), "table is not a dimension"),
    (check_metrics, requery("RejectsAlarm", "SELECT", "SELECTS"), "these tests cannot parse the query"),
    (check_topic, change("RejectsAlarm", "AlarmActions", None), "RejectsAlarm: does not notify the topic"),
    (check_topic, change("RejectsAlarm", "TreatMissingData", "breaching"), "is raised when there is no data"),
    (check_topic, change("RejectsAlarm", "AlarmName", {"Fn::Sub": "rejects"}), "is not named after its environment"),
    (
        check_topic,
        change("RejectsAlarm", "AlarmName", {"Fn::Sub": "penstock-${Environment}-failed-job"}),
        "shares its name",
    ),
    (
        check_queues,
        change("LoadDeadLettersAlarm", "Dimensions", arn_dimension("LoadDeadLettersQueue")),
        "LoadDeadLettersQueue: no",
    ),
    (check_topic, change("FailedJobAlarm", "ComparisonOperator", "LessThanThreshold"), "is not raised above its"),
    (check_topic, change("FailedJobAlarm", "Threshold", 7), "FailedJobAlarm: its threshold is a number"),
    (
        check_topic,
        change("LoadOldestMessageAlarm", "EvaluationPeriods", 60),
        "LoadOldestMessageAlarm: is raised only after 3600 s",
    ),
    (check_topic, change("LateSourceAlarm", "EvaluationPeriods", 2), "LateSourceAlarm: is raised only after 3600 s"),
    (check_schedules, remove("SentinelSilentAlarm"), "sentinel: no alarm for when it"),
    (check_schedules, change("SentinelSilentAlarm", "TreatMissingData", "notBreaching"), "no alarm for when it"),
    (
        check_schedules,
        change("SentinelSilentAlarm", "ComparisonOperator", "GreaterThanThreshold"),
        "no alarm for when it",
    ),
    (check_schedules, change("SentinelSilentAlarm", "EvaluationPeriods", 24), "sentinel: no alarm for when it"),
    (check_schedules, change("SentinelSilentAlarm", "Dimensions", []), "sentinel: no alarm for when it"),
    (check_schedules, allow_schedules("rate\\((10|15|25) minutes\\)"), "an hour is not a multiple of its interval"),
    (check_schedules, allow_schedules("rate\\((15|30) minutes\\)"), "LateSourceAlarm: its period may be without a run"),
    (
        check_schedules,
        requery("MissedDropAlarm", "MAX", "SUM"),
        "MissedDropAlarm: sums values that several runs report of one state",
    ),
    (check_schedules, remove("StuckBatchAlarm"), "sentinel: no alarm on stuck_batches"),
    (
        check_rollback,
        change("WriterNewVersionErrorsAlarm", "Statistic", "Average"),
        "writer: errors of a new version do not",
    ),
    (
        check_rollback,
        change("WriterFunction", "DeploymentPreference.Role", {"Ref": "WriterRole"}),
        "with a different role",
    ),
    (check_rollback, roll_back_by("AccountingBrokenAlarm"), "writer: errors of a new version do not roll it back"),
    (check_rollback, roll_back_by("IngestNewVersionErrorsAlarm"), "errors of a new version do not roll it back"),
    (check_rollback, roll_back_by("WriterNewVersionErrorsAlarm", "Gone"), "an alarm that does not exist"),
    (check_rollback, deploy_at_once, "writer: is in the deployment role or has a gradual deployment"),
    (check_rollback, lambda stack: stack["Globals"]["Function"].pop("AutoPublishAlias"), "no alias for its versions"),
    (check_rollback, change("JobEventsFunction", "AutoPublishAliasAllProperties", None), "publishes no version"),
    (check_log_groups, remove("IngestLogGroup"), "ingest: has no log group of its own"),
    (check_log_groups, change("WriterFunction", "LoggingConfig", None), "writer: has no log group of its own"),
    (check_log_groups, change("WriterLogGroup", "RetentionInDays", None), "writer: its log is retained forever"),
    (check_log_groups, change("WriterLogGroup", "KmsKeyId", None), "writer: its log is not encrypted"),
    (check_log_groups, change("WriterFunction", "FunctionName", "writer"), "writer: is not named after"),
]


@pytest.mark.parametrize(("check", "mutate", "finding"), BROKEN)
def test_a_broken_copy_has_a_finding(check: Callable[[Template], Findings], mutate: Mutation, finding: str) -> None:
    stack = template()
    mutate(stack)
    found = list(check(stack))
    assert any(finding in one for one in found), found
