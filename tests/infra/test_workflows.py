"""The workflows run targets of the Makefile with minimal permissions, and deploy with GitHub's OIDC identity.

These tests make no requests to GitHub. Each check takes the texts of the workflows, so it can be run on broken copies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from support.stack import ROOT
from support.template import template

WORKFLOWS = ROOT / ".github/workflows"
ENVIRONMENTS = ROOT / "infra/terraform/environments"

Texts = dict[str, str]
Workflow = dict[str, Any]
Findings = Iterator[str]

# An action pinned to a version or a commit. `@main` can change at any time.
PINNED = re.compile(r"[\w.-]+/[\w.-]+(/[\w.-]+)*@(v\d+(\.\d+){0,2}|[0-9a-f]{40})")
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
# `make X` with shell variables. A value that GitHub interpolates into the command could inject another command.
MAKE = re.compile(r'make ([a-z-]+)((?: [A-Z_]+="\$[A-Z_]+")*)')
EXPECTED = {"test": {"test", "lint", "security", "build"}, "deploy": {"deploy"}}
ID_TOKEN = "aws-actions/configure-aws-credentials@"
LONGEST_MINUTES = 120


def texts() -> Texts:
    return {path.stem: path.read_text() for path in sorted(WORKFLOWS.glob("*.y*ml"))}


def parsed(copies: Texts) -> dict[str, Workflow]:
    return {name: yaml.safe_load(text) for name, text in copies.items()}


def triggers(workflow: Workflow) -> dict[str, Any]:
    """Returns the triggers of a workflow. YAML 1.1 reads an unquoted `on` as true."""
    found = workflow[True]  # type: ignore[index]
    return dict(found)


def jobs(copies: Texts) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, workflow in parsed(copies).items():
        for job, definition in workflow["jobs"].items():
            yield name, f"{name}/{job}", definition


def steps(copies: Texts) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, location, job in jobs(copies):
        for step in job["steps"]:
            yield name, location, step


def environments() -> set[str]:
    return {path.name for path in ENVIRONMENTS.iterdir() if path.is_dir()}


def check_jobs(copies: Texts) -> Findings:
    """Yields missing jobs, jobs without a timeout, and dependencies on missing jobs."""
    for name, expected in EXPECTED.items():
        for job in sorted(expected - parsed(copies).get(name, {"jobs": {}})["jobs"].keys()):
            yield f"{name}/{job}: is missing"
    for name, location, job in jobs(copies):
        if not 1 <= job.get("timeout-minutes", 0) <= LONGEST_MINUTES:
            yield f"{location}: has no timeout, or one over {LONGEST_MINUTES} minutes"
        needs = job.get("needs", [])
        for dependency in [needs] if isinstance(needs, str) else needs:
            if dependency not in parsed(copies)[name]["jobs"]:
                yield f"{location}: needs {dependency}, which does not exist"
        # `ubuntu-latest` changes over time.
        if not re.fullmatch(r"ubuntu-\d\d\.\d\d", str(job["runs-on"])):
            yield f"{location}: runs on {job['runs-on']}"


def check_steps(copies: Texts) -> Findings:
    """Yields commands that are not targets of the Makefile, and actions that are not pinned."""
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    for _, location, step in steps(copies):
        if "uses" in step:
            if not PINNED.fullmatch(step["uses"]):
                yield f"{location}: {step['uses']} is not pinned"
            if (
                step["uses"].startswith("actions/checkout@")
                and step.get("with", {}).get("persist-credentials") is not False
            ):
                yield f"{location}: persists GitHub's token in the checkout"
            continue
        called = MAKE.fullmatch(step.get("run", ""))
        if called is None:
            yield f"{location}: runs {step.get('run')!r}, which is not a target with shell variables"
            continue
        if called[1] not in targets:
            yield f"{location}: make {called[1]} is not a target"
        for variable in re.findall(r"\$([A-Z_]+)", called[2]):
            if variable not in step.get("env", {}):
                yield f"{location}: ${variable} is not set"


def check_permissions(copies: Texts) -> Findings:
    """Yields permissions that a workflow does not need, and stored credentials."""
    for name, workflow in parsed(copies).items():
        least = {"contents": "read", "id-token": "write"} if name == "deploy" else {"contents": "read"}
        if workflow.get("permissions") != least:
            yield f"{name}: its permissions are {workflow.get('permissions')}"
        if "pull_request_target" in triggers(workflow):
            yield f"{name}: gives permissions to the author of a pull request"
        # No workflow uses secrets: the settings of environments are not secret, and AWS access uses a role.
        if re.search(r"\bsecrets\b", copies[name]) or re.search(r"(?i)aws_?-?(secret_?-?)?access_?-?key", copies[name]):
            yield f"{name}: uses a secret"
    for name, location, job in jobs(copies):
        if "permissions" in job:
            yield f"{location}: sets its own permissions"
        logins = [step["with"] for step in job["steps"] if step.get("uses", "").startswith(ID_TOKEN)]
        if name == "deploy" and [set(login) for login in logins] != [{"role-to-assume", "aws-region"}]:
            yield f"{location}: does not log in to AWS with a role only"
        if name != "deploy" and logins:
            yield f"{location}: logs in to AWS"


def check_deploy(copies: Texts) -> Findings:
    """Yields deployments of unknown environments, without their reviewers, or of untested commits."""
    workflow = parsed(copies)["deploy"]
    if triggers(workflow).keys() != {"workflow_run", "workflow_dispatch"}:
        yield "deploy: has triggers other than passed tests and a request"
        return
    asked, tested = (triggers(workflow)[trigger] for trigger in ("workflow_dispatch", "workflow_run"))
    choice = asked["inputs"]["environment"]
    if set(choice["options"]) != environments() or choice["type"] != "choice":
        yield f"deploy: the environments must be {sorted(environments())}"
    names = {other["name"] for other in parsed(copies).values()}
    if not set(tested["workflows"]) <= names or "test" not in tested["workflows"]:
        yield "deploy: waits for a workflow that does not exist"
    if tested["branches"] != ["main"] or tested["types"] != ["completed"]:
        yield "deploy: deploys a branch other than main"
    # The default is dev. Because of the job's environment, GitHub asks the reviewers.
    expression = re.compile(r"\$\{\{ inputs\.environment \|\| '(\w+)' \}\}")
    job = workflow["jobs"]["deploy"]
    for location in (job.get("environment", ""), job["steps"][-1]["env"].get("ENVIRONMENT", "")):
        found = expression.fullmatch(location)
        if found is None or found[1] != "dev":
            yield f"deploy: {location!r} is not the requested environment with the default dev"
    for needed in ("conclusion == 'success'", "event == 'push'"):
        if needed not in job["if"]:
            yield f"deploy: does not check that {needed}"
    checkout = job["steps"][0]["with"].get("ref", "")
    if "workflow_run.head_sha" not in checkout:
        yield "deploy: checks out a commit other than the tested one"


def check_build(copies: Texts) -> Findings:
    """Yields architectures of the template that are not built."""
    job = parsed(copies)["test"]["jobs"].get("build", {})
    built = job.get("strategy", {}).get("matrix", {}).get("architecture", [])
    known = template()["Parameters"]["Architecture"]["AllowedValues"]
    if sorted(built) != sorted(known):
        yield f"test/build: builds {built} instead of {known}"
    for architecture in known:
        if f"  {architecture}) target=" not in (ROOT / "infra/sam-build.sh").read_text():
            yield f"sam-build.sh: does not support {architecture}"


CHECKS = [check_jobs, check_steps, check_permissions, check_deploy, check_build]


@pytest.mark.parametrize("check", CHECKS)
def test_the_workflows_follow_the_rules(check: Callable[[Texts], Findings]) -> None:
    assert list(check(texts())) == []


def test_workflows_steps_and_targets_are_read() -> None:
    # If nothing were read, the checks above would pass.
    assert texts().keys() == EXPECTED.keys()
    ran = {step["run"].split()[1] for _, _, step in steps(texts()) if "run" in step}
    assert ran == {"test", "lint", "security", "sam-build", "deploy"}


BROKEN: list[tuple[Callable[[Texts], Findings], str, str, str, str]] = [
    (check_jobs, "test", "    timeout-minutes: 45\n", "", "test/lint: has no timeout"),
    (check_jobs, "test", "timeout-minutes: 45", "timeout-minutes: 360", "test/lint: has no timeout, or one over 120"),
    (check_jobs, "test", "  security:\n", "  safety:\n", "test/security: is missing"),
    (check_jobs, "test", "  lint:\n", "  lint:\n    needs: tests\n", "test/lint: needs tests, which does not"),
    (check_jobs, "test", "ubuntu-24.04", "ubuntu-latest", "test/test: runs on ubuntu-latest"),
    (check_steps, "test", "make lint", "make lints", "test/lint: make lints is not a target"),
    (check_steps, "test", "make lint", "cargo clippy", "test/lint: runs 'cargo clippy'"),
    (check_steps, "test", "$ARCHITECTURE", "${{ matrix.architecture }}", "test/build: runs 'make sam-build"),
    (check_steps, "test", "ARCHITECTURE: $", "ARCH: $", "test/build: $ARCHITECTURE is not set"),
    (check_steps, "test", "actions/checkout@v6", "actions/checkout@main", "test/test: actions/checkout@main is not"),
    (check_steps, "test", "actions/checkout@v6", "actions/checkout", "test/test: actions/checkout is not pinned"),
    (check_steps, "test", "persist-credentials: false", "fetch-depth: 0", "test/test: persists GitHub's token"),
    (check_permissions, "test", "contents: read", "contents: write", "test: its permissions are"),
    (check_permissions, "test", "permissions:\n  contents: read\n", "", "test: its permissions are None"),
    (check_permissions, "test", "contents: read\n", "contents: read\n  id-token: write\n", "test: its permissions are"),
    (check_permissions, "test", "  lint:\n", "  lint:\n    permissions: write-all\n", "test/lint: sets its own"),
    (check_permissions, "test", "pull_request:", "pull_request_target:", "test: gives permissions"),
    (check_permissions, "deploy", "  id-token: write\n", "", "deploy: its permissions are"),
    (check_permissions, "deploy", "vars.DEPLOY_ROLE_ARN", "secrets.ROLE", "deploy: uses a secret"),
    (check_permissions, "deploy", "role-to-assume:", "aws-access-key-id:", "deploy: uses a secret"),
    (check_permissions, "deploy", "role-to-assume:", "aws-profile:", "deploy/deploy: does not log in to AWS"),
    (check_deploy, "deploy", "[dev, staging, prod]", "[dev, prod]", "deploy: the environments must be"),
    (check_deploy, "deploy", "[dev, staging, prod]", "[dev, stage, prod]", "deploy: the environments must"),
    (check_deploy, "deploy", "workflows: [test]", "workflows: [tests]", "deploy: waits for a workflow"),
    (check_deploy, "deploy", "branches: [main]", "branches: [main, next]", "deploy: deploys a branch"),
    (check_deploy, "deploy", "    environment: ${{ inputs.environment || 'dev' }}\n", "", "deploy: '' is not the"),
    (check_deploy, "deploy", "environment: ${{ inputs.environment || 'dev' }}", "environment: dev", "deploy: 'dev' is"),
    (
        check_deploy,
        "deploy",
        "ENVIRONMENT: ${{ inputs.environment || 'dev' }}",
        "ENVIRONMENT: prod",
        "deploy: 'prod' is",
    ),
    (check_deploy, "deploy", "conclusion == 'success'", "conclusion != 'failure'", "deploy: does not check that"),
    (check_deploy, "deploy", "github.event.workflow_run.head_sha || ", "", "deploy: checks out a commit"),
    (check_deploy, "deploy", "  workflow_run:\n", "  push:\n", "deploy: has triggers other than"),
    (check_build, "test", "[arm64, x86_64]", "[arm64]", "test/build: builds ['arm64'] instead"),
]


@pytest.mark.parametrize(("check", "name", "line", "broken", "finding"), BROKEN)
def test_a_broken_copy_has_a_finding(
    check: Callable[[Texts], Findings], name: str, line: str, broken: str, finding: str
) -> None:
    copies = texts()
    assert line in copies[name]
    found = list(check({**copies, name: copies[name].replace(line, broken, 1)}))
    assert any(message.startswith(finding) for message in found), found
