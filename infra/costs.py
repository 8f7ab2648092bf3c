"""What an environment costs, from its sizes and list prices: `make costs` writes the tables of docs/deploy.md anew.

Sizes come from the tfvars of each environment and from template.yaml; every unit price stands in
PRICES, with where it is from. With --print the tables are printed instead; --terraform and --template name other files
than the repository's.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/deploy.md"
BEGIN, END = "<!-- costs: written by `make costs` -->\n", "<!-- costs: end -->\n"
ENVIRONMENTS = ("dev", "staging", "prod")
HOURS = 730  # a month

# Where a price is from. None was read from AWS's own pages: those cannot be reached from where this was written.
LIST = "Price List API, September 2026, as others quote it"
BILL = "a bill of this region, June 2026, that a cost tool shows as its example"
BOOK = "a reseller's book of list prices, March 2026"
KNOWN = "from memory, of 2025"
ABOUT = "from memory: us-east-1 and a fifth"

# US dollars in eu-central-1: price, per what, from where.
PRICES: dict[str, tuple[float, str, str]] = {
    "interface endpoint": (0.012, "hour and zone", LIST),
    "db.t4g.micro": (0.019, "hour", BILL),
    "db.t4g.medium": (0.074, "hour", "twice db.t4g.small on a bill of this region"),
    "db.r7g.large": (0.287, "hour", ABOUT),
    "database gp3": (0.137, "GiB and month", BILL),
    "KMS key": (1.00, "month", BILL),
    "secret": (0.40, "month", BILL),
    "alarm": (0.10, "metric and month", KNOWN),
    "dashboard": (3.00, "month", BOOK),
    "custom metric": (0.30, "month", KNOWN),
    "logs": (0.63, "GB written", BOOK),
    "SQS request": (0.40e-6, "request", KNOWN),
    "Lambda arm64": (13.3334e-6, "GB-second", KNOWN),
    "Lambda storage": (0.0367e-6, "GB-second over 512 MB", ABOUT),
    "Lambda request": (0.20e-6, "request", KNOWN),
    "S3 PUT": (5.4e-6, "request", KNOWN),
    "S3 LIST": (5.4e-6, "request, of 1,000 names at most", KNOWN),
    "S3 GET": (0.43e-6, "request", KNOWN),
    "S3 STANDARD": (0.0245, "GB and month", KNOWN),
    "S3 STANDARD_IA": (0.0135, "GB and month", KNOWN),
    "S3 GLACIER_IR": (0.005, "GB and month", KNOWN),
    "S3 transition": (0.02e-3, "object that changes its class (that of Glacier for both)", KNOWN),
    "EMR Serverless vCPU": (0.0505, "vCPU-hour, arm64", ABOUT),
    "EMR Serverless memory": (0.0056, "GB-hour, arm64", ABOUT),
}

# Per GB of CSV, from `make bench` of 21 November 2026 (README, Figures): 1.2 million product rows are 273 MB, and are
# in the database after 1.2 million / 95,000 seconds. Ingest and two writers are counted for all of that time.
ROWS_A_GB = 1_200_000 / 0.273
ROWS_A_SECOND = 95_000
WRITERS = 2
# What 100,000 rows of the same kind take of their size as CSV (22.8 MB): 1.9 MB as the Parquet of `penstock check`, and
# 4.3 MB as its CSV in `zstd -1`, which stands for the chunks. Rows that repeat less take more.
CHUNKS_SIZE, PARQUET_SIZE = 0.19, 0.09
UPLOAD_PART_MB = 8
# Manifest, contract, published mark, reports, receipt: written once a batch, some of them read again.
BATCH_OBJECTS = 8

# While nothing happens. Lambda asks each queue by five pollers, three times a minute each.
POLLS = 5 * 3 * 60 * HOURS
IDLE_LOGS_GB = 0.5  # assumed: the database's figures each minute, PostgreSQL's log, flow logs
# A source that delivers: metrics that the code names with it, and those of them that the template's alarms look at.
SOURCE_METRICS, SOURCE_ALARMED = 16, 6
# A run of the sentinel lists sources and contracts; of each source its versions in raw, a request a thousand, and its
# contracts, and reads the current one; of each drop of the last days it asks for the receipt under each version.
RUN_LISTS, SOURCE_LISTS, SOURCE_GETS = 2, 2, 1
RUN_SECONDS = 2  # assumed, with a few sources
LINE_GB = 2e-6  # two kB a line of the log, with its metrics

DAYS_A_MONTH = 30.4
# As modules/lake has it: after so many days, this class, where the object stays there for its least time.
CLASSES = ((0, 0, "S3 STANDARD"), (30, 30, "S3 STANDARD_IA"), (90, 90, "S3 GLACIER_IR"))
NONCURRENT_DAYS = 30  # a version that is over stays for as long, in a versioned bucket


@dataclass(frozen=True)
class Line:
    """A row of a table: what it is, how it was counted, dollars by environment."""

    what: str
    how: str
    dollars: list[float]


def price(name: str) -> float:
    """The unit price of what has one."""
    if name not in PRICES:
        sys.exit(f"costs: PRICES has no {name!r}; add it, with where the price is from")
    return PRICES[name][0]


def values_of(file: Path) -> dict[str, Any]:
    """A tfvars file, without the quotes that the parser leaves."""
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
    """A number among a resource's properties."""
    body = re.split(rf"^  {resource}:$", template, flags=re.MULTILINE)[1]
    found = re.search(rf"^ +{name}: (\d+)$", re.split(r"^  \w+:$", body, flags=re.MULTILINE)[0], re.MULTILINE)
    if found is None:
        sys.exit(f"costs: template.yaml has no {name} of {resource}")
    return int(found[1])


