"""What CloudFormation gets to see: template.yaml after the SAM transform, with each environment's parameters.

Each check takes what was read and gives its findings, so that the last tests can show it broken copies.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from support.stack import ROOT
from support.template import (
    Breaks,
    Template,
    function_ids,
    functions,
    mappings,
    of_type,
    schedules,
    target,
    template,
)

ENVIRONMENTS = ["dev", "staging", "prod"]
REGION = "eu-central-1"
LINT = Path(sys.executable).parent / "cfn-lint"
# What the transform makes of a function, and nothing else: no role, no permission that is not written in the template.
MADE_BY_TRANSFORM = {
    "AWS::Lambda::Function",
    "AWS::Lambda::Version",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
}
# The transform puts this parameter's value in its place, so that afterwards nobody refers to it.
IN_PLACE = "Parameter DeploymentType not used."

Findings = Iterator[str]
Config = dict[str, Any]


@cache
def parsed_config() -> Config:
    return tomlkit.parse((ROOT / "samconfig.toml").read_text()).unwrap()


def config() -> Config:
    """samconfig.toml, as a copy that one may break."""
    return copy.deepcopy(parsed_config())


def overrides(samconfig: Config, environment: str, command: str = "deploy") -> dict[str, str]:
    given = samconfig[environment][command]["parameters"]["parameter_overrides"]
    return dict(one.split("=", 1) for one in given)


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    # The transform asks for it; nobody is called.
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


def translated(stack: Template, environment: str) -> Template:
    """The template as the transform makes it, with what `sam package` would have put in for the code."""
    stack["Globals"]["Function"]["CodeUri"] = "s3://built/program.zip"
    defaults = {name: one["Default"] for name, one in stack["Parameters"].items() if "Default" in one}
    values = {**defaults, **overrides(config(), environment)}
    made: Template = Translator({}, Parser()).translate(stack, values)
    return made


def made_by_schedules(stack: Template) -> set[tuple[str, str]]:
    """What the transform makes of each schedule, by name and type: its rule, and the rule's right to invoke."""
    found = set()
    for name, resource in function_ids(stack).items():
        for event, one in functions(stack)[name]["Events"].items():
            if one["Type"] == "Schedule":
                found |= {(f"{resource}{event}", "AWS::Events::Rule")}
                found |= {(f"{resource}{event}Permission", "AWS::Lambda::Permission")}
    return found


def version_of(made: Template, function: str) -> str:
    """The name of the version that a function's alias points at."""
    alias = made["Resources"][f"{function}Aliaslive"]["Properties"]
    return target(alias["FunctionVersion"])


def of_versions(stack: Template, made: Template) -> Findings:
    """Functions that are invoked past their alias, or deployed otherwise than their environment says."""
    mapped = of_type(made, "AWS::Lambda::EventSourceMapping").values()
    polling = {name for name, _, _ in mappings(stack)}
    for name, function in function_ids(stack).items():
        if made["Resources"].get(version_of(made, function), {}).get("Type") != "AWS::Lambda::Version":
            yield f"{name}: the alias points at no version"
        if sum(target(one["FunctionName"]) == f"{function}Aliaslive" for one in mapped) != (name in polling):
            yield f"{name}: its queue does not invoke the alias"
    aliases = {f"{function}Aliaslive" for function in function_ids(stack).values()}
    for one in mapped:
        if target(one["FunctionName"]) not in aliases:
            yield f"{target(one['FunctionName'])}: is invoked without an alias"


def of_scheduled(stack: Template, made: Template) -> Findings:
    """Schedules that invoke no alias, may not, at another time than is told, or that retry what they should not."""
    for name, schedule in schedules(stack).items():
        alias = {"Ref": f"{function_ids(stack)[name]}Aliaslive"}
        rules = [one for one in of_type(made, "AWS::Events::Rule").items() if "ScheduleExpression" in one[1]]
        invoking = [rule for rule, one in rules if [each["Arn"] for each in one["Targets"]] == [alias]]
        if len(invoking) != 1:
            yield f"{name}: no rule, or more than one, invokes the alias"
            continue
        if made["Resources"][invoking[0]]["Properties"]["ScheduleExpression"] != schedule["Schedule"]:
            yield f"{name}: runs at another time"
        by_rule = {"Fn::GetAtt": [invoking[0], "Arn"]}
        rights = of_type(made, "AWS::Lambda::Permission").values()
        if not any(one["FunctionName"] == alias and one.get("SourceArn") == by_rule for one in rights):
            yield f"{name}: its rule may not invoke it"
        settings = of_type(made, "AWS::Lambda::EventInvokeConfig").values()
        own = [one for one in settings if target(one["FunctionName"]) == function_ids(stack)[name]]
        if [one["Qualifier"] for one in own] != ["live"]:
            yield f"{name}: its retries are not the alias's"
    for right, one in of_type(made, "AWS::Lambda::Permission").items():
        if one["Principal"] != "events.amazonaws.com" or "SourceArn" not in one:
            yield f"{right}: somebody else may invoke a function"


