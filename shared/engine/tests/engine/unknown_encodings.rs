//! Files without a declared encoding, in windows-1252 and in encodings that can be mistaken for it.
//!
//! The values are in `tests/golden/encodings`. Files of two, four and eight values are read. Western files must be accepted,
//! and as few other files as possible may be read with wrong characters.

use std::fs;
use std::path::Path;

use encoding_rs::Encoding;
use penstock_contract::*;
use penstock_engine::{Limits, ReadError, UnreadableCode};

use crate::support::{Outcome, contract, csv, read, read_with, text};

/// The characters of CP850 from 0x80 on. `encoding_rs` does not support it.
const CP850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´";

fn encode(text: &str, label: &str) -> Vec<u8> {
    if label == "cp850" {
        let byte = |letter: char| match CP850.chars().position(|other| other == letter) {
            Some(at) => u8::try_from(0x80 + at).unwrap(),
            None => u8::try_from(letter).unwrap(),
        };
        return text.chars().map(byte).collect();
    }
    let (bytes, _, is_lossy) = Encoding::for_label(label.as_bytes()).unwrap().encode(text);
    assert!(!is_lossy, "{text} in {label}");
    bytes.into_owned()
}

/// Returns the name, encodings and values of each line of a list. Without `has_encodings` the encoding is windows-1252.
fn lists(name: &str, has_encodings: bool) -> Vec<(String, Vec<String>, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/encodings").join(name);
    let lists = fs::read_to_string(path).unwrap();
    let lines = lists.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut cells = line.split('\t').map(str::to_owned);
            let name = cells.next().unwrap();
            let encodings = if has_encodings { cells.next().unwrap() } else { "windows-1252".to_owned() };
            (name, encodings.split(',').map(str::to_owned).collect(), cells.collect())
        })
        .collect()
}

fn read_file(rows: &[Vec<u8>]) -> Result<Outcome, ReadError> {
    let rows: Vec<Vec<u8>> =
        rows.iter().enumerate().map(|(id, row)| [format!("{id};").as_bytes(), row].concat()).collect();
    let file = [b"id;name\n", &rows.join(&b'\n')[..]].concat();
    let mut contract = contract(csv(), vec![text("id"), text("name")]);
    // A value may begin with a quote.
    contract.format.kind = FormatKind::Delimited(DelimitedDialect {
        delimiter: Some(";".to_owned()),
        quote: Some(Quote::None),
        ..DelimitedDialect::default()
    });
    read_with(&contract, Limits::default(), &*file)
}

/// The results of reading files of a few values each.
#[derive(Debug, Default)]
struct Counts {
    files: usize,
    refused: usize,
    /// Files that have no reject, but a value that differs from the written one.
    wrong: usize,
}