def runs_of_sentinel(template: str) -> float:
    """Its runs a month."""
    found = re.search(
        r"^  SentinelSchedule:\n    Type: String\n    Default: rate\((\d+) minutes\)$", template, re.MULTILINE
    )
    if found is None:
        sys.exit("costs: template.yaml has no SentinelSchedule in minutes")
    return HOURS * 60 / int(found[1])


def idle(sizes: list[dict[str, Any]], template: str) -> list[Line]:
    """What stands there costs a month, whether anything is delivered or not."""
    of_template = len(re.findall(r"Type: AWS::CloudWatch::Alarm$", template, re.MULTILINE))
    queues = len(re.findall(r"^          Type: SQS$", template, re.MULTILINE))
    runs = runs_of_sentinel(template)
    memory = number_in(template, "SentinelFunction", "MemorySize") / 1_024
    a_run = price("Lambda request") + RUN_SECONDS * memory * price("Lambda arm64") + RUN_LISTS * price("S3 LIST")
    for one in sizes:
        if one["database"]["engine"] != "postgres":
            sys.exit(f"costs: no prices of {one['database']['engine']}, whose storage and I/O are billed otherwise")

    def copies(one: dict[str, Any]) -> int:
        return 2 if one["database"]["multi_az"] else 1

    def line(what: str, how: str, dollars: Any) -> Line:
        return Line(what, how, [dollars(one) for one in sizes])

    def endpoints(one: dict[str, Any]) -> int:
        return len(one["network"]["interface_endpoints"]) * int(one["network"]["zone_count"])

    def said(tell: Any) -> str:
        return " · ".join(str(tell(one)) for one in sizes)

    return [
        line(
            "Database, instance",
            said(lambda one: f"{copies(one)} {one['database']['instance_class']}"),
            lambda one: copies(one) * HOURS * price(one["database"]["instance_class"]),
        ),
        line(
            "Database, storage",
            said(lambda one: f"{copies(one)} × {one['database']['allocated_storage_gib']} GiB"),
            lambda one: copies(one) * one["database"]["allocated_storage_gib"] * price("database gp3"),
        ),
        line(
            "Interface endpoints",
            said(lambda one: f"{len(one['network']['interface_endpoints'])} × {one['network']['zone_count']} zones"),
            lambda one: endpoints(one) * HOURS * price("interface endpoint"),
        ),
        line("KMS key", "1, for all data", lambda _: price("KMS key")),
        line("Secrets", "2: master user, key of pseudonyms", lambda _: 2 * price("secret")),
        line(
            "Alarms",
            f"{of_template} of the template",
            lambda _: of_template * price("alarm"),
        ),
        line("Dashboard", "1; an account's first three are free", lambda _: price("dashboard")),
        line("SQS", f"Lambda asks {queues} queues for messages", lambda _: queues * POLLS * price("SQS request")),
        line("Sentinel", f"{runs:.0f} runs of {RUN_SECONDS} s, assumed, and their lists", lambda _: runs * a_run),
        line("Logs", f"{IDLE_LOGS_GB} GB, assumed", lambda _: IDLE_LOGS_GB * price("logs")),
    ]