def of_deployments(stack: Template, made: Template, kind: str) -> Findings:
    """Functions whose traffic does not shift, or does not shift back."""
    for name, function in function_ids(stack).items():
        if "DeploymentPreference" not in functions(stack)[name]:
            continue
        group = made["Resources"].get(f"{function}DeploymentGroup", {}).get("Properties", {})
        if group.get("DeploymentConfigName", {}).get("Fn::Sub", [None, {}])[1].get("ConfigName") != kind:
            yield f"{name}: is not deployed as {kind}"
        rollback = group.get("AutoRollbackConfiguration", {})
        if not rollback.get("Enabled") or "DEPLOYMENT_STOP_ON_ALARM" not in rollback["Events"]:
            yield f"{name}: no alarm rolls it back"
        if not group.get("AlarmConfiguration", {}).get("Alarms"):
            yield f"{name}: no alarm watches its deployment"
        policy = made["Resources"][f"{function}Aliaslive"].get("UpdatePolicy", {})
        if "CodeDeployLambdaAliasUpdate" not in policy:
            yield f"{name}: its alias moves at once"


def of_made(stack: Template, made: Template) -> Findings:
    """Resources that the transform made up."""
    written = {one["Type"] for one in stack["Resources"].values()}
    for name, one in made["Resources"].items():
        if (name, one["Type"]) in made_by_schedules(stack):
            continue
        if one["Type"] not in written | MADE_BY_TRANSFORM or (
            one["Type"] not in MADE_BY_TRANSFORM and name not in stack["Resources"]
        ):
            yield f"{name}: a {one['Type']} that nobody wrote"


