"""Each function may do what its code calls, what Lambda does on its behalf, and nothing else.

Each check takes a template and gives its findings, so that the last tests can show it broken copies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.calls import (
    ACTIONS,
    ADAPTERS,
    CLIENT_CALL,
    METHODS,
    UNSPOKEN,
    called,
    code_of_file,
    features,
    methods,
    methods_in,
    operations,
)
from support.code import bodies, code_of, without_tests
from support.stack import ROOT
from support.template import (
    Breaks,
    Properties,
    Template,
    events,
    functions,
    listed,
    names_in,
    of_type,
    parsed,
    target,
    template,
    variables,
)

# What Lambda does with the function's role: its log, its traces, its queue, its network interfaces.
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
# Actions that know no resources, or whose resources do not exist yet.
WITHOUT_RESOURCE = TRACES | INTERFACES | {"cloudwatch:DescribeAlarms"}
# Services through which the key may be used, by the actions that need it there.
THROUGH = {"s3:GetObject": "s3", "secretsmanager:GetSecretValue": "secretsmanager"}

# Buckets and ids that no variable tells of: a drop's event names its bucket, and a database's resource id is only for
# permissions.
TOLD_OTHERWISE = {"ingest": {"RawBucket"}, "writer": {"DatabaseResourceId"}}

READS = "s3:GetObject"
BUCKET_ARN = "arn:${AWS::Partition}:s3:::"

Findings = Iterator[str]
Statement = dict[str, Any]


def done_by_lambda(stack: Template, function: Properties) -> set[str]:
    """The actions that Lambda needs of the function's role."""
    everywhere = stack["Globals"]["Function"]
    tracing = function.get("Tracing", everywhere.get("Tracing")) == "Active"
    polls = any(event["Type"] == "SQS" for event in function["Events"].values())
    needs = [(True, LOGS), (tracing, TRACES), (polls, POLLING), ("VpcConfig" in function, INTERFACES)]
    return {action for needed, actions in needs if needed for action in actions}


def statements(stack: Template, role: str) -> list[Statement]:
    """A role's statements; of one that depends on a condition, both."""
    found: list[Statement] = []
    for policy in of_type(stack, "AWS::IAM::Role")[role]["Policies"]:
        for one in policy["PolicyDocument"]["Statement"]:
            found += one["Fn::If"][1:] if "Fn::If" in one else [one]
    return found


def role_of(function: Properties) -> str:
    return target(function["Role"])


def granted(stack: Template, function: Properties, effect: str = "Allow") -> list[tuple[str, Any]]:
    """Each action with each of the resources it is for."""
    return [
        (action, resource)
        for statement in statements(stack, role_of(function))
        if statement["Effect"] == effect
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]


def of_actions(stack: Template) -> Findings:
    """Actions that nobody calls, and calls that are not allowed."""
    for name, function in functions(stack).items():
        allowed = {action for action, _ in granted(stack, function)}
        needed = called(name) | done_by_lambda(stack, function)
        for action in sorted(allowed - needed):
            yield f"{name}: nobody calls {action}"
        for action in sorted(needed - allowed):
            yield f"{name}: {action} is not allowed"


def of_wildcards(stack: Template) -> Findings:
    """Actions and resources that are wider than they must be."""
    for role in of_type(stack, "AWS::IAM::Role"):
        for statement in statements(stack, role):
            if statement["Effect"] != "Allow":
                continue
            for action in listed(statement["Action"]):
                if "*" in action:
                    yield f"{role}: {action} is more than one action"
                if "*" in listed(statement["Resource"]) and action not in WITHOUT_RESOURCE:
                    yield f"{role}: {action} for every resource"
            if {"NotAction", "NotResource"} & statement.keys():
                yield f"{role}: all but something is allowed"
    for role, properties in of_type(stack, "AWS::IAM::Role").items():
        if properties.get("ManagedPolicyArns"):
            yield f"{role}: a policy that is not written here"


