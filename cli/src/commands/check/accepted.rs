//! The file of accepted rows, in a format that other tools can read.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use penstock_engine::{AcceptedRows, Duplicates, ParquetPart, Plan, Reader};

use super::copy_text::JsonColumn;
use super::output::OutputFile;
use super::text_rows::{TextRowFormat, TextRows};

/// The argument of `--accepted`. The file's extension determines its format.
#[derive(Debug, Clone)]
pub(super) struct AcceptedFile {
    path: PathBuf,
    format: AcceptedFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AcceptedFormat {
    Parquet,
    Csv,
    Ndjson,
}

impl AcceptedFile {
    /// Parses the argument of the command line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let format = match path.extension().and_then(|extension| extension.to_str()) {
            Some("parquet") => AcceptedFormat::Parquet,
            Some("csv") => AcceptedFormat::Csv,
            Some("ndjson") => AcceptedFormat::Ndjson,
            Some(_) | None => return Err("the name must end with .parquet, .csv or .ndjson".to_owned()),
        };
        Ok(Self { path, format })
    }
}

/// The file while it is being written. It has the contract's columns and `_rescued`, no other columns of Penstock.
pub(super) enum AcceptedRowsFile {
    /// Rows are added in a second pass, when the input's verdict is known: a row group cannot be removed later.
    Parquet { output: OutputFile, part: Box<ParquetPart> },
    /// Rows are added while the input is being read.
    Text(TextRows),
}

impl AcceptedRowsFile {
    pub(super) fn create(file: &AcceptedFile, plan: &Plan) -> Result<Self> {
        // Created before the check, which can take long, so that a missing folder is reported immediately.
        let output = OutputFile::create(&file.path)?;
        let columns = plan.columns();
        Ok(match file.format {
            AcceptedFormat::Parquet => Self::Parquet { output, part: Box::new(ParquetPart::new(plan)?) },
            AcceptedFormat::Csv => {
                let mut header = csv::Writer::from_writer(Vec::new());
                header
                    .write_record(columns.iter().map(|column| column.name()))
                    .context("writing the header")?;
                let header = header.into_inner().context("writing the header")?;
                let format = TextRowFormat::Csv { columns: columns.len() };
                Self::Text(TextRows::create(output, format, &header, plan)?)
            }
            AcceptedFormat::Ndjson => {
                let columns = columns.iter().map(|column| (column.name(), column.sql_type()));
                let format = TextRowFormat::Ndjson(JsonColumn::all(columns)?);
                Self::Text(TextRows::create(output, format, b"", plan)?)
            }
        })
    }

    /// Returns whether [`AcceptedRowsFile::commit`] reads the input again.
    pub(super) fn needs_second_pass(&self) -> bool {
        match self {
            Self::Parquet { .. } => true,
            Self::Text(_) => false,
        }
    }

    /// Adds a block of the current input, whose rows can still be discarded.
    pub(super) fn add(&mut self, rows: &AcceptedRows) -> Result<()> {
        match self {
            Self::Parquet { .. } => Ok(()),
            Self::Text(text) => text.add(rows),
        }
    }

    /// Commits the rows of the current input, except those that a newer row with the same key replaces. `reopen` opens
    /// the input from its beginning, with Arrow columns.
    pub(super) fn commit(
        &mut self,
        duplicates: &Duplicates,
        reopen: impl FnOnce() -> Result<Reader<'static>>,
    ) -> Result<()> {
        match self {
            Self::Parquet { part, .. } => push_all(part, reopen()?, duplicates),
            Self::Text(text) => text.commit(duplicates),
        }
    }

    /// Removes the rows of the current input.
    pub(super) fn discard(&mut self) -> Result<()> {
        match self {
            Self::Parquet { .. } => Ok(()),
            Self::Text(text) => text.discard(),
        }
    }

    /// Moves the complete file to its path.
    pub(super) fn finish(self) -> Result<()> {
        match self {
            Self::Parquet { mut output, part } => {
                let written = output.file().write_all(&part.finish()?);
                written.with_context(|| format!("{}", output.path().display()))?;
                output.persist()
            }
            Self::Text(text) => text.finish(),
        }
    }
}

fn push_all(part: &mut ParquetPart, mut reader: Reader<'_>, duplicates: &Duplicates) -> Result<()> {
    while let Some(block) = reader.next_block()? {
        if let Some(batch) = &block.rows.record_batch {
            part.push(&duplicates.batch_without_replaced(batch)?)?;
        }
        reader.recycle(block.rows.copy_text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_determines_the_format() {
        for (name, format) in [
            ("a/b.csv", AcceptedFormat::Csv),
            ("rows.parquet", AcceptedFormat::Parquet),
            ("r.ndjson", AcceptedFormat::Ndjson),
        ] {
            assert_eq!(AcceptedFile::parse(name).unwrap().format, format);
        }
        assert!(AcceptedFile::parse("rows.txt").unwrap_err().contains(".ndjson"));
    }
}
