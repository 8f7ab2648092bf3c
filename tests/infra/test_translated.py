"""template.yaml after the SAM transform, as CloudFormation receives it, with the parameters of each environment.

Each check returns its findings, so the last tests can run it on broken copies.
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
    Mutation,
    Template,
    function_ids,
    functions,
    mappings,
    resources_of_type,
    schedules,
    target,
    template,
)

ENVIRONMENTS = ["dev", "staging", "prod"]
REGION = "eu-central-1"
LINT = Path(sys.executable).parent / "cfn-lint"
# The only types that the transform generates for a function. Roles and permissions are written in the template.
GENERATED_TYPES = {
    "AWS::Lambda::Function",
    "AWS::Lambda::Version",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
}
# The transform replaces references to this parameter with its value, so it is unused afterwards.
INLINED = "Parameter DeploymentType not used."

Findings = Iterator[str]
Config = dict[str, Any]


@cache
def parsed_config() -> Config:
    return tomlkit.parse((ROOT / "samconfig.toml").read_text()).unwrap()


def config() -> Config:
    """Returns a modifiable copy of samconfig.toml."""
    return copy.deepcopy(parsed_config())


def overrides(samconfig: Config, environment: str, command: str = "deploy") -> dict[str, str]:
    given = samconfig[environment][command]["parameters"]["parameter_overrides"]
    return dict(override.split("=", 1) for override in given)


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    # The transform requires a region. It makes no request.
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


def transform(stack: Template, environment: str) -> Template:
    """Returns the transformed template, with a code URI as `sam package` sets it."""
    stack["Globals"]["Function"]["CodeUri"] = "s3://built/program.zip"
    defaults = {name: parameter["Default"] for name, parameter in stack["Parameters"].items() if "Default" in parameter}
    values = {**defaults, **overrides(config(), environment)}
    output: Template = Translator({}, Parser()).translate(stack, values)
    return output


def generated_by_schedules(stack: Template) -> set[tuple[str, str]]:
    """Returns the resources that the transform generates for schedules, by name and type: a rule and its permission."""
    found = set()
    for name, resource in function_ids(stack).items():
        for event, properties in functions(stack)[name]["Events"].items():
            if properties["Type"] == "Schedule":
                found |= {(f"{resource}{event}", "AWS::Events::Rule")}
                found |= {(f"{resource}{event}Permission", "AWS::Lambda::Permission")}
    return found


def version_of(output: Template, function: str) -> str:
    """Returns the name of the version that a function's alias points to."""
    alias = output["Resources"][f"{function}Aliaslive"]["Properties"]
    return target(alias["FunctionVersion"])


def check_versions(stack: Template, output: Template) -> Findings:
    """Yields functions that are not invoked through their alias."""
    mapped = resources_of_type(output, "AWS::Lambda::EventSourceMapping").values()
    polling = {name for name, _, _ in mappings(stack)}
    for name, function in function_ids(stack).items():
        if output["Resources"].get(version_of(output, function), {}).get("Type") != "AWS::Lambda::Version":
            yield f"{name}: the alias does not point to a version"
        if sum(target(mapping["FunctionName"]) == f"{function}Aliaslive" for mapping in mapped) != (name in polling):
            yield f"{name}: its queue does not invoke the alias"
    aliases = {f"{function}Aliaslive" for function in function_ids(stack).values()}
    for mapping in mapped:
        if target(mapping["FunctionName"]) not in aliases:
            yield f"{target(mapping['FunctionName'])}: is not invoked through an alias"


