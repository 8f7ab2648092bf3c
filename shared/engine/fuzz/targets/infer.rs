//! Fuzzes inference: an inferred contract is valid and accepts its sample.
#![no_main]

use std::io::Read;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use penstock_engine::infer::{InferOptions, infer};
use penstock_engine::{Code, Limits, Plan, Reader};
use penstock_fuzz::allow_caught_panics;

fuzz_target!(init: allow_caught_panics(), |bytes: &[u8]| {
    let limits = Limits { max_decompressed_bytes: 1024 * 1024, ..Limits::default() };
    let options = InferOptions { max_rows: 200, limits: limits.clone(), ..InferOptions::default() };
    let sample = bytes.to_vec();
    let mut open = || -> std::io::Result<Box<dyn Read + Send>> { Ok(Box::new(std::io::Cursor::new(sample.clone()))) };
    let Ok(inferred) = infer("fuzz", &mut open, &options) else { return };
    let contract = penstock_contract::parse("inferred.yaml", &inferred.yaml);
    let contract = contract.unwrap_or_else(|errors| panic!("{errors}\n{}", inferred.yaml));
    let plan = Arc::new(Plan::compile(&contract).unwrap_or_else(|error| panic!("{error}\n{}", inferred.yaml)));
    let reader = if plan.needs_seek() {
        Reader::open_seekable(&plan, limits, bytes::Bytes::copy_from_slice(bytes))
    } else {
        Reader::open(&plan, limits, bytes)
    };
    let mut reader = reader.unwrap_or_else(|error| panic!("{error}\n{}", inferred.yaml));
    let mut rows = 0;
    while let Ok(Some(block)) = reader.next_block() {
        for reject in block.rejects.iter().filter(|reject| reject.row <= inferred.rows) {
            for reason in &reject.reasons {
                // No contract accepts a row with one of these faults.
                let is_fault_of_the_file = matches!(
                    reason.code,
                    Code::MalformedBlock
                        | Code::MalformedQuote
                        | Code::TooFewFields
                        | Code::TooManyFields
                        | Code::InvalidJson
                        | Code::InvalidEncoding
                        | Code::NulCharacter
                        | Code::RecordTooLong
                        | Code::DuplicateMember
                        | Code::OutOfRange
                );
                assert!(is_fault_of_the_file, "{reason:?}\n{}", inferred.yaml);
            }
        }
        rows += block.rows.count;
        if u64::from(rows) > inferred.rows {
            break;
        }
    }
});
