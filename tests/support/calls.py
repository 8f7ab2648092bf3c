"""The operations of AWS in a function's program, and the actions that they need.

A debug build has the symbols of everything that the program can reach: the linker removes the rest. So an operation of
an SDK, or a method of an adapter, is in the symbols exactly when the function's code calls it.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache

from support.stack import ROOT, TARGET

# The actions that an operation needs, including those of KMS for data that is encrypted with the data key.
ACTIONS = {
    # Without s3:ListBucket S3 answers 403 instead of 404 for an object that does not exist.
    "s3.get_object": {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"},
    "s3.get_object by version": {"s3:GetObjectVersion"},
    "s3.head_object": {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"},
    "s3.put_object": {"s3:PutObject", "kms:GenerateDataKey"},
    "s3.delete_object": {"s3:DeleteObject"},
    "s3.delete_object by version": {"s3:DeleteObjectVersion"},
    "s3.list_objects_v2": {"s3:ListBucket"},
    "s3.list_object_versions": {"s3:ListBucketVersions"},
    "sqs.send_message": {"sqs:SendMessage"},
    "sqs.send_message_batch": {"sqs:SendMessage"},
    "sqs.change_message_visibility": {"sqs:ChangeMessageVisibility"},
    "sqs.get_queue_attributes": {"sqs:GetQueueAttributes"},
    # The job runs with a role that is passed to the service.
    "emrserverless.start_job_run": {"emr-serverless:StartJobRun", "iam:PassRole"},
    "secretsmanager.get_secret_value": {"secretsmanager:GetSecretValue", "kms:Decrypt"},
    "rds.connect": {"rds-db:connect"},
    "rds.describe_db_instances": {"rds:DescribeDBInstances"},
}
# In the client of S3 for directory buckets, which are not used.
UNUSED = {"s3.create_session"}
# Symbols of operations with other permissions: a drop's version is an argument of the request, and a token for
# PostgreSQL is signed without a request.
ALSO = {
    r"ObjectStore for .*S3Store>::get_range": "s3.get_object by version",
    r"ObjectStore for .*S3Store>::delete_version": "s3.delete_object by version",
    r"\bpenstock_aws::database::iam_token::": "rds.connect",
}
OPERATION = re.compile(r"\baws_sdk_(\w+)::operation::(\w+)::\w+::orchestrate\b")
LAYOUT = re.compile(r"\bpenstock_pipeline::layout::(\w+)")
LAYOUT_FUNCTION = re.compile(r"^pub fn (\w+)", re.MULTILINE)
FEATURES = re.compile(r"^penstock-aws = .*features = \[(.*)\]", re.MULTILINE)


@cache
def symbols(function: str) -> str:
    """Returns the symbols of a function's program, one per line."""
    program = TARGET / "debug" / function
    assert program.exists(), f"{program} does not exist: run `cargo build`"
    listed = subprocess.run(["nm", "-C", str(program)], capture_output=True, text=True, timeout=60, check=True)
    return listed.stdout


@cache
def operations(function: str) -> frozenset[str]:
    """Returns the operations of AWS that a function's program can reach."""
    found = {f"{service}.{operation}" for service, operation in OPERATION.findall(symbols(function))}
    found |= {operation for symbol, operation in ALSO.items() if re.search(symbol, symbols(function))}
    return frozenset(found - UNUSED)


def called(function: str) -> set[str]:
    """Returns the actions that a function's program needs."""
    return {action for operation in operations(function) for action in ACTIONS[operation]}


def layout_keys(function: str) -> set[str]:
    """Returns the names of the keys of shared/pipeline/src/layout.rs that a function's program can make."""
    public = LAYOUT_FUNCTION.findall((ROOT / "shared/pipeline/src/layout.rs").read_text())
    return set(LAYOUT.findall(symbols(function))) & set(public)


def features(function: str) -> set[str]:
    """Returns the adapters of penstock-aws that a function enables."""
    manifest = (ROOT / "functions" / function / "Cargo.toml").read_text().split("[dev-dependencies]")[0]
    found = FEATURES.search(manifest)
    assert found, f"{function} enables no adapter"
    return set(re.findall(r'"(\w+)"', found[1]))
