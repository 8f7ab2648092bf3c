"""The functions of template.yaml, with values resolved for a local stack."""

from __future__ import annotations

from typing import Any

from support.stack import Stack
from support.template import parsed


def functions() -> dict[str, tuple[str, dict[str, Any]]]:
    """Returns the logical id and the properties of each function, by the name of its binary."""
    resources = parsed()["Resources"].items()
    found = [(name, resource) for name, resource in resources if resource["Type"] == "AWS::Serverless::Function"]
    return {
        resource["Metadata"]["BuildProperties"]["Binary"]: (name, resource["Properties"]) for name, resource in found
    }


def variables(stack: Stack, binary: str) -> dict[str, str]:
    """Returns the environment variables of a function on this stack, including endpoints."""
    common = parsed()["Globals"]["Function"]["Environment"]["Variables"]
    own = functions()[binary][1]["Environment"]["Variables"]
    resolved = {name: resolve(stack, value) for name, value in {**common, **own}.items()}
    aws = {name: value for name, value in stack.variables.items() if name.startswith("AWS_")}
    return {name: value for name, value in resolved.items() if value is not None} | aws


def resolve(stack: Stack, value: Any) -> str | None:
    """Returns a value of the template as the local runner resolves it, or `None` for `AWS::NoValue`."""
    if not isinstance(value, dict):
        return str(value)
    if "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        # The local database uses a password and no certificates.
        return resolve(stack, yes if condition == "UsesDatabaseSecret" else no)
    name = value["Ref"]
    if name == "AWS::NoValue":
        return None
    if name in parsed()["Resources"]:
        queue = resolve_name(parsed()["Resources"][name]["Properties"]["QueueName"])
        url: str = stack.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
        return url
    parameter = parsed()["Parameters"][name]
    if parameter["Type"].startswith("AWS::SSM::"):
        path = parameter["Default"].replace("/penstock/dev/", "/penstock/local/")
        found: str = stack.client("ssm").get_parameter(Name=path)["Parameter"]["Value"]
        return found
    local = {"Environment": "local", "DatabaseAuth": "secret", "DatabaseTls": "disable"}
    return local.get(name, str(parameter["Default"]))


def resolve_name(name: dict[str, str]) -> str:
    return name["Fn::Sub"].replace("${Environment}", "local")
