//! Compression, size limits, and the difference between a failing reader and invalid content.

use std::io::{self, Read, Write};

use crate::support::{ShortReads, contract, csv, gzip, read, read_with, text};
use penstock_contract::*;
use penstock_engine::{Limits, ReadError, UnreadableCode};

const FILE: &str = "a,b\n1,2\n3,4\n";

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(0);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// How a member of a zip archive is encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Member {
    Stored,
    Deflated,
    /// Checksum and sizes are in a data descriptor after the content, with or without a signature, with sizes of 4 or 8 bytes.
    Described {
        is_signed: bool,
        is_long: bool,
    },
    /// The sizes are in the zip64 field.
    Zip64,
    Folder,
    Encrypted,
    /// By an unsupported method.
    Imploded,
}

fn member(kind: Member, bytes: &[u8]) -> Vec<u8> {
    named(if kind == Member::Folder { "folder/" } else { "file.csv" }, kind, bytes)
}

/// Returns files that macOS and Windows add to an archive, in every encoding of members that can be skipped.
fn junk() -> Vec<u8> {
    let described = Member::Described { is_signed: true, is_long: false };
    [
        named("export/", Member::Folder, b""),
        // Java writes folders like this.
        named("export/more/", described, b""),
        named("export/.DS_Store", described, b"Bud1 ... \0\0"),
        named("__MACOSX/", Member::Folder, b""),
        named(
            "__MACOSX/export/._file.csv",
            Member::Described { is_signed: false, is_long: false },
            b"Mac OS X",
        ),
        named("__MACOSX/._export", Member::Encrypted, b"of a known size"),
        named("Thumbs.db", Member::Stored, b"PK\x03\x04 looks like a member"),
        named("desktop.ini", Member::Imploded, b"[.ShellClassInfo]"),
        named("._file.csv", Member::Zip64, b"\0\x05\x16\x07"),
    ]
    .concat()
}

fn files(count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| named(&format!("f{number}"), Member::Deflated, FILE.as_bytes())).collect()
}

