"""What template.yaml says about the functions, and their variables on a local stack."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from support.stack import ROOT, Stack


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Ref X` becomes `{"Ref": "X"}`."""


def short_form(loader: Loader, suffix: str, node: yaml.Node) -> Any:
    name = "Ref" if suffix == "Ref" else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", short_form)


@cache
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    return loaded


def functions() -> dict[str, tuple[str, dict[str, Any]]]:
    """The functions by the name of their binary: what the template calls each, and its properties."""
    resources = template()["Resources"].items()
    found = [(name, one) for name, one in resources if one["Type"] == "AWS::Serverless::Function"]
    return {one["Metadata"]["BuildProperties"]["Binary"]: (name, one["Properties"]) for name, one in found}


def variables(stack: Stack, binary: str) -> dict[str, str]:
    """Every variable that the function has on this stack, endpoints included."""
    common = template()["Globals"]["Function"]["Environment"]["Variables"]
    own = functions()[binary][1]["Environment"]["Variables"]
    resolved = {name: resolve(stack, value) for name, value in {**common, **own}.items()}
    aws = {name: value for name, value in stack.variables.items() if name.startswith("AWS_")}
    return {name: value for name, value in resolved.items() if value is not None} | aws


def resolve(stack: Stack, value: Any) -> str | None:
    """A value of the template as the local runner resolves it; `None` is no value."""
    if not isinstance(value, dict):
        return str(value)
    if "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        # The local database has a password and no certificates.
        return resolve(stack, yes if condition == "UsesDatabaseSecret" else no)
    name = value["Ref"]
    if name == "AWS::NoValue":
        return None
    if name in template()["Resources"]:
        queue = resolve_name(template()["Resources"][name]["Properties"]["QueueName"])
        url: str = stack.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
        return url
    parameter = template()["Parameters"][name]
    if parameter["Type"].startswith("AWS::SSM::"):
        path = parameter["Default"].replace("/penstock/dev/", "/penstock/local/")
        found: str = stack.client("ssm").get_parameter(Name=path)["Parameter"]["Value"]
        return found
    return {"DatabaseAuth": "secret", "DatabaseTls": "disable"}.get(name, str(parameter["Default"]))


def resolve_name(name: dict[str, str]) -> str:
    return name["Fn::Sub"].replace("${Environment}", "local")
