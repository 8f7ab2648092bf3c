//! Detection of the format from the first bytes of a file, if the contract does not declare it.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use penstock_contract::*;
use penstock_engine::{Limits, ReadError};

use crate::parquet_files::file;
use crate::support::{Outcome, ShortReads, contract, csv, gzip, read_with, text};

fn detected(json_only: bool) -> Contract {
    contract(FormatKind::Detected { json_only }, vec![text("a"), text("b")])
}

/// Reads the file through a reader that returns pieces of these sizes.
fn read(contract: &Contract, file: &[u8], sizes: &[usize]) -> Result<Outcome, ReadError> {
    let input = ShortReads { rest: file, sizes: sizes.to_vec(), at: 0 };
    read_with(contract, Limits::default(), input)
}

#[test]
fn a_detected_format_is_read_as_if_the_contract_declared_it() {
    let column = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let parquet = file(&[("a", column(["1", "x"])), ("b", column(["2", "y"]))]);
    let utf_16: Vec<u8> = "\u{feff}[{\"a\":1,\"b\":2},{\"a\":\"x\",\"b\":\"y\"}]"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let array = FormatKind::JsonArray { path: vec![] };
    for (bytes, kind, json) in [
        (b"a,b\n1,2\nx,y\n".to_vec(), csv(), false),
        (b"\xef\xbb\xbfa;b\n1;2\nx;y\n".to_vec(), csv(), false),
        (b"[a],b\n1,2\n".to_vec(), csv(), false),
        (b"{\"a\":1,\"b\":2}\n{\"a\":\"x\",\"b\":\"y\"}\n".to_vec(), FormatKind::Ndjson, true),
        (b"\n  [ {\"a\":1,\"b\":2}, {\"a\":\"x\",\"b\":\"y\"}]".to_vec(), array.clone(), true),
        (b"[]".to_vec(), array.clone(), true),
        (utf_16, array, true),
        (gzip(b"{\"a\":1,\"b\":2}\n"), FormatKind::Ndjson, true),
        (parquet.to_vec(), FormatKind::Parquet, false),
    ] {
        let declared =
            Contract { format: Format { kind: kind.clone(), ..detected(false).format }, ..detected(false) };
        for json_only in [false, true] {
            if json_only && !json {
                continue;
            }
            for sizes in [&[1][..], &[2, 3, 5], &[4096]] {
                let expected = read(&declared, &bytes, sizes);
                let found = read(&detected(json_only), &bytes, sizes);
                match (expected, found) {
                    (Ok(mut expected), Ok(found)) => {
                        expected.dialect.assumed.insert(0, "format".to_owned());
                        assert_eq!(found, expected, "{kind:?} in pieces of {sizes:?}");
                    }
                    (Err(expected), Err(found)) => {
                        assert_eq!(found.to_string(), expected.to_string(), "{kind:?}")
                    }
                    (expected, found) => panic!("{kind:?}: {expected:?}, {found:?}"),
                }
            }
        }
    }
}

#[test]
fn a_format_that_the_contract_does_not_allow_is_refused_and_named() {
    for (bytes, json_only, message) in [
        (
            b"a,b\n1,2\n".to_vec(),
            true,
            "the contract declares JSON, but the file begins with neither an object nor an array",
        ),
        (
            b"[a],b\n1,2\n".to_vec(),
            true,
            "the contract declares JSON, but the file begins with neither an object nor an array",
        ),
        (gzip(b"PAR1 and so on"), false, "a Parquet file that is compressed as a whole is not supported"),
        (b"PAR1".to_vec(), false, "the Parquet file is truncated"),
    ] {
        let error = read(&detected(json_only), &bytes, &[3]).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    assert!(matches!(read(&detected(false), b"", &[1]), Err(ReadError::Empty)));
}