def of_lint(*files: Path) -> Findings:
    """What cfn-lint says."""
    command = [str(LINT), "--regions", REGION, "--format", "json", "--", *map(str, files)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert answer.stdout, answer.stderr
    for one in json.loads(answer.stdout):
        if one["Message"] != IN_PLACE:
            yield f"{Path(one['Filename']).name}: {one['Rule']['Id']}: {one['Message']}"


def of_config(samconfig: Config, stack: Template) -> Findings:
    """Parameters that an environment does not set, sets to another's, or sets to what they cannot be."""
    known = stack["Parameters"]
    written = set(re.findall(r'^    "([\w-]+)" +=', (ROOT / "infra/terraform/parameters.tf").read_text(), re.MULTILINE))
    looked_up = {name: one["Default"] for name, one in known.items() if one["Type"].startswith("AWS::SSM::")}
    for environment in ENVIRONMENTS:
        given = overrides(samconfig, environment)
        for extra in sorted(given.keys() - known.keys()):
            yield f"{environment}: the template has no parameter {extra}"
        for name, default in looked_up.items():
            if given.get(name) != default.replace("/dev/", f"/{environment}/", 1):
                yield f"{environment}: {name} is {given.get(name)}"
        for name in sorted(given.keys() & known.keys() - looked_up.keys()):
            yield from of_value(f"{environment}: {name}", known[name], given[name])
        if given.keys() != overrides(samconfig, "dev").keys():
            yield f"{environment}: sets other parameters than dev"
        # The transform alone cannot see it: the functions would not start.
        if overrides(samconfig, environment, "build") != {"Architecture": given.get("Architecture")}:
            yield f"{environment}: what is built is not what is deployed"
        yield from of_names(samconfig[environment], environment, given)
    for name, default in looked_up.items():
        if default.removeprefix("/penstock/dev/") not in written:
            yield f"{name}: Terraform does not write {default}"


def of_value(place: str, parameter: dict[str, Any], value: str) -> Findings:
    allowed = [str(one) for one in parameter.get("AllowedValues", [value])]
    if value not in allowed or not re.fullmatch(parameter.get("AllowedPattern", ".*"), value):
        yield f"{place} may not be {value}"
    if parameter["Type"] == "Number" and not (
        parameter.get("MinValue", 0) <= int(value) <= parameter.get("MaxValue", 2**63)
    ):
        yield f"{place} may not be {value}"


def of_names(section: Config, environment: str, given: dict[str, str]) -> Findings:
    deploy = section["deploy"]["parameters"]
    stack_name = f"penstock-{environment}"
    names = {
        "stack name": deploy["stack_name"],
        "prefix": deploy["s3_prefix"],
        "name to delete": section["delete"]["parameters"]["stack_name"],
        "Environment": f"penstock-{given.get('Environment')}",
    }
    for what, name in names.items():
        if name != stack_name:
            yield f"{environment}: the {what} is another's: {name}"
    if f"environment={environment}" not in deploy["tags"]:
        yield f"{environment}: is tagged as another"
    if len(deploy["parameter_overrides"]) != len(given):
        yield f"{environment}: a parameter stands twice"
    # The roles have names of their own.
    if deploy["capabilities"] != "CAPABILITY_NAMED_IAM":
        yield f"{environment}: the roles cannot be made"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_transform_makes_what_the_template_means(environment: str) -> None:
    made = translated(template(), environment)
    kind = overrides(config(), environment)["DeploymentType"]
    assert list(of_versions(template(), made)) == []
    assert list(of_scheduled(template(), made)) == []
    assert list(of_deployments(template(), made, kind)) == []
    assert list(of_made(template(), made)) == []


def test_cfn_lint_finds_nothing_before_and_after_the_transform(tmp_path: Path) -> None:
    files = [ROOT / "template.yaml"]
    for environment in ENVIRONMENTS:
        files.append(tmp_path / f"{environment}.json")
        files[-1].write_text(json.dumps(translated(template(), environment)))
    assert list(of_lint(*files)) == []


def test_each_environment_sets_its_own_parameters() -> None:
    assert list(of_config(config(), template())) == []
    folders = {path.name for path in (ROOT / "infra/terraform/environments").iterdir()}
    assert folders == set(ENVIRONMENTS)
    assert config().keys() - {"version", "default"} == set(ENVIRONMENTS)


def test_a_changed_variable_is_a_new_version() -> None:
    before, changed = translated(template(), "dev"), template()
    functions(changed)["writer"]["Environment"]["Variables"]["PENSTOCK_ROWS_PER_SECOND"] = "1"
    after = translated(changed, "dev")
    assert version_of(before, "WriterFunction") != version_of(after, "WriterFunction")
    assert version_of(before, "IngestFunction") == version_of(after, "IngestFunction")


@pytest.mark.parametrize(
    ("breaks", "finding"),
    [
        (lambda made: invoke(made, {"Ref": "WriterFunction"}), "writer: its queue does not invoke the alias"),
        (lambda made: made["Resources"].pop(version_of(made, "WriterFunction")), "writer: the alias points at no"),
        (lambda made: made["Resources"].pop("WriterFunctionDeploymentGroup"), "writer: is not deployed as Canary"),
        (lambda made: group(made)["AutoRollbackConfiguration"].update(Enabled=False), "writer: no alarm rolls it back"),
        (lambda made: group(made)["AlarmConfiguration"].update(Alarms=[]), "no alarm watches its deployment"),
        (lambda made: made["Resources"]["WriterFunctionAliaslive"].pop("UpdatePolicy"), "its alias moves at once"),
        (lambda made: made["Resources"].update(R={"Type": "AWS::IAM::Role"}), "R: a AWS::IAM::Role that nobody wrote"),
        (
            lambda made: rule(made)["Targets"][0].update(Arn={"Ref": "SentinelFunction"}),
            "more than one, invokes the al",
        ),
        (lambda made: rule(made).update(ScheduleExpression="rate(1 day)"), "sentinel: runs at another time"),
        (lambda made: made["Resources"].pop("SentinelFunctionSchedulePermission"), "its rule may not invoke it"),
        (lambda made: made["Resources"].pop("SentinelFunctionEventInvokeConfig"), "its retries are not the alias's"),
        (lambda made: right(made).update(Principal="s3.amazonaws.com"), "somebody else may invoke a function"),
        (lambda made: right(made).pop("SourceArn"), "somebody else may invoke a function"),
    ],
)
def test_a_broken_translation_has_a_finding(breaks: Breaks, finding: str) -> None:
    made = translated(template(), "prod")
    breaks(made)
    found = [*of_versions(template(), made), *of_deployments(template(), made, "Canary10Percent15Minutes")]
    found += [*of_scheduled(template(), made), *of_made(template(), made)]
    assert any(finding in one for one in found), found


def invoke(made: Template, function: Any) -> None:
    made["Resources"]["WriterFunctionLoad"]["Properties"]["FunctionName"] = function


def group(made: Template) -> Any:
    return made["Resources"]["WriterFunctionDeploymentGroup"]["Properties"]


def rule(made: Template) -> Any:
    return made["Resources"]["SentinelFunctionSchedule"]["Properties"]


def right(made: Template) -> Any:
    return made["Resources"]["SentinelFunctionSchedulePermission"]["Properties"]


def test_cfn_lint_finds_what_is_wrong(tmp_path: Path) -> None:
    made = translated(template(), "dev")
    made["Resources"]["LoadQueue"]["Properties"]["VisibilityTimeOut"] = 5
    made["Resources"]["WriterErrorsAlarm"]["Properties"]["AlarmActions"] = [{"Ref": "AlarmTopic"}]
    (tmp_path / "broken.json").write_text(json.dumps(made))
    found = " ".join(of_lint(tmp_path / "broken.json"))
    assert "VisibilityTimeOut" in found
    assert "'AlarmTopic'" in found


@pytest.mark.parametrize(
    ("environment", "right", "wrong", "finding"),
    [
        ("prod", "RawBucket=/penstock/prod/raw-bucket", None, "prod: RawBucket is None"),
        ("prod", "RawBucket=/penstock/prod/raw-bucket", "RawBucket=/penstock/dev/raw-bucket", "RawBucket is /pen"),
        ("dev", "DataKeyArn=/penstock/dev/data-key-arn", "DataKeyArn=/penstock/dev/date-key-arn", "dev: DataKeyArn is"),
        ("staging", "RowsPerSecond=0", "RowsPerMinute=0", "staging: the template has no parameter RowsPerMinute"),
        ("staging", "RowsPerSecond=0", None, "staging: sets other parameters than dev"),
        ("prod", "LogRetentionDays=90", "LogRetentionDays=91", "prod: LogRetentionDays may not be 91"),
        ("prod", "WriterMaximumConcurrency=4", "WriterMaximumConcurrency=1", "WriterMaximumConcurrency may not be 1"),
        ("prod", "Environment=prod", "Environment=dev", "prod: the Environment is another's"),
        ("prod", "Environment=prod", "Environment=Prod", "prod: Environment may not be Prod"),
        ("prod", "RowsPerSecond=0", "Environment=prod", "prod: a parameter stands twice"),
        ("prod", "Architecture=arm64", "Architecture=x86_64", "prod: what is built is not what is deployed"),
        ("prod", "Architecture=arm64", "Architecture=arm", "prod: Architecture may not be arm"),
    ],
)  # fmt: skip
def test_a_broken_environment_has_a_finding(environment: str, right: str, wrong: str | None, finding: str) -> None:
    samconfig = config()
    given = samconfig[environment]["deploy"]["parameters"]["parameter_overrides"]
    given[given.index(right) : given.index(right) + 1] = [wrong] if wrong else []
    found = list(of_config(samconfig, template()))
    assert any(finding in one for one in found), found


def test_names_of_another_environment_and_misspelt_parameters_are_found() -> None:
    samconfig, stack = config(), template()
    samconfig["prod"]["deploy"]["parameters"]["stack_name"] = "penstock-staging"
    samconfig["dev"]["delete"]["parameters"]["stack_name"] = "penstock-prod"
    stack["Parameters"]["SparkEntryPoint"]["Default"] = "/penstock/dev/spark-entrypoint"
    found = list(of_config(samconfig, stack))
    assert "prod: the stack name is another's: penstock-staging" in found
    assert "dev: the name to delete is another's: penstock-prod" in found
    assert "SparkEntryPoint: Terraform does not write /penstock/dev/spark-entrypoint" in found
