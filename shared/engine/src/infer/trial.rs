//! Reads a sample under a contract.

use super::declared;
use super::error::InferError;
use super::open::OpenSample;
use crate::error::ReadError;
use crate::limits::Limits;
use crate::outcome::Totals;
use crate::plan::Plan;
use crate::reader::Reader;
use crate::rows::Block;

/// The maximum number of rows per block, which limits the use of memory.
pub(super) const BLOCK_ROWS: u32 = 10_000;

/// Reads the first rows of the sample under a contract, and calls `process` with each block.
pub(super) fn read(
    yaml: &str,
    open: &mut OpenSample<'_>,
    limits: &Limits,
    max_rows: u64,
    process: &mut dyn FnMut(Block),
) -> Result<Totals, InferError> {
    let contract = penstock_contract::parse("inferred.yaml", yaml)?;
    let plan = Plan::compile(&contract)?;
    let mut reader = if plan.needs_seek() {
        Reader::open_seekable(&plan, limits.clone(), declared::read_whole(open)?)?
    } else {
        Reader::open(&plan, limits.clone(), open().map_err(ReadError::Io)?)?
    };
    while let remaining = max_rows.saturating_sub(reader.totals().rows_read)
        && remaining > 0
    {
        // The size of a block limits its accepted rows, but not its rejects. Blocks of half of the remaining rows keep the
        // total close to `max_rows`.
        let rows = remaining.div_ceil(2).min(BLOCK_ROWS.into());
        reader.set_chunk_rows(u32::try_from(rows).expect("at most BLOCK_ROWS"));
        match reader.next_block()? {
            None => break,
            Some(block) => process(block),
        }
    }
    Ok(reader.totals().clone())
}
