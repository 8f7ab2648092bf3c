"""The dashboard shows metrics that exist, and the runbook explains every code that an operator may see.

Each check takes the texts and returns its findings, so the last tests can run it on broken copies.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.registries import dump, metric_schemas
from support.stack import CONTRACTS, ROOT, penstock
from support.template import Properties, mappings, resources_of_type, template

DASHBOARD = ROOT / "infra/terraform/modules/observability/dashboard.tf"
RUNBOOK = ROOT / "docs/runbook.md"
TEMPLATE = ROOT / "template.yaml"

# `SEARCH('${local.of_reading} MetricName="batches"', …)` in HCL's quoting.
SEARCHED = re.compile(r'\$\{local\.(of_\w+)\} MetricName=\\"(\w+)\\"')
# `of_source = "{Penstock,environment,source} environment="${local.environment}""`, likewise.
SCHEMA = re.compile(r'(of_\w+) += "\{(\w+(?:,\w+)*)\} environment=\\"\$\{local\.environment\}\\""')
# `functions  = flatten(regexall("FunctionName: …", local.template))`: the pattern in HCL's quoting.
DERIVED = re.compile(r'(functions|all_queues) += flatten\(regexall\("(.*)", local\.template\)\)')


def dashboard_findings(dashboard: str, template: str) -> list[str]:
    """Returns metrics that nothing emits, and functions and queues that the dashboard does not show."""
    known = metric_schemas()
    schemas = dict(SCHEMA.findall(dashboard))
    findings = []
    searched = SEARCHED.findall(dashboard)
    assert searched, "the dashboard searches no metric"
    for schema, name in searched:
        if schema not in schemas:
            findings.append(f"{schema} does not select one environment")
            continue
        namespace, *dimensions = schemas[schema].split(",")
        if namespace != "Penstock" or (name, frozenset(dimensions)) not in known:
            findings.append(f"nothing emits {name} with {schemas[schema]}")
    shown = {kind: re.findall(json.loads(f'"{pattern}"'), template) for kind, pattern in DERIVED.findall(dashboard)}
    defined = {"functions": names_of("AWS::Serverless::Function"), "all_queues": names_of("AWS::SQS::Queue")}
    for kind, names in defined.items():
        findings += [f"{kind}: {name} is not shown" for name in sorted(names - {*shown.get(kind, [])})]
    return findings


def names_of(kind: str) -> set[str]:
    """Returns the names of the template's resources of a type, without the prefix that all have."""
    field = {"AWS::Serverless::Function": "FunctionName", "AWS::SQS::Queue": "QueueName"}[kind]
    return {short_name(one[field]) for one in resources_of_type(template(), kind).values()}


def short_name(name: Properties) -> str:
    """Returns a name without the prefix that all resources have."""
    return str(name["Fn::Sub"]).removeprefix("penstock-${Environment}-")


def dead_codes(function: str) -> set[str]:
    """Returns the codes of the dead letters of a function."""
    return {one["code"] for one in dump("pipeline")["dead_codes"] if function in one["functions"]}


def codes_in(section: str) -> set[str]:
    """Returns the codes in the first column of a section's tables."""
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`([a-z_]+)`", row)}


def sections(runbook: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", runbook, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def runbook_findings(runbook: str) -> list[str]:
    """Returns codes that are only in the code or only in the runbook, and broken links."""
    found = sections(runbook)
    sides = {"Failed batch or job": (codes_in(found["Failed batch or job"]), set(dump("pipeline")["refusal_codes"]))}
    for function, _, queue in mappings(template()):
        section = f"Dead letters: {short_name(queue['QueueName']).replace('-', ' ')}"
        sides[section] = (codes_in(found.get(section, "")), dead_codes(function))
    findings = [
        f"{section}: {code} is only in the {'runbook' if code in explained else 'code'}"
        for section, (explained, used) in sides.items()
        for code in sorted(explained ^ used)
    ]
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found}
    findings += [f"no section #{link}" for link in re.findall(r"\]\(#([\w-]+)\)", runbook) if link not in anchors]
    return findings


def test_the_dashboard_shows_existing_metrics_functions_and_queues() -> None:
    assert dashboard_findings(DASHBOARD.read_text(), TEMPLATE.read_text()) == []


def test_the_runbook_explains_each_code() -> None:
    assert runbook_findings(RUNBOOK.read_text()) == []


@pytest.mark.parametrize(
    ("line", "broken"),
    [
        ('MetricName=\\"rows_read\\"', 'MetricName=\\"RowsRead\\"'),
        ('MetricName=\\"seconds_since_drop\\"', 'MetricName=\\"seconds_since_drops\\"'),
        ('of_source  = "{Penstock,environment,source}', 'of_source  = "{Penstock,environment,source,table}'),
        ('of_source  = "{Penstock,environment,source}', 'of_source  = "{Penstock,source}'),
        ('source} environment=\\"${local.environment}\\""', 'source}"'),
        ('source} environment=\\"${local.environment}\\""', 'source} environment=\\"dev\\""'),
        ("QueueName: !Sub penstock", "QueueNames: !Sub penstock"),
        ('"FunctionName: !Sub penstock', '"FunctionName: !Ref penstock'),
        ('-([a-z0-9-]+)", local.template))\n  all', '-([a-z]+)", local.template))\n  all'),
    ],
)
def test_an_error_in_the_dashboard_is_found(line: str, broken: str) -> None:
    assert line in DASHBOARD.read_text()
    dashboard = DASHBOARD.read_text().replace(line, broken)
    assert dashboard_findings(dashboard, TEMPLATE.read_text())


@pytest.mark.parametrize(
    ("line", "broken"),
    [
        ("| `table_mismatch` |", "| `table_mismatches` |"),
        ("| `secret_refused` |", "| a secret |"),
        ("| `no_contract` |", "| |"),
        ("## Dead letters: job events", "## Dead letters: jobs"),
        ("| `overwritten` |", "| |"),
        ("(#rejects)", "(#reject)"),
    ],
)
def test_a_missing_code_or_section_of_the_runbook_is_found(line: str, broken: str) -> None:
    assert line in RUNBOOK.read_text()
    assert runbook_findings(RUNBOOK.read_text().replace(line, broken))


def test_the_catalog_is_generated_from_the_contracts(tmp_path: Path) -> None:
    generated = penstock(tmp_path, "contract", "catalog", *sorted(CONTRACTS.glob("*.yaml")))
    assert generated.status == 0, generated.err
    assert generated.json == json.loads((ROOT / "infra/terraform/catalog.json").read_text())
    [table] = generated.json["tables"]
    columns = {column["name"]: column["type"] for column in table["columns"]}
    assert (columns["price"], columns["updated_at"], columns["_row"]) == ("decimal(12,2)", "timestamp", "bigint")
    assert table["sources"] == sorted(path.stem for path in CONTRACTS.glob("*.yaml"))