def of_resources(stack: Template) -> Findings:
    """Buckets, queues, secrets and roles that a function may use and is not told of, or the other way round."""
    kinds = {"s3", "sqs", "secretsmanager", "emr-serverless", "iam", "rds-db"}
    polled = [(name, mapping["Queue"]) for name, mapping in events(stack, "SQS")]
    for name, function in functions(stack).items():
        told = {one for value in variables(stack, function).values() for one in names_in(value)}
        own_queue = {target(queue) for one, queue in polled if one == name}
        allowed: set[str] = set()
        for action, resource in granted(stack, function):
            if action.split(":")[0] in kinds:
                names = names_in(resource)
                allowed |= names
                for extra in sorted(names - told - TOLD_OTHERWISE.get(name, set())):
                    yield f"{name}: {action} for {extra}, of which it is not told"
            is_asked = action == "sqs:GetQueueAttributes" and "get_queue_attributes" in operations(name)
            if action in POLLING and not is_asked and target(resource) not in own_queue:
                yield f"{name}: {action} for a queue that is not its own"
        for missing in sorted(one for one in told - allowed if re.search(r"Bucket$|Queue$|Arn$|ApplicationId$", one)):
            # A layer is read by Lambda, with nobody's role.
            if missing != "DatabaseCertificatesLayerArn":
                yield f"{name}: is told of {missing}, and may not use it"


def s3_grants(stack: Template, function: Properties) -> set[tuple[str, str]]:
    """Returns each S3 action with the part of a bucket that it is granted for, as `${RawBucket}/*`."""
    grants = (one for one in granted(stack, function) if one[0].startswith("s3:"))
    return {(action, resource["Fn::Sub"].removeprefix(BUCKET_ARN)) for action, resource in grants}


def of_places(stack: Template) -> Findings:
    """Buckets whose names cannot be listed, the log group of another function, another key.

    The parts of the buckets are compared with docs/security.md (test_security_page.py).
    """
    for name, function in functions(stack).items():
        grants = s3_grants(stack, function)
        # S3 answers 403 instead of 404 for a missing object in a bucket that may not be listed.
        read = {place.split("/")[0] for action, place in grants if action == READS}
        listed_buckets = {place for action, place in grants if action == "s3:ListBucket"}
        for bucket in sorted(read - listed_buckets):
            yield f"{name}: s3:ListBucket for {bucket} is not allowed"
        if "list_objects_v2" not in operations(name):
            for bucket in sorted(listed_buckets - read):
                yield f"{name}: s3:ListBucket for {bucket} is not needed"
        for action, resource in granted(stack, function):
            if action in LOGS and target(resource) != target(function["LoggingConfig"]["LogGroup"]):
                yield f"{name}: {action} for another's log"
            if action.startswith("kms:") and resource != {"Ref": "DataKeyArn"}:
                yield f"{name}: {action} with another key"


def of_conditions(stack: Template) -> Findings:
    """What is allowed only in a way: the key through the services that use it, a role for Spark."""
    for name, function in functions(stack).items():
        actions = {action for action, _ in granted(stack, function)}
        for statement in statements(stack, role_of(function)):
            equals = statement.get("Condition", {}).get("StringEquals", {})
            if any(action.startswith("kms:") for action in listed(statement["Action"])):
                through = {f"{one}.${{AWS::Region}}.amazonaws.com" for key, one in THROUGH.items() if key in actions}
                if {one["Fn::Sub"] for one in listed(equals.get("kms:ViaService", []))} != through:
                    yield f"{name}: the key is not for just {sorted(through)}"
            passed_to = equals.get("iam:PassedToService")
            if "iam:PassRole" in listed(statement["Action"]) and passed_to != "emr-serverless.amazonaws.com":
                yield f"{name}: a role may be passed to {passed_to or 'any service'}"
        # Lambda's own calls do not carry the function's ARN; those of its code do.
        allowed = {action for action, _ in granted(stack, function)} & INTERFACES
        denied = {action for action, _ in granted(stack, function, "Deny")}
        for action in sorted(allowed - denied):
            yield f"{name}: its code may use {action}, which is for Lambda"
        for statement in statements(stack, role_of(function)):
            by = statement.get("Condition", {}).get("ArnEquals", {}).get("lambda:SourceFunctionArn", {})
            if statement["Effect"] == "Deny" and not by.get("Fn::Sub", "").endswith(
                f":function:{function['FunctionName']['Fn::Sub']}"
            ):
                yield f"{name}: what is denied is denied to another"


