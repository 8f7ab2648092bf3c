"""docs/deploy.md has the costs of the deployed sizes."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.registries import metric_schemas
from support.stack import ROOT
from support.template import alarms, template

COSTS = ROOT / "infra/costs.py"
PAGE = ROOT / "docs/deploy.md"
BEGIN, END = "<!-- costs: written by `make costs` -->\n", "<!-- costs: end -->\n"


def costs_of(page: str) -> str:
    """Returns the text between the markers."""
    assert page.count(BEGIN) == page.count(END) == 1
    return page.split(BEGIN)[1].split(END)[0]


def computed(*arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, str(COSTS), "--print", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def amounts(text: str, what: str) -> list[float]:
    """Returns the US dollars of a row, by environment."""
    found = re.search(rf"^\| \**{what}\** \|(.*)\|", text, re.MULTILINE)
    assert found, what
    return [float(cell.strip(" *")) for cell in found[1].split("|")[:3]]


def changed(tmp_path: Path, file: str, right: str, wrong: str) -> list[str]:
    """Copies the inputs, changes one line, and returns the arguments that select the copy."""
    shutil.copytree(ROOT / "infra/terraform/environments", tmp_path / "environments")
    shutil.copy(ROOT / "template.yaml", tmp_path)
    text = (tmp_path / file).read_text()
    assert right in text
    (tmp_path / file).write_text(text.replace(right, wrong, 1))
    return ["--terraform", str(tmp_path), "--template", str(tmp_path / "template.yaml")]


def test_the_page_has_the_costs_of_the_deployed_sizes() -> None:
    assert costs_of(PAGE.read_text()) == computed()


def test_the_last_row_is_the_sum_of_the_others() -> None:
    text = computed()
    idle = text.split("**Per GB of CSV**")[0]
    rows = re.findall(r"^\| (?!\*|USD)([\w, ]+?) \|", idle, re.MULTILINE)
    assert len(rows) == 11
    for place, total in enumerate(amounts(idle, r"all")):
        assert total == pytest.approx(sum(amounts(idle, row)[place] for row in rows), abs=0.05)


@pytest.mark.parametrize(
    ("file", "right", "wrong", "row", "dollars"),
    [
        # One more endpoint in two zones: 2 × 730 h × 0.012.
        (
            "environments/dev/terraform.tfvars",
            '["sqs"]',
            '["sqs", "rds"]',
            "Interface endpoints",
            [35.04, 35.04, 52.56],
        ),
        ("environments/prod/terraform.tfvars", "= 3", "= 2", "Interface endpoints", [17.52, 35.04, 35.04]),
        ("environments/dev/terraform.tfvars", "= 20\n", "= 40\n", "Database, storage", [5.48, 13.70, 54.80]),
        ("environments/staging/terraform.tfvars", "= true", "= false", "Database, storage", [2.74, 6.85, 54.80]),
        ("environments/prod/terraform.tfvars", "r7g.large", "t4g.micro", "Database, instance", [13.87, 108.04, 27.74]),
        # Three quarters of the runs: 2,190 × (0.2e-6 + 2 s × 0.25 GB × 13.3334e-6 + 2 × 5.4e-6).
        ("template.yaml", "rate(15 minutes)", "rate(20 minutes)", "Sentinel", [0.04, 0.04, 0.04]),
        ("template.yaml", "rate(15 minutes)", "rate(10 minutes)", "Sentinel", [0.08, 0.08, 0.08]),
        # A year and a month: 30 days of STANDARD, 60 of STANDARD_IA, the rest of GLACIER_IR.
        ("environments/dev/terraform.tfvars", "= 30", "= 365", "S3, the drop itself", [0.1010, 0.0484, 0.1010]),
    ],
)
def test_a_changed_size_changes_the_costs(
    tmp_path: Path, file: str, right: str, wrong: str, row: str, dollars: list[float]
) -> None:
    text = computed(*changed(tmp_path, file, right, wrong))
    assert amounts(text, row) == dollars
    assert text != costs_of(PAGE.read_text())


def test_each_alarm_of_the_template_is_counted(tmp_path: Path) -> None:
    count = len(alarms(template()))
    assert amounts(computed(), "Alarms") == pytest.approx([count * 0.10] * 3)
    one_less = changed(tmp_path, "template.yaml", "    Type: AWS::CloudWatch::Alarm\n", "    Type: X\n")
    assert amounts(computed(*one_less), "Alarms") == pytest.approx([(count - 1) * 0.10] * 3)


def test_the_metrics_of_a_source_and_the_alarms_on_them_are_counted(tmp_path: Path) -> None:
    query = 'FROM SCHEMA("Penstock", "environment", "source"'
    alarmed = (ROOT / "template.yaml").read_text().count(query)
    metrics = sum("source" in dimensions for _, dimensions in metric_schemas())
    assert f"for {metrics} metrics, of which alarms evaluate {alarmed}." in computed()
    one_less = changed(tmp_path, "template.yaml", query, 'FROM SCHEMA("Other"')
    assert f"alarms evaluate {alarmed - 1}." in computed(*one_less)


@pytest.mark.parametrize(
    ("file", "right", "wrong", "message"),
    [
        ("environments/dev/terraform.tfvars", "db.t4g.micro", "db.x9.mega", "no 'db.x9.mega'; add it"),
        ("environments/dev/terraform.tfvars", '"postgres"', '"aurora-postgresql"', "no prices for aurora-postgresql"),
        ("environments/prod/terraform.tfvars", '"eu-central-1"', '"us-east-1"', "prod is in us-east-1"),
        ("template.yaml", "rate(15 minutes)", "cron(0 * * * ? *)", "no SentinelSchedule in minutes"),
    ],
)
def test_a_missing_price_is_an_error(tmp_path: Path, file: str, right: str, wrong: str, message: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(message)):
        computed(*changed(tmp_path, file, right, wrong))


def constant(name: str) -> str:
    """Returns the value of a constant of the script."""
    found = re.search(rf"^{name} = ([^#\n]+)", COSTS.read_text(), re.MULTILINE)
    assert found, name
    return found[1].strip()


def test_the_script_has_the_storage_classes_of_terraform() -> None:
    rules = (ROOT / "infra/terraform/modules/lake/lifecycle.tf").read_text()
    days = {name: int(value) for name, value in re.findall(r"^  (\w+_days) += (\d+)$", rules, re.MULTILINE)}
    least = [int(value) for value in re.findall(r"minimum_days = (\d+)", rules)]
    classes = [(0, 0, "S3 STANDARD")]
    for start, minimum, name in zip(
        (days["infrequent_days"], days["glacier_days"]), least, ("STANDARD_IA", "GLACIER_IR")
    ):
        classes.append((start, minimum, f"S3 {name}"))
    assert ast.literal_eval(constant("CLASSES")) == tuple(classes)
    assert int(constant("NONCURRENT_DAYS")) == days["noncurrent_days"]


def test_the_script_has_the_pages_of_the_search_for_orphans() -> None:
    code = (ROOT / "functions/sentinel/src/orphans.rs").read_text()
    (pages,) = re.findall(r"^const MAX_PAGES: usize = (\d+);$", code, re.MULTILINE)
    assert constant("SWEEP_PAGES, PAGE_OBJECTS") == f"{pages}, 1_000"


def test_each_price_has_a_source() -> None:
    prices = computed().split("**Prices:**")[1]
    rows = [row.strip("| ").split(" | ") for row in prices.strip().splitlines()[2:]]
    assert len(rows) > 20
    for name, dollars, _, source in rows:
        assert float(dollars) > 0, name
        assert len(source) > 10, name
