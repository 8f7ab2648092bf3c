//! The accepted rows of a check, in a file that other tools read.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use penstock_contract::SqlType;
use penstock_engine::{AcceptedRows, Duplicates, ParquetPart, Plan};

/// What `--accepted` names: its extension says the format.
#[derive(Debug, Clone)]
pub(super) struct AcceptedFile {
    pub(super) path: PathBuf,
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Parquet,
    Csv,
    Ndjson,
}

impl AcceptedFile {
    /// For the command line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("parquet") => Format::Parquet,
            Some("csv") => Format::Csv,
            Some("ndjson") => Format::Ndjson,
            Some(_) | None => return Err("its name ends with .parquet, .csv or .ndjson".to_owned()),
        };
        Ok(Self { path, format })
    }

    /// Rows are needed as Arrow columns, too.
    pub(super) fn needs_arrow(&self) -> bool {
        self.format == Format::Parquet
    }
}

/// The file under construction: the columns of the contract, and none of Penstock's own but `_rescued`.
pub(super) struct AcceptedRowsFile {
    path: PathBuf,
    columns: Vec<(String, SqlType)>,
    out: Out,
}

enum Out {
    Parquet(Box<ParquetPart>),
    Csv(Box<csv::Writer<File>>),
    Ndjson(BufWriter<File>),
}

impl AcceptedRowsFile {
    pub(super) fn create(file: &AcceptedFile, plan: &Plan) -> Result<Self> {
        let path = file.path.clone();
        // Made at once, so that a folder that is not there is told before a long check.
        let created = File::create(&path).with_context(|| format!("{}", path.display()))?;
        let columns: Vec<_> = plan
            .columns()
            .iter()
            .map(|column| (column.name().to_owned(), column.sql_type().clone()))
            .collect();
        let out = match file.format {
            Format::Parquet => Out::Parquet(Box::new(ParquetPart::new(plan)?)),
            Format::Ndjson => Out::Ndjson(BufWriter::new(created)),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(created);
                writer.write_record(columns.iter().map(|(name, _)| name)).context("writing the header")?;
                Out::Csv(Box::new(writer))
            }
        };
        Ok(Self { path, columns, out })
    }

    /// Adds a block's rows, without those that a newer one of the same key replaces.
    pub(super) fn push(&mut self, rows: &AcceptedRows, duplicates: &Duplicates) -> Result<()> {
        let context = || format!("{}", self.path.display());
        match &mut self.out {
            Out::Parquet(part) => {
                if let Some(batch) = &rows.record_batch {
                    part.push(&duplicates.batch_without_replaced(batch)?)?;
                }
            }
            Out::Csv(writer) => {
                for line in lines(&duplicates.without_replaced(&rows.copy_text)) {
                    // The format has no missing values but empty ones.
                    let fields = fields(&line, self.columns.len()).map(|field| field.unwrap_or_default());
                    writer.write_record(fields).with_context(context)?;
                }
            }
            Out::Ndjson(writer) => {
                for line in lines(&duplicates.without_replaced(&rows.copy_text)) {
                    let row = object(&self.columns, &line).with_context(context)?;
                    writer.write_all(row.as_bytes()).with_context(context)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<()> {
        let context = || format!("{}", self.path.display());
        match self.out {
            Out::Parquet(part) => std::fs::write(&self.path, part.finish()?).with_context(context),
            Out::Csv(mut writer) => writer.flush().with_context(context),
            Out::Ndjson(mut writer) => writer.flush().with_context(context),
        }
    }
}

/// Lines of COPY text, which is UTF-8.
fn lines(copy_text: &[u8]) -> impl Iterator<Item = String> + '_ {
    let lines = copy_text.split_inclusive(|byte| *byte == b'\n');
    lines.map(|line| String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)).into_owned())
}

/// The fields of a line of COPY text; the row number behind them is left out.
fn fields(line: &str, columns: usize) -> impl Iterator<Item = Option<String>> + '_ {
    line.split('\t').take(columns).map(|field| (field != "\\N").then(|| unescape(field)))
}

fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        let plain = match character {
            '\\' => match characters.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('b') => '\u{8}',
                Some('v') => '\u{b}',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        };
        text.push(plain);
    }
    text
}

/// One line of NDJSON: numbers and documents as they stand, so that no digit is lost.
fn object(columns: &[(String, SqlType)], line: &str) -> Result<String> {
    let mut text = String::from("{");
    for ((name, sql_type), value) in columns.iter().zip(fields(line, columns.len())) {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(name)?);
        text.push(':');
        text.push_str(&match (value, sql_type) {
            (None, _) => "null".to_owned(),
            (Some(value), SqlType::Smallint | SqlType::Integer | SqlType::Bigint | SqlType::Numeric(_)) => {
                value
            }
            (Some(value), SqlType::DoublePrecision) if value.parse::<f64>().is_ok_and(f64::is_finite) => {
                value
            }
            // Between its tokens JSON may have line ends, and within its strings it has none.
            (Some(value), SqlType::Jsonb) => value.replace(['\n', '\r'], " "),
            (Some(value), SqlType::Boolean) => match value.as_str() {
                "t" => "true".to_owned(),
                "f" => "false".to_owned(),
                other => bail!("`{other}` is no boolean of COPY"),
            },
            (Some(value), _) => serde_json::to_string(&value)?,
        });
    }
    text.push_str("}\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_copy_text_becomes_json_without_losing_a_digit() {
        let columns = [
            ("id".to_owned(), SqlType::Bigint),
            ("price".to_owned(), SqlType::Numeric(None)),
            ("is_new".to_owned(), SqlType::Boolean),
            ("more".to_owned(), SqlType::Jsonb),
            ("name".to_owned(), SqlType::Text),
            ("size".to_owned(), SqlType::DoublePrecision),
        ];
        let line = "7\t12345678901234567890.10\tt\t{\"a\":\"b\\\\n\"}\ttab\\tand\\\\N\tNaN\t42";
        let expected = r#"{"id":7,"price":12345678901234567890.10,"is_new":true,"more":{"a":"b\n"},"name":"tab\tand\\N","size":"NaN"}"#;
        assert_eq!(object(&columns, line).unwrap(), format!("{expected}\n"));
        let missing = object(&columns[..2], "\\N\t\\N\t1").unwrap();
        assert_eq!(missing, "{\"id\":null,\"price\":null}\n");
    }

    #[test]
    fn the_extension_says_the_format() {
        assert_eq!(AcceptedFile::parse("a/b.csv").unwrap().format, Format::Csv);
        assert!(AcceptedFile::parse("rows.parquet").unwrap().needs_arrow());
        assert!(AcceptedFile::parse("rows.txt").unwrap_err().contains(".ndjson"));
    }
}