def of_roles(stack: Template) -> Findings:
    """A function without a role of its own, or with one that somebody else can take."""
    roles = of_type(stack, "AWS::IAM::Role")
    used = [role_of(function) for function in functions(stack).values()]
    for name, function in functions(stack).items():
        role = role_of(function)
        if role not in roles or used.count(role) > 1:
            yield f"{name}: has no role of its own"
        elif [*trusted(roles[role])] != ["lambda.amazonaws.com"]:
            yield f"{name}: its role is for {[*trusted(roles[role])]}"
        elif roles[role]["RoleName"] != function["FunctionName"]:
            yield f"{name}: its role has another name"


def trusted(role: Properties) -> Iterator[Any]:
    for statement in role["AssumeRolePolicyDocument"]["Statement"]:
        yield from listed(statement["Principal"]["Service"])


CHECKS = [of_actions, of_wildcards, of_resources, of_places, of_conditions, of_roles]


@pytest.mark.parametrize("check", CHECKS)
def test_each_function_may_do_what_it_does(check: Callable[[Template], Findings]) -> None:
    assert list(check(template())) == []


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_every_call_of_aws_is_known(adapter: str) -> None:
    texts = [code_of_file(f"shared/aws/src/{file}") for file in ADAPTERS[adapter]]
    spoken = {operation for text in texts for operation in CLIENT_CALL.findall(text)}
    known = {operation for method, found in METHODS.items() if method.startswith(f"{adapter}.") for operation in found}
    assert spoken == known - UNSPOKEN
    assert known <= ACTIONS.keys()


@pytest.mark.parametrize("function", sorted(functions(parsed())))
def test_a_function_takes_the_adapters_that_it_calls(function: str) -> None:
    with_methods = {method.split(".")[0] for method in methods(function)}
    assert with_methods == features(function) & ADAPTERS.keys()


def test_the_places_are_those_of_the_layout() -> None:
    layout = without_tests((ROOT / "shared/pipeline/src/layout.rs").read_text())
    stack = template()
    places = {place for function in functions(stack).values() for _, place in s3_grants(stack, function)}
    prefixes = {place.split("/")[1] for place in places if "/" in place} - {"*"}
    assert prefixes == set(re.findall(r'(?:format!\(|const \w+: &str = )"([a-z]+)/', layout))


def test_of_a_batch_the_sentinel_reads_the_manifest_alone() -> None:
    layout = bodies("shared/pipeline/src/layout.rs")
    used = {name for name in re.findall(r"\blayout::(\w+)\(", code_of("functions/sentinel/src"))}
    of_batches = [layout[name] for name in used if 'format!("batches/' in layout[name]]
    assert len(of_batches) == 1
    assert "batches/{batch}/manifest.json" in of_batches[0]


def test_the_code_calls_what_one_sees_in_it() -> None:
    # A guard of the reading itself: were it to find nothing, nothing would be missed above.
    assert operations("job-events") == {
        "get_object", "put_object", "delete_object", "send_message", "send_message_batch", "change_message_visibility",
    }  # fmt: skip
    assert {"start_job_run", "get_object by version"} <= operations("ingest")
    assert {"connect", "get_secret_value"} <= operations("writer")
    assert "delete_object" not in operations("writer")
    assert operations("sentinel") == {
        "get_object", "list_objects_v2", "list_object_versions", "get_queue_attributes", "send_message_batch",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "called_methods"),
    [
        ("writer.store.delete(bucket, key).await?", {"store.delete"}),
        ("self.store\n    .get_range(&object, 0..1)", {"store.get_range"}),
        ("sentinel.store.versions(scope, next.as_ref()).await?", {"store.versions"}),
        # Through a helper that is called by another one.
        ("write_receipt(store, places, receipt).await?", {"store.get", "store.put", "store.put_if_absent"}),
        ("settle(&queue, &inbound, record, outcome, &mut response)", {"queue.delay", "queue.send_dead"}),
        # A method of something else has a helper's name.
        ("transaction.commit().await?", set()),
        ("map.get(key)", set()),
    ],
)
def test_calls_of_adapters_are_found_in_code(code: str, called_methods: set[str]) -> None:
    assert methods_in(code) == called_methods


