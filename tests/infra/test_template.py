"""template.yaml, the code of the functions and the README agree.

Each check takes a template and returns its findings, so the last tests can run it on broken copies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.registries import dump
from support.stack import ROOT
from support.template import (
    Mutation,
    Properties,
    Template,
    change,
    functions,
    listed,
    mappings,
    names_in,
    resources_of_type,
    target,
    template,
    variables,
)

ROW_OF_VARIABLE = re.compile(r"^\| `([A-Z_]+)` \| ([^|]*) \|", re.MULTILINE)
# Read by the logging library and the allocator, not by the code.
COMMON = {"RUST_LOG", "MALLOC_MMAP_THRESHOLD_"}

# Limits of Lambda: seconds of an invocation, bytes of an event, batch size without a batching window.
LAMBDA_SECONDS = 900
LAMBDA_EVENT_BYTES = 6 * 1024 * 1024
LAMBDA_BATCH = 10
MIB = 1024 * 1024

Findings = Iterator[str]


def defaults(function: str) -> dict[str, str | None]:
    """Returns the variables that a function reads, with their defaults."""
    return {one["name"]: one["default"] for one in dump(f"functions/{function}")["variables"]}


def documented(function: str) -> set[str]:
    """Returns the variables whose row in the README names the function."""
    rows = ROW_OF_VARIABLE.findall((ROOT / "README.md").read_text())
    return {name for name, users in rows if function in re.split(r"[ ,]+", users) or users.strip() == "all"}


def check_crates(stack: Template) -> Findings:
    """Yields functions without a crate, and crates without a function."""
    crates = {path.parent.name for path in (ROOT / "functions").glob("*/Cargo.toml")}
    for name in sorted(crates ^ functions(stack).keys()):
        yield f"{name}: a crate without a function, or a function without a crate"


def check_variables(stack: Template) -> Findings:
    """Yields variables that are set but not read, read but not set, or missing from the README."""
    for name, function in functions(stack).items():
        given = variables(stack, function).keys() - COMMON
        read = defaults(name).keys()
        for variable in sorted(given - read):
            yield f"{name}: does not read {variable}"
        for variable in sorted(read - given):
            yield f"{name}: {variable} is not set"
        for variable in sorted(read ^ (documented(name) - COMMON)):
            yield f"{name}: {variable} is only in the code or only in the README"


def check_defaults(stack: Template) -> Findings:
    """Yields parameters whose default differs from that in the code."""
    for name, function in functions(stack).items():
        given = variables(stack, function)
        for variable, default in defaults(name).items():
            if default is not None and variable in given:
                parameter = target(given[variable])
                if str(stack["Parameters"][parameter]["Default"]) != default:
                    yield f"{name}: the default of {parameter} is not {default} as in the code"


def check_mappings(stack: Template) -> Findings:
    """Yields event source mappings that repeat or delay messages, or exceed the reserved concurrency."""
    for name, mapping, queue in mappings(stack):
        function, window = functions(stack)[name], mapping["MaximumBatchingWindowInSeconds"]
        # AWS recommends six times the timeout of the function, plus the batching window.
        if queue["VisibilityTimeout"] < 6 * function["Timeout"] + window:
            yield f"{name}: a message is redelivered while it is processed"
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one failure causes a retry of the whole batch"
        if not 1 <= mapping["BatchSize"] <= LAMBDA_BATCH:
            yield f"{name}: the batch size requires a batching window"
        most = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
        reserved = ["ReservesConcurrency", most, {"Ref": "AWS::NoValue"}]
        if most is None or function["ReservedConcurrentExecutions"] != {"Fn::If": reserved}:
            yield f"{name}: the reserved concurrency differs from the maximum of the mapping"
        if "drops" in str(queue["QueueName"]) and mapping["BatchSize"] != 1:
            yield f"{name}: drops wait for each other"


def check_limits(stack: Template) -> Findings:
    """Yields timeouts and sizes that do not match the constants of the code."""
    limits = dump("functions/writer")
    answer = limits["connect_timeout_seconds"] + limits["read_timeout_seconds"]
    for name, function in functions(stack).items():
        seconds, margin = function["Timeout"], dump(f"functions/{name}")["margin_seconds"]
        if not margin + answer < seconds <= LAMBDA_SECONDS:
            yield f"{name}: {seconds} s end during a request, or exceed the limit of Lambda"
    writer = functions(stack)["writer"]
    begun = limits["login_timeout_seconds"] + limits["min_transaction_seconds"] + limits["margin_seconds"]
    if writer["Timeout"] < begun + limits["statement_timeout_seconds"]:
        yield f"writer: {writer['Timeout']} s end before the statement timeout"
    for name, mapping, _ in mappings(stack):
        # Base64 encodes three bytes as four.
        largest = dump("pipeline")["max_inline_bytes"] * 4 // 3
        if mapping["BatchSize"] * largest > LAMBDA_EVENT_BYTES:
            yield f"{name}: a batch of inline chunks exceeds the size of an event"
    storage = functions(stack)["ingest"].get("EphemeralStorage", {}).get("Size", 512) * MIB
    if storage < stack["Parameters"]["SparkMinBytes"]["Default"]:
        yield "ingest: a drop that does not go to Spark exceeds the temporary storage"


def check_queues(stack: Template) -> Findings:
    """Yields queues that may lose messages or accept them without encryption."""
    queues = resources_of_type(stack, "AWS::SQS::Queue")
    dead = {
        target(queue["RedrivePolicy"]["deadLetterTargetArn"]) for queue in queues.values() if "RedrivePolicy" in queue
    }
    guarded = {
        target(queue)
        for policy in resources_of_type(stack, "AWS::SQS::QueuePolicy").values()
        for queue in guards(policy)
    }
    for name, queue in queues.items():
        if queue.get("SqsManagedSseEnabled") is not True:
            yield f"{name}: is not encrypted"
        if name not in guarded:
            yield f"{name}: accepts requests without TLS"
        policies = {stack["Resources"][name].get(policy) for policy in ("DeletionPolicy", "UpdateReplacePolicy")}
        if policies != {"Retain"}:
            yield f"{name}: its messages are deleted with the stack"
        if name in dead:
            continue
        redrive = queue.get("RedrivePolicy")
        if redrive is None:
            yield f"{name}: has no dead-letter queue and is not one"
            continue
        letters = queues.get(target(redrive["deadLetterTargetArn"]), {})
        if letters.get("MessageRetentionPeriod", 0) < queue["MessageRetentionPeriod"]:
            yield f"{name}: its dead letters have a shorter retention"
        # A message that is retried must reach the dead-letter queue before its retention ends.
        if redrive["maxReceiveCount"] * dump("pipeline")["max_retry_seconds"] >= queue["MessageRetentionPeriod"]:
            yield f"{name}: a message expires before it reaches the dead-letter queue"
        if redrive["maxReceiveCount"] * queue["VisibilityTimeout"] >= queue["MessageRetentionPeriod"]:
            yield f"{name}: a message whose invocations crash expires before it reaches the dead-letter queue"
        allowed = letters.get("RedriveAllowPolicy", {})
        sources = [arn["Fn::Sub"].rsplit(":", 1)[1] for arn in allowed.get("sourceQueueArns", [])]
        if sources != [queue["QueueName"]["Fn::Sub"]] or allowed["redrivePermission"] != "byQueue":
            yield f"{name}: its dead-letter queue is not exclusive"


def guards(policy: Properties) -> list[Any]:
    """Returns the queues for which a policy denies requests without TLS."""
    return [
        resource
        for statement in policy["PolicyDocument"]["Statement"]
        if (statement["Effect"], statement["Action"]) == ("Deny", "sqs:*")
        and statement["Principal"] == "*"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for resource in listed(statement["Resource"])
        if {"Ref": target(resource)} in policy["Queues"]
    ]


def check_rules(stack: Template) -> Findings:
    """Yields rules whose events may be lost."""
    allowed = {
        (target(statement["Condition"]["ArnEquals"]["aws:SourceArn"]), target(resource))
        for policy in resources_of_type(stack, "AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if (statement["Effect"], statement["Action"]) == ("Allow", "sqs:SendMessage")
        and statement["Principal"] == {"Service": "events.amazonaws.com"}
        for resource in listed(statement["Resource"])
        if {"Ref": target(resource)} in policy["Queues"]
    }
    for name, rule in resources_of_type(stack, "AWS::Events::Rule").items():
        for destination in rule["Targets"]:
            if "DeadLetterConfig" not in destination:
                yield f"{name}: an event that cannot be delivered is lost"
            for arn in (destination["Arn"], destination.get("DeadLetterConfig", {}).get("Arn")):
                if arn and (name, target(arn)) not in allowed:
                    yield f"{name}: has no permission to send to {target(arn)}"
        for text in literals(rule["EventPattern"]):
            if text not in [*dump("pipeline")["drop_events"], *dump("pipeline")["job_events"]]:
                yield f"{name}: the code does not handle events of {text!r}"
        if not names_in(rule["EventPattern"]) & {"RawBucket", "SparkApplicationId"}:
            yield f"{name}: matches events of other resources"


def literals(pattern: Any) -> Iterator[str]:
    """Yields the literal texts of an event pattern."""
    if isinstance(pattern, str):
        yield pattern
    for inner in pattern if isinstance(pattern, list) else pattern.values() if isinstance(pattern, dict) else []:
        if not isinstance(inner, dict) or not target(inner):
            yield from literals(inner)


def check_parameters(stack: Template) -> Findings:
    """Yields unused parameters."""
    used = names_in([stack[part] for part in ("Globals", "Resources", "Conditions", "Outputs")])
    for name in sorted(stack["Parameters"].keys() - used):
        yield f"{name}: is unused"


CHECKS = [
    check_crates,
    check_variables,
    check_defaults,
    check_mappings,
    check_limits,
    check_queues,
    check_rules,
    check_parameters,
]


@pytest.mark.parametrize("check", CHECKS)
def test_the_template_agrees_with_the_code(check: Callable[[Template], Findings]) -> None:
    assert list(check(template())) == []


def test_functions_mappings_and_defaults_are_read() -> None:
    # If nothing were read, the checks above would pass.
    assert {name for name, _, _ in mappings(template())} >= {"ingest", "writer", "job-events"}
    assert defaults("ingest")["PENSTOCK_CHUNK_ROWS"] == "40000"


def set_variable(name: str, value: Any) -> Mutation:
    """Returns a function that sets a variable of the writer. `None` removes it."""
    if value is None:
        return change("WriterFunction", f"Environment.Variables.{name}", None)
    return lambda stack: functions(stack)["writer"]["Environment"]["Variables"].update({name: value})


def set_default(parameter: str, value: Any) -> Mutation:
    return lambda stack: stack["Parameters"][parameter].update(Default=value)


def change_load_mapping(name: str, value: Any) -> Mutation:
    """Returns a function that changes the writer's mapping."""
    return change("WriterFunction", f"Events.Load.Properties.{name}", value)


