"""Executes a plan on a site: its actions, its faults, and the quiet after each phase."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from faults.chaos import Chaos
from faults.model import (
    UNLUCKY,
    VERSIONS,
    Action,
    ByHand,
    ContractVersion,
    Deploy,
    Drop,
    Dropped,
    Facts,
    HandKind,
    Pause,
    Plan,
    Poison,
    Publish,
    RunSentinel,
    Source,
)
from faults.site import Site
from faults.texts import contract_text, file_bytes

QUIET_TIMEOUT_S = 60.0
BY_HAND = {
    HandKind.DROP_TABLE: "DROP TABLE public.{table}",
    HandKind.ADD_COLUMN: "ALTER TABLE public.{table} ADD COLUMN IF NOT EXISTS by_hand text",
    HandKind.DROP_COLUMN: "ALTER TABLE public.{table} DROP COLUMN amount",
    HandKind.ADD_CHECK: "ALTER TABLE public.{table} ADD CONSTRAINT by_hand CHECK (amount <> {unlucky})",
    HandKind.ADD_TRIGGER: (
        "CREATE OR REPLACE FUNCTION public.faults_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF NEW.amount = {unlucky} THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$; "
        "CREATE TRIGGER by_hand BEFORE INSERT OR UPDATE ON public.{table} "
        "FOR EACH ROW EXECUTE FUNCTION public.faults_refuse()"
    ),
}


class NotQuiet(Exception):
    """Messages or invocations remain after the faults have ended."""


@dataclass
class Journal:
    """What was done, for the oracle and for the description of a failure."""

    facts: Facts
    by_hand: list[tuple[int, ByHand]] = field(default_factory=list)
    # Dead letters that the plan causes, as pairs of queue and code.
    poison: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    started_at: float = field(default_factory=time.monotonic)

    def note(self, text: str) -> None:
        self.lines.append(f"{time.monotonic() - self.started_at:6.2f} s  {text}")


class Driver:
    def __init__(self, site: Site, plan: Plan) -> None:
        self.site, self.plan = site, plan
        self.journal = Journal(Facts(site.stack.bucket("raw")))
        self.events: dict[str, dict[str, Any]] = {}
        # Bodies of events to deliver at the end of the phase, and in every later phase.
        self.late: list[str] = []
        self.again: list[str] = []

    def run(self) -> Journal:
        self.site.deploy_current(self.plan.chunk_rows)
        for source in self.plan.sources:
            self.publish(source, VERSIONS[0])
        for number in range(len(self.plan.phases)):
            self.phase(number)
        self.site.sweep()
        return self.journal

    def phase(self, number: int) -> None:
        phase = self.plan.phases[number]
        self.journal.note(f"phase {number}: {', '.join(map(str, phase.faults)) or 'no faults'}")
        for change in phase.by_hand:
            self.change_by_hand(number, change)
        chaos = Chaos(self.site, phase.faults)
        chaos.start()
        repeated = list(self.again)
        for index, action in enumerate(phase.actions):
            self.act(number, index, action)
            if repeated:
                self.send("drops", repeated.pop())
        for body in repeated + self.late:
            self.send("drops", body)
        self.late.clear()
        chaos.end()
        self.site.deploy_current(self.plan.chunk_rows)
        self.wait_until_quiet()

    # ── actions ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def act(self, phase: int, index: int, action: Action) -> None:
        if isinstance(action, Drop):
            self.drop(phase, index, action)
        elif isinstance(action, Publish):
            self.publish(self.plan.source(action.source), action.contract)
        elif isinstance(action, Deploy):
            self.journal.note(str(action))
            self.site.deploy(action, self.plan.chunk_rows)
        elif isinstance(action, Poison):
            self.journal.note(str(action))
            self.journal.poison.append((action.queue, action.code))
            self.send(action.queue, action.body)
        elif isinstance(action, RunSentinel):
            self.journal.note("run the sentinel")
            self.run_sentinel()
        else:
            assert isinstance(action, Pause)
            time.sleep(action.seconds)

    def drop(self, phase: int, index: int, drop: Drop) -> None:
        if drop.same_second:
            self.wait_for_same_second()
        body = file_bytes(drop.file)
        bucket = self.journal.facts.bucket
        version: str = self.site.s3.put_object(Bucket=bucket, Key=drop.key, Body=body)["VersionId"]
        event = self.event(version)
        described = event["detail"]["object"]
        etag = described.get("etag") or described["eTag"]
        dropped = Dropped(phase, index, drop, version, etag, event["time"], described["sequencer"])
        self.journal.facts.dropped.append(dropped)
        rows = len(drop.file.rows)
        self.journal.note(f"drop {drop.key} {version[:8]} {event['time']}, {rows} rows, {drop.delivery}")
        text = json.dumps(event)
        for _ in range(drop.delivery.now):
            self.send("drops", text)
        if drop.delivery.late:
            self.late.append(text)
        if drop.delivery.again:
            self.again.append(text)

    def wait_for_same_second(self) -> None:
        """Nothing to wait for if the previous drop was written in this second, which is verified by nobody: the oracle
        uses the times that S3 assigned. Drops at the end of a second would rarely share it."""
        fraction = time.time() % 1
        if fraction > 0.9:
            time.sleep(1 - fraction)

    def event(self, version: str) -> dict[str, Any]:
        """Returns the event of an object's version."""
        deadline = time.monotonic() + 20
        while version not in self.events:
            assert time.monotonic() < deadline, f"S3 sent no event for version {version}"
            for event in self.site.tapped():
                self.events[event["detail"]["object"]["version-id"]] = event
        return self.events.pop(version)

    def send(self, queue: str, body: str) -> None:
        self.site.sqs.send_message(QueueUrl=self.site.stack.queue(queue), MessageBody=body)

    def publish(self, source: Source, contract: ContractVersion) -> None:
        self.journal.note(f"publish {source.name} {contract.version}")
        path = self.site.folder / f"{source.name}.yaml"
        path.write_text(contract_text(source, contract))
        self.site.stack.publish(path)

    def run_sentinel(self) -> None:
        try:
            self.site.stack.control("schedules/sentinel/run")
        except AssertionError as error:
            # A fault may fail a run, which is repeated by the schedule.
            self.journal.note(f"the sentinel failed: {error}")

    def change_by_hand(self, number: int, change: ByHand) -> None:
        exists = self.site.stack.query("SELECT to_regclass(%s) IS NOT NULL", f"public.{change.table}")
        self.journal.note(f"{change.kind.value} of {change.table}{'' if exists[0][0] else ': does not exist'}")
        if exists == [(True,)]:
            with self.site.stack.connect() as connection:
                statement = BY_HAND[change.kind].format(table=change.table, unlucky=UNLUCKY)
                connection.execute(statement.encode())
            self.journal.by_hand.append((number, change))

    # ── quiet ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def wait_until_quiet(self) -> None:
        """Waits until nothing is queued or running, and a run of the sentinel finds nothing more to do."""
        deadline = time.monotonic() + QUIET_TIMEOUT_S
        self.wait_for_empty_queues(deadline)
        while True:
            # The sentinel ignores drops that are younger than a second.
            self.wait_for_age()
            self.site.stack.control("schedules/sentinel/run")
            if not self.messages():
                break
            self.journal.note("the sentinel queued drops again")
            self.wait_for_empty_queues(deadline)
        self.journal.note("quiet")

    def wait_for_age(self) -> None:
        newest = max((one.dropped_at for one in self.journal.facts.dropped), default="")
        missed_after_s = 1
        while newest and time.time() < timestamp(newest) + missed_after_s + 0.01:
            time.sleep(0.05)

    def messages(self) -> dict[str, int]:
        return {queue: depth for queue, depth in self.site.depths().items() if depth and "dead-letter" not in queue}

    def wait_for_empty_queues(self, deadline: float) -> None:
        quiet_checks = 0
        while quiet_checks < 2:
            if self.messages() or self.is_busy():
                quiet_checks = 0
                if time.monotonic() > deadline:
                    raise NotQuiet(f"after {QUIET_TIMEOUT_S:.0f} s: {self.messages()}, busy: {self.is_busy()}")
            else:
                quiet_checks += 1
            time.sleep(0.1)

    def is_busy(self) -> bool:
        status = self.site.stack.control("status", method="GET")
        functions = status["functions"].values()
        return any(one["busy_ms"] is not None for function in functions for one in function["environments"])


def timestamp(text: str) -> float:
    """Returns the seconds since 1970 of `2026-01-31T12:00:00Z`."""
    import calendar

    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
