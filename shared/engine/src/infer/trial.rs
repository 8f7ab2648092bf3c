//! Reading a sample under a contract.

use super::declared;
use super::error::InferError;
use super::open::OpenSample;
use crate::error::ReadError;
use crate::limits::Limits;
use crate::outcome::Totals;
use crate::plan::Plan;
use crate::reader::Reader;
use crate::rows::Block;

/// Rows per block, which bounds the memory.
pub(super) const BLOCK_ROWS: u32 = 10_000;

/// Reads the first rows of the sample under a contract.
pub(super) fn read(
    yaml: &str,
    open: &mut OpenSample<'_>,
    limits: &Limits,
    max_rows: u64,
    take: &mut dyn FnMut(Block),
) -> Result<Totals, InferError> {
    let contract = penstock_contract::parse("inferred.yaml", yaml)?;
    let plan = Plan::compile(&contract)?;
    let mut reader = if plan.needs_seek() {
        Reader::open_seekable(&plan, limits.clone(), declared::whole(open)?)?
    } else {
        Reader::open(&plan, limits.clone(), open().map_err(ReadError::Io)?)?
    };
    while let left = max_rows.saturating_sub(reader.totals().rows_read)
        && left > 0
    {
        // A block has as many accepted rows, and any number of others: half of what is left comes close without going far.
        let rows = left.div_ceil(2).min(BLOCK_ROWS.into());
        reader.set_chunk_rows(u32::try_from(rows).unwrap_or(BLOCK_ROWS));
        match reader.next_block()? {
            None => break,
            Some(block) => take(block),
        }
    }
    Ok(reader.totals().clone())
}
