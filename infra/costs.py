"""Computes what an environment costs from its sizes and list prices: `make costs` updates the tables in docs/deploy.md.

Sizes are read from the tfvars of each environment and from template.yaml, metrics from the dump of their registry.
PRICES has every unit price with its source. --print prints the tables instead. --terraform and --template read other
files than those of the repository.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/deploy.md"
METRICS = ROOT / "tests/golden/metrics.json"  # the dump of the registry
BEGIN, END = "<!-- costs: written by `make costs` -->\n", "<!-- costs: end -->\n"
ENVIRONMENTS = ("dev", "staging", "prod")
HOURS = 730  # a month

# Sources of prices. AWS's own pages could not be reached when this was written.
LIST = "Price List API, September 2026, quoted by third parties"
BILL = "a bill of this region, June 2026, published as the example of a cost tool"
BOOK = "price list of a reseller, March 2026"
REMEMBERED = "from memory, as of 2025"
ESTIMATED = "from memory: price of us-east-1 plus 20 %"

# US dollars in eu-central-1: price, unit, source.
PRICES: dict[str, tuple[float, str, str]] = {
    "interface endpoint": (0.012, "hour and zone", LIST),
    "db.t4g.micro": (0.019, "hour", BILL),
    "db.t4g.medium": (0.074, "hour", "twice db.t4g.small on a bill of this region"),
    "db.r7g.large": (0.287, "hour", ESTIMATED),
    "database gp3": (0.137, "GiB and month", BILL),
    "KMS key": (1.00, "month", BILL),
    "secret": (0.40, "month", BILL),
    "alarm": (0.10, "metric and month", REMEMBERED),
    "dashboard": (3.00, "month", BOOK),
    "custom metric": (0.30, "month", REMEMBERED),
    "logs": (0.63, "GB written", BOOK),
    "SQS request": (0.40e-6, "request", REMEMBERED),
    "Lambda arm64": (13.3334e-6, "GB-second", REMEMBERED),
    "Lambda storage": (0.0367e-6, "GB-second over 512 MB", ESTIMATED),
    "Lambda request": (0.20e-6, "request", REMEMBERED),
    "S3 PUT": (5.4e-6, "request", REMEMBERED),
    "S3 LIST": (5.4e-6, "request of at most 1,000 names", REMEMBERED),
    "S3 GET": (0.43e-6, "request", REMEMBERED),
    "S3 STANDARD": (0.0245, "GB and month", REMEMBERED),
    "S3 STANDARD_IA": (0.0135, "GB and month", REMEMBERED),
    "S3 GLACIER_IR": (0.005, "GB and month", REMEMBERED),
    "S3 transition": (0.02e-3, "object that changes its storage class (the Glacier price for both)", REMEMBERED),
    "EMR Serverless vCPU": (0.0505, "vCPU-hour, arm64", ESTIMATED),
    "EMR Serverless memory": (0.0056, "GB-hour, arm64", ESTIMATED),
}

# Per GB of CSV, from `make bench` of 21 November 2026: 1.2 million product rows are 273 MB and are loaded after 1.2
# million / 95,000 seconds. Ingest and two writers are counted for that whole time.
ROWS_PER_GB = 1_200_000 / 0.273
ROWS_PER_SECOND = 95_000
WRITERS = 2
# Size relative to CSV, measured on 100,000 rows of the same kind (22.8 MB): 1.9 MB as the Parquet of `penstock check`,
# and 4.3 MB as its CSV in `zstd -1`, an approximation of the chunks. Less repetitive rows are larger.
CHUNKS_SIZE, PARQUET_SIZE = 0.19, 0.09
UPLOAD_PART_MB = 8
# Manifest, contract, published mark, reports and receipt are written once per batch. Some of them are read again.
BATCH_OBJECTS = 8

# Idle: Lambda polls each queue with five pollers, each three times a minute.
POLLS = 5 * 3 * 60 * HOURS
IDLE_LOGS_GB = 0.5  # assumed: the database's metrics each minute, PostgreSQL's log, flow logs
# A run of the sentinel lists the sources and the contracts. For each source, it lists the versions in raw (one request
# per thousand) and the contracts, and reads the current contract. For each recent drop, it requests the claim, that of
# a replay, and the receipt. The queue's depth and its own state are not counted.
RUN_LISTS, SOURCE_LISTS, SOURCE_GETS, DROP_GETS = 2, 2, 1, 3
# The search for orphans lists at most this many pages per run, and reads the manifest of each batch: MAX_PAGES.
SWEEP_PAGES, PAGE_OBJECTS = 10, 1_000
RUN_SECONDS = 2  # assumed, with a few sources
LINE_GB = 2e-6  # 2 kB per log line, including metrics

# The number of values of the dimensions that are not sources: kinds of objects, queues.
DIMENSION_VALUES = {"kind": 3, "queue": 1}

DAYS_A_MONTH = 30.4
# The rules of modules/lake: age in days, minimum days in the class, storage class. An object moves to a class only if
# it stays there for the minimum.
CLASSES = ((0, 0, "S3 STANDARD"), (30, 30, "S3 STANDARD_IA"), (90, 90, "S3 GLACIER_IR"))
NONCURRENT_DAYS = 30  # retention of noncurrent versions


@dataclass(frozen=True)
class Line:
    """A row of a table: the item, how it was counted, and US dollars by environment."""

    what: str
    how: str
    dollars: list[float]


def price(name: str) -> float:
    """Returns a unit price."""
    if name not in PRICES:
        sys.exit(f"costs: PRICES has no {name!r}; add it with the source of the price")
    return PRICES[name][0]


def values_of(file: Path) -> dict[str, Any]:
    """Returns the values of a tfvars file, without the quotes that the parser retains."""
    read: dict[str, Any] = hcl2.loads(file.read_text())
    found = unquoted(read)
    assert isinstance(found, dict)
    return found


def unquoted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: unquoted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [unquoted(inner) for inner in value]
    return value.strip('"') if isinstance(value, str) else value


def number_in(template: str, resource: str, name: str) -> int:
    """Returns a numeric property of a resource or parameter of the template."""
    body = re.split(rf"^  {resource}:$", template, flags=re.MULTILINE)[1]
    found = re.search(rf"^ +{name}: (\d+)$", re.split(r"^  \w+:$", body, flags=re.MULTILINE)[0], re.MULTILINE)
    if found is None:
        sys.exit(f"costs: template.yaml has no {name} of {resource}")
    return int(found[1])


def runs_of_sentinel(template: str) -> float:
    """Returns the number of runs per month."""
    found = re.search(
        r"^  SentinelSchedule:\n    Type: String\n    Default: rate\((\d+) minutes\)$", template, re.MULTILINE
    )
    if found is None:
        sys.exit("costs: template.yaml has no SentinelSchedule in minutes")
    return HOURS * 60 / int(found[1])


def registered() -> list[list[str]]:
    """Returns the dimensions of each metric, without the environment."""
    return [metric["dimensions"][1:] for metric in json.loads(METRICS.read_text())["metrics"]]


def without_source() -> int:
    """Returns the number of CloudWatch metrics that do not depend on the sources."""
    return sum(DIMENSION_VALUES[one] for one, *_ in registered() if one != "source")


def idle(sizes: list[dict[str, Any]], template: str) -> list[Line]:
    """Returns the monthly costs of the environment when nothing is delivered."""
    alarms = len(re.findall(r"Type: AWS::CloudWatch::Alarm$", template, re.MULTILINE))
    queues = len(re.findall(r"^          Type: SQS$", template, re.MULTILINE))
    runs = runs_of_sentinel(template)
    memory = number_in(template, "SentinelFunction", "MemorySize") / 1_024
    a_run = price("Lambda request") + RUN_SECONDS * memory * price("Lambda arm64") + RUN_LISTS * price("S3 LIST")
    for size in sizes:
        if size["database"]["engine"] != "postgres":
            sys.exit(
                f"costs: no prices for {size['database']['engine']}, which has different charges for storage and I/O"
            )

    def copies(size: dict[str, Any]) -> int:
        return 2 if size["database"]["multi_az"] else 1

    def line(what: str, how: str, dollars: Any) -> Line:
        return Line(what, how, [dollars(size) for size in sizes])

    def endpoints(size: dict[str, Any]) -> int:
        return len(size["network"]["interface_endpoints"]) * int(size["network"]["zone_count"])

    def by_environment(describe: Any) -> str:
        return " · ".join(str(describe(size)) for size in sizes)

    return [
        line(
            "Database, instance",
            by_environment(lambda size: f"{copies(size)} {size['database']['instance_class']}"),
            lambda size: copies(size) * HOURS * price(size["database"]["instance_class"]),
        ),
        line(
            "Database, storage",
            by_environment(lambda size: f"{copies(size)} × {size['database']['allocated_storage_gib']} GiB"),
            lambda size: copies(size) * size["database"]["allocated_storage_gib"] * price("database gp3"),
        ),
        line(
            "Interface endpoints",
            by_environment(
                lambda size: f"{len(size['network']['interface_endpoints'])} × {size['network']['zone_count']} zones"
            ),
            lambda size: endpoints(size) * HOURS * price("interface endpoint"),
        ),
        line("KMS key", "1, for all data", lambda _: price("KMS key")),
        line("Secrets", "2: master user, pseudonym key", lambda _: 2 * price("secret")),
        line(
            "Alarms",
            f"{alarms} in the template",
            lambda _: alarms * price("alarm"),
        ),
        line("Metrics", f"{without_source()} that no source adds", lambda _: without_source() * price("custom metric")),
        line("Dashboard", "1; the first three of an account are free", lambda _: price("dashboard")),
        line("SQS", f"Lambda polls {queues} queues", lambda _: queues * POLLS * price("SQS request")),
        line(
            "Sentinel", f"{runs:.0f} runs of {RUN_SECONDS} s (assumed) and their list requests", lambda _: runs * a_run
        ),
        line("Logs", f"{IDLE_LOGS_GB} GB, assumed", lambda _: IDLE_LOGS_GB * price("logs")),
    ]


def per_gb(sizes: list[dict[str, Any]], template: str) -> list[Line]:
    """Returns the costs of one GB of CSV in one object, from the drop to the end of its retention."""
    seconds = ROWS_PER_GB / ROWS_PER_SECOND
    chunks = ROWS_PER_GB / number_in(template, "ChunkRows", "Default")
    parts = 1_000 / UPLOAD_PART_MB
    memory = {name: number_in(template, f"{name}Function", "MemorySize") / 1_024 for name in ("Ingest", "Writer")}
    storage = number_in(template, "IngestFunction", "Size") / 1_024 - 0.5
    lambda_ = (
        seconds * (memory["Ingest"] + WRITERS * memory["Writer"]) * price("Lambda arm64")
        + seconds * storage * price("Lambda storage")
        + (1 + chunks) * price("Lambda request")
    )
    # Each chunk, and the event of the drop, is sent, received and deleted once.
    messages = 3 * (chunks + 1) * price("SQS request")
    # The uploaded parts and the chunks. There are at most as many Parquet parts as chunks.
    puts = (parts + 2 * chunks + BATCH_OBJECTS) * price("S3 PUT")
    requests = puts + (parts + chunks + BATCH_OBJECTS) * price("S3 GET")
    logs = (chunks + BATCH_OBJECTS) * LINE_GB * price("logs")

    def same(dollars: float) -> list[float]:
        return [dollars] * len(sizes)

    raw = [int(size["lake"]["min_raw_retention_days"]) for size in sizes]
    processed = [int(size["lake"]["processed_retention_days"]) for size in sizes]

    def days(values: list[int]) -> str:
        return " · ".join(str(value) for value in values) + " days"

    return [
        Line("Lambda", f"{seconds:.0f} s of ingest and {WRITERS} writers, {chunks:.0f} chunks", same(lambda_)),
        Line("S3 requests", "parts, chunks, Parquet, manifest, receipt", same(requests)),
        Line("SQS", "three requests per chunk", same(messages)),
        Line("Logs", "one or two lines per chunk", same(logs)),
        Line("S3, the drop itself", days(raw), [storage_price(1.0, retention, 1) for retention in raw]),
        Line("S3, chunks", days(processed), [storage_price(CHUNKS_SIZE, retention, chunks) for retention in processed]),
        Line(
            "S3, Parquet", days(processed), [storage_price(PARQUET_SIZE, retention, chunks) for retention in processed]
        ),
    ]


def storage_price(size: float, days: int, objects: float) -> float:
    """Returns the price of storing `size` GB in `objects` objects until the last version is deleted."""
    steps = [(start, name) for start, least, name in CLASSES if days >= start + least]
    ends = [start for start, _ in steps[1:]] + [days + min(NONCURRENT_DAYS, days)]
    stored = sum((end - start) / DAYS_A_MONTH * price(name) for (start, name), end in zip(steps, ends))
    return size * stored + objects * (len(steps) - 1) * price("S3 transition")


def table(lines: list[Line], digits: int) -> str:
    """Returns a Markdown table with the sum in its last row."""
    rows = [f"| USD | {' | '.join(ENVIRONMENTS)} | counted |", "|---|" + "---:|" * len(ENVIRONMENTS) + "---|"]
    sums = [sum(line.dollars[place] for line in lines) for place in range(len(ENVIRONMENTS))]
    for line in lines:
        rows.append(f"| {line.what} | {' | '.join(f'{amount:.{digits}f}' for amount in line.dollars)} | {line.how} |")
    rows.append(f"| **all** | {' | '.join(f'**{amount:.{digits}f}**' for amount in sums)} | |")
    return "\n".join(rows) + "\n"


def prices_table() -> str:
    rows = ["| price | USD | per | source |", "|---|---:|---|---|"]
    for name, (dollars, unit, source) in PRICES.items():
        amount = f"{dollars:.10f}".rstrip("0") if dollars < 0.01 else f"{dollars:.4f}".rstrip("0").rstrip(".")
        rows.append(f"| {name} | {amount} | {unit} | {source} |")
    return "\n".join(rows) + "\n"


def page(terraform: Path, template: str) -> str:
    """Returns the text between the markers of docs/deploy.md."""
    sizes = [values_of(terraform / f"environments/{name}/terraform.tfvars") for name in ENVIRONMENTS]
    for size in sizes:
        if size["region"] != "eu-central-1":
            sys.exit(f"costs: the prices are for eu-central-1, but {size['environment']} is in {size['region']}")
    metrics = sum("source" in dimensions for dimensions in registered())
    alarmed = len(re.findall(r'FROM SCHEMA\("Penstock", "environment", "source"', template))
    source = metrics * price("custom metric") + alarmed * price("alarm")
    runs, days = runs_of_sentinel(template), number_in(template, "LookbackSeconds", "Default") / 86_400
    looked = runs * (SOURCE_LISTS * price("S3 LIST") + SOURCE_GETS * price("S3 GET") + LINE_GB * price("logs"))
    more = runs * price("S3 LIST")
    asked = runs * days / DAYS_A_MONTH * DROP_GETS * price("S3 GET") * 1e6
    swept = runs * SWEEP_PAGES * (price("S3 LIST") + PAGE_OBJECTS * price("S3 GET"))
    worker = 4 * price("EMR Serverless vCPU") + 16 * price("EMR Serverless memory")
    small = BATCH_OBJECTS * price("S3 PUT") * 1e6
    return f"""**Idle, per month:**

