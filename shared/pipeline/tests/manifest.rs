//! `Manifest::commit`, and the receipt of a manifest.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use penstock_contract::{Compression, MaxRejects, TableName};
use penstock_engine::{Code, Dialect, FileFormat, ReasonCount, Totals};
use penstock_pipeline::metrics::BatchDecision;
use penstock_pipeline::{
    Batch, Chunk, ChunkBody, Drop, DropSplit, Manifest, ManifestError, ManifestState, Receipt, ReceiptState,
    Refusal, RefusalCode, Report, RowCounts, SplitRange, Terms,
};
use proptest::prelude::*;

const NO_LIMIT: MaxRejects = MaxRejects { rows: None, percent: None };

fn batch() -> Batch {
    let drop = Drop {
        bucket: "raw".to_owned(),
        key: "abt/abt.csv".to_owned(),
        version_id: Some("v1".to_owned()),
        etag: "e1".to_owned(),
        size_bytes: 1000,
        sequencer: None,
        dropped_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    };
    Batch::new(drop, Some("1.0.0"))
}

fn table() -> TableName {
    TableName { schema: "public".to_owned(), table: "products".to_owned() }
}

fn report(index: u32, count: u32, chunk_rows: &[u32], rejected: u64) -> Report {
    let accepted = chunk_rows.iter().copied().map(u64::from).sum();
    let chunk = |(index, rows): (usize, &u32)| Chunk {
        index: u32::try_from(index).unwrap(),
        rows: *rows,
        deduplicated: None,
        row_base: 0,
        sha256: format!("{index}"),
        text_bytes: u64::from(*rows) * 10,
        body: ChunkBody::Object { bucket: "processed".to_owned(), key: format!("{index}") },
    };
    let reason = ReasonCount { code: Code::NotANumber, column: Some("price".to_owned()), rows: rejected };
    Report {
        split: DropSplit { index, count, range: SplitRange::Whole },
        engine_version: "0.1.0".to_owned(),
        totals: Totals {
            rows_read: accepted + rejected,
            accepted,
            rejected,
            blank: 0,
            repeated_headers: 0,
            bytes_read: 100,
            bytes_decompressed: 300,
            lines: accepted + rejected + 1,
            by_reason: if rejected > 0 { vec![reason] } else { Vec::new() },
            quality_counts: Vec::new(),
        },
        dialect: Dialect {
            format: Some(FileFormat::Delimited),
            compression: Compression::Plain,
            encoding: "UTF-8".to_owned(),
            delimiter: Some(",".to_owned()),
            quote: Some('"'),
            header: Some(true),
            escape: None,
            skip_initial_space: None,
            header_rows: None,
            skip_lines: None,
            sep_line: false,
            assumed: vec!["encoding".to_owned()],
            suggestions: Vec::new(),
        },
        quality: Vec::new(),
        chunks: chunk_rows.iter().enumerate().map(chunk).collect(),
        parquet: vec![format!("part-{index}")],
        rejects: if rejected > 0 { vec![format!("s3://quarantine/rejects-{index}")] } else { Vec::new() },
        seconds: BTreeMap::from([("read".to_owned(), 0.5)]),
    }
}

fn commit(reports: Vec<Report>, max_rejects: MaxRejects) -> Result<Manifest, ManifestError> {
    Manifest::commit(
        batch(),
        Terms { table: table(), max_rejects, replaces: false, not_executed: Vec::new() },
        reports,
    )
}

#[test]
fn chunks_are_numbered_through_the_batch_in_any_order_of_the_reports() {
    let reports = vec![report(1, 2, &[5], 1), report(0, 2, &[50, 7], 3)];
    let manifest = commit(reports, NO_LIMIT).unwrap();
    let chunks: Vec<_> =
        manifest.chunks.iter().map(|chunk| (chunk.index, chunk.rows, chunk.row_base)).collect();
    assert_eq!(chunks, [(0, 50, 0), (1, 7, 0), (2, 5, 60)]);
    assert_eq!(manifest.state, ManifestState::Committed { table: table() });
    assert_eq!((manifest.totals.rows_read, manifest.totals.accepted, manifest.totals.rejected), (66, 62, 4));
    assert_eq!(manifest.totals.by_reason[0].rows, 4);
    assert_eq!(manifest.parquet, ["part-0", "part-1"]);
    assert_eq!(manifest.rejects, ["s3://quarantine/rejects-0", "s3://quarantine/rejects-1"]);
    assert_eq!(manifest.seconds["read"], 1.0);
}