/// Returns a member with its local header, as defined by PKWARE's APPNOTE.TXT.
fn named(name: &str, kind: Member, bytes: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let is_stored = matches!(kind, Member::Stored | Member::Folder);
    let content = if is_stored {
        bytes.to_vec()
    } else {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (flags, method): (u16, u16) = match kind {
        Member::Stored | Member::Folder => (0, 0),
        Member::Deflated | Member::Zip64 => (0, 8),
        Member::Described { .. } => (8, 8),
        Member::Encrypted => (1, 8),
        Member::Imploded => (0, 6),
    };
    let is_described = matches!(kind, Member::Described { .. });
    let sizes = [content.len(), bytes.len()].map(|size| size as u64);
    let mut extra = Vec::new();
    if kind == Member::Zip64 {
        extra.extend([9, 9, 2, 0, 0, 0, 1, 0, 16, 0]);
        extra.extend(sizes[1].to_le_bytes());
        extra.extend(sizes[0].to_le_bytes());
    }
    let mut zip = b"PK\x03\x04\x14\0".to_vec();
    zip.extend(flags.to_le_bytes());
    zip.extend(method.to_le_bytes());
    zip.extend([0; 4]);
    zip.extend(if is_described { [0; 4] } else { crc.sum().to_le_bytes() });
    for size in sizes {
        let size = u32::try_from(size).unwrap();
        zip.extend(match kind {
            Member::Described { .. } => [0; 4],
            Member::Zip64 => [0xff; 4],
            Member::Stored | Member::Deflated | Member::Folder | Member::Encrypted | Member::Imploded => {
                size.to_le_bytes()
            }
        });
    }
    zip.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    zip.extend(u16::try_from(extra.len()).unwrap().to_le_bytes());
    zip.extend(name.as_bytes());
    zip.extend(extra);
    zip.extend(content);
    if let Member::Described { is_signed, is_long } = kind {
        zip.extend(if is_signed { &b"PK\x07\x08"[..] } else { &[] });
        zip.extend(crc.sum().to_le_bytes());
        for size in sizes {
            zip.extend(&size.to_le_bytes()[..if is_long { 8 } else { 4 }]);
        }
    }
    zip
}

/// The central directory after the members. Its content is not read.
const DIRECTORY: &[u8] = b"PK\x01\x02 the directory says all of it again";

fn zip(kind: Member, bytes: &[u8]) -> Vec<u8> {
    [&member(kind, bytes), DIRECTORY].concat()
}

fn unreadable(bytes: &[u8]) -> (UnreadableCode, String) {
    match read_with(&ab(), Limits::default(), bytes) {
        Err(ReadError::Unreadable { code, message, .. }) => (code, message),
        other => panic!("{other:?}"),
    }
}

fn ab() -> Contract {
    contract(csv(), vec![text("a"), text("b")])
}

#[test]
fn the_compression_is_detected_from_the_content() {
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9][..], &zstd(FILE.as_bytes())].concat();
    for (bytes, compression) in [
        (FILE.as_bytes().to_vec(), Compression::Plain),
        (gzip(FILE.as_bytes()), Compression::Gzip),
        ([gzip(&FILE.as_bytes()[..5]), gzip(&FILE.as_bytes()[5..])].concat(), Compression::Gzip),
        (zstd(FILE.as_bytes()), Compression::Zstd),
        ([zstd(&FILE.as_bytes()[..5]), zstd(&FILE.as_bytes()[5..])].concat(), Compression::Zstd),
        (skippable, Compression::Zstd),
        (bzip2(FILE.as_bytes()), Compression::Bzip2),
        ([bzip2(&FILE.as_bytes()[..5]), bzip2(&FILE.as_bytes()[5..])].concat(), Compression::Bzip2),
        (xz(FILE.as_bytes()), Compression::Xz),
        ([xz(&FILE.as_bytes()[..5]), xz(&FILE.as_bytes()[5..])].concat(), Compression::Xz),
        (zip(Member::Stored, FILE.as_bytes()), Compression::Zip),
        (zip(Member::Deflated, FILE.as_bytes()), Compression::Zip),
        (zip(Member::Zip64, FILE.as_bytes()), Compression::Zip),
        ([member(Member::Folder, b""), zip(Member::Deflated, FILE.as_bytes())].concat(), Compression::Zip),
    ] {
        let outcome = read(&ab(), &bytes);
        assert_eq!(outcome.dialect.compression, compression);
        assert_eq!(outcome.values(), [["1", "2"], ["3", "4"]]);
        assert_eq!(outcome.totals.bytes_read, bytes.len() as u64);
        assert_eq!(outcome.totals.bytes_decompressed, FILE.len() as u64);
    }
}

#[test]
fn a_declared_compression_must_match_the_content() {
    let mut contract = ab();
    contract.format.compression = Some(Compression::Gzip);
    assert_eq!(read(&contract, gzip(FILE.as_bytes())).dialect.assumed.first().unwrap(), "encoding");
    let Err(error) = read_with(&contract, Limits::default(), FILE.as_bytes()) else { panic!() };
    assert_eq!(error.code(), "wrong_compression");
    assert_eq!(
        error.to_string(),
        "the contract declares gzip, but the file is not compressed; correct the contract or the file (at byte 0)"
    );
}

#[test]
fn data_descriptors_of_every_layout_are_read() {
    for (is_signed, is_long) in [(false, false), (false, true), (true, false), (true, true)] {
        let bytes = zip(Member::Described { is_signed, is_long }, FILE.as_bytes());
        assert_eq!(read(&ab(), &bytes).values(), [["1", "2"], ["3", "4"]], "{is_signed} {is_long}");
    }
}

