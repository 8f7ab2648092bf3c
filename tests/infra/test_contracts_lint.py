"""Every contract in the repo is one for others, too: datacontract-cli lints it against the official schema of ODCS."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.stack import ROOT

JUDGE = ROOT / ".venv-judge/bin/datacontract"
# Folders that are not the repo's own text.
FOREIGN = {".git", ".tools", ".venv", ".venv-checkov", ".venv-judge", "target", "node_modules"}
IS_CONTRACT = re.compile(r"^kind: DataContract$", re.MULTILINE)
# Nothing may be fetched: the schemas are in the package. A proxy that is not there fails whoever tries.
OFFLINE = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "COLUMNS": "300", "PATH": ""}

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="datacontract-cli needs Python 3.10 or newer")


def contracts() -> list[Path]:
    """Every contract file of the repo."""
    files = [*ROOT.rglob("*.yaml"), *ROOT.rglob("*.yml")]
    own = [file for file in files if not FOREIGN & set(file.relative_to(ROOT).parts)]
    return sorted(file for file in own if IS_CONTRACT.search(file.read_text(errors="replace")))


def lint(file: Path) -> subprocess.CompletedProcess[str]:
    """The judge's answer."""
    assert JUDGE.is_file(), "no judge; run `infra/local/setup.sh --dev`"
    command = [str(JUDGE), "lint", "--all-errors", str(file)]
    return subprocess.run(command, env=OFFLINE, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("file", contracts(), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_contract_of_the_repo_is_valid_by_the_official_schema(file: Path) -> None:
    answer = lint(file)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "valid against ODCS v3." in answer.stdout


def test_the_examples_of_the_page_are_valid_by_the_official_schema(tmp_path: Path) -> None:
    page = (ROOT / "docs/contract.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    examples = [block for block in blocks if IS_CONTRACT.search(block)]
    assert examples
    for index, example in enumerate(examples):
        file = tmp_path / f"{index}.yaml"
        file.write_text(example)
        answer = lint(file)
        assert answer.returncode == 0, answer.stdout


def test_a_contract_with_its_overlay_merged_into_it_is_valid_by_the_official_schema() -> None:
    merged = ROOT / "shared/contract/tests/golden/foreign/partner.merged.yaml"
    answer = lint(merged)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "valid against ODCS v3.1.0" in answer.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("mustBe: 0", "mustbe: 0"),
        ("logicalType: boolean", "logicalType: bool"),
        ("primaryKey: true", "primaryKey: 1"),
        ("status: active\n", ""),
    ],
)
def test_the_judge_finds_what_is_wrong(tmp_path: Path, right: str, wrong: str) -> None:
    text = (ROOT / "infra/contracts/orient.yaml").read_text()
    assert right in text
    file = tmp_path / "orient.yaml"
    file.write_text(text.replace(right, wrong, 1))
    answer = lint(file)
    assert answer.returncode == 1
    assert "ODCS v3.1.0" in answer.stdout


def test_all_kinds_of_contracts_are_found() -> None:
    names = {str(file.relative_to(ROOT)) for file in contracts()}
    examples = {f"infra/contracts/{file.name}" for file in (ROOT / "infra/contracts").glob("*.yaml")}
    assert len(examples) >= 7
    golden = "shared/contract/tests/golden"
    foreign = {f"{golden}/foreign/{name}.yaml" for name in ("partner", "warehouse")}
    assert examples | foreign | {f"{golden}/everything.yaml"} <= names