#[test]
fn every_split_must_have_exactly_one_report() {
    assert_eq!(commit(vec![], NO_LIMIT), Err(ManifestError::MissingSplit { index: 0, count: 1 }));
    assert_eq!(
        commit(vec![report(0, 3, &[1], 0), report(2, 3, &[1], 0)], NO_LIMIT),
        Err(ManifestError::MissingSplit { index: 1, count: 3 })
    );
    assert_eq!(
        commit(vec![report(0, 2, &[1], 0)], NO_LIMIT),
        Err(ManifestError::MissingSplit { index: 1, count: 2 })
    );
    assert!(matches!(
        commit(vec![report(0, 2, &[1], 0), report(0, 2, &[1], 0)], NO_LIMIT),
        Err(ManifestError::Inconsistent { position: 1, index: 0, count: 2 })
    ));
    assert!(matches!(
        commit(vec![report(0, 2, &[1], 0), report(1, 3, &[1], 0)], NO_LIMIT),
        Err(ManifestError::Inconsistent { .. })
    ));
}

#[test]
fn a_report_without_one_of_its_chunks_is_an_error() {
    let mut short = report(0, 1, &[5, 6], 0);
    short.chunks.pop();
    assert_eq!(
        commit(vec![short], NO_LIMIT),
        Err(ManifestError::Unbalanced { index: 0, accepted: 11, in_chunks: 5 })
    );
}

#[test]
fn a_batch_whose_rows_cannot_be_numbered_is_an_error() {
    let mut reports = vec![report(0, 2, &[5], 1), report(1, 2, &[5], 1)];
    reports[1].chunks[0].row_base = u64::MAX;
    assert_eq!(commit(reports, NO_LIMIT), Err(ManifestError::TooLarge { index: 1 }));
    let mut reports = vec![report(0, 2, &[5], 1), report(1, 2, &[5], 1)];
    reports[1].chunks[0].index = u32::MAX;
    assert_eq!(commit(reports, NO_LIMIT), Err(ManifestError::TooLarge { index: 1 }));
}

#[test]
fn a_refused_batch_does_not_need_chunks() {
    let mut counted_only = report(0, 1, &[5, 6], 3);
    counted_only.chunks.clear();
    let manifest = commit(vec![counted_only], MaxRejects { rows: Some(2), percent: None }).unwrap();
    assert!(matches!(manifest.state, ManifestState::Refused(_)));
    assert_eq!(manifest.totals.rows_read, 14);
}

#[test]
fn too_many_rejects_refuse_the_whole_batch() {
    let rows = |rows| MaxRejects { rows: Some(rows), percent: None };
    let percent = |percent| MaxRejects { rows: None, percent: Some(percent) };
    for (max, accepted, rejected, refused) in [
        (NO_LIMIT, 0, 100, false),
        (rows(0), 100, 0, false),
        (rows(0), 99, 1, true),
        (rows(5), 95, 5, false),
        (rows(5), 94, 6, true),
        (percent(5.0), 95, 5, false),
        (percent(5.0), 94, 6, true),
        (percent(0.0), 99, 1, true),
        (percent(100.0), 0, 100, false),
        (MaxRejects { rows: Some(10), percent: Some(1.0) }, 95, 5, true),
    ] {
        let chunks: &[u32] = if accepted == 0 { &[] } else { &[accepted] };
        let manifest = commit(vec![report(0, 1, chunks, rejected)], max).unwrap();
        let is_refused = matches!(&manifest.state, ManifestState::Refused(refusal) if refusal.code == RefusalCode::TooManyRejects);
        assert_eq!(is_refused, refused, "{max:?} {rejected}");
        if refused {
            assert!(manifest.chunks.is_empty(), "a refused batch has no chunks to publish");
            assert_eq!(manifest.totals.rejected, rejected, "its counts are reported");
        }
    }
}

