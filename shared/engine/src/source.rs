//! The interface of the decoders: each feeds its rows to [`Rows`] itself, so that nothing is dispatched row by row.

use crate::error::ReadError;
use crate::outcome::Totals;
use crate::rows::{Block, Rows};

/// A source of rows, of one file format.
pub(crate) trait RowSource {
    /// Reads rows until a block is complete; `None` at the end.
    fn next_block(&mut self, rows: &mut Rows) -> Result<Option<Block>, ReadError>;

    /// Stores the numbers of bytes and lines read so far in `totals`.
    fn count(&self, totals: &mut Totals);
}