def check_schedules(stack: Template, output: Template) -> Findings:
    """Yields schedules without the right alias, permission, rate or retry settings."""
    for name, schedule in schedules(stack).items():
        alias = {"Ref": f"{function_ids(stack)[name]}Aliaslive"}
        rules = [
            item for item in resources_of_type(output, "AWS::Events::Rule").items() if "ScheduleExpression" in item[1]
        ]
        invoking = [rule for rule, properties in rules if [each["Arn"] for each in properties["Targets"]] == [alias]]
        if len(invoking) != 1:
            yield f"{name}: not exactly one rule invokes the alias"
            continue
        if output["Resources"][invoking[0]]["Properties"]["ScheduleExpression"] != schedule["Schedule"]:
            yield f"{name}: its rule has another rate"
        by_rule = {"Fn::GetAtt": [invoking[0], "Arn"]}
        permissions = resources_of_type(output, "AWS::Lambda::Permission").values()
        if not any(each["FunctionName"] == alias and each.get("SourceArn") == by_rule for each in permissions):
            yield f"{name}: its rule has no permission to invoke it"
        settings = resources_of_type(output, "AWS::Lambda::EventInvokeConfig").values()
        own = [setting for setting in settings if target(setting["FunctionName"]) == function_ids(stack)[name]]
        if [setting["Qualifier"] for setting in own] != ["live"]:
            yield f"{name}: its retry settings do not apply to the alias"
    for permission, properties in resources_of_type(output, "AWS::Lambda::Permission").items():
        if properties["Principal"] != "events.amazonaws.com" or "SourceArn" not in properties:
            yield f"{permission}: permits another principal to invoke a function"


def check_deployments(stack: Template, output: Template, kind: str) -> Findings:
    """Yields functions without a gradual deployment or without a rollback."""
    for name, function in function_ids(stack).items():
        if "DeploymentPreference" not in functions(stack)[name]:
            continue
        group = output["Resources"].get(f"{function}DeploymentGroup", {}).get("Properties", {})
        if group.get("DeploymentConfigName", {}).get("Fn::Sub", [None, {}])[1].get("ConfigName") != kind:
            yield f"{name}: is not deployed as {kind}"
        rollback = group.get("AutoRollbackConfiguration", {})
        if not rollback.get("Enabled") or "DEPLOYMENT_STOP_ON_ALARM" not in rollback["Events"]:
            yield f"{name}: no alarm rolls it back"
        if not group.get("AlarmConfiguration", {}).get("Alarms"):
            yield f"{name}: its deployment has no alarm"
        policy = output["Resources"][f"{function}Aliaslive"].get("UpdatePolicy", {})
        if "CodeDeployLambdaAliasUpdate" not in policy:
            yield f"{name}: its alias is updated at once"


def check_generated_resources(stack: Template, output: Template) -> Findings:
    """Yields generated resources of unexpected types."""
    written = {resource["Type"] for resource in stack["Resources"].values()}
    for name, resource in output["Resources"].items():
        if (name, resource["Type"]) in generated_by_schedules(stack):
            continue
        if resource["Type"] not in written | GENERATED_TYPES or (
            resource["Type"] not in GENERATED_TYPES and name not in stack["Resources"]
        ):
            yield f"{name}: a {resource['Type']} that is not in the template"


