"""template.yaml as dictionaries. Checks take it as an argument, so they can be run on broken copies."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import yaml

from support.stack import ROOT

Template = dict[str, Any]
Properties = dict[str, Any]
Mutation = Callable[[Template], object]

RATE = re.compile(r"rate\((\d+) minutes?\)")
PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Ref X` becomes `{"Ref": "X"}`."""


def short_form(loader: Loader, suffix: str, node: yaml.Node) -> Any:
    name = "Ref" if suffix == "Ref" else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        text = loader.construct_scalar(node)
        # As in CloudFormation, only the first dot separates the resource from the attribute.
        return {name: text.split(".", 1) if suffix == "GetAtt" else text}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", short_form)


@cache
def parsed() -> Template:
    loaded: Template = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    return loaded


def template() -> Template:
    """Returns a modifiable copy."""
    return copy.deepcopy(parsed())


def resources_of_type(stack: Template, kind: str) -> dict[str, Properties]:
    """Returns the properties of the resources of a type, by logical id."""
    return {name: resource["Properties"] for name, resource in stack["Resources"].items() if resource["Type"] == kind}


def functions(stack: Template) -> dict[str, Properties]:
    """Returns the properties of the functions, by the name of their binary."""
    found = [resource for resource in stack["Resources"].values() if resource["Type"] == "AWS::Serverless::Function"]
    return {resource["Metadata"]["BuildProperties"]["Binary"]: resource["Properties"] for resource in found}


def alarms(stack: Template) -> dict[str, Properties]:
    """Returns the properties of the alarms, by logical id."""
    return resources_of_type(stack, "AWS::CloudWatch::Alarm")


def alarm_name(alarm: Properties) -> str:
    """Returns an alarm's name without the prefix that all alarms share."""
    return str(alarm["AlarmName"]["Fn::Sub"]).replace("penstock-${Environment}-", "")


def function_ids(stack: Template) -> dict[str, str]:
    """Returns the logical ids of the functions, by the name of their binary."""
    resources = stack["Resources"].items()
    found = {name: resource for name, resource in resources if resource["Type"] == "AWS::Serverless::Function"}
    return {resource["Metadata"]["BuildProperties"]["Binary"]: name for name, resource in found.items()}


def events(stack: Template, kind: str) -> Iterator[tuple[str, Properties]]:
    """Yields the events of a type: the name of the function and the properties of the event."""
    for name, function in functions(stack).items():
        for event in function["Events"].values():
            assert event["Type"] in ("SQS", "Schedule"), f"{name}: an event of a type that these tests do not support"
            if event["Type"] == kind:
                yield name, event["Properties"]


def mappings(stack: Template) -> Iterator[tuple[str, Properties, Properties]]:
    """Yields each event source mapping: the name of the function, the properties of the mapping, those of its queue."""
    for name, mapping in events(stack, "SQS"):
        yield name, mapping, resources_of_type(stack, "AWS::SQS::Queue")[target(mapping["Queue"])]


def schedules(stack: Template) -> dict[str, Properties]:
    """Returns the schedules, by the name of the function that each invokes."""
    return dict(events(stack, "Schedule"))


def intervals(stack: Template, schedule: Properties) -> list[int]:
    """Returns the seconds between two runs for each allowed value of the schedule's parameter, the default first."""
    parameter = stack["Parameters"].get(target(schedule["Schedule"]), {})
    pattern = parameter.get("AllowedPattern", ".*")
    fits = [parameter["Default"]] if "Default" in parameter else []
    assert all(re.fullmatch(pattern, value) for value in fits), f"{fits} does not match {pattern}"
    # Rates of up to a day. A pattern that allows all of them is detected by the checks that use the result.
    fits += [value for value in map(rate, range(1, 1441)) if re.fullmatch(pattern, value) and value not in fits]
    return [seconds_of(value) for value in fits]


def rate(minutes: int) -> str:
    return f"rate({minutes} minute{'' if minutes == 1 else 's'})"


def seconds_of(expression: str) -> int:
    """Returns the seconds between two runs of a rate in minutes, in the form that EventBridge requires."""
    found = RATE.fullmatch(expression)
    assert found, f"not a rate in minutes: {expression}"
    minutes = int(found[1])
    assert rate(minutes) == expression, f"EventBridge rejects {expression}"
    return minutes * 60


def variables(stack: Template, function: Properties) -> Properties:
    """Returns the environment variables of a function."""
    everywhere = stack["Globals"]["Function"]["Environment"]["Variables"]
    return {**everywhere, **function.get("Environment", {}).get("Variables", {})}


def target(value: Any) -> str:
    """Returns the name in a `Ref` or `GetAtt`, or an empty text for any other value."""
    if isinstance(value, dict) and len(value) == 1:
        if "Ref" in value:
            return str(value["Ref"])
        if "Fn::GetAtt" in value:
            return str(value["Fn::GetAtt"][0])
    return ""


def listed(value: Any) -> list[Any]:
    """Returns a list unchanged, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]


def names_in(value: Any) -> set[str]:
    """Returns the parameters and resources that a value refers to."""
    if isinstance(value, dict):
        single = target(value)
        if single:
            return {single}
        return {name for inner in value.values() for name in names_in(inner)}
    if isinstance(value, list):
        return {name for inner in value for name in names_in(inner)}
    return set(PLACEHOLDER.findall(value)) if isinstance(value, str) else set()


def change(resource: str, path: str, value: Any) -> Mutation:
    """Returns a function that sets a property, given by its dotted path. `None` removes it."""

    def mutate(stack: Template) -> None:
        *inner, last = path.split(".")
        properties = stack["Resources"][resource]["Properties"]
        for name in inner:
            properties = properties[name]
        assert properties[last] != value
        properties[last] = value
        if value is None:
            del properties[last]

    return mutate