#[test]
fn folders_and_system_files_are_skipped_at_any_position() {
    let kinds = [
        Member::Stored,
        Member::Deflated,
        Member::Zip64,
        Member::Described { is_signed: true, is_long: false },
        Member::Described { is_signed: false, is_long: true },
    ];
    for kind in kinds {
        let file = named("export/file.csv", kind, FILE.as_bytes());
        for bytes in [
            [junk(), file.clone(), DIRECTORY.to_vec()].concat(),
            [file.clone(), junk(), DIRECTORY.to_vec()].concat(),
            [junk(), file.clone(), junk(), DIRECTORY.to_vec()].concat(),
        ] {
            for sizes in [vec![usize::MAX], vec![1], vec![3, 1, 7]] {
                let short_reads = ShortReads { rest: &bytes, sizes, at: 0 };
                let outcome = read_with(&ab(), Limits::default(), short_reads).unwrap();
                assert_eq!(outcome.values(), [["1", "2"], ["3", "4"]], "{kind:?}");
                assert_eq!(outcome.totals.bytes_read, bytes.len() as u64);
                assert_eq!(outcome.totals.bytes_decompressed, FILE.len() as u64);
            }
            // An archive that is truncated is an error, even within a skipped member.
            for length in (1..bytes.len() - DIRECTORY.len()).step_by(7) {
                let cut = &bytes[..length];
                assert!(read_with(&ab(), Limits::default(), cut).is_err(), "{kind:?} cut at {length}");
            }
        }
    }
}