def first_target(name: str) -> Mutation:
    """Returns a function that removes a property of the target of the drops rule."""
    return lambda stack: resources_of_type(stack, "AWS::Events::Rule")["DropsRule"]["Targets"][0].pop(name)


def in_pattern(name: str, value: Any) -> Mutation:
    """Returns a function that changes the event pattern of the drops rule."""
    return change("DropsRule", f"EventPattern.{name}", value)


BROKEN: list[tuple[Callable[[Template], Findings], Mutation, str]] = [
    (check_crates, lambda stack: stack["Resources"].pop("JobEventsFunction"), "job-events: a crate without a function"),
    (check_variables, set_variable("PENSTOCK_DATABASE_HOST", None), "writer: PENSTOCK_DATABASE_HOST is not set"),
    (
        check_variables,
        lambda stack: stack["Globals"]["Function"]["Environment"]["Variables"].pop("PENSTOCK_ENVIRONMENT"),
        "job-events: PENSTOCK_ENVIRONMENT is not set",
    ),
    (check_variables, set_variable("PENSTOCK_DATABASE_HOTS", "x"), "writer: does not read PENSTOCK_DATABASE_HOTS"),
    (check_defaults, set_default("ChunkRows", 50_000), "ingest: the default of ChunkRows is not 40000"),
    (check_defaults, set_default("RowsPerSecond", 5), "writer: the default of RowsPerSecond is not 0"),
    (check_mappings, change("LoadQueue", "VisibilityTimeout", 1079), "writer: a message is redelivered"),
    (check_mappings, change("WriterFunction", "Timeout", 181), "writer: a message is redelivered"),
    (check_mappings, change_load_mapping("MaximumBatchingWindowInSeconds", 1), "writer: a message is redelivered"),
    (
        check_mappings,
        change_load_mapping("FunctionResponseTypes", None),
        "writer: one failure causes a retry of the whole batch",
    ),
    (check_mappings, change_load_mapping("BatchSize", 11), "writer: the batch size requires"),
    (
        check_mappings,
        change_load_mapping("ScalingConfig", None),
        "writer: the reserved concurrency differs from the maximum of the mapping",
    ),
    (
        check_mappings,
        change_load_mapping("ScalingConfig", {"MaximumConcurrency": 9}),
        "writer: the reserved concurrency",
    ),
    (
        check_mappings,
        change("IngestFunction", "Events.Drops.Properties.BatchSize", 2),
        "ingest: drops wait for each other",
    ),
    (check_limits, change("IngestFunction", "Timeout", 901), "ingest: 901 s end during a request, or"),
    (check_limits, change("JobEventsFunction", "Timeout", 63), "job-events: 63 s end during a request"),
    (check_limits, change("WriterFunction", "Timeout", 149), "writer: 149 s end before the statement"),
    (
        check_limits,
        change_load_mapping("BatchSize", 100),
        "writer: a batch of inline chunks exceeds the size of an event",
    ),
    (check_limits, change("IngestFunction", "EphemeralStorage", None), "ingest: a drop that does not go to Spark"),
    (check_limits, set_default("SparkMinBytes", 20 * 1024 * MIB), "ingest: a drop that does not go to Spark"),
    (check_queues, change("LoadQueue", "RedrivePolicy", None), "LoadQueue: has no dead-letter queue"),
    (check_queues, change("LoadQueue", "RedrivePolicy.maxReceiveCount", 1400), "a message expires before it reaches"),
    (
        check_queues,
        change("LoadDeadLettersQueue", "MessageRetentionPeriod", 60),
        "LoadQueue: its dead letters have a shorter",
    ),
    (
        check_queues,
        change("LoadDeadLettersQueue", "RedriveAllowPolicy", None),
        "its dead-letter queue is not exclusive",
    ),
    (check_queues, change("LoadQueue", "SqsManagedSseEnabled", None), "LoadQueue: is not encrypted"),
    (check_queues, lambda stack: stack["Resources"].pop("LoadQueuesPolicy"), "LoadQueue: accepts requests without TLS"),
    (
        check_queues,
        lambda stack: stack["Resources"]["LoadQueue"].pop("DeletionPolicy"),
        "messages are deleted with the stack",
    ),
    (check_rules, first_target("DeadLetterConfig"), "DropsRule: an event that cannot be delivered is lost"),
    (
        check_rules,
        lambda stack: stack["Resources"].pop("DropsQueuesPolicy"),
        "DropsRule: has no permission to send to DropsQueue",
    ),
    (
        check_rules,
        in_pattern("detail-type", ["Object created"]),
        "DropsRule: the code does not handle events of 'Object created'",
    ),
    (check_rules, in_pattern("source", ["aws.s4"]), "DropsRule: the code does not handle events of 'aws"),
    (check_rules, in_pattern("detail", {}), "DropsRule: matches events of other resources"),
    (check_rules, change("DropsQueuesPolicy", "Queues", [{"Ref": "DropsQueue"}]), "no permission to send to DropsDead"),
    (
        check_queues,
        change("LoadQueuesPolicy", "Queues", [{"Ref": "LoadQueue"}]),
        "LoadDeadLettersQueue: accepts requests without",
    ),
    (check_parameters, lambda stack: stack["Parameters"].update(Spare={}), "Spare: is unused"),
    (check_parameters, set_variable("PENSTOCK_ROWS_PER_SECOND", "0"), "RowsPerSecond: is unused"),
]


@pytest.mark.parametrize(("check", "mutate", "finding"), BROKEN)
def test_a_broken_copy_has_a_finding(check: Callable[[Template], Findings], mutate: Mutation, finding: str) -> None:
    stack = template()
    mutate(stack)
    found = list(check(stack))
    assert any(finding in message for message in found), found


def test_a_release_build_catches_panics() -> None:
    """Without the setting, cargo-lambda sets "abort", and a damaged Parquet page would end the process."""
    release = (ROOT / "Cargo.toml").read_text().split("[profile.release]")[1].split("\n[")[0]
    assert 'panic = "unwind"' in release
