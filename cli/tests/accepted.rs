//! `penstock check --accepted`: the file equals, byte for byte, the result of reading the input twice.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use penstock_aws::spill::TempFiles;
use penstock_engine::{Limits, Plan, Reader};

const HEADER: &str = "id,name,price,is_new,updated_at,more\n";
const OUT_HEADER: &str = "id,name,price,is_new,updated_at,more,_rescued\n";

/// `%EVENT_TIME%` is replaced by [`EVENT_TIME`] or removed. Without it, the order of the rows determines the newer one.
const CONTRACT: &str = r#"
apiVersion: v3.1.0
kind: DataContract
id: shop
name: shop
version: 1.0.0
status: active
servers:
  - server: raw
    type: s3
    location: "s3://raw/shop/"
    format: csv
    customProperties: [{property: penstock.delimiter, value: ","}, {property: penstock.header, value: true}]
customProperties: [{property: penstock.maxRejectsPercent, value: 10} %EVENT_TIME%]
schema:
  - name: products
    physicalName: public.products
    properties:
      - {name: id, logicalType: integer, primaryKey: true, primaryKeyPosition: 1}
      - {name: name, logicalType: string}
      - {name: price, logicalType: number, physicalType: "numeric(12,2)"}
      - {name: is_new, logicalType: boolean}
      - {name: updated_at, logicalType: timestamp, required: true}
      - {name: more, logicalType: object}
"#;

const EVENT_TIME: &str = ", {property: penstock.eventTime, value: updated_at}";

/// Fields of the input that need quotes or escapes in CSV, JSON or COPY text.
const NAMES: [&str; 8] = [
    "plain",
    "",
    "\"a, b\"",
    "\"two\nlines\"",
    "\"a \"\"quoted\"\" word\"",
    "back\\slash",
    "\"tab\tand\r\nline end\"",
    "\"\"\"\"",
];

/// Returns a file of `rows` rows with `keys` different keys and `bad` percent of rejects. It is the same in every run.
fn feed(rows: u64, keys: u64, bad: u64) -> String {
    let mut text = HEADER.to_owned();
    let mut random = 88_172_645_463_325_252_u64;
    for row in 0..rows {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let name = NAMES[usize::try_from(random % 8).unwrap()];
        let price = if random / 8 % 100 < bad { "none" } else { "12.50" };
        let (day, id) = (random / 1_000 % 28 + 1, row % keys);
        let more = if random.is_multiple_of(3) { "" } else { "\"{\"\"a\"\": [1, \"\"x,y\"\"]}\"" };
        writeln!(text, "{id},{name},{price},{},2026-02-{day:02}T00:00:00Z,{more}", random.is_multiple_of(2))
            .unwrap();
    }
    text
}

fn contract(event_time: bool) -> String {
    CONTRACT.replace("%EVENT_TIME%", if event_time { EVENT_TIME } else { "" })
}

/// Returns the fields of the rows that would be loaded, by reading the input twice. `None` is a missing value.
fn expected_rows(contract: &str, feed: &str) -> Vec<Vec<Option<String>>> {
    let plan =
        Arc::new(Plan::compile(&penstock_contract::parse("contract.yaml", contract).unwrap()).unwrap());
    let open = || Reader::open(&plan, Limits::default(), Cursor::new(feed)).unwrap();
    let (mut reader, mut finder) = (open(), plan.duplicate_finder(TempFiles::default()));
    while let Some(block) = reader.next_block().unwrap() {
        finder.add(&block.rows.keys).unwrap();
    }
    let duplicates = finder.finish().unwrap();
    let (mut reader, mut rows) = (open(), Vec::new());
    while let Some(block) = reader.next_block().unwrap() {
        let text = String::from_utf8(duplicates.without_replaced(&block.rows.copy_text)).unwrap();
        let columns = plan.columns().len();
        rows.extend(text.lines().map(|line| line.split('\t').take(columns).map(unescape).collect()));
    }
    rows
}