def per_gb(sizes: list[dict[str, Any]], template: str) -> list[Line]:
    """What one GB of CSV in one object costs, from the drop to the end of its retention."""
    seconds = ROWS_A_GB / ROWS_A_SECOND
    chunks = ROWS_A_GB / number_in(template, "ChunkRows", "Default")
    parts = 1_000 / UPLOAD_PART_MB
    memory = {name: number_in(template, f"{name}Function", "MemorySize") / 1_024 for name in ("Ingest", "Writer")}
    storage = number_in(template, "IngestFunction", "Size") / 1_024 - 0.5
    lambda_ = (
        seconds * (memory["Ingest"] + WRITERS * memory["Writer"]) * price("Lambda arm64")
        + seconds * storage * price("Lambda storage")
        + (1 + chunks) * price("Lambda request")
    )
    # A chunk is sent, taken and deleted, and read once; so is the drop's event.
    messages = 3 * (chunks + 1) * price("SQS request")
    # The sender's parts and the chunks; Parquet parts are as many at most.
    puts = (parts + 2 * chunks + BATCH_OBJECTS) * price("S3 PUT")
    requests = puts + (parts + chunks + BATCH_OBJECTS) * price("S3 GET")
    logs = (chunks + BATCH_OBJECTS) * LINE_GB * price("logs")

    def same(dollars: float) -> list[float]:
        return [dollars] * len(sizes)

    raw = [int(one["lake"]["min_raw_retention_days"]) for one in sizes]
    processed = [int(one["lake"]["processed_retention_days"]) for one in sizes]

    def days(values: list[int]) -> str:
        return " · ".join(str(value) for value in values) + " days"

    return [
        Line("Lambda", f"{seconds:.0f} s of ingest and of {WRITERS} writers, {chunks:.0f} chunks", same(lambda_)),
        Line("S3 requests", "parts, chunks, Parquet, manifest, receipt", same(requests)),
        Line("SQS", "three requests a chunk", same(messages)),
        Line("Logs", "a line or two a chunk", same(logs)),
        Line("S3, the drop itself", days(raw), [kept(1.0, one, 1) for one in raw]),
        Line("S3, chunks", days(processed), [kept(CHUNKS_SIZE, one, chunks) for one in processed]),
        Line("S3, Parquet", days(processed), [kept(PARQUET_SIZE, one, chunks) for one in processed]),
    ]


def kept(size: float, days: int, objects: float) -> float:
    """Dollars for so many GB in so many objects, until the last version is gone."""
    steps = [(start, name) for start, least, name in CLASSES if days >= start + least]
    ends = [start for start, _ in steps[1:]] + [days + min(NONCURRENT_DAYS, days)]
    stored = sum((end - start) / DAYS_A_MONTH * price(name) for (start, name), end in zip(steps, ends))
    return size * stored + objects * (len(steps) - 1) * price("S3 transition")