#[test]
fn a_receipt_has_the_state_and_counts_of_its_manifest() {
    let now = "2026-01-02T03:04:06Z".parse().unwrap();
    let loading = Receipt::of_manifest(&commit(vec![report(0, 1, &[5], 1)], NO_LIMIT).unwrap(), now);
    assert_eq!(loading.state, ReceiptState::Read);
    assert_eq!(loading.rows, RowCounts { read: 6, accepted: 5, rejected: 1, ..RowCounts::default() });

    let nothing_accepted = Receipt::of_manifest(&commit(vec![report(0, 1, &[], 4)], NO_LIMIT).unwrap(), now);
    assert_eq!(nothing_accepted.state, ReceiptState::Loaded);
    assert!(nothing_accepted.rows.balance());

    let refusal = Refusal::new(RefusalCode::NoContract, "publish one");
    let refused = Receipt::of_manifest(&Manifest::refused(batch(), "0.1.0", refusal.clone()), now);
    assert_eq!((refused.state, refused.refusal), (ReceiptState::Refused, Some(refusal)));
}

#[test]
fn the_decision_on_a_batch_distinguishes_expected_refusals() {
    let committed = commit(vec![report(0, 1, &[5], 1)], NO_LIMIT).unwrap();
    assert_eq!(committed.decision(), BatchDecision::Committed);
    for (code, decision) in
        [(RefusalCode::Kept, BatchDecision::Kept), (RefusalCode::NoContract, BatchDecision::Refused)]
    {
        let refused = Manifest::refused(batch(), "0.1.0", Refusal::new(code, "message"));
        assert_eq!(refused.decision(), decision);
    }
}

#[test]
fn a_receipt_returns_its_batch() {
    let now = "2026-01-02T03:04:06Z".parse().unwrap();
    assert_eq!(Receipt::submitted(batch(), now).batch(), batch());
}

proptest! {
    #[test]
    fn the_rows_of_a_batch_are_those_of_its_splits(
        splits in prop::collection::vec((prop::collection::vec(1u32..1000, 0..5), 0u64..100), 1..6),
    ) {
        let count = u32::try_from(splits.len()).unwrap();
        let mut reports: Vec<_> = splits
            .iter()
            .zip(0..)
            .map(|((chunks, rejected), index)| report(index, count, chunks, *rejected))
            .collect();
        reports.reverse();
        let manifest = commit(reports, NO_LIMIT).unwrap();
        let indexes: Vec<u32> = manifest.chunks.iter().map(|chunk| chunk.index).collect();
        prop_assert_eq!(indexes, (0..u32::try_from(manifest.chunks.len()).unwrap()).collect::<Vec<_>>());
        let rows: u64 = manifest.chunks.iter().map(|chunk| u64::from(chunk.rows)).sum();
        prop_assert_eq!(rows, manifest.totals.accepted);
        prop_assert_eq!(manifest.totals.accepted + manifest.totals.rejected, manifest.totals.rows_read);
    }
}

#[test]
fn blank_rows_are_accounted_for_and_do_not_lower_the_percentage_of_rejects() {
    let mut with_blank = report(0, 1, &[8], 2);
    with_blank.totals.rows_read = 110;
    with_blank.totals.blank = 100;
    with_blank.totals.repeated_headers = 3;
    let manifest = commit(vec![with_blank.clone()], NO_LIMIT).unwrap();
    let receipt = Receipt::of_manifest(&manifest, "2026-01-02T03:04:05Z".parse().unwrap());
    let counts = RowCounts {
        read: 110,
        accepted: 8,
        rejected: 2,
        blank: 100,
        repeated_headers: 3,
        ..RowCounts::default()
    };
    assert_eq!(receipt.rows, counts);
    // 2 of the 10 rows that have values.
    let max = |percent: f64| MaxRejects { rows: None, percent: Some(percent) };
    assert!(matches!(
        commit(vec![with_blank.clone()], max(20.0)).unwrap().state,
        ManifestState::Committed { .. }
    ));
    let ManifestState::Refused(refusal) = commit(vec![with_blank.clone()], max(19.0)).unwrap().state else {
        panic!("not refused")
    };
    assert!(refusal.message.starts_with("2 of 10 rows were rejected"), "{}", refusal.message);
    with_blank.totals.blank = 99;
    assert!(matches!(commit(vec![with_blank], NO_LIMIT), Err(ManifestError::Unbalanced { .. })));
}