#[test]
fn an_archive_must_have_exactly_one_readable_file() {
    let file = FILE.as_bytes();
    for (bytes, expected) in [
        (
            [
                named("a.csv", Member::Deflated, file),
                named("b.csv", Member::Stored, file),
                DIRECTORY.to_vec(),
            ]
            .concat(),
            "more than one file: `a.csv`, `b.csv`; deliver each file in an archive of its own",
        ),
        (
            [
                named("a.csv", Member::Described { is_signed: true, is_long: false }, file),
                named("__MACOSX/._a.csv", Member::Described { is_signed: true, is_long: false }, file),
                named("b.csv", Member::Described { is_signed: false, is_long: false }, file),
                named("c.csv", Member::Encrypted, file),
                DIRECTORY.to_vec(),
            ]
            .concat(),
            "more than one file: `a.csv`, `b.csv`, `c.csv`; deliver each file in an archive of its own",
        ),
        ([files(7), DIRECTORY.to_vec()].concat(), "`f0`, `f1`, `f2`, `f3`, `f4` and possibly more"),
        (b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), "no file"),
        ([&junk()[..], DIRECTORY].concat(), "no file"),
        ([&member(Member::Folder, b""), DIRECTORY].concat(), "no file"),
        (zip(Member::Encrypted, file), "encrypted"),
        (zip(Member::Imploded, file), "method 6"),
    ] {
        let (code, message) = unreadable(&bytes);
        assert_eq!(code, UnreadableCode::UnsupportedArchive, "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_member_must_match_its_checksum() {
    for kind in [
        Member::Stored,
        Member::Deflated,
        Member::Zip64,
        Member::Described { is_signed: true, is_long: false },
    ] {
        let mut bytes = member(kind, FILE.as_bytes());
        let offset = if matches!(kind, Member::Described { .. }) { bytes.len() - 12 } else { 14 };
        bytes[offset] ^= 1;
        let (code, message) = unreadable(&[&bytes, DIRECTORY].concat());
        assert_eq!(code, UnreadableCode::CorruptCompression, "{kind:?} {message}");
        assert!(message.contains("checksum"), "{message}");
    }
}

#[test]
fn text_that_looks_compressed_is_read_as_text() {
    for name in ["BZh9", "BZh91AY&", "PK"] {
        let contract = contract(csv(), vec![text(name)]);
        assert_eq!(read(&contract, format!("{name}\nx\n")).dialect.compression, Compression::Plain);
    }
}

#[test]
fn truncated_and_damaged_streams_are_distinguished() {
    let rows = "1,2\n".repeat(100_000);
    let file = format!("a,b\n{rows}");
    let described = Member::Described { is_signed: true, is_long: false };
    for whole in [
        gzip(file.as_bytes()),
        zstd(file.as_bytes()),
        bzip2(file.as_bytes()),
        xz(file.as_bytes()),
        member(Member::Stored, file.as_bytes()),
        member(Member::Deflated, file.as_bytes()),
        member(described, file.as_bytes()),
    ] {
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
fn a_file_without_bytes_is_empty_and_a_header_alone_is_not() {
    for bytes in [vec![], gzip(b""), zstd(b""), bzip2(b""), xz(b""), zip(Member::Stored, b"")] {
        assert!(matches!(read_with(&ab(), Limits::default(), bytes.as_slice()), Err(ReadError::Empty)));
    }
    assert_eq!(read(&ab(), "a,b").totals.rows_read, 0);
    let ndjson = contract(FormatKind::Ndjson, vec![text("a")]);
    assert_eq!(read(&ndjson, "\n").totals.rows_read, 0);
}

#[test]
fn an_excessive_compression_ratio_is_refused_and_a_permitted_one_is_not() {
    let zeros = "0,0\n".repeat(16 * 1024 * 1024);
    let file = format!("a,b\n{zeros}");
    let limits = Limits { chunk_rows: 1_000_000, ..Limits::default() };
    for bytes in [zstd(file.as_bytes()), bzip2(file.as_bytes()), xz(file.as_bytes())] {
        let Err(error) = read_with(&ab(), limits.clone(), bytes.as_slice()) else {
            panic!("a decompression bomb was accepted")
        };
        assert_eq!(error.code(), "compression_ratio");
        let ReadError::Unreadable { byte_offset, .. } = error else { panic!("{error:?}") };
        assert!((16 * 1024 * 1024..=65 * 1024 * 1024).contains(&byte_offset), "{byte_offset}");
    }
    let lenient = Limits { max_ratio: 1_000_000, ..limits };
    let bytes = zstd(file.as_bytes());
    let plan = penstock_engine::Plan::compile(&ab()).unwrap();
    let mut reader = penstock_engine::Reader::open(&plan, lenient, bytes.as_slice()).unwrap();
    while reader.next_block().unwrap().is_some() {}
    assert_eq!(reader.totals().accepted, 16 * 1024 * 1024);
}

#[test]
fn a_window_larger_than_the_memory_limit_is_refused() {
    let mut options = lzma_rust2::XzOptions::with_preset(0);
    options.lzma_options.dict_size = 128 * 1024 * 1024;
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(FILE.as_bytes()).unwrap();
    let wide = encoder.finish().unwrap();
    assert_eq!(unreadable(&wide).0, UnreadableCode::CompressionMemory);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(FILE.as_bytes()).unwrap();
    let wide = encoder.finish().unwrap();
    assert_eq!(unreadable(&wide).0, UnreadableCode::CompressionMemory);
}

#[test]
fn the_decompressed_size_is_limited() {
    let bomb = zstd(format!("a,b\n{}", "1,2\n".repeat(1_000_000)).as_bytes());
    let limits = Limits { max_decompressed_bytes: 100_000, ..Limits::default() };
    assert!(matches!(
        read_with(&ab(), limits, bomb.as_slice()),
        Err(ReadError::TooLarge { max_bytes: 100_000 })
    ));
}

/// A reader that is interrupted once, then returns its bytes, then fails.
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
fn a_failing_reader_is_not_reported_as_invalid_content() {
    let file = format!("a,b\n{}", "1,2\n".repeat(100_000));
    for bytes in [
        file.clone().into_bytes(),
        gzip(file.as_bytes()),
        zstd(file.as_bytes()),
        bzip2(file.as_bytes()),
        xz(file.as_bytes()),
        member(Member::Stored, file.as_bytes()),
        member(Member::Deflated, file.as_bytes()),
        b"a".to_vec(),
        vec![],
    ] {
        let half = &bytes[..bytes.len() / 2];
        match read_with(&ab(), Limits::default(), Failing(half, false)) {
            Err(ReadError::Io(error)) => assert_eq!(error.to_string(), "reset by peer"),
            other => panic!("{other:?}"),
        }
    }
}