fn count(values: &[String], label: &str, size: usize) -> Counts {
    let mut counts = Counts::default();
    for start in 0..values.len() {
        let values: Vec<&String> = (0..size).map(|at| &values[(start + at * 7) % values.len()]).collect();
        let rows: Vec<Vec<u8>> = values.iter().map(|value| encode(value, label)).collect();
        counts.files += 1;
        match read_file(&rows) {
            Ok(outcome) => {
                let read = outcome.values();
                let is_wrong = |row: &Vec<String>| *values[row[0].parse::<usize>().unwrap()].trim() != row[1];
                counts.wrong += usize::from(outcome.rejects.is_empty() && read.iter().any(is_wrong));
            }
            Err(ReadError::Unreadable { code: UnreadableCode::UnknownEncoding, .. }) => counts.refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    counts
}

#[test]
fn western_files_are_read_without_a_declared_encoding() {
    let (mut files, mut refused) = (0, 0);
    for (name, _, values) in lists("western.txt", false) {
        for size in [2, 4, 8] {
            let counts = count(&values, "windows-1252", size);
            println!("{name} {size}: {counts:?}");
            assert_eq!(counts.wrong, 0, "{name}");
            assert!(counts.refused * 15 <= counts.files, "{name} {size}: {counts:?}");
            (files, refused) = (files + counts.files, refused + counts.refused);
        }
        let all: Vec<Vec<u8>> = values.iter().map(|value| encode(value, "windows-1252")).collect();
        assert!(read_file(&all).is_ok(), "{name}");
    }
    println!("{refused} of {files} files are refused");
    assert!(refused * 200 <= files, "{refused} of {files} files are refused");
}

#[test]
fn a_western_file_is_not_refused_because_of_one_rare_value() {
    let german = (0..100).map(|number| encode(&format!("Müller Größe {number}"), "windows-1252"));
    let german: Vec<Vec<u8>> = german.collect();
    for (name, _, values) in lists("western.txt", false) {
        for value in &values {
            let rows = [german.clone(), vec![encode(value, "windows-1252")]].concat();
            let outcome = read_file(&rows).unwrap_or_else(|error| panic!("{name} {value}: {error}"));
            assert_eq!(outcome.values()[100][1], value.trim(), "{name}");
        }
    }
    for value in ["Łódź", "Привет"] {
        let rows = [
            german.clone(),
            vec![encode(value, if value == "Łódź" { "windows-1250" } else { "windows-1251" })],
        ];
        assert!(read_file(&rows.concat()).is_ok(), "{value}");
    }
}

#[test]
fn a_utf_8_row_in_a_western_file_is_rejected() {
    let german: Vec<Vec<u8>> = vec![encode("Müller Größe", "windows-1252"); 100];
    for value in ["Levi’s", "Größe", "Café", "10 €", "日本"] {
        let rows = [german.clone(), vec![value.as_bytes().to_vec()]].concat();
        let outcome = read_file(&rows).unwrap();
        assert_eq!(outcome.reject_summary(), ["101@102 invalid_encoding"], "{value}");
        assert_eq!(outcome.values().len(), 100);
    }
}

#[test]
fn punctuation_after_capital_letters_is_decoded_correctly() {
    let german: Vec<Vec<u8>> = vec![encode("Müller Größe", "windows-1252"); 100];
    for value in ["NESCAFÉ®", "ROSÉ™", "CAFÉ’S", "«JOSÉ»", "„MENÜ“", "„BÜRÖ“", "Spaß®", "weiß“"]
    {
        let rows = vec![encode(value, "windows-1252"); 3];
        for rows in [[german.clone(), rows.clone()].concat(), rows] {
            let outcome = read_file(&rows).unwrap();
            assert!(outcome.rejects.is_empty(), "{value}");
            assert_eq!(outcome.values().last().unwrap()[1], value);
        }
    }
}

#[test]
fn files_in_other_encodings_are_rarely_read_with_wrong_characters() {
    let mut totals = [(2, 0, 0), (4, 0, 0), (8, 0, 0)];
    for (name, labels, values) in lists("others.txt", true) {
        for label in &labels {
            for (size, files, wrong) in &mut totals {
                let counts = count(&values, label, *size);
                println!("{name} {label} {size}: {counts:?}");
                let max_percent =
                    [(2, 50), (4, 25), (8, 8)].into_iter().find(|(of, _)| of == size).unwrap().1;
                assert!(
                    counts.wrong * 100 <= counts.files * max_percent,
                    "{name} {label} {size}: {counts:?}"
                );
                (*files, *wrong) = (*files + counts.files, *wrong + counts.wrong);
            }
            let all: Vec<Vec<u8>> = values.iter().map(|value| encode(value, label)).collect();
            let error = read_file(&all).expect_err(label).to_string();
            assert!(
                error.contains(&format!("`{label}`")) || label == "cp850" || name == "chinese",
                "{name} {label}: {error}"
            );
        }
    }
    println!("{totals:?}");
    for ((_, files, wrong), max_percent) in totals.into_iter().zip([15, 6, 1]) {
        assert!(wrong * 100 <= files * max_percent, "{wrong} of {files}");
    }
}

#[test]
fn the_error_has_line_byte_and_suggestion_but_no_value() {
    let polish = encode("id,name\n1,plain\n2,biały\n3,żółty\n", "windows-1250");
    let contract = contract(csv(), vec![text("id"), text("name")]);
    let Err(ReadError::Unreadable { byte_offset, message, .. }) =
        read_with(&contract, Limits::default(), &*polish)
    else {
        panic!("the file was accepted")
    };
    assert_eq!(byte_offset, 21);
    for part in ["line 3", "`penstock.encoding`", "`windows-1250` or `iso-8859-2`"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains("bia"), "{message}");
    let mut declared = contract.clone();
    declared.format.encoding = Some("windows-1250".to_owned());
    assert_eq!(read(&declared, &polish).values()[1][1], "biały");
}

#[test]
fn a_byte_that_windows_1252_does_not_define_rejects_only_its_row() {
    let mut columns = contract(csv(), vec![text("id"), text("name")]);
    let rows = b"id,name\n1,M\xfcller\n2,Stra\xdfe\n3,x\x81y\n4,K\xf6ln\n";
    for encoding in [None, Some("windows-1252".to_owned())] {
        columns.format.encoding = encoding;
        let outcome = read(&columns, rows);
        assert_eq!(outcome.reject_summary(), ["3@4 invalid_encoding"]);
        assert_eq!(outcome.values(), [["1", "Müller"], ["2", "Straße"], ["4", "Köln"]]);
    }
    // The same if the file is transcoded, because its delimiter is not ASCII.
    columns.format.encoding = Some("windows-1252".to_owned());
    columns.format.kind = FormatKind::Delimited(DelimitedDialect {
        delimiter: Some("§".to_owned()),
        ..DelimitedDialect::default()
    });
    let rows: Vec<u8> = rows.iter().map(|byte| if *byte == b',' { 0xa7 } else { *byte }).collect();
    assert_eq!(read(&columns, rows).reject_summary(), ["3@4 invalid_encoding"]);
}
