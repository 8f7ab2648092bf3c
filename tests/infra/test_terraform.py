"""Terraform's files agree with the provider, with each other and with template.yaml.

The provider cannot be installed everywhere, so `terraform validate` may not be available. The checks use the provider's
typings instead. Each check takes a folder and returns its findings, so the last test can run it on broken copies.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import provider
from support.stack import ROOT
from support.terraform import (
    Body,
    Module,
    Reference,
    Resource,
    attributes_of,
    blocks_of,
    read,
    read_module,
    references,
    unquoted,
)

TERRAFORM = ROOT / "infra/terraform"
META = {"count", "for_each", "provider", "depends_on"}
META_BLOCKS = {"lifecycle", "provisioner", "connection"}
META_OF_MODULES = META | {"source", "version", "providers"}
# A parameter in template.yaml that CloudFormation resolves in SSM: its type and its default.
LOOKED_UP = re.compile(r"Type: AWS::SSM::Parameter::Value<(\S+)>\n +Default: /penstock/dev/([\w-]+)")
SSM_TYPE = {"String": "String", "List<String>": "StringList"}

needs_typings = pytest.mark.skipif(
    not provider.FOLDER.is_dir(), reason="the typings of the provider are missing; run `tests/infra/typings.sh`"
)

Findings = Iterator[str]


def modules(folder: Path) -> list[Module]:
    """Returns the root module and the modules that it calls."""
    return [read_module(folder), *(read_module(path) for path in sorted((folder / "modules").iterdir()))]


def check_provider(folder: Path) -> Findings:
    """Yields unknown types, attributes and blocks, and missing required ones."""
    for module in modules(folder):
        for resource in module.resources:
            known = provider.find(resource.kind, resource.type)
            location = f"{module.folder.name}/{resource.file}: {resource.address}"
            if known is None:
                yield f"{location}: unknown type"
            else:
                own = {key: value for key, value in resource.body.items() if key not in META | META_BLOCKS}
                yield from check_body(location, known, known.top, own)


def check_body(location: str, known: provider.Type, interface: str, body: Body) -> Findings:
    arguments = known.interfaces[interface]
    blocks = list(blocks_of(body))
    named = {name for name, _ in blocks}
    for attribute in sorted(attributes_of(body)):
        if attribute not in arguments or arguments[attribute].is_block:
            yield f"{location}: unknown attribute {attribute}"
    for name, inner in blocks:
        if name not in arguments or not arguments[name].is_block:
            yield f"{location}: unknown block {name}"
        else:
            yield from check_body(f"{location}: {name}", known, arguments[name].interface, inner)
    required = {name for name, argument in arguments.items() if argument.required}
    for name in sorted(required - attributes_of(body) - named):
        yield f"{location}: {name} is missing"


def check_references(folder: Path) -> Findings:
    """Yields references to undeclared names, and unused declarations."""
    for module in modules(folder):
        found = [(file, reference) for file, blocks in module.texts for reference in references(blocks)]
        for file, reference in found:
            problem = problem_of(module, reference)
            if problem:
                yield f"{module.folder.name}/{file}: {reference}: {problem}"
        used = {(reference.root, reference.name) for _, reference in found}
        declared = {("var", name) for name in module.variables} | {("local", name) for name in module.locals}
        for root, name in sorted(declared - used):
            yield f"{module.folder.name}: {root}.{name} is unused"


def problem_of(module: Module, reference: Reference) -> str | None:
    if reference.root == "var":
        return None if reference.name in module.variables else "no such variable"
    if reference.root == "local":
        return None if reference.name in module.locals else "no such local"
    if reference.root == "module":
        if reference.name not in module.calls:
            return "no such module"
        called = read_module(source_of(module, module.calls[reference.name]))
        return None if reference.attribute in called.outputs else "the module has no such output"
    kind = "data" if reference.is_data else "resource"
    if not any(
        (each.kind, each.type, each.name) == (kind, reference.root, reference.name) for each in module.resources
    ):
        return f"no such {kind}"
    known = provider.find(kind, reference.root) if provider.FOLDER.is_dir() else None
    if known and reference.attribute and provider.camel(reference.attribute) not in known.readable:
        return "the type has no such attribute"
    return None


def source_of(module: Module, call: Body) -> Path:
    return (module.folder / unquoted(call["source"])).resolve()


def check_calls(folder: Path) -> Findings:
    """Yields unknown inputs, missing inputs and unused modules."""
    root = read_module(folder)
    for name, call in root.calls.items():
        variables = read_module(source_of(root, call)).variables
        given = set(call) - META_OF_MODULES
        for extra in sorted(given - set(variables)):
            yield f"module.{name}: unknown input {extra}"
        required = {variable for variable, body in variables.items() if "default" not in body}
        for missing in sorted(required - given):
            yield f"module.{name}: input {missing} is missing"
    called = {source_of(root, call) for call in root.calls.values()}
    for module in modules(folder)[1:]:
        if module.folder.resolve() not in called:
            yield f"modules/{module.folder.name}: unused module"


def check_declarations(folder: Path) -> Findings:
    """Yields variables and outputs without a type or description, and modules without a README."""
    for module in modules(folder):
        location = module.folder.name
        for name, body in module.variables.items():
            if "type" not in body:
                yield f"{location}: var.{name} has no type"
            if unquoted(body.get("description", "")) == "":
                yield f"{location}: var.{name} has no description"
            if body.get("nullable") is not False and body.get("default", "") is not None:
                yield f"{location}: var.{name} is nullable, but null is not its default"
        for name, body in module.outputs.items():
            if unquoted(body.get("description", "")) == "":
                yield f"{location}: output {name} has no description"
        for file in ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"):
            if not (module.folder / file).is_file():
                yield f"{location}: no {file}"


def check_environments(folder: Path) -> Findings:
    """Yields values of unknown variables, and variables without a value."""
    variables = read_module(folder).variables
    for environment in sorted((folder / "environments").iterdir()):
        values = read((environment / "terraform.tfvars").read_text())
        for extra in sorted(set(values) - set(variables)):
            yield f"{environment.name}: unknown variable {extra}"
        required = {name for name, body in variables.items() if "default" not in body}
        for missing in sorted(required - set(values)):
            yield f"{environment.name}: {missing} has no value"
        if unquoted(str(values.get("environment"))) != environment.name:
            yield f"{environment.name}: its values have another environment"
        backend = read((environment / "backend.hcl").read_text())
        if f"/{environment.name}/" not in backend["key"]:
            yield f"{environment.name}: its backend has the state of another environment"


def check_ssm(folder: Path) -> Findings:
    """Yields SSM parameters that template.yaml reads and Terraform does not write, or writes with another type."""
    root = read_module(folder)
    written = {name: type_ for resource in root.resources for name, type_ in written_by(root, resource)}
    looked_up = LOOKED_UP.findall((ROOT / "template.yaml").read_text())
    for type_, name in looked_up:
        if written.get(name) != SSM_TYPE[type_]:
            yield f"template.yaml: {name} should be a {SSM_TYPE[type_]} but is {written.get(name, 'missing')}"


def written_by(root: Module, resource: Resource) -> Iterator[tuple[str, str]]:
    if resource.type == "aws_ssm_parameter":
        assert resource.body["name"] == '"/penstock/${var.environment}/${each.key}"'
        values: Any = root.locals[resource.body["for_each"][len("${local.") : -1]]
        yield from ((unquoted(name), unquoted(resource.body["type"])) for name in values)


@pytest.mark.parametrize("check", [check_references, check_calls, check_declarations, check_environments, check_ssm])
def test_the_files_are_consistent(check: Callable[[Path], Findings]) -> None:
    assert list(check(TERRAFORM)) == []


@needs_typings
def test_the_files_conform_to_the_provider() -> None:
    assert list(check_provider(TERRAFORM)) == []


def test_every_resource_is_read() -> None:
    found = modules(TERRAFORM)
    assert {module.folder.name for module in found} == {
        "terraform", "network", "lake", "database", "spark", "catalog", "observability",
    }  # fmt: skip
    in_files = sum(len(re.findall(r'^(?:resource|data) "', file.read_text(), re.M)) for file in TERRAFORM.rglob("*.tf"))
    assert sum(len(module.resources) for module in found) == in_files
    assert len(LOOKED_UP.findall((ROOT / "template.yaml").read_text())) >= 15


@pytest.mark.parametrize(
    ("check", "file", "right", "wrong", "finding"),
    [
        (
            check_provider,
            "modules/lake/main.tf",
            "force_destroy =",
            "force_destory =",
            "unknown attribute force_destory",
        ),
        (
            check_provider,
            "modules/lake/main.tf",
            "bucket_key_enabled =",
            "bucket_key =",
            "unknown attribute bucket_key",
        ),
        (check_provider, "modules/lake/lifecycle.tf", "expiration {", "expire {", "unknown block expire"),
        (check_provider, "modules/lake/lifecycle.tf", 'dynamic "transition"', 'dynamic "move"', "unknown block move"),
        (check_provider, "modules/lake/logs.tf", 'target_prefix = "raw/"', "", "target_prefix is missing"),
        (check_provider, "modules/lake/main.tf", '"aws_s3_bucket"', '"aws_s3_bukket"', "unknown type"),
        (check_provider, "keys.tf", 'data "aws_partition"', 'data "aws_partitions"', "unknown type"),
        (check_references, "main.tf", "var.environment", "var.enviroment", "no such variable"),
        (
            check_references,
            "modules/lake/main.tf",
            "= local.names[each.key]",
            "= local.name[each.key]",
            "no such local",
        ),
        (check_references, "main.tf", "module.database.identifier", "module.database.id", "no such output"),
        (check_references, "main.tf", "module.lake.bucket_arns", "module.lakes.bucket_arns", "no such module"),
        (check_references, "main.tf", "aws_kms_key.data.arn", "aws_kms_key.date.arn", "no such resource"),
        (check_references, "main.tf", "aws_kms_key.data.arn", "aws_kms_key.data.am", "no such attribute"),
        (check_references, "modules/network/variables.tf", 'variable "zone_count"', 'variable "zones"', "is unused"),
        (check_calls, "main.tf", "multi_az  ", "multi_zone", "unknown input multi_zone"),
        (check_calls, "main.tf", "cidr_block          = var.network.cidr_block", "", "input cidr_block is missing"),
        (check_calls, "main.tf", "./modules/catalog", "./modules/lake", "modules/catalog: unused module"),
        (check_declarations, "modules/lake/variables.tf", "type        = bool", "", "has no type"),
        (check_declarations, "modules/lake/variables.tf", "nullable    = false", "", "is nullable"),
        (
            check_declarations,
            "outputs.tf",
            'description = "Name of the CloudWatch dashboard."',
            "",
            "has no description",
        ),
        (check_environments, "environments/prod/terraform.tfvars", "alarm_emails ", "emails ", "has no value"),
        (check_environments, "environments/dev/terraform.tfvars", "monthly_budget_usd", "budget", "unknown variable"),
        (check_environments, "environments/dev/terraform.tfvars", '"dev"', '"prod"', "its values have another"),
        (
            check_environments,
            "environments/prod/backend.hcl",
            "/prod/",
            "/staging/",
            "the state of another environment",
        ),
        (check_ssm, "parameters.tf", '"database-port" ', '"database-prot" ', "database-port should be a String"),
        (check_ssm, "parameters.tf", '"StringList"', '"String"', "should be a StringList but is String"),
    ],
)
def test_a_broken_copy_has_a_finding(
    tmp_path: Path, check: Callable[[Path], Findings], file: str, right: str, wrong: str, finding: str
) -> None:
    if (check is check_provider or finding == "no such attribute") and not provider.FOLDER.is_dir():
        pytest.skip("the typings of the provider are missing")
    copy = tmp_path / "terraform"
    shutil.copytree(TERRAFORM, copy, ignore=shutil.ignore_patterns(".terraform*"))
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong, 1))
    found = list(check(copy))
    assert any(finding in message for message in found), found
