"""Each function has the permissions that its code and Lambda need, and no others.

Each check takes a template and returns its findings, so the last tests can run it on broken copies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.calls import ACTIONS, called, features, layout_keys, operations
from support.registries import dump
from support.template import (
    Mutation,
    Properties,
    Template,
    events,
    functions,
    listed,
    names_in,
    parsed,
    resources_of_type,
    target,
    template,
    variables,
)

# Actions of Lambda with the role of a function: logs, traces, the queue, network interfaces.
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
POLLING = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
INTERFACES = {
    f"ec2:{action}"
    for action in (
        "CreateNetworkInterface",
        "DescribeNetworkInterfaces",
        "DescribeSubnets",
        "DeleteNetworkInterface",
        "AssignPrivateIpAddresses",
        "UnassignPrivateIpAddresses",
    )
}
# Actions that do not support resources, or whose resources do not exist yet.
WITHOUT_RESOURCE = TRACES | INTERFACES | {"cloudwatch:DescribeAlarms"}
# Services through which the key may be used, by the action that needs it.
THROUGH = {"s3:GetObject": "s3", "secretsmanager:GetSecretValue": "secretsmanager"}

# Resources that are not in a variable: the event of a drop names its bucket, and only permissions use the resource
# id of the database.
NOT_IN_VARIABLES = {"ingest": {"RawBucket"}, "writer": {"DatabaseResourceId"}}

READS = "s3:GetObject"
# The keys of the quarantine bucket, which has the sources at the top.
OF_QUARANTINE = {"rejects", "reject_files", "database_rejects"}
BUCKET_ARN = "arn:${AWS::Partition}:s3:::"

Findings = Iterator[str]
Statement = dict[str, Any]


def done_by_lambda(stack: Template, function: Properties) -> set[str]:
    """Returns the actions that Lambda performs with the role of a function."""
    everywhere = stack["Globals"]["Function"]
    tracing = function.get("Tracing", everywhere.get("Tracing")) == "Active"
    polls = any(event["Type"] == "SQS" for event in function["Events"].values())
    needs = [(True, LOGS), (tracing, TRACES), (polls, POLLING), ("VpcConfig" in function, INTERFACES)]
    return {action for needed, actions in needs if needed for action in actions}


def statements(stack: Template, role: str) -> list[Statement]:
    """Returns the statements of a role, including both alternatives of a conditional one."""
    found: list[Statement] = []
    for policy in resources_of_type(stack, "AWS::IAM::Role")[role]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            found += statement["Fn::If"][1:] if "Fn::If" in statement else [statement]
    return found


def role_of(function: Properties) -> str:
    return target(function["Role"])


def granted(stack: Template, function: Properties, effect: str = "Allow") -> list[tuple[str, Any]]:
    """Returns each action with each of its resources."""
    return [
        (action, resource)
        for statement in statements(stack, role_of(function))
        if statement["Effect"] == effect
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


def check_actions(stack: Template) -> Findings:
    """Yields actions that are not used, and used ones that are not allowed."""
    for name, function in functions(stack).items():
        allowed = {action for action, _ in granted(stack, function)}
        needed = called(name) | done_by_lambda(stack, function)
        for action in sorted(allowed - needed):
            yield f"{name}: {action} is not used"
        for action in sorted(needed - allowed):
            yield f"{name}: {action} is not allowed"


def check_wildcards(stack: Template) -> Findings:
    """Yields actions and resources with unnecessary wildcards."""
    for role in resources_of_type(stack, "AWS::IAM::Role"):
        for statement in statements(stack, role):
            if statement["Effect"] != "Allow":
                continue
            for action in listed(statement["Action"]):
                if "*" in action:
                    yield f"{role}: {action} is a wildcard"
                if "*" in listed(statement["Resource"]) and action not in WITHOUT_RESOURCE:
                    yield f"{role}: {action} is allowed for every resource"
            if {"NotAction", "NotResource"} & statement.keys():
                yield f"{role}: everything except one action or resource is allowed"
    for role, properties in resources_of_type(stack, "AWS::IAM::Role").items():
        if properties.get("ManagedPolicyArns"):
            yield f"{role}: has a policy that is not in the template"


def check_resources(stack: Template) -> Findings:
    """Yields resources that a function may use but that are not in its variables, and the reverse."""
    kinds = {"s3", "sqs", "secretsmanager", "emr-serverless", "iam", "rds", "rds-db"}
    polled = [(name, mapping["Queue"]) for name, mapping in events(stack, "SQS")]
    for name, function in functions(stack).items():
        configured = {resource for value in variables(stack, function).values() for resource in names_in(value)}
        own_queue = {target(queue) for owner, queue in polled if owner == name}
        allowed: set[str] = set()
        for action, resource in granted(stack, function):
            if action.split(":")[0] in kinds:
                names = names_in(resource)
                allowed |= names
                for extra in sorted(names - configured - NOT_IN_VARIABLES.get(name, set())):
                    yield f"{name}: {action} for {extra}, which is not in its variables"
            reads_depth = action == "sqs:GetQueueAttributes" and "sqs.get_queue_attributes" in operations(name)
            if action in POLLING and not reads_depth and target(resource) not in own_queue:
                yield f"{name}: {action} for the queue of another function"
        for missing in sorted(
            resource for resource in configured - allowed if re.search(r"Bucket$|Queue$|Arn$|ApplicationId$", resource)
        ):
            # Lambda reads layers without the role of the function.
            if missing != "DatabaseCertificatesLayerArn":
                yield f"{name}: {missing} is in its variables, but it may not use it"


def s3_grants(stack: Template, function: Properties) -> set[tuple[str, str]]:
    """Returns each S3 action with the part of a bucket that it is granted for, as `${RawBucket}/*`."""
    grants = (grant for grant in granted(stack, function) if grant[0].startswith("s3:"))
    return {(action, resource["Fn::Sub"].removeprefix(BUCKET_ARN)) for action, resource in grants}


def check_buckets(stack: Template) -> Findings:
    """Buckets whose names cannot be listed, the log group of another function, another key.

    The parts of the buckets are compared with docs/security.md (test_security_page.py).
    """
    for name, function in functions(stack).items():
        grants = s3_grants(stack, function)
        # S3 answers 403 instead of 404 for a missing object in a bucket that may not be listed.
        read = {location.split("/")[0] for action, location in grants if action == READS}
        listed_buckets = {location for action, location in grants if action == "s3:ListBucket"}
        for bucket in sorted(read - listed_buckets):
            yield f"{name}: s3:ListBucket for {bucket} is not allowed"
        if "s3.list_objects_v2" not in operations(name):
            for bucket in sorted(listed_buckets - read):
                yield f"{name}: s3:ListBucket for {bucket} is not needed"
        for action, resource in granted(stack, function):
            if action in LOGS and target(resource) != target(function["LoggingConfig"]["LogGroup"]):
                yield f"{name}: {action} for the log of another function"
            if action.startswith("kms:") and resource != {"Ref": "DataKeyArn"}:
                yield f"{name}: {action} with another key"


def check_conditions(stack: Template) -> Findings:
    """Yields permissions without their conditions: the key through certain services, the role for Spark only."""
    for name, function in functions(stack).items():
        actions = {action for action, _ in granted(stack, function)}
        for statement in statements(stack, role_of(function)):
            equals = statement.get("Condition", {}).get("StringEquals", {})
            if any(action.startswith("kms:") for action in listed(statement["Action"])):
                through = {
                    f"{service}.${{AWS::Region}}.amazonaws.com" for key, service in THROUGH.items() if key in actions
                }
                if {value["Fn::Sub"] for value in listed(equals.get("kms:ViaService", []))} != through:
                    yield f"{name}: the key is not limited to {sorted(through)}"
            passed_to = equals.get("iam:PassedToService")
            if "iam:PassRole" in listed(statement["Action"]) and passed_to != "emr-serverless.amazonaws.com":
                yield f"{name}: a role may be passed to {passed_to or 'any service'}"
        # Only calls from the code of a function have its ARN as a condition key, not those of Lambda.
        allowed = {action for action, _ in granted(stack, function)} & INTERFACES
        denied = {action for action, _ in granted(stack, function, "Deny")}
        for action in sorted(allowed - denied):
            yield f"{name}: its code may use {action}, which only Lambda needs"
        for statement in statements(stack, role_of(function)):
            by = statement.get("Condition", {}).get("ArnEquals", {}).get("lambda:SourceFunctionArn", {})
            if statement["Effect"] == "Deny" and not by.get("Fn::Sub", "").endswith(
                f":function:{function['FunctionName']['Fn::Sub']}"
            ):
                yield f"{name}: its denial applies to another function"


def check_roles(stack: Template) -> Findings:
    """Yields functions without a role of their own, or with one that another service can assume."""
    roles = resources_of_type(stack, "AWS::IAM::Role")
    used = [role_of(function) for function in functions(stack).values()]
    for name, function in functions(stack).items():
        role = role_of(function)
        if role not in roles or used.count(role) > 1:
            yield f"{name}: has no role of its own"
        elif [*trusted(roles[role])] != ["lambda.amazonaws.com"]:
            yield f"{name}: its role can be assumed by {[*trusted(roles[role])]}"
        elif roles[role]["RoleName"] != function["FunctionName"]:
            yield f"{name}: its role has another name"


def trusted(role: Properties) -> Iterator[Any]:
    for statement in role["AssumeRolePolicyDocument"]["Statement"]:
        yield from listed(statement["Principal"]["Service"])


CHECKS = [check_actions, check_wildcards, check_resources, check_buckets, check_conditions, check_roles]


@pytest.mark.parametrize("check", CHECKS)
def test_each_function_has_exactly_the_permissions_that_it_needs(check: Callable[[Template], Findings]) -> None:
    assert list(check(template())) == []


FUNCTIONS = sorted(functions(parsed()))
# The service that an adapter of penstock-aws calls.
SERVICES = {
    "store": "s3",
    "queue": "sqs",
    "jobs": "emrserverless",
    "secrets": "secretsmanager",
    "database": "rds",
    "instances": "rds",
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_actions_of_each_operation_are_listed(function: str) -> None:
    assert operations(function) <= ACTIONS.keys()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_enables_the_adapters_that_it_calls(function: str) -> None:
    enabled = features(function) & SERVICES.keys()
    # The database's password may be a secret.
    enabled |= {"secrets"} if "database" in enabled else set()
    assert {operation.split(".")[0] for operation in operations(function)} == {SERVICES[name] for name in enabled}


def test_the_parts_of_the_buckets_are_those_of_the_layout() -> None:
    stack = template()
    locations = {location for function in functions(stack).values() for _, location in s3_grants(stack, function)}
    prefixes = {location.split("/")[1] for location in locations if "/" in location} - {"*"}
    assert prefixes == {key.split("/")[0] for name, key in dump("layout").items() if name not in OF_QUARANTINE}


def test_the_dump_of_the_layout_has_every_key_that_a_function_makes() -> None:
    made = {name for function in FUNCTIONS for name in layout_keys(function)}
    assert made <= dump("layout").keys()


def test_the_sentinel_reads_only_the_manifest_of_a_batch() -> None:
    keys = {dump("layout")[name] for name in layout_keys("sentinel")}
    # It lists the contract of a batch, to find out whether the batch was submitted to Spark.
    made = {"batches/<batch>/manifest.json", "batches/<batch>/contract.yaml"}
    assert {key for key in keys if key.startswith("batches/")} == made
    grants = s3_grants(parsed(), functions(parsed())["sentinel"])
    read = {location for action, location in grants if action == READS and "/batches/" in location}
    assert read == {"${ProcessedBucket}/batches/*/manifest.json"}


def test_the_sentinel_removes_only_what_a_manifest_lists() -> None:
    grants = s3_grants(parsed(), functions(parsed())["sentinel"])
    removed = {location for action, location in grants if action.startswith("s3:Delete")}
    parts = ("${ProcessedBucket}/batches/*/chunks/*", "${ProcessedBucket}/data/*", "${QuarantineBucket}/*/rejects-*")
    assert removed == set(parts)


def test_the_operations_of_the_programs_are_found() -> None:
    # If nothing were found, the checks above would pass.
    assert operations("job-events") == {
        "s3.get_object",
        "s3.put_object",
        "s3.delete_object",
        "sqs.send_message",
        "sqs.send_message_batch",
        "sqs.change_message_visibility",
    }
    assert {"emrserverless.start_job_run", "s3.get_object by version"} <= operations("ingest")
    assert {"rds.connect", "secretsmanager.get_secret_value"} <= operations("writer")
    assert "s3.delete_object" not in operations("writer")
    assert operations("sentinel") == {
        "s3.get_object",
        "s3.put_object",
        "s3.delete_object",
        "s3.delete_object by version",
        "s3.list_objects_v2",
        "s3.list_object_versions",
        "sqs.get_queue_attributes",
        "sqs.send_message_batch",
    }


def allow(role: str, action: str, resource: Any = "*", **more: Any) -> Mutation:
    """Returns a function that adds a statement to a role."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}

    def mutate(stack: Template) -> None:
        stack["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].append(statement)

    return mutate


def forbid(role: str, action: str) -> Mutation:
    """Returns a function that removes an action from a role."""

    def mutate(stack: Template) -> None:
        found = [statement for statement in statements(stack, role) if action in listed(statement["Action"])]
        assert found, f"{role} has no {action}"
        for statement in found:
            statement["Action"] = [other for other in listed(statement["Action"]) if other != action]

    return mutate


def drop_variable(name: str) -> Mutation:
    return lambda stack: functions(stack)["ingest"]["Environment"]["Variables"].pop(name)


def widen(role: str, action: str) -> Mutation:
    """Returns a function that allows an action for every resource."""

    def mutate(stack: Template) -> None:
        (found,) = [statement for statement in statements(stack, role) if action in listed(statement["Action"])]
        found["Resource"] = "*"

    return mutate


def drop_condition(role: str, action: str) -> Mutation:
    def mutate(stack: Template) -> None:
        (found,) = [statement for statement in statements(stack, role) if action in listed(statement["Action"])]
        del found["Condition"]

    return mutate


def drop_denial(role: str) -> Mutation:
    def mutate(stack: Template) -> None:
        document = stack["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]
        document["Statement"] = [statement for statement in document["Statement"] if statement.get("Effect") != "Deny"]

    return mutate


def deny_to(function: str) -> Mutation:
    """Returns a function that changes the writer's denial to another function."""
    condition = {
        "ArnEquals": {"lambda:SourceFunctionArn": {"Fn::Sub": f":function:penstock-${{Environment}}-{function}"}}
    }

    def mutate(stack: Template) -> None:
        (found,) = [statement for statement in statements(stack, "WriterRole") if statement["Effect"] == "Deny"]
        found["Condition"] = condition

    return mutate


def share_role(stack: Template) -> None:
    functions(stack)["writer"]["Role"] = functions(stack)["ingest"]["Role"]


def open_role(stack: Template) -> None:
    roles = resources_of_type(stack, "AWS::IAM::Role")
    roles["WriterRole"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"] = "ec2.amazonaws.com"


OTHER_QUEUE = {"Fn::GetAtt": ["JobEventsQueue", "Arn"]}
INGEST_LOG = {"Fn::GetAtt": ["IngestLogGroup", "Arn"]}
RAW = {"Fn::Sub": BUCKET_ARN + "${RawBucket}"}
VERSIONS = "s3:ListBucketVersions"
BY_SQS = {"StringEquals": {"kms:ViaService": [{"Fn::Sub": "sqs.${AWS::Region}.amazonaws.com"}]}}
BROKEN: list[tuple[str, Callable[[Template], Findings], Mutation, str]] = [
    ("an unused action", check_actions, allow("WriterRole", "s3:DeleteObject"), "writer: s3:DeleteObject is not used"),
    ("a missing action", check_actions, forbid("IngestRole", "iam:PassRole"), "ingest: iam:PassRole is not allowed"),
    ("no versions", check_actions, forbid("IngestRole", "s3:GetObjectVersion"), "s3:GetObjectVersion is not allowed"),
    ("no login", check_actions, forbid("WriterRole", "rds-db:connect"), "writer: rds-db:connect is not allowed"),
    ("403 for 404", check_actions, forbid("JobEventsRole", "s3:ListBucket"), "s3:ListBucket is not allowed"),
    ("no log", check_actions, forbid("WriterRole", "logs:PutLogEvents"), "writer: logs:PutLogEvents is not allowed"),
    (
        "no polling",
        check_actions,
        forbid("IngestRole", "sqs:DeleteMessage"),
        "ingest: sqs:DeleteMessage is not allowed",
    ),
    ("network unused", check_actions, lambda stack: functions(stack)["writer"].pop("VpcConfig"), "writer: ec2:"),
    ("no traces", check_actions, lambda stack: stack["Globals"]["Function"].pop("Tracing"), "xray:PutTraceSeg"),
    ("a wildcard", check_wildcards, allow("IngestRole", "s3:*"), "IngestRole: s3:* is a wildcard"),
    ("every secret", check_wildcards, widen("IngestRole", "secretsmanager:GetSecretValue"), "for every resource"),
    ("every alias", check_wildcards, widen("DeploymentRole", "lambda:UpdateAlias"), "for every resource"),
    ("all but one", check_wildcards, allow("WriterRole", "x:y", "z", NotAction="a:b"), "everything except one"),
    ("another queue", check_resources, allow("WriterRole", "sqs:SendMessage", OTHER_QUEUE), "not in its variables"),
    ("another queue", check_resources, allow("IngestRole", "sqs:ReceiveMessage", OTHER_QUEUE), "the queue of another"),
    (
        "a missing variable",
        check_resources,
        drop_variable("PENSTOCK_QUARANTINE_BUCKET"),
        "PutObject for QuarantineBucket",
    ),
    ("a missing permission", check_resources, forbid("IngestRole", "emr-serverless:StartJobRun"), "may not use it"),
    ("an unneeded list", check_buckets, allow("WriterRole", "s3:ListBucket", RAW), "${RawBucket} is not needed"),
    ("no list", check_buckets, forbid("WriterRole", "s3:ListBucket"), "s3:ListBucket for ${ArtifactsBucket} is not"),
    ("another log", check_buckets, allow("WriterRole", "logs:PutLogEvents", INGEST_LOG), "the log of another"),
    ("no versions", check_actions, forbid("SentinelRole", VERSIONS), "sentinel: s3:ListBucketVersions is not allowed"),
    ("no polling", check_actions, allow("SentinelRole", "sqs:ReceiveMessage"), "sqs:ReceiveMessage is not used"),
    ("content", check_actions, allow("SentinelRole", "s3:GetObjectVersion"), "s3:GetObjectVersion is not used"),
    ("another key", check_buckets, allow("WriterRole", "kms:Decrypt", {"Ref": "OtherKeyArn"}), "with another key"),
    ("no condition", check_conditions, drop_condition("WriterRole", "kms:Decrypt"), "the key is not limited to"),
    ("another use", check_conditions, allow("WriterRole", "kms:Decrypt", "k", Condition=BY_SQS), "key is not limited"),
    ("a role for any service", check_conditions, drop_condition("IngestRole", "iam:PassRole"), "passed to any service"),
    ("interfaces", check_conditions, drop_denial("WriterRole"), "its code may use ec2:CreateNetworkInterface"),
    ("denied to another", check_conditions, deny_to("ingest"), "writer: its denial applies to"),
    ("a shared role", check_roles, share_role, "writer: has no role of its own"),
    ("the role of another service", check_roles, open_role, "writer: its role can be assumed by ['ec2"),
]


@pytest.mark.parametrize(
    ("check", "mutate", "finding"), [case[1:] for case in BROKEN], ids=[case[0].replace(" ", "-") for case in BROKEN]
)
def test_a_broken_copy_has_a_finding(check: Callable[[Template], Findings], mutate: Mutation, finding: str) -> None:
    stack = template()
    mutate(stack)
    found = list(check(stack))
    assert any(finding in message for message in found), found
