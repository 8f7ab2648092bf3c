//! Invariants of the engine for arbitrary bytes, asserted by all fuzz targets.

use std::io::Read;
use std::sync::Arc;

use penstock_engine::{Limits, Plan, PseudonymKey, ReadError, Reader, Reject, Totals};

/// Allows panics of Parquet decoders that the engine catches. Without this, libFuzzer ends the process at every panic, caught or
/// not. A panic that is not caught still ends it.
pub fn allow_caught_panics() {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
}

/// Returns a contract. `server` is added to its server and `custom` to its custom properties. `columns` are its properties.
pub fn contract(server: &str, custom: &str, columns: &str) -> String {
    format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: fuzz\nname: fuzz\nversion: 1.0.0\nstatus: active\n\
         servers: [{{server: raw, type: s3, location: s3://raw/fuzz/, {server}}}]\ncustomProperties: [{custom}]\n\
         schema:\n  - name: things\n    properties:\n{columns}"
    )
}

/// Columns of all types, with rules of all kinds.
pub const COLUMNS: &str = r#"
      - {name: id, logicalType: integer, physicalName: Id, primaryKey: true, primaryKeyPosition: 1, logicalTypeOptions: {minimum: -9, maximum: 99999}}
      - {name: name, logicalType: string, required: true, unique: true, logicalTypeOptions: {minLength: 1, maxLength: 40, pattern: '^[^!]*$'}}
      - {name: small, logicalType: integer, physicalType: smallint, logicalTypeOptions: {multipleOf: 3}}
      - {name: price, logicalType: number, physicalType: 'numeric(12,2)', customProperties: [{property: penstock.extract, value: '([0-9.,-]+)'}, {property: penstock.decimalSeparator, value: ','}, {property: penstock.groupSeparator, value: '.'}]}
      - {name: any_number, logicalType: number, logicalTypeOptions: {exclusiveMinimum: -1.5}}
      - {name: ratio, logicalType: number, physicalType: double precision}
      - {name: is_new, logicalType: boolean, customProperties: [{property: penstock.trueValues, value: ['yes', 'ja']}, {property: penstock.default, value: 'false'}]}
      - {name: day, logicalType: date, logicalTypeOptions: {minimum: '1999-12-31'}}
      - {name: german_day, logicalType: date, logicalTypeOptions: {format: 'd.M.yy'}}
      - {name: opens, logicalType: time}
      - {name: opens_at, logicalType: time, logicalTypeOptions: {format: 'hh:mm a'}}
      - {name: at, logicalType: timestamp}
      - {name: local_at, logicalType: timestamp, logicalTypeOptions: {format: 'dd.MM.yyyy HH:mm:ss', defaultTimezone: Europe/Berlin}}
      - {name: wall, logicalType: timestamp, physicalType: timestamp}
      - {name: token, logicalType: string, physicalType: uuid}
      - {name: mail, logicalType: string, classification: restricted, logicalTypeOptions: {format: email}}
      - {name: site, logicalType: string, logicalTypeOptions: {format: uri}}
      - {name: host, logicalType: string, logicalTypeOptions: {format: hostname}}
      - {name: address, logicalType: string, logicalTypeOptions: {format: ipv6}}
      - {name: blob, logicalType: string, logicalTypeOptions: {format: byte}}
      - {name: secret, logicalType: string, customProperties: [{property: penstock.pseudonymise, value: true}, {property: penstock.case, value: lower}]}
      - name: size
        logicalType: string
        quality: [{metric: invalidValues, arguments: {validValues: [S, M]}, mustBe: 0}, {metric: nullValues, mustBeLessThan: 50, unit: percent}]
      - name: more
        logicalType: object
        logicalTypeOptions: {minProperties: 1, maxProperties: 5, required: [a]}
        properties:
          - {name: a, logicalType: integer}
          - {name: b, physicalName: B, logicalType: object, properties: [{name: c, logicalType: timestamp, required: true}]}
      - {name: tags, logicalType: array, logicalTypeOptions: {minItems: 1, maxItems: 4, uniqueItems: true}, items: {name: tag, logicalType: string, logicalTypeOptions: {maxLength: 9}}}
      - {name: free, logicalType: object}
"#;

/// Two text columns, for targets that test the file rather than its values.
pub const TWO_TEXTS: &str = "      - {name: a, logicalType: string, customProperties: [{property: penstock.trim, value: false}]}\n      - {name: b, logicalType: string}\n";

/// Compiles a contract that must be valid.
pub fn plan(contract: &str) -> Arc<Plan> {
    let key = PseudonymKey::new(b"0123456789abcdef").expect("the key has 16 bytes");
    let contract = penstock_contract::parse("fuzz.yaml", contract)
        .unwrap_or_else(|errors| panic!("{errors}\n{contract}"));
    Arc::new(Plan::compile_with(&contract, Some(&key)).unwrap_or_else(|error| panic!("{error}")))
}

/// Returns limits that small inputs can exceed.
pub fn limits() -> Limits {
    Limits {
        chunk_rows: 7,
        chunk_bytes: 2_000,
        max_record_bytes: 1_500,
        max_decompressed_bytes: 4 * 1024 * 1024,
        max_ratio: 1_000,
        max_block_bytes: 64 * 1024,
        max_reasons: 3,
        arrow: true,
    }
}

/// The result of reading a file.
#[derive(Debug, PartialEq)]
pub struct FuzzOutcome {
    pub chunks: Vec<Vec<u8>>,
    pub rejects: Vec<Reject>,
    pub totals: Totals,
    pub error: Option<String>,
}

/// Reads the bytes twice, at once and in pieces, and asserts the invariants.
pub fn check(plan: &Arc<Plan>, bytes: &[u8]) -> FuzzOutcome {
    let whole = read(plan, bytes);
    let pieces = read(plan, Pieces { bytes, next: 1 });
    if whole.error.is_none() {
        assert_eq!(whole, pieces, "the outcome must not depend on the size of reads");
    } else {
        // How far a decoder gets before it reaches damaged bytes depends on the size of reads. So does which of two faults is
        // reported: the damage of the compressed stream, or a fault in the bytes decompressed before it.
        let without_digits = |outcome: &FuzzOutcome| {
            outcome.error.as_ref().map(|error| error.replace(|letter: char| letter.is_ascii_digit(), ""))
        };
        let (one, other) = (without_digits(&whole), without_digits(&pieces));
        let is_damage = |error: &Option<String>| {
            let contains = |damage: &str| error.as_ref().is_some_and(|error| error.contains(damage));
            contains("stream is damaged") || contains("stream ends early")
        };
        if is_damage(&one) || is_damage(&other) {
            assert_eq!(one.is_some(), other.is_some());
        } else {
            assert_eq!(one, other);
        }
        assert!(whole.chunks.iter().zip(&pieces.chunks).all(|(one, other)| one == other));
        assert!(whole.rejects.iter().zip(&pieces.rejects).all(|(one, other)| one == other));
    }
    whole
}

/// Reads a file that requires seeking twice, and asserts the same invariants.
pub fn check_parquet(plan: &Arc<Plan>, bytes: &[u8]) -> FuzzOutcome {
    let file = || bytes::Bytes::copy_from_slice(bytes);
    let once = drain(plan, Reader::open_seekable(plan, limits(), file()));
    let again = drain(plan, Reader::open_seekable(plan, limits(), file()));
    assert_eq!(once, again);
    once
}

fn read(plan: &Arc<Plan>, input: impl Read + Send) -> FuzzOutcome {
    drain(plan, Reader::open(plan, limits(), input))
}

fn drain(plan: &Arc<Plan>, reader: Result<Reader<'_>, ReadError>) -> FuzzOutcome {
    let mut outcome =
        FuzzOutcome { chunks: Vec::new(), rejects: Vec::new(), totals: Totals::default(), error: None };
    let limits = limits();
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(error) => {
            outcome.error = Some(error_message(error));
            return outcome;
        }
    };
    let (mut rows, mut last_row) = (0_u64, 0_u64);
    loop {
        let block = match reader.next_block() {
            Ok(Some(block)) => block,
            Ok(None) => break,
            Err(error) => {
                outcome.error = Some(error_message(error));
                break;
            }
        };
        assert!(block.rows.count > 0 || !block.rejects.is_empty(), "a block has rows or rejects");
        assert!(block.rows.count <= limits.chunk_rows);
        check_text(plan, &block.rows.copy_text, block.rows.count);
        let batch = block.rows.record_batch.as_ref();
        assert_eq!(batch.map_or(0, |batch| batch.num_rows()), block.rows.count as usize);
        rows += u64::from(block.rows.count);
        for reject in &block.rejects {
            assert!(!reject.reasons.is_empty() && reject.reasons.len() <= limits.max_reasons);
            assert!(reject.row > last_row, "rejects must be in the order of the file");
            last_row = reject.row;
        }
        outcome.chunks.push(block.rows.copy_text);
        outcome.rejects.extend(block.rejects);
    }
    let totals = reader.totals().clone();
    assert_eq!(
        totals.rows_read,
        totals.accepted + totals.rejected + totals.blank,
        "every row must be accepted, rejected or blank"
    );
    if outcome.error.is_none() {
        let rejected = outcome.rejects.iter().map(|reject| reject.rows).sum();
        assert_eq!((totals.accepted, totals.rejected), (rows, rejected));
        assert!(
            reader.next_block().is_ok_and(|block| block.is_none()),
            "no block follows the end of the file"
        );
    }
    for reject in &outcome.rejects {
        assert!(
            reject.byte_offset <= totals.bytes_decompressed.max(totals.bytes_read),
            "the position of a reject must be within the file"
        );
        // The line of a row in a typed file is its row number.
        assert!(reject.row <= totals.rows_read && reject.line <= totals.lines.max(totals.rows_read) + 1);
    }
    outcome.totals = totals;
    outcome
}

/// Returns the message of an error. Reading bytes in memory must not cause an I/O error.
fn error_message(error: ReadError) -> String {
    assert!(!matches!(error, ReadError::Io(_)), "{error}");
    error.to_string()
}

/// Asserts that COPY text is UTF-8 without NUL, and has a line for each row with a field for each column and the row number.
fn check_text(plan: &Plan, text: &[u8], rows: u32) {
    let text = str::from_utf8(text).expect("COPY text is UTF-8");
    assert!(!text.contains('\0'));
    assert_eq!(text.split_terminator('\n').count(), rows as usize);
    for line in text.split_terminator('\n') {
        assert_eq!(line.split('\t').count(), plan.columns().len() + 1);
        assert!(!line.contains('\r'));
    }
}

/// A reader that returns at most one byte, then two, then three, up to 31, and then starts again.
struct Pieces<'a> {
    bytes: &'a [u8],
    next: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.next.min(buffer.len()).min(self.bytes.len());
        self.next = self.next % 31 + 1;
        let (piece, rest) = self.bytes.split_at(length);
        buffer[..length].copy_from_slice(piece);
        self.bytes = rest;
        Ok(length)
    }
}
