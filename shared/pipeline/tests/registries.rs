//! The registries of metrics and log events are well-formed, and the dumps under `tests/golden` are current.
//!
//! `PENSTOCK_GOLDEN=write cargo test -p penstock-pipeline --test registries` writes the dumps.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use penstock_pipeline::metrics::{
    BatchDecision, BySource, BySourceAndState, ENVIRONMENT, MetricDimensions, MetricUnit, NAMESPACE,
    ROWS_READ, definitions,
};
use penstock_pipeline::{
    DeadCode, Drop, Event, JobEvent, JobState, MAX_INLINE_BYTES, Outcome, RefusalCode, events, layout,
    log_events,
};
use serde_json::{Value, json};
use uuid::Uuid;

fn assert_dumped(name: &str, dump: &Value) {
    let text = serde_json::to_string_pretty(dump).unwrap() + "\n";
    assert_stored(&format!("tests/golden/{name}"), &text);
}

/// Compares with the stored file, or stores it.
fn assert_stored(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    if std::env::var("PENSTOCK_GOLDEN").as_deref() == Ok("write") {
        fs::write(&path, text).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(stored, text, "{} is out of date: run with PENSTOCK_GOLDEN=write", path.display());
}

#[test]
fn the_dump_of_the_metrics_is_current() {
    let states = BatchDecision::ALL.map(BatchDecision::as_str);
    let dump = json!({ "namespace": NAMESPACE, "metrics": definitions(), "states": states });
    assert_dumped("metrics.json", &dump);
}

#[test]
fn the_dump_of_the_log_events_is_current() {
    assert_dumped("log-events.json", &json!(log_events::ALL));
}

/// The keys with names in place of the values, as the roles of the functions grant them.
#[test]
fn the_dump_of_the_layout_is_current() {
    let [batch, object, drop, writer] = [1, 2, 3, 4].map(Uuid::from_u128);
    let sha256 = "0".repeat(64);
    let keys = json!({
        "contracts": layout::contracts("<source>"),
        "current_contract": layout::current_contract("<source>"),
        "contract_version": layout::contract_version("<source>", "<version>"),
        "chunk": layout::chunk(&batch, 0, 0, &sha256),
        "report": layout::report(&batch, 0),
        "batch_contract": layout::batch_contract(&batch),
        "manifest": layout::manifest(&batch),
        "published": layout::published(&batch),
        "parquet": layout::parquet("<entity>", "<source>", &batch, 0, 0, &sha256),
        "receipt": layout::receipt("<source>", &batch),
        "chunks": layout::chunks(&batch),
        "parquet_files": layout::parquet_files("<entity>", "<source>", &batch),
        "reject_files": layout::reject_files("<source>", &batch),
        "drop_claims": layout::drop_claims("<source>", &drop),
        "drop_claim": layout::drop_claim("<source>", &drop, 0),
        "object_claim": layout::object_claim("<source>", &object, 0),
            "database_rejects": layout::database_rejects("<source>", &batch, 0, &sha256),
            "requeued": layout::requeued(),
        "sweep": layout::sweep(),
        "writer_state": layout::writer_state(&writer),
        "rejects": layout::rejects("<source>", &batch, 0, 0, &sha256),
    });
    let mut keys = keys.to_string();
    for (id, name) in [(batch, "<batch>"), (object, "<object>"), (drop, "<drop>"), (writer, "<writer>")] {
        keys = keys.replace(&id.to_string(), name);
    }
    assert_dumped("layout.json", &serde_json::from_str(&keys).unwrap());
}

/// The limits and the events that the template has to suit.
#[test]
fn the_dump_of_the_pipeline_is_current() {
    let Outcome::Retry(longest) = Outcome::retry_after(u32::MAX) else { panic!("a retry") };
    let created = events::created(&Drop {
        bucket: "raw".into(),
        key: "abt/1.csv".into(),
        version_id: None,
        etag: "e".into(),
        size_bytes: 1,
        sequencer: None,
        dropped_at: "2026-01-01T00:00:00Z".parse().unwrap(),
    });
    assert!(matches!(events::parse(&created).unwrap()[..], [Event::Dropped(_)]));
    let created: Value = serde_json::from_str(&created).unwrap();
    let (job_source, job_type) = ("aws.emr-serverless", "EMR Serverless Job Run State Change");
    let states = ["SUCCESS", "FAILED", "CANCELLED"];
    for state in states {
        let detail = json!({ "applicationId": "a", "jobRunId": "j", "state": state });
        let body = json!({ "source": job_source, "detail-type": job_type, "detail": detail }).to_string();
        let event = JobEvent::parse(&body).unwrap().unwrap();
        assert!(!matches!(event.state, JobState::Underway(_)), "{state}");
    }
    let dump = json!({
        "dead_codes": DeadCode::ALL
            .iter()
            .map(|code| json!({ "code": code.as_str(), "functions": code.functions() }))
            .collect::<Vec<_>>(),
        "refusal_codes": RefusalCode::ALL.map(|code| code.as_str().to_owned()),
        "max_inline_bytes": MAX_INLINE_BYTES,
        "max_retry_seconds": longest.as_secs(),
        "drop_events": [created["source"], created["detail-type"]],
        "job_events": [job_source, job_type, states[0], states[1], states[2]],
    });
    assert_dumped("pipeline.json", &dump);
}

/// `docs/metrics.md` is generated.
#[test]
fn the_page_of_metrics_and_log_events_is_current() {
    let mut page = String::from(
        "# Metrics and log events\n\n\
         The registries are `shared/pipeline/src/metrics.rs` and `shared/pipeline/src/log_events.rs`. This page is generated \
         from them by\n`PENSTOCK_GOLDEN=write cargo test -p penstock-pipeline --test registries`.\n\n\
         ## Metrics\n\n",
    );
    write!(page, "All metrics are in the CloudWatch namespace `{NAMESPACE}`.").unwrap();
    page.push_str("\n\n| metric | unit | dimensions | emitted by | meaning |\n|---|---|---|---|---|\n");
    for metric in definitions() {
        let (dimensions, functions) = (metric.dimensions.join(", "), metric.functions.join(", "));
        let (name, unit, meaning) = (metric.name, metric.unit.as_str(), metric.meaning);
        writeln!(page, "| `{name}` | {unit} | {dimensions} | {functions} | {meaning} |").unwrap();
    }
    let states = BatchDecision::ALL.map(|state| format!("`{}`", state.as_str())).join(", ");
    write!(page, "\nThe values of `state` are {states}.\n\n## Log events\n\n").unwrap();
    page.push_str("The runbook refers to these values of the field `message`.\n\n");
    page.push_str("| message | logged by | meaning |\n|---|---|---|\n");
    for event in log_events::ALL {
        writeln!(page, "| `{event}` | {} | {} |", event.functions.join(", "), event.meaning).unwrap();
    }
    assert_stored("docs/metrics.md", &page);
}

#[test]
fn metric_names_are_unique_and_in_snake_case_and_durations_name_their_unit() {
    let names: BTreeSet<&str> = definitions().iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), definitions().len());
    for metric in definitions() {
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        assert!(metric.name.split('_').all(is_word), "{}", metric.name);
        assert_eq!(metric.name.contains("seconds"), metric.unit == MetricUnit::Seconds, "{}", metric.name);
        assert!(metric.meaning.ends_with('.'), "{}", metric.name);
    }
}

#[test]
fn log_messages_are_unique() {
    let messages: BTreeSet<&str> = log_events::ALL.iter().map(|event| event.message).collect();
    assert_eq!(messages.len(), log_events::ALL.len());
}

#[test]
fn a_value_has_the_name_the_unit_and_the_dimensions_of_its_definition() {
    let value = ROWS_READ.count(1_081);
    assert_eq!((value.name(), value.unit(), value.value()), ("rows_read", MetricUnit::Count, 1_081.0));
    let definition = definitions().into_iter().find(|metric| metric.name == "rows_read").unwrap();
    assert_eq!(definition.unit, value.unit());
    assert_eq!(definition.dimensions, [ENVIRONMENT, "source", "state"]);
    let dimensions = BySourceAndState { source: "abt", state: BatchDecision::Refused };
    assert_eq!(dimensions.values(), ["abt", "refused"]);
    assert_eq!(BySource { source: "abt" }.values().len(), BySource::NAMES.len());
}
