//! The accepted rows of a check, in a file that other tools read.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use penstock_engine::{AcceptedRows, Duplicates, ParquetPart, Plan, Reader};

use super::copy_text::JsonColumn;
use super::output::OutputFile;
use super::text_rows::{TextFormat, TextRows};

/// What `--accepted` names: its extension says the format.
#[derive(Debug, Clone)]
pub(super) struct AcceptedFile {
    path: PathBuf,
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
}

/// The file under construction: the columns of the contract, and none of Penstock's own but `_rescued`.
pub(super) enum AcceptedRowsFile {
    /// A row group cannot be removed again: rows are added by a second reading, when the input's verdict is known.
    Parquet { output: OutputFile, part: Box<ParquetPart> },
    /// Rows are added while the input is being read.
    Text(TextRows),
}

impl AcceptedRowsFile {
    pub(super) fn create(file: &AcceptedFile, plan: &Plan) -> Result<Self> {
        // Before the check, which may take long: a folder that does not exist is reported at once.
        let output = OutputFile::create(&file.path)?;
        let columns = plan.columns();
        Ok(match file.format {
            Format::Parquet => Self::Parquet { output, part: Box::new(ParquetPart::new(plan)?) },
            Format::Csv => {
                let mut header = csv::Writer::from_writer(Vec::new());
                header
                    .write_record(columns.iter().map(|column| column.name()))
                    .context("writing the header")?;
                let header = header.into_inner().context("writing the header")?;
                let format = TextFormat::Csv { columns: columns.len() };
                Self::Text(TextRows::create(output, format, &header, plan)?)
            }
            Format::Ndjson => {
                let columns = columns.iter().map(|column| (column.name(), column.sql_type()));
                let format = TextFormat::Ndjson(JsonColumn::all(columns)?);
                Self::Text(TextRows::create(output, format, b"", plan)?)
            }
        })
    }

    /// True when [`AcceptedRowsFile::keep`] reads the input again.
    pub(super) fn needs_second_reading(&self) -> bool {
        match self {
            Self::Parquet { .. } => true,
            Self::Text(_) => false,
        }
    }

    /// Adds a block of the current input, which is not kept yet.
    pub(super) fn add(&mut self, rows: &AcceptedRows) -> Result<()> {
        match self {
            Self::Parquet { .. } => Ok(()),
            Self::Text(text) => text.add(rows),
        }
    }

    /// Keeps the rows of the current input, without those that a newer one of the same key replaces. `again` opens the
    /// input from its beginning, with Arrow columns.
    pub(super) fn keep(
        &mut self,
        duplicates: &Duplicates,
        again: impl FnOnce() -> Result<Reader<'static>>,
    ) -> Result<()> {
        match self {
            Self::Parquet { part, .. } => push_all(part, again()?, duplicates),
            Self::Text(text) => text.keep(duplicates),
        }
    }

    /// Removes the rows of the current input.
    pub(super) fn discard(&mut self) -> Result<()> {
        match self {
            Self::Parquet { .. } => Ok(()),
            Self::Text(text) => text.discard(),
        }
    }

    /// Puts the file in its place.
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
    fn the_extension_says_the_format() {
        for (name, format) in
            [("a/b.csv", Format::Csv), ("rows.parquet", Format::Parquet), ("r.ndjson", Format::Ndjson)]
        {
            assert_eq!(AcceptedFile::parse(name).unwrap().format, format);
        }
        assert!(AcceptedFile::parse("rows.txt").unwrap_err().contains(".ndjson"));
    }
}