fn unescape(field: &str) -> Option<String> {
    let letters = [("\\t", "\t"), ("\\n", "\n"), ("\\r", "\r"), ("\\\\", "\\")];
    let mut text = String::new();
    let mut rest = field;
    while !rest.is_empty() {
        match letters.iter().find(|(escaped, _)| rest.starts_with(escaped)) {
            Some((escaped, plain)) => {
                text.push_str(plain);
                rest = &rest[escaped.len()..];
            }
            None => {
                let first = rest.chars().next().unwrap();
                text.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    (field != "\\N").then_some(text)
}

fn expected_csv(rows: &[Vec<Option<String>>]) -> String {
    expected_columns(rows, OUT_HEADER)
}

/// Returns a CSV file with the columns of the header only.
fn expected_columns(rows: &[Vec<Option<String>>], header: &str) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header: Vec<&str> = header.trim_end().split(',').collect();
    writer.write_record(&header).unwrap();
    for row in rows {
        let fields = row.iter().take(header.len());
        writer.write_record(fields.map(|field| field.as_deref().unwrap_or_default())).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

fn expected_ndjson(rows: &[Vec<Option<String>>]) -> String {
    let mut text = String::new();
    for row in rows {
        let quoted = |index: usize| serde_json::to_string(&row[index]).unwrap();
        let plain = |index: usize| row[index].clone().unwrap_or_else(|| "null".to_owned());
        let is_new = if row[3].as_deref() == Some("t") { "true" } else { "false" };
        writeln!(
            text,
            r#"{{"id":{},"name":{},"price":{},"is_new":{is_new},"updated_at":{},"more":{},"_rescued":{}}}"#,
            plain(0),
            quoted(1),
            plain(2),
            quoted(4),
            plain(5),
            plain(6)
        )
        .unwrap();
    }
    text
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

fn check(contract: &Path, out: &Path, inputs: &[&Path], stdin: Stdio) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
    command.arg("check").arg("--contract").arg(contract).arg("--accepted").arg(out).args(inputs);
    command.stdin(stdin).output().unwrap()
}

/// Asserts equality with a short message, because the texts are long.
fn assert_same(found: &str, expected: &str, case: &str) {
    let same = found.bytes().zip(expected.bytes()).take_while(|(one, other)| one == other).count();
    let lengths = (found.len(), expected.len());
    assert!(found == expected, "{case}: the files differ from byte {same} on, and have {lengths:?} bytes");
}

#[test]
fn the_file_equals_the_result_of_two_passes_with_and_without_repeated_keys() {
    let folder = Folder::new();
    // The larger feeds have several blocks and fill several buffers.
    for (rows, keys, bad, event_time) in [
        (300, 300, 0, false),
        (300, 100, 3, false),
        (300, 100, 3, true),
        (60_000, 60_000, 3, false),
        (60_000, 25_000, 3, true),
        (10_000, 1, 2, false),
    ] {
        let feed = feed(rows, keys, bad);
        let input = folder.write("feed.csv", &feed);
        let case = format!("{rows} rows, {keys} keys, {bad} % rejects, event time: {event_time}");
        let contract = contract(event_time);
        let path = folder.write("contract.yaml", &contract);
        let expected = expected_rows(&contract, &feed);
        assert!(!expected.is_empty() && expected.len() <= usize::try_from(keys).unwrap());
        let done = check(&path, &folder.path("out.csv"), &[&input], Stdio::null());
        assert_eq!(done.status.code(), Some(i32::from(bad > 0)), "{case}");
        assert_same(&folder.read("out.csv"), &expected_csv(&expected), &case);
        check(&path, &folder.path("out.ndjson"), &[&input], Stdio::null());
        assert_same(&folder.read("out.ndjson"), &expected_ndjson(&expected), &case);
    }
}

#[test]
fn rows_of_several_files_are_concatenated_without_those_of_a_refused_file() {
    let folder = Folder::new();
    let contract_text = contract(false);
    let contract = folder.write("contract.yaml", &contract_text);
    let (first, last) = (feed(30_000, 11_000, 2), feed(500, 200, 5));
    let piped = feed(700, 300, 0);
    let inputs = [
        folder.write("first.csv", &first),
        folder.write("refused.csv", &feed(40_000, 20_000, 50)),
        folder.write("unreadable.csv", "no,column,of,the,contract\n1,2,3,4,5\n"),
        folder.write("last.csv", &last),
        PathBuf::from("-"),
    ];
    let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
    let stdin = File::open(folder.write("piped.csv", &piped)).unwrap();
    let done = check(&contract, &folder.path("out.csv"), &inputs, Stdio::from(stdin));
    assert_eq!(done.status.code(), Some(3));
    let expected =
        [first, last, piped].iter().flat_map(|feed| expected_rows(&contract_text, feed)).collect::<Vec<_>>();
    assert_same(&folder.read("out.csv"), &expected_csv(&expected), "several files");
}

#[test]
fn a_refused_file_yields_only_the_header_and_no_temporary_file() {
    let folder = Folder::new();
    let contract = folder.write("contract.yaml", &contract(false));
    let input = folder.write("refused.csv", &feed(2_000, 1_000, 50));
    assert_eq!(check(&contract, &folder.path("out.csv"), &[&input], Stdio::null()).status.code(), Some(2));
    assert_eq!(folder.read("out.csv"), OUT_HEADER);
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 3);
}

#[test]
fn a_failed_check_does_not_change_the_old_file() {
    let folder = Folder::new();
    let contract = folder.write("contract.yaml", &contract(false));
    let input = folder.write("feed.csv", &feed(200, 100, 0));
    let out = folder.write("out.csv", "of an earlier check\n");
    let missing = folder.path("missing.csv");
    assert_eq!(check(&contract, &out, &[&input, &missing], Stdio::null()).status.code(), Some(64));
    assert_eq!(folder.read("out.csv"), "of an earlier check\n");
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 3);
}

#[test]
fn a_file_may_be_replaced_by_its_own_accepted_rows() {
    let folder = Folder::new();
    let contract_text = contract(false);
    let contract = folder.write("contract.yaml", &contract_text);
    let feed = feed(5_000, 2_000, 3);
    let file = folder.write("feed.csv", &feed);
    assert_eq!(check(&contract, &file, &[&file], Stdio::null()).status.code(), Some(1));
    assert_same(&folder.read("feed.csv"), &expected_csv(&expected_rows(&contract_text, &feed)), "in place");
}

#[test]
fn rows_can_be_written_to_a_named_pipe() {
    let folder = Folder::new();
    let contract_text = contract(false);
    let contract = folder.write("contract.yaml", &contract_text);
    let feed = feed(5_000, 2_000, 3);
    let file = folder.write("feed.csv", &feed);
    let pipe = folder.path("pipe.csv");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap())
    };
    assert_eq!(check(&contract, &pipe, &[&file], Stdio::null()).status.code(), Some(1));
    let read = reader.join().unwrap();
    assert_same(&read, &expected_csv(&expected_rows(&contract_text, &feed)), "pipe");
}