def table(lines: list[Line], digits: int) -> str:
    """Markdown, with the sum below."""
    rows = [f"| USD | {' | '.join(ENVIRONMENTS)} | counted |", "|---|" + "---:|" * len(ENVIRONMENTS) + "---|"]
    sums = [sum(line.dollars[place] for line in lines) for place in range(len(ENVIRONMENTS))]
    for line in lines:
        rows.append(f"| {line.what} | {' | '.join(f'{one:.{digits}f}' for one in line.dollars)} | {line.how} |")
    rows.append(f"| **all** | {' | '.join(f'**{one:.{digits}f}**' for one in sums)} | |")
    return "\n".join(rows) + "\n"


def prices_table() -> str:
    rows = ["| price | USD | per | from |", "|---|---:|---|---|"]
    for name, (dollars, unit, source) in PRICES.items():
        amount = f"{dollars:.10f}".rstrip("0") if dollars < 0.01 else f"{dollars:.4f}".rstrip("0").rstrip(".")
        rows.append(f"| {name} | {amount} | {unit} | {source} |")
    return "\n".join(rows) + "\n"


def page(terraform: Path, template: str) -> str:
    """All that stands between the marks."""
    sizes = [values_of(terraform / f"environments/{name}/terraform.tfvars") for name in ENVIRONMENTS]
    for one in sizes:
        if one["region"] != "eu-central-1":
            sys.exit(f"costs: the prices are those of eu-central-1, and {one['environment']} is in {one['region']}")
    source = SOURCE_METRICS * price("custom metric") + SOURCE_ALARMED * price("alarm")
    runs, days = runs_of_sentinel(template), number_in(template, "LookbackSeconds", "Default") / 86_400
    looked = runs * (SOURCE_LISTS * price("S3 LIST") + SOURCE_GETS * price("S3 GET") + LINE_GB * price("logs"))
    more = runs * price("S3 LIST")
    asked = runs * days / DAYS_A_MONTH * price("S3 GET") * 1e6
    worker = 4 * price("EMR Serverless vCPU") + 16 * price("EMR Serverless memory")
    small = BATCH_OBJECTS * price("S3 PUT") * 1e6
    return f"""**Idle, a month:**

{table(idle(sizes, template), 2)}
There is no NAT gateway. The gateway endpoint of S3, Performance Insights for seven days, backups up to the size of the
database's disk, budget, Glue catalogue, SSM parameters and an idle Spark application cost nothing. Each source that
delivers in a month adds {source:.2f}: {SOURCE_METRICS} metrics, {SOURCE_ALARMED} of them under the template's alarms.
Its part of the sentinel's runs is {looked:.2f}, and {more:.2f} for each thousand versions more that `raw` keeps of it.

**A GB of CSV** (one object, {ROWS_A_GB / 1e6:.1f} million rows), from the drop to the end of its retention:

{table(per_gb(sizes, template), 4)}
The seconds are those of `make bench` on two cores (README, Figures): ingest and both writers are counted for as long as
the whole took. Lambda gives a writer of 512 MB a third of a core; it mostly waits for the database, but for how long
was not measured there. Chunks were {CHUNKS_SIZE} and Parquet {PARQUET_SIZE} of the CSV, on 100,000 rows of that kind.
Many small files cost more: each is {BATCH_OBJECTS} objects written or more, {small:.0f} USD for a million files. For
{days:.0f} days each run of the sentinel asks for a drop's receipt, {asked:.0f} USD for a million files:
a longer `SentinelSchedule` or a shorter `LookbackSeconds` makes it less. A drop
that goes to Spark costs {worker:.2f} an hour and worker of 4 vCPU and 16 GB; how many hours it takes is not known, as
the job is not part of this version. Rows in the database are within its disk, above.

**Prices:**

{prices_table()}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--print", action="store_true", help="print the tables, change nothing")
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
