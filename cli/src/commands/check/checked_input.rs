//! The result of reading an input.

use anyhow::{Context as _, Result};
use penstock_aws::spill::TempFiles;
use penstock_engine::{Block, Dialect, Duplicates, Plan, QualityOutcome, ReadError, Reader, Totals};

/// The result of reading an input. After an error it describes the part that was read.
#[derive(Debug, Default)]
pub(crate) struct CheckedInput {
    pub(crate) totals: Totals,
    pub(crate) dialect: Option<Dialect>,
    /// Empty unless the input was read to its end.
    pub(crate) duplicates: Duplicates,
    /// Empty unless the input was read to its end.
    pub(crate) quality: Vec<QualityOutcome>,
}

impl CheckedInput {
    /// Reads to the end of the input, or to the error that makes the rest unreadable, which is returned.
    pub(crate) fn read(
        &mut self,
        plan: &Plan,
        reader: Result<Reader<'_>, ReadError>,
        mut on_block: impl FnMut(&Block) -> Result<()>,
    ) -> Result<Option<ReadError>> {
        let mut reader = match reader {
            Ok(reader) => reader,
            Err(ReadError::Io(error)) => return Err(error).context("reading the file"),
            Err(error) => return Ok(Some(error)),
        };
        self.dialect = Some(reader.dialect().clone());
        let mut finder = plan.duplicate_finder(TempFiles::default());
        let ended = loop {
            match reader.next_block() {
                Ok(Some(block)) => {
                    on_block(&block)?;
                    finder.add(&block.rows.keys).context("storing keys in temporary files")?;
                    reader.recycle(block.rows.copy_text);
                }
                Ok(None) => break None,
                Err(ReadError::Io(error)) => return Err(error).context("reading the file"),
                Err(error) => break Some(error),
            }
        };
        self.totals = reader.totals().clone();
        if ended.is_none() {
            self.duplicates = finder.finish().context("reading keys from temporary files")?;
            self.quality = plan.judge(&self.totals, &self.duplicates);
        }
        Ok(ended)
    }
}