#[test]
fn input_that_arrives_in_pieces_yields_the_same_file() {
    let folder = Folder::new();
    let contract_text = contract(true);
    let contract = folder.write("contract.yaml", &contract_text);
    let feed = feed(3_000, 1_000, 3);
    let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
    command
        .arg("check")
        .arg("--contract")
        .arg(&contract)
        .arg("--accepted")
        .arg(folder.path("out.csv"))
        .arg("-");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for piece in feed.as_bytes().chunks(977) {
        stdin.write_all(piece).unwrap();
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_same(&folder.read("out.csv"), &expected_csv(&expected_rows(&contract_text, &feed)), "pieces");
}

#[test]
fn a_parquet_file_of_accepted_rows_has_the_same_rows() {
    let folder = Folder::new();
    let contract_text = contract(true);
    let contract = folder.write("contract.yaml", &contract_text);
    let (large, small) = (feed(60_000, 25_000, 3), feed(300, 100, 0));
    let inputs = [
        folder.write("large.csv", &large),
        folder.write("refused.csv", &feed(2_000, 1_000, 50)),
        folder.write("small.csv", &small),
    ];
    let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
    let parquet = folder.path("out.parquet");
    assert_eq!(check(&contract, &parquet, &inputs, Stdio::null()).status.code(), Some(2));
    let rows = [large, small].iter().flat_map(|feed| expected_rows(&contract_text, feed)).collect::<Vec<_>>();

    // With `append`, which allows the repeated keys of the two files.
    let append =
        "{property: penstock.write, value: append}, {property: penstock.unexpectedColumns, value: ignore}, ";
    let of_parquet = contract_text
        .replace("format: csv\n", "format: parquet\n")
        .replace("    customProperties: [{property: penstock.delimiter, value: \",\"}, {property: penstock.header, value: true}]\n", "")
        .replace("customProperties: [", &format!("customProperties: [{append}"))
        .replace(EVENT_TIME, "");
    let of_parquet = folder.write("parquet.yaml", &of_parquet);
    let done = check(&of_parquet, &folder.path("again.csv"), &[&parquet], Stdio::null());
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stdout));
    assert_same(&folder.read("again.csv"), &expected_columns(&rows, HEADER), "Parquet");
}
