//! Compression, caps, and the difference between a failing input and bad content.

use std::io::{self, Read, Write};

use crate::support::{contract, csv, read, read_with, text};
use penstock_contract::*;
use penstock_engine::{Limits, ReadError, UnreadableCode};

const FILE: &str = "a,b\n1,2\n3,4\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

fn ab() -> Contract {
    contract(csv(), vec![text("a"), text("b")])
}

#[test]
fn content_tells_its_compression() {
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9][..], &zstd(FILE.as_bytes())].concat();
    for (bytes, compression) in [
        (FILE.as_bytes().to_vec(), Compression::Plain),
        (gzip(FILE.as_bytes()), Compression::Gzip),
        ([gzip(&FILE.as_bytes()[..5]), gzip(&FILE.as_bytes()[5..])].concat(), Compression::Gzip),
        (zstd(FILE.as_bytes()), Compression::Zstd),
        ([zstd(&FILE.as_bytes()[..5]), zstd(&FILE.as_bytes()[5..])].concat(), Compression::Zstd),
        (skippable, Compression::Zstd),
    ] {
        let outcome = read(&ab(), &bytes);
        assert_eq!(outcome.dialect.compression, compression);
        assert_eq!(outcome.values(), [["1", "2"], ["3", "4"]]);
        assert_eq!(outcome.totals.bytes_read, bytes.len() as u64);
        assert_eq!(outcome.totals.bytes_decompressed, FILE.len() as u64);
    }
}

#[test]
fn a_declared_compression_must_be_the_one() {
    let mut contract = ab();
    contract.format.compression = Some(Compression::Gzip);
    assert_eq!(read(&contract, gzip(FILE.as_bytes())).dialect.assumed.first().unwrap(), "encoding");
    let Err(error) = read_with(&contract, Limits::default(), FILE.as_bytes()) else { panic!() };
    assert_eq!(error.code(), "wrong_compression");
    assert_eq!(
        error.to_string(),
        "the contract declares gzip, but the content is no compression (at byte 0)"
    );
}

#[test]
fn broken_streams_are_told_from_short_files() {
    let rows = "1,2\n".repeat(100_000);
    let file = format!("a,b\n{rows}");
    for whole in [gzip(file.as_bytes()), zstd(file.as_bytes())] {
        let cut = &whole[..whole.len() - 5];
        let error = read_with(&ab(), Limits::default(), cut).unwrap_err();
        assert!(
            matches!(error, ReadError::Unreadable { code: UnreadableCode::TruncatedCompression, .. }),
            "{error:?}"
        );
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 8].fill(0xff);
        let outcome = read_with(&ab(), Limits::default(), damaged.as_slice());
        let Err(ReadError::Unreadable { code, .. }) = outcome else { panic!("{outcome:?}") };
        assert!(matches!(code, UnreadableCode::CorruptCompression | UnreadableCode::TruncatedCompression));
    }
    let garbage = [gzip(FILE.as_bytes()), b"garbage".to_vec()].concat();
    assert!(matches!(
        read_with(&ab(), Limits::default(), garbage.as_slice()),
        Err(ReadError::Unreadable { .. })
    ));
}

#[test]
fn nothing_is_empty_and_a_header_alone_is_not() {
    for bytes in [vec![], gzip(b""), zstd(b"")] {
        assert!(matches!(read_with(&ab(), Limits::default(), bytes.as_slice()), Err(ReadError::Empty)));
    }
    assert_eq!(read(&ab(), "a,b").totals.rows_read, 0);
    let ndjson = contract(FormatKind::Ndjson, vec![text("a")]);
    assert_eq!(read(&ndjson, "\n").totals.rows_read, 0);
}

#[test]
fn a_bomb_is_stopped() {
    let bomb = zstd(format!("a,b\n{}", "1,2\n".repeat(1_000_000)).as_bytes());
    let limits = Limits { max_decompressed_bytes: 100_000, ..Limits::default() };
    assert!(matches!(
        read_with(&ab(), limits, bomb.as_slice()),
        Err(ReadError::TooLarge { max_bytes: 100_000 })
    ));
}

/// Gives some bytes, is interrupted once, then fails.
struct Failing<'a>(&'a [u8], bool);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.1 {
            self.1 = true;
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.0.is_empty() {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "reset by peer"));
        }
        self.0.read(buffer)
    }
}

#[test]
fn a_failing_input_is_not_bad_content() {
    let file = format!("a,b\n{}", "1,2\n".repeat(100_000));
    for bytes in
        [file.clone().into_bytes(), gzip(file.as_bytes()), zstd(file.as_bytes()), b"a".to_vec(), vec![]]
    {
        let half = &bytes[..bytes.len() / 2];
        match read_with(&ab(), Limits::default(), Failing(half, false)) {
            Err(ReadError::Io(error)) => assert_eq!(error.to_string(), "reset by peer"),
            other => panic!("{other:?}"),
        }
    }
}
