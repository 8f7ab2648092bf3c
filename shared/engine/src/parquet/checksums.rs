//! Tests that a page with a wrong checksum is refused, wherever the damage is.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use penstock_contract::parse;

use super::footer::read_footer;
use super::pages::{body_of, byte_range};
use super::shared::SharedFile;
use crate::error::ReadError;
use crate::limits::Limits;
use crate::plan::Plan;
use crate::reader::Reader;

const CONTRACT: &str = "
apiVersion: v3.1.0
kind: DataContract
id: checksums
name: checksums
version: 1.0.0
status: active
servers:
  - {server: raw, type: s3, location: s3://raw/checksums/, format: parquet}
schema:
  - name: checksums
    properties:
      - {name: id, logicalType: integer, primaryKey: true, required: true}
      - {name: name, logicalType: string}
      - {name: tags, logicalType: array}
";

fn read(file: Vec<u8>) -> Result<Vec<u8>, ReadError> {
    let contract = parse("contract.yaml", CONTRACT).unwrap();
    let plan = Plan::compile(&contract).unwrap();
    let mut reader = Reader::open_seekable(&plan, Limits::default(), Bytes::from(file))?;
    let mut text = Vec::new();
    while let Some(block) = reader.next_block()? {
        assert!(block.rejects.is_empty());
        text.extend(block.rows.copy_text);
    }
    Ok(text)
}

/// Returns the column, row group, first byte and body of each page.
fn pages(file: &[u8]) -> Vec<(String, usize, u64, std::ops::Range<usize>)> {
    let shared = SharedFile::new(Bytes::from(file.to_vec()));
    let Ok(footer) = read_footer(&shared) else { panic!("no footer") };
    let mut pages = Vec::new();
    for (group, row_group) in footer.metadata.metadata().row_groups().iter().enumerate() {
        for column in row_group.columns() {
            let (mut at, length) = byte_range(column);
            let end = at + length;
            while at < end {
                let body = body_of(&shared, at, end).unwrap();
                let next = body.end as u64;
                pages.push((column.column_path().string(), group, at, body));
                at = next;
            }
        }
    }
    pages
}

#[test]
fn damage_anywhere_in_a_page_with_a_checksum_is_detected_and_located() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/parquet");
    let mut whole = Vec::new();
    for codec in ["none", "snappy", "gzip", "zstd", "lz4"] {
        for version in [1, 2] {
            let name = format!("checksums-{codec}-v{version}.parquet");
            let file = fs::read(folder.join(&name)).unwrap();
            whole.push(read(file.clone()).unwrap());
            let pages = pages(&file);
            // Two row groups of three columns, one of them with a dictionary.
            assert_eq!(pages.len(), 8, "{name}");
            for (column, group, start, body) in pages {
                for at in body {
                    let mut damaged = file.clone();
                    damaged[at] ^= 0x10;
                    let error = read(damaged).unwrap_err();
                    assert_eq!(error.code(), "corrupt_file", "{name} byte {at}: {error}");
                    let message = error.to_string();
                    assert!(message.contains(&format!("column `{column}`")), "{name} byte {at}: {message}");
                    let ReadError::Unreadable { byte_offset, .. } = error else { panic!("{error}") };
                    if message.contains("checksum") {
                        assert!(message.contains(&format!("row group {group}")), "{message}");
                        assert_eq!(byte_offset, start, "{name} byte {at}: {message}");
                    }
                }
            }
        }
    }
    whole.dedup();
    assert_eq!(whole.len(), 1, "files of every codec and version have the same rows");
    assert_eq!(whole[0].iter().filter(|byte| **byte == b'\n').count(), 12);
}
