"""The AWS operations that a function calls through the adapters of shared/aws, and the IAM actions that they need."""

from __future__ import annotations

import re

from support.code import bodies, code_of, reached
from support.stack import ROOT

# The adapters of shared/aws, by the feature that enables each, with the files in which they call AWS.
ADAPTERS = {
    "store": ["s3.rs", "s3_body.rs", "s3_client.rs", "s3_listing.rs"],
    "queue": ["sqs.rs"],
    "jobs": ["emr.rs"],
    "secrets": ["secrets.rs"],
}
# The methods of the adapters, and the AWS operations that each calls.
METHODS = {
    "store.get": {"get_object"},
    "store.get_range": {"get_object", "get_object by version"},
    "store.put": {"put_object"},
    "store.put_if_absent": {"put_object"},
    "store.delete": {"delete_object"},
    "store.objects": {"list_objects_v2"},
    "store.versions": {"list_object_versions"},
    "queue.send_all": {"send_message_batch"},
    "queue.send_dead": {"send_message"},
    "queue.delay": {"change_message_visibility"},
    "queue.depth": {"get_queue_attributes"},
    "jobs.start": {"start_job_run"},
    "secrets.text": {"get_secret_value"},
}
# Operations without a client call of their own: a version is an argument, and a token is signed without a request.
INDIRECT = {"get_object by version", "connect"}
# The actions that an operation needs, including those of KMS for data that is encrypted with the data key.
ACTIONS = {
    # Without s3:ListBucket, S3 responds with 403 instead of 404 for a missing object.
    "get_object": {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"},
    "get_object by version": {"s3:GetObjectVersion"},
    "put_object": {"s3:PutObject", "kms:GenerateDataKey"},
    "delete_object": {"s3:DeleteObject"},
    "send_message": {"sqs:SendMessage"},
    "send_message_batch": {"sqs:SendMessage"},
    "change_message_visibility": {"sqs:ChangeMessageVisibility"},
    "get_queue_attributes": {"sqs:GetQueueAttributes"},
    "list_objects_v2": {"s3:ListBucket"},
    "list_object_versions": {"s3:ListBucketVersions"},
    # The role of the job is passed to EMR Serverless.
    "start_job_run": {"emr-serverless:StartJobRun", "iam:PassRole"},
    "get_secret_value": {"secretsmanager:GetSecretValue", "kms:Decrypt"},
    "connect": {"rds-db:connect"},
}
# Shared code that calls adapters.
HELPERS = ["shared/aws/src/commit.rs", "shared/aws/src/listing.rs", "shared/aws/src/sqs_event.rs"]

CLIENT_CALL = re.compile(r"client\(\)\s*\.(\w+)\(")
METHOD_CALL = re.compile(r"\b(store|queue|jobs|secrets)\s*\.(\w+)\(")
FEATURES = re.compile(r"^penstock-aws = .*features = \[(.*)\]", re.MULTILINE)


def features(function: str) -> set[str]:
    """Returns the adapters that a function depends on."""
    manifest = (ROOT / "functions" / function / "Cargo.toml").read_text().split("[dev-dependencies]")[0]
    found = FEATURES.search(manifest)
    assert found, f"{function} has no adapters"
    return set(re.findall(r'"(\w+)"', found[1]))


def methods(function: str) -> set[str]:
    """Returns the methods of adapters that a function calls, directly and through shared code."""
    return methods_in(code_of(f"functions/{function}/src"))


def methods_in(code: str) -> set[str]:
    helpers = {name: body for file in HELPERS for name, body in bodies(file).items()}
    text = reached(code, helpers)
    return {f"{adapter}.{method}" for adapter, method in METHOD_CALL.findall(text)} & METHODS.keys()


def operations(function: str) -> set[str]:
    found = {operation for method in methods(function) for operation in METHODS[method]}
    # The writer logs in with a token or with the secret, depending on a parameter of the stack.
    return found | ({"connect", "get_secret_value"} if "database" in features(function) else set())


def called(function: str) -> set[str]:
    """Returns the actions that the code of a function needs."""
    return {action for operation in operations(function) for action in ACTIONS[operation]}


def code_of_file(file: str) -> str:
    return "\n".join(bodies(file).values())
