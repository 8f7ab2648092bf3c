"""Terraform's files and the template keep checkov's rules, and each exception says why beside what it is of."""

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

JUDGE = ROOT / ".venv-checkov/bin/checkov"
TERRAFORM = ROOT / "infra/terraform"
TEMPLATE = ROOT / "template.yaml"
# Nothing may be fetched or told. A proxy that is not there fails whoever tries.
OFFLINE = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "PATH": "/usr/bin:/bin",
}
SKIP = re.compile(r"# ?checkov:skip=(\w+):?(.*)")


@cache
def judge(place: Path) -> dict[str, Any]:
    """The judge's answer about a folder of Terraform or a template."""
    assert JUDGE.is_file(), "no judge; run `infra/local/setup.sh --dev`"
    command = [str(JUDGE), "--skip-download", "--output", "json"]
    if place.is_dir():
        command += ["--framework", "terraform", "--directory", str(place)]
    else:
        command += ["--framework", "cloudformation", "--file", str(place)]
    answer = subprocess.run(command, env=OFFLINE, capture_output=True, text=True, timeout=100, check=False)
    read: dict[str, Any] = json.loads(answer.stdout)
    return read


def failed(answer: dict[str, Any]) -> list[str]:
    return [f"{one['check_id']} {one['resource']}: {one['check_name']}" for one in answer["results"]["failed_checks"]]


@pytest.mark.parametrize(("place", "least"), [(TERRAFORM, 250), (TEMPLATE, 45)])
def test_the_rules_are_kept(place: Path, least: int) -> None:
    answer = judge(place)
    assert failed(answer) == []
    assert answer["summary"]["parsing_errors"] == 0
    assert answer["summary"]["passed"] >= least


@pytest.mark.parametrize(("place", "files"), [(TERRAFORM, [*TERRAFORM.rglob("*.tf")]), (TEMPLATE, [TEMPLATE])])
def test_each_exception_says_why_and_is_needed(place: Path, files: list[Path]) -> None:
    skips = [skip for file in files for skip in SKIP.findall(file.read_text())]
    assert skips
    assert all(len(reason) > 20 for _, reason in skips)
    taken = judge(place)["results"]["skipped_checks"]
    assert {one["check_id"] for one in taken} == {rule for rule, _ in skips}
    if place == TEMPLATE:
        assert len(taken) == len(skips), "an exception in the template that its resource does not need"


@pytest.mark.parametrize(
    ("file", "right", "wrong", "rule"),
    [
        ("keys.tf", "enable_key_rotation     = true", "enable_key_rotation     = false", "CKV_AWS_7"),
        ("modules/database/main.tf", "storage_encrypted     = true", "storage_encrypted     = false", "CKV_AWS_16"),
        ("modules/network/flow_logs.tf", 'resource "aws_flow_log"', 'resource "aws_flow_logs"', "CKV2_AWS_11"),
    ],
)
def test_the_judge_finds_what_is_wrong(tmp_path: Path, file: str, right: str, wrong: str, rule: str) -> None:
    copy = tmp_path / "terraform"
    shutil.copytree(TERRAFORM, copy, ignore=shutil.ignore_patterns(".terraform*"))
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong, 1))
    assert any(one.startswith(f"{rule} ") for one in failed(judge(copy)))


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        # What the template keeps …
        ("      KmsKeyId: !Ref DataKeyArn\n", "", "CKV_AWS_158"),
        ("      RetentionInDays: !Ref LogRetentionDays\n", "", "CKV_AWS_66"),
        # … and what it would be told without its exceptions.
        ("    # checkov:skip=CKV_AWS_27:", "    # CKV_AWS_27:", "CKV_AWS_27"),
        ("    # checkov:skip=CKV_AWS_117:", "    # CKV_AWS_117:", "CKV_AWS_117"),
    ],
)
def test_the_judge_finds_what_is_wrong_in_a_template(tmp_path: Path, right: str, wrong: str, rule: str) -> None:
    text = TEMPLATE.read_text()
    assert right in text
    copy = tmp_path / "template.yaml"
    copy.write_text(text.replace(right, wrong, 1))
    assert any(one.startswith(f"{rule} ") for one in failed(judge(copy)))
