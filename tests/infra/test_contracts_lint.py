"""Every contract in the repository is valid by the official ODCS schema, as datacontract-cli checks it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.stack import ROOT

LINTER = ROOT / ".venv-judge/bin/datacontract"
# Folders with files of other projects.
FOREIGN = {".git", ".tools", ".venv", ".venv-checkov", ".venv-judge", "target", "node_modules"}
IS_CONTRACT = re.compile(r"^kind: DataContract$", re.MULTILINE)
# The schemas are in the package. The proxy does not exist, so any attempt to download something fails.
OFFLINE = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "COLUMNS": "300", "PATH": ""}

LEVELS = ROOT / "shared/contract/tests/golden/levels.txt"
# Reads pairs of a version and a contract and prints whether each is valid. It runs in the environment of the linter.
VALIDATE = """
import json, sys
from pathlib import Path
import datacontract
import jsonschema

schemas = {}
def is_valid(version, contract):
    if version not in schemas:
        path = Path(datacontract.__file__).parent / "schemas" / f"odcs-{version}.schema.json"
        schemas[version] = jsonschema.Draft201909Validator(json.loads(path.read_text()))
    return schemas[version].is_valid(contract)
print(json.dumps([is_valid(version, contract) for version, contract in json.load(sys.stdin)]))
"""

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="datacontract-cli needs Python 3.10 or newer")


def contracts() -> list[Path]:
    """Returns every contract file in the repository."""
    files = [*ROOT.rglob("*.yaml"), *ROOT.rglob("*.yml")]
    own = [file for file in files if not FOREIGN & set(file.relative_to(ROOT).parts)]
    return sorted(file for file in own if IS_CONTRACT.search(file.read_text(errors="replace")))


def lint(file: Path) -> subprocess.CompletedProcess[str]:
    """Runs datacontract-cli on a file."""
    assert LINTER.is_file(), "datacontract-cli is not installed; run `infra/local/setup.sh --dev`"
    command = [str(LINTER), "lint", "--all-errors", str(file)]
    return subprocess.run(command, env=OFFLINE, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("file", contracts(), ids=lambda file: str(file.relative_to(ROOT)))
def test_each_contract_is_valid_by_the_official_schema(file: Path) -> None:
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


def test_a_contract_merged_with_its_overlay_is_valid_by_the_official_schema() -> None:
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
def test_the_linter_reports_errors(tmp_path: Path, right: str, wrong: str) -> None:
    text = (ROOT / "infra/contracts/orient.yaml").read_text()
    assert right in text
    file = tmp_path / "orient.yaml"
    file.write_text(text.replace(right, wrong, 1))
    answer = lint(file)
    assert answer.returncode == 1
    assert "ODCS v3.1.0" in answer.stdout


def cases() -> list[tuple[str, str, str, Any]]:
    """Returns the lines of the table of levels, each with its level, the version of the standard and the contract."""
    found = []
    for line in LEVELS.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        level, part, value = line.split(maxsplit=2)
        version, _, part = part.rpartition(":")
        parts = {"root": "", "object": "", "property": "{name: p, logicalType: string}", part: value}
        assert len(parts) == 3, line
        version = version or "v3.1.0"
        head = "kind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft"
        schema = f"schema:\n  - name: a\n    {parts['object']}\n    properties: [{parts['property']}]"
        text = f"apiVersion: {version}\n{head}\n{parts['root']}\n{schema}\n"
        found.append((line, level, version, yaml.safe_load(text)))
    return found


def test_penstock_rejects_the_same_contracts_as_the_official_schema() -> None:
    table = cases()
    assert len(table) > 150
    # The schema of v3.1 also covers v2.2, which it lists.
    schemas = {"v3.1.0": "3.1.0", "v3.0.2": "3.0.2", "v2.2.2": "3.1.0"}
    pairs = [(schemas[version], contract) for _, _, version, contract in table]
    python = LINTER.with_name("python")
    command = [str(python), "-c", VALIDATE]
    answer = subprocess.run(command, input=json.dumps(pairs), capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    verdicts = json.loads(answer.stdout)
    wrong = [line for (line, level, _, _), valid in zip(table, verdicts, strict=True) if (level == "invalid") == valid]
    assert not wrong


def test_all_contract_files_are_found() -> None:
    names = {str(file.relative_to(ROOT)) for file in contracts()}
    examples = {f"infra/contracts/{file.name}" for file in (ROOT / "infra/contracts").glob("*.yaml")}
    assert len(examples) >= 7
    golden = "shared/contract/tests/golden"
    foreign = {f"{golden}/foreign/{name}.yaml" for name in ("partner", "warehouse")}
    assert examples | foreign | {f"{golden}/everything.yaml"} <= names
