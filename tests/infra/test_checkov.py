"""Terraform's files and the template follow checkov's rules, and each exception gives its reason."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from support.stack import ROOT

CHECKOV = ROOT / ".venv-checkov/bin/checkov"
TERRAFORM = ROOT / "infra/terraform"
TEMPLATE = ROOT / "template.yaml"
# The proxy does not exist, so any attempt to download or upload something fails.
OFFLINE = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "PATH": "/usr/bin:/bin",
}
SKIP = re.compile(r"# ?checkov:skip=(\w+):?(.*)")


@cache
def scan(path: Path) -> dict[str, Any]:
    """Returns the report on a folder of Terraform files or on a template."""
    assert CHECKOV.is_file(), "checkov is not installed; run `infra/local/setup.sh --dev`"
    command = [str(CHECKOV), "--skip-download", "--output", "json"]
    if path.is_dir():
        command += ["--framework", "terraform", "--directory", str(path)]
    else:
        command += ["--framework", "cloudformation", "--file", str(path)]
    answer = subprocess.run(command, env=OFFLINE, capture_output=True, text=True, timeout=100, check=False)
    read: dict[str, Any] = json.loads(answer.stdout)
    return read


def failed(answer: dict[str, Any]) -> list[str]:
    return [f"{one['check_id']} {one['resource']}: {one['check_name']}" for one in answer["results"]["failed_checks"]]


@pytest.mark.parametrize(("path", "least"), [(TERRAFORM, 250), (TEMPLATE, 45)])
def test_all_rules_pass(path: Path, least: int) -> None:
    answer = scan(path)
    assert failed(answer) == []
    assert answer["summary"]["parsing_errors"] == 0
    assert answer["summary"]["passed"] >= least


@pytest.mark.parametrize(("path", "files"), [(TERRAFORM, [*TERRAFORM.rglob("*.tf")]), (TEMPLATE, [TEMPLATE])])
def test_each_exception_has_a_reason_and_is_needed(path: Path, files: list[Path]) -> None:
    skips = [skip for file in files for skip in SKIP.findall(file.read_text())]
    assert skips
    assert all(len(reason) > 20 for _, reason in skips)
    applied = scan(path)["results"]["skipped_checks"]
    assert {one["check_id"] for one in applied} == {rule for rule, _ in skips}
    if path == TEMPLATE:
        assert len(applied) == len(skips), "the template has an exception that its resource does not need"


@pytest.mark.parametrize(
    ("file", "right", "wrong", "rule"),
    [
        ("keys.tf", "enable_key_rotation     = true", "enable_key_rotation     = false", "CKV_AWS_7"),
        ("modules/database/main.tf", "storage_encrypted     = true", "storage_encrypted     = false", "CKV_AWS_16"),
        ("modules/network/flow_logs.tf", 'resource "aws_flow_log"', 'resource "aws_flow_logs"', "CKV2_AWS_11"),
    ],
)
def test_checkov_reports_errors_in_terraform(tmp_path: Path, file: str, right: str, wrong: str, rule: str) -> None:
    copy = tmp_path / "terraform"
    shutil.copytree(TERRAFORM, copy, ignore=shutil.ignore_patterns(".terraform*"))
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong, 1))
    assert any(one.startswith(f"{rule} ") for one in failed(scan(copy)))


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        # Rules that the template follows.
        ("      KmsKeyId: !Ref DataKeyArn\n", "", "CKV_AWS_158"),
        ("      RetentionInDays: !Ref LogRetentionDays\n", "", "CKV_AWS_66"),
        # Rules with an exception in the template.
        ("    # checkov:skip=CKV_AWS_27:", "    # CKV_AWS_27:", "CKV_AWS_27"),
        ("    # checkov:skip=CKV_AWS_117:", "    # CKV_AWS_117:", "CKV_AWS_117"),
    ],
)
def test_checkov_reports_errors_in_the_template(tmp_path: Path, right: str, wrong: str, rule: str) -> None:
    text = TEMPLATE.read_text()
    assert right in text
    copy = tmp_path / "template.yaml"
    copy.write_text(text.replace(right, wrong, 1))
    assert any(one.startswith(f"{rule} ") for one in failed(scan(copy)))