{table(idle(sizes, template), 2)}
There is no NAT gateway. The gateway endpoint of S3, Performance Insights for seven days, backups up to the size of the
database's disk, the budget, the Glue catalogue, SSM parameters and an idle Spark application are free. Each source that
delivers in a month adds {source:.2f} for {metrics} metrics, of which alarms evaluate {alarmed}.
Its share of the sentinel's runs is {looked:.2f}, plus {more:.2f} for each further thousand of its versions in `raw`.

**Per GB of CSV** (one object, {ROWS_PER_GB / 1e6:.1f} million rows), from the drop to the end of its retention:

{table(per_gb(sizes, template), 4)}
The seconds were measured by `make bench` on two cores (README, Figures). Ingest and both writers are counted for the
whole time. Lambda assigns a third of a core to a writer with 512 MB. The writer mostly waits for the database; for how
long on Lambda was not measured. Chunks were {CHUNKS_SIZE} and Parquet {PARQUET_SIZE} times the size of the CSV,
measured on 100,000 such rows.
Many small files cost more: each writes at least {BATCH_OBJECTS} objects, {small:.0f} USD for a million files. For
{days:.0f} days, each run of the sentinel requests the claim and the receipt of each drop, {asked:.0f} USD for a million
files. A longer `SentinelSchedule` or a shorter `LookbackSeconds` reduces this. Its search for orphans costs at most
{swept:.0f} USD, when the buckets have too many objects for it to end. A drop
that is processed by Spark costs {worker:.2f} per hour and worker (4 vCPU, 16 GB). The number of hours is unknown
because this version does not include the job. The rows in the database are part of its storage, above.

**Prices:**

{prices_table()}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--print", action="store_true", help="print the tables instead of updating docs/deploy.md")
    parser.add_argument("--terraform", type=Path, default=ROOT / "infra/terraform")
    parser.add_argument("--template", type=Path, default=ROOT / "template.yaml")
    options = parser.parse_args()
    written = page(options.terraform, options.template.read_text())
    if options.print:
        print(written, end="")
        return
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(before + BEGIN + written + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