def allow(role: str, action: str, resource: Any = "*", **more: Any) -> Breaks:
    """Adds a statement to a role."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}

    def breaks(stack: Template) -> None:
        stack["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].append(statement)

    return breaks


def forbid(role: str, action: str) -> Breaks:
    """Takes an action out of a role."""

    def breaks(stack: Template) -> None:
        found = [one for one in statements(stack, role) if action in listed(one["Action"])]
        assert found, f"{role} has no {action}"
        for one in found:
            one["Action"] = [other for other in listed(one["Action"]) if other != action]

    return breaks


def drop_variable(name: str) -> Breaks:
    return lambda stack: functions(stack)["ingest"]["Environment"]["Variables"].pop(name)


def widen(role: str, action: str) -> Breaks:
    """An action of a role for every resource."""

    def breaks(stack: Template) -> None:
        (found,) = [one for one in statements(stack, role) if action in listed(one["Action"])]
        found["Resource"] = "*"

    return breaks


def drop_condition(role: str, action: str) -> Breaks:
    def breaks(stack: Template) -> None:
        (found,) = [one for one in statements(stack, role) if action in listed(one["Action"])]
        del found["Condition"]

    return breaks


def drop_denial(role: str) -> Breaks:
    def breaks(stack: Template) -> None:
        document = stack["Resources"][role]["Properties"]["Policies"][0]["PolicyDocument"]
        document["Statement"] = [one for one in document["Statement"] if one.get("Effect") != "Deny"]

    return breaks


def deny_to(function: str) -> Breaks:
    """The writer's denial is of another function's calls."""
    condition = {
        "ArnEquals": {"lambda:SourceFunctionArn": {"Fn::Sub": f":function:penstock-${{Environment}}-{function}"}}
    }

    def breaks(stack: Template) -> None:
        (found,) = [one for one in statements(stack, "WriterRole") if one["Effect"] == "Deny"]
        found["Condition"] = condition

    return breaks


def share_role(stack: Template) -> None:
    functions(stack)["writer"]["Role"] = functions(stack)["ingest"]["Role"]


def open_role(stack: Template) -> None:
    roles = of_type(stack, "AWS::IAM::Role")
    roles["WriterRole"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"] = "ec2.amazonaws.com"


OTHER_QUEUE = {"Fn::GetAtt": ["JobEventsQueue", "Arn"]}
INGEST_LOG = {"Fn::GetAtt": ["IngestLogGroup", "Arn"]}
RAW = {"Fn::Sub": BUCKET_ARN + "${RawBucket}"}
VERSIONS = "s3:ListBucketVersions"
BY_SQS = {"StringEquals": {"kms:ViaService": [{"Fn::Sub": "sqs.${AWS::Region}.amazonaws.com"}]}}
BROKEN: list[tuple[str, Callable[[Template], Findings], Breaks, str]] = [
    ("an action too many", of_actions, allow("WriterRole", "s3:DeleteObject"), "writer: nobody calls s3:DeleteObject"),
    ("a call forbidden", of_actions, forbid("IngestRole", "iam:PassRole"), "ingest: iam:PassRole is not allowed"),
    ("a version unread", of_actions, forbid("IngestRole", "s3:GetObjectVersion"), "s3:GetObjectVersion is not allowed"),
    ("no login", of_actions, forbid("WriterRole", "rds-db:connect"), "writer: rds-db:connect is not allowed"),
    ("403 for 404", of_actions, forbid("JobEventsRole", "s3:ListBucket"), "s3:ListBucket is not allowed"),
    ("no log", of_actions, forbid("WriterRole", "logs:PutLogEvents"), "writer: logs:PutLogEvents is not allowed"),
    ("no polling", of_actions, forbid("IngestRole", "sqs:DeleteMessage"), "ingest: sqs:DeleteMessage is not allowed"),
    ("network unused", of_actions, lambda stack: functions(stack)["writer"].pop("VpcConfig"), "nobody calls ec2:"),
    ("no traces", of_actions, lambda stack: stack["Globals"]["Function"].pop("Tracing"), "nobody calls xray:"),
    ("every action", of_wildcards, allow("IngestRole", "s3:*"), "IngestRole: s3:* is more than one action"),
    ("every secret", of_wildcards, widen("IngestRole", "secretsmanager:GetSecretValue"), "for every resource"),
    ("every alias", of_wildcards, widen("DeploymentRole", "lambda:UpdateAlias"), "for every resource"),
    ("all but one", of_wildcards, allow("WriterRole", "x:y", "z", NotAction="a:b"), "all but something is allowed"),
    ("another queue", of_resources, allow("WriterRole", "sqs:SendMessage", OTHER_QUEUE), "of which it is not told"),
    ("a foreign queue", of_resources, allow("IngestRole", "sqs:ReceiveMessage", OTHER_QUEUE), "that is not its own"),
    ("a name untold", of_resources, drop_variable("PENSTOCK_QUARANTINE_BUCKET"), "PutObject for QuarantineBucket"),
    ("no key for a name", of_resources, forbid("IngestRole", "emr-serverless:StartJobRun"), "may not use it"),
    ("a list too many", of_places, allow("WriterRole", "s3:ListBucket", RAW), "${RawBucket} is not needed"),
    ("no list", of_places, forbid("WriterRole", "s3:ListBucket"), "s3:ListBucket for ${ArtifactsBucket} is not"),
    ("another's log", of_places, allow("WriterRole", "logs:PutLogEvents", INGEST_LOG), "for another's log"),
    ("no versions", of_actions, forbid("SentinelRole", VERSIONS), "sentinel: s3:ListBucketVersions is not allowed"),
    ("no polling", of_actions, allow("SentinelRole", "sqs:ReceiveMessage"), "nobody calls sqs:ReceiveMessage"),
    ("a key to write", of_actions, allow("SentinelRole", "kms:GenerateDataKey"), "nobody calls kms:GenerateDataKey"),
    ("another key", of_places, allow("WriterRole", "kms:Decrypt", {"Ref": "OtherKeyArn"}), "with another key"),
    ("any use of the key", of_conditions, drop_condition("WriterRole", "kms:Decrypt"), "the key is not for just"),
    ("another use", of_conditions, allow("WriterRole", "kms:Decrypt", "k", Condition=BY_SQS), "the key is not for"),
    ("a role for all", of_conditions, drop_condition("IngestRole", "iam:PassRole"), "may be passed to any service"),
    ("interfaces", of_conditions, drop_denial("WriterRole"), "its code may use ec2:CreateNetworkInterface"),
    ("denied to another", of_conditions, deny_to("ingest"), "writer: what is denied is denied to another"),
    ("a shared role", of_roles, share_role, "writer: has no role of its own"),
    ("another's role", of_roles, open_role, "writer: its role is for ['ec2.amazonaws.com']"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "breaks", "finding"), [one[1:] for one in BROKEN], ids=[one[0].replace(" ", "-") for one in BROKEN]
)
def test_a_broken_copy_has_a_finding(check: Callable[[Template], Findings], breaks: Breaks, finding: str) -> None:
    stack = template()
    breaks(stack)
    found = list(check(stack))
    assert any(finding in one for one in found), found
