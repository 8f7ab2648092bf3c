"""docs/security.md lists exactly the permissions that the template and Terraform grant to each role.

The checks take the page and the template, so the last tests can run them on broken copies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.stack import ROOT
from support.template import Properties, Template, functions, listed, resources_of_type, target, template
from support.terraform import Resource, blocks_of, read_module, unquoted

PAGE = ROOT / "docs/security.md"
MODULES = ROOT / "infra/terraform/modules"
TITLE = "### Action by action\n"
# A row with the code spans of its three columns.
ROW = re.compile(r"^\| *(?P<role>`[\w-]+`)? *\| (?P<actions>`.+?`) \| (?P<on>.+?) \|$", re.MULTILINE)
QUOTED = re.compile(r"`([^`]+)`")
# Services whose resources the page names. It describes the resources of the others.
NAMED = {"s3", "sqs"}

# Role, action, and the prefix or queue if the page names it.
Grant = tuple[str, str, str]


def grants_of_page(page: str) -> set[Grant]:
    """Returns the grants in the table of the page."""
    table = page.split(TITLE)[1].split("\n#")[0]
    grants, role = set(), ""
    for row in ROW.finditer(table):
        role = row["role"].strip("`") if row["role"] else role
        for action in QUOTED.findall(row["actions"]):
            resources = QUOTED.findall(row["on"]) if is_named(action) else [""]
            grants |= {(role, action, resource) for resource in resources}
    return grants


def is_named(action: str) -> bool:
    return action.split(":")[0] in NAMED


def grants_of_template(stack: Template) -> set[Grant]:
    """Returns the grants in the template."""
    return {
        (short(properties["RoleName"]), action, resource_name(resource, stack) if is_named(action) else "")
        for properties in resources_of_type(stack, "AWS::IAM::Role").values()
        for statement in statements(properties)
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def statements(role: Properties) -> Iterator[dict[str, Any]]:
    """Yields the statements of a role, including both alternatives of a conditional one."""
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield from statement["Fn::If"][1:] if "Fn::If" in statement else [statement]


def short(name: Any) -> str:
    """Returns a name without the prefix that all resources have."""
    return str(name["Fn::Sub"]).removeprefix("penstock-${Environment}-")


def resource_name(resource: Any, stack: Template) -> str:
    """Returns the bucket and prefix of an ARN as `processed/batches/*`, or the name of a queue."""
    if target(resource):
        return short(resources_of_type(stack, "AWS::SQS::Queue")[target(resource)]["QueueName"])
    found = re.fullmatch(r"arn:\$\{AWS::Partition\}:s3:::\$\{(\w+)Bucket\}(.*)", resource["Fn::Sub"])
    assert found, f"neither a bucket nor a queue: {resource}"
    return found[1].lower() + found[2]


def grants_of_terraform() -> set[Grant]:
    """Returns the grants in the role policies of Terraform."""
    grants = set()
    for folder in sorted(MODULES.iterdir()):
        module = read_module(folder)
        by_address = {resource.address: resource for resource in module.resources}
        for policy in module.resources:
            if policy.type == "aws_iam_role_policy":
                role = by_address[address(policy.body["role"])]
                document = by_address["data." + address(policy.body["policy"])]
                name = unquoted(role.body["name"]).removeprefix("${var.name}-")
                grants |= {(name, *grant) for grant in grants_of_document(document, module.locals)}
    return grants


def address(expression: str) -> str:
    found = re.search(r"(aws_\w+\.\w+)\.(?:id|json)\b", expression)
    assert found, f"not a reference: {expression}"
    return found[1]


def grants_of_document(document: Resource, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for _, statement in (block for block in blocks_of(document.body) if block[0] == "statement"):
        for action in map(unquoted, statement["actions"]):
            for resource in statement["resources"]:
                yield action, bucket_of(resource, values) if is_named(action) else ""


def bucket_of(resource: str, values: dict[str, Any]) -> str:
    """Returns `processed/batches/*` for `"${var.bucket_arns.processed}/batches/*"`."""
    found = re.fullmatch(r"\$\{var\.bucket_arns\.(\w+)\}(.*)", unquoted(resource))
    assert found, f"not a bucket: {resource}"
    rest = re.sub(r"\$\{local\.(\w+)\}", lambda name: unquoted(values[name[1]]), found[2])
    return found[1] + rest


def findings(page: str, stack: Template) -> Iterator[str]:
    """Yields grants that are only in the page or only in the code."""
    granted = grants_of_template(stack) | grants_of_terraform()
    for role, action, resource in sorted(grants_of_page(page) - granted):
        yield f"{role}: {action} {resource} is only in the page"
    for role, action, resource in sorted(granted - grants_of_page(page)):
        yield f"{role}: {action} {resource} is not in the page"


def test_the_page_lists_the_permissions_of_each_role() -> None:
    assert list(findings(PAGE.read_text(), template())) == []


def test_the_grants_are_read() -> None:
    # If nothing were read, the checks above would pass.
    roles = {role for role, _, _ in grants_of_template(template())}
    assert roles == functions(template()).keys() | {"deployment"}
    assert {role for role, _, _ in grants_of_terraform()} == {"spark-job", "flow-logs"}
    assert ("spark-job", "s3:GetObject", "artifacts/spark/*") in grants_of_terraform()


@pytest.mark.parametrize(
    ("right", "wrong", "finding"),
    [
        (
            "| | `s3:DeleteObject` | `processed/data/*` |",
            "| | `s3:DeleteObject` | `raw/*` |",
            "ingest: s3:DeleteObject",
        ),
        ("`secretsmanager:GetSecretValue` | the p", "`s3:PutObject` | the p", "ingest: secretsmanager:GetSecretValue"),
        ("| `load-dead-letters` |", "| `load` |", "writer: sqs:SendMessage load is only in the page"),
        ("`artifacts/spark/*`", "`artifacts/*`", "spark-job: s3:GetObject artifacts/spark/* is not"),
        ("| `flow-logs` |", "| `flows` |", "flow-logs: logs:PutLogEvents  is not"),
        (
            "| `s3:ListBucketVersions` | `raw`, `processed`, `quarantine` |",
            "| `s3:GetObject` | `raw/*` |",
            "sentinel: s3:ListBucketVersions raw is not",
        ),
        ("`lambda:GetAlias`, ", "", "deployment: lambda:GetAlias  is not in the page"),
    ],
)
def test_a_broken_copy_of_the_page_has_a_finding(right: str, wrong: str, finding: str) -> None:
    page = PAGE.read_text()
    assert right in page
    found = list(findings(page.replace(right, wrong, 1), template()))
    assert any(finding in message for message in found), found


def allow(role: str, action: str, resource: Any) -> Callable[[Template], None]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return lambda stack: resources_of_type(stack, "AWS::IAM::Role")[role]["Policies"][0]["PolicyDocument"][
        "Statement"
    ].append(statement)


@pytest.mark.parametrize(
    ("mutate", "finding"),
    [
        (
            allow("WriterRole", "s3:DeleteObject", {"Fn::Sub": "arn:${AWS::Partition}:s3:::${RawBucket}/*"}),
            "raw/* is not",
        ),
        (
            allow("SentinelRole", "s3:GetObject", {"Fn::Sub": "arn:${AWS::Partition}:s3:::${RawBucket}/*"}),
            "sentinel: s3:GetObject raw/* is not",
        ),
        (
            allow("IngestRole", "sqs:SendMessage", {"Fn::GetAtt": ["JobEventsQueue", "Arn"]}),
            "SendMessage job-events is not",
        ),
        (allow("JobEventsRole", "rds-db:connect", "*"), "job-events: rds-db:connect  is not in the page"),
        (
            lambda stack: resources_of_type(stack, "AWS::IAM::Role")["WriterRole"]["Policies"].pop(),
            "is only in the page",
        ),
    ],
)
def test_a_changed_role_with_an_old_page_is_found(mutate: Callable[[Template], object], finding: str) -> None:
    stack = template()
    mutate(stack)
    found = list(findings(PAGE.read_text(), stack))
    assert any(finding in message for message in found), found