def check_lint(*files: Path) -> Findings:
    """Yields the findings of cfn-lint."""
    command = [str(LINT), "--regions", REGION, "--format", "json", "--", *map(str, files)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert answer.stdout, answer.stderr
    for error in json.loads(answer.stdout):
        if error["Message"] != INLINED:
            yield f"{Path(error['Filename']).name}: {error['Rule']['Id']}: {error['Message']}"


def check_config(samconfig: Config, stack: Template) -> Findings:
    """Yields parameters that an environment does not set, or sets to an invalid value or one of another environment."""
    known = stack["Parameters"]
    written = set(re.findall(r'^    "([\w-]+)" +=', (ROOT / "infra/terraform/parameters.tf").read_text(), re.MULTILINE))
    looked_up = {
        name: parameter["Default"] for name, parameter in known.items() if parameter["Type"].startswith("AWS::SSM::")
    }
    for environment in ENVIRONMENTS:
        given = overrides(samconfig, environment)
        for extra in sorted(given.keys() - known.keys()):
            yield f"{environment}: the template has no parameter {extra}"
        for name, default in looked_up.items():
            if given.get(name) != default.replace("/dev/", f"/{environment}/", 1):
                yield f"{environment}: {name} is {given.get(name)}"
        for name in sorted(given.keys() & known.keys() - looked_up.keys()):
            yield from check_value(f"{environment}: {name}", known[name], given[name])
        if given.keys() != overrides(samconfig, "dev").keys():
            yield f"{environment}: does not set the same parameters as dev"
        # The transform cannot detect this, but the functions would not start.
        if overrides(samconfig, environment, "build") != {"Architecture": given.get("Architecture")}:
            yield f"{environment}: the architecture of the build differs from that of the deployment"
        yield from check_names(samconfig[environment], environment, given)
    for name, default in looked_up.items():
        if default.removeprefix("/penstock/dev/") not in written:
            yield f"{name}: Terraform does not write {default}"


def check_value(location: str, parameter: dict[str, Any], value: str) -> Findings:
    allowed = [str(allowed_value) for allowed_value in parameter.get("AllowedValues", [value])]
    if value not in allowed or not re.fullmatch(parameter.get("AllowedPattern", ".*"), value):
        yield f"{location} must not be {value}"
    if parameter["Type"] == "Number" and not (
        parameter.get("MinValue", 0) <= int(value) <= parameter.get("MaxValue", 2**63)
    ):
        yield f"{location} must not be {value}"


def check_names(section: Config, environment: str, given: dict[str, str]) -> Findings:
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
            yield f"{environment}: the {what} is that of another environment: {name}"
    if f"environment={environment}" not in deploy["tags"]:
        yield f"{environment}: has the tags of another environment"
    if len(deploy["parameter_overrides"]) != len(given):
        yield f"{environment}: a parameter is set twice"
    # The template names its roles.
    if deploy["capabilities"] != "CAPABILITY_NAMED_IAM":
        yield f"{environment}: the roles cannot be created"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_transformed_template_is_as_intended(environment: str) -> None:
    output = transform(template(), environment)
    kind = overrides(config(), environment)["DeploymentType"]
    assert list(check_versions(template(), output)) == []
    assert list(check_schedules(template(), output)) == []
    assert list(check_deployments(template(), output, kind)) == []
    assert list(check_generated_resources(template(), output)) == []


def test_cfn_lint_finds_nothing_before_and_after_the_transform(tmp_path: Path) -> None:
    files = [ROOT / "template.yaml"]
    for environment in ENVIRONMENTS:
        files.append(tmp_path / f"{environment}.json")
        files[-1].write_text(json.dumps(transform(template(), environment)))
    assert list(check_lint(*files)) == []


def test_each_environment_sets_its_own_parameters() -> None:
    assert list(check_config(config(), template())) == []
    folders = {path.name for path in (ROOT / "infra/terraform/environments").iterdir()}
    assert folders == set(ENVIRONMENTS)
    assert config().keys() - {"version", "default"} == set(ENVIRONMENTS)


def test_a_changed_variable_publishes_a_new_version() -> None:
    before, changed = transform(template(), "dev"), template()
    functions(changed)["writer"]["Environment"]["Variables"]["PENSTOCK_ROWS_PER_SECOND"] = "1"
    after = transform(changed, "dev")
    assert version_of(before, "WriterFunction") != version_of(after, "WriterFunction")
    assert version_of(before, "IngestFunction") == version_of(after, "IngestFunction")


@pytest.mark.parametrize(
    ("mutate", "finding"),
    [
        (lambda output: invoke(output, {"Ref": "WriterFunction"}), "writer: its queue does not invoke the alias"),
        (
            lambda output: output["Resources"].pop(version_of(output, "WriterFunction")),
            "writer: the alias does not point to a",
        ),
        (lambda output: output["Resources"].pop("WriterFunctionDeploymentGroup"), "writer: is not deployed as Canary"),
        (
            lambda output: group(output)["AutoRollbackConfiguration"].update(Enabled=False),
            "writer: no alarm rolls it back",
        ),
        (lambda output: group(output)["AlarmConfiguration"].update(Alarms=[]), "its deployment has no alarm"),
        (
            lambda output: output["Resources"]["WriterFunctionAliaslive"].pop("UpdatePolicy"),
            "its alias is updated at once",
        ),
        (
            lambda output: output["Resources"].update(R={"Type": "AWS::IAM::Role"}),
            "R: a AWS::IAM::Role that is not in the",
        ),
        (
            lambda output: rule(output)["Targets"][0].update(Arn={"Ref": "SentinelFunction"}),
            "not exactly one rule invokes",
        ),
        (lambda output: rule(output).update(ScheduleExpression="rate(1 day)"), "sentinel: its rule has another rate"),
        (
            lambda output: output["Resources"].pop("SentinelFunctionSchedulePermission"),
            "its rule has no permission to invoke it",
        ),
        (
            lambda output: output["Resources"].pop("SentinelFunctionEventInvokeConfig"),
            "its retry settings do not apply to the alias",
        ),
        (lambda output: permission(output).update(Principal="s3.amazonaws.com"), "permits another principal to invoke"),
        (lambda output: permission(output).pop("SourceArn"), "permits another principal to invoke"),
    ],
)
def test_a_broken_transformed_template_has_a_finding(mutate: Mutation, finding: str) -> None:
    output = transform(template(), "prod")
    mutate(output)
    found = [*check_versions(template(), output), *check_deployments(template(), output, "Canary10Percent15Minutes")]
    found += [*check_schedules(template(), output), *check_generated_resources(template(), output)]
    assert any(finding in message for message in found), found


def invoke(output: Template, function: Any) -> None:
    output["Resources"]["WriterFunctionLoad"]["Properties"]["FunctionName"] = function


def group(output: Template) -> Any:
    return output["Resources"]["WriterFunctionDeploymentGroup"]["Properties"]


def rule(output: Template) -> Any:
    return output["Resources"]["SentinelFunctionSchedule"]["Properties"]


def permission(output: Template) -> Any:
    return output["Resources"]["SentinelFunctionSchedulePermission"]["Properties"]


def test_cfn_lint_reports_errors(tmp_path: Path) -> None:
    output = transform(template(), "dev")
    output["Resources"]["LoadQueue"]["Properties"]["VisibilityTimeOut"] = 5
    output["Resources"]["WriterErrorsAlarm"]["Properties"]["AlarmActions"] = [{"Ref": "AlarmTopic"}]
    (tmp_path / "broken.json").write_text(json.dumps(output))
    found = " ".join(check_lint(tmp_path / "broken.json"))
    assert "VisibilityTimeOut" in found
    assert "'AlarmTopic'" in found


@pytest.mark.parametrize(
    ("environment", "right", "wrong", "finding"),
    [
        ("prod", "RawBucket=/penstock/prod/raw-bucket", None, "prod: RawBucket is None"),
        ("prod", "RawBucket=/penstock/prod/raw-bucket", "RawBucket=/penstock/dev/raw-bucket", "RawBucket is /pen"),
        ("dev", "DataKeyArn=/penstock/dev/data-key-arn", "DataKeyArn=/penstock/dev/date-key-arn", "dev: DataKeyArn is"),
        ("staging", "RowsPerSecond=0", "RowsPerMinute=0", "staging: the template has no parameter RowsPerMinute"),
        ("staging", "RowsPerSecond=0", None, "staging: does not set the same parameters"),
        ("prod", "LogRetentionDays=90", "LogRetentionDays=91", "prod: LogRetentionDays must not be 91"),
        ("prod", "WriterMaximumConcurrency=4", "WriterMaximumConcurrency=1", "WriterMaximumConcurrency must not be 1"),
        ("prod", "Environment=prod", "Environment=dev", "prod: the Environment is that of another"),
        ("prod", "Environment=prod", "Environment=Prod", "prod: Environment must not be Prod"),
        ("prod", "RowsPerSecond=0", "Environment=prod", "prod: a parameter is set twice"),
        ("prod", "Architecture=arm64", "Architecture=x86_64", "prod: the architecture of the build differs"),
        ("prod", "Architecture=arm64", "Architecture=arm", "prod: Architecture must not be arm"),
    ],
)  # fmt: skip
def test_a_broken_environment_has_a_finding(environment: str, right: str, wrong: str | None, finding: str) -> None:
    samconfig = config()
    given = samconfig[environment]["deploy"]["parameters"]["parameter_overrides"]
    given[given.index(right) : given.index(right) + 1] = [wrong] if wrong else []
    found = list(check_config(samconfig, template()))
    assert any(finding in message for message in found), found


def test_names_of_another_environment_and_misspelt_parameters_are_found() -> None:
    samconfig, stack = config(), template()
    samconfig["prod"]["deploy"]["parameters"]["stack_name"] = "penstock-staging"
    samconfig["dev"]["delete"]["parameters"]["stack_name"] = "penstock-prod"
    stack["Parameters"]["SparkEntryPoint"]["Default"] = "/penstock/dev/spark-entrypoint"
    found = list(check_config(samconfig, stack))
    assert "prod: the stack name is that of another environment: penstock-staging" in found
    assert "dev: the name to delete is that of another environment: penstock-prod" in found
    assert "SparkEntryPoint: Terraform does not write /penstock/dev/spark-entrypoint" in found
