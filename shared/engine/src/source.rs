//! The interface of the decoders. A decoder passes its rows to [`Rows`] itself, so dispatch is per block and not per
//! row.

use crate::error::ReadError;
use crate::outcome::Totals;
use crate::rows::{Block, Rows};

/// A source of rows, of one file format.
pub(crate) trait RowSource {
    /// Reads rows until a block is complete; returns `None` at the end.
    fn next_block(&mut self, rows: &mut Rows) -> Result<Option<Block>, ReadError>;

    /// Stores the numbers of bytes and lines read so far in `totals`.
    ///
    /// Decoders add to their counters with saturation. The counters have 64 bits and cannot overflow in practice.
    fn count(&self, totals: &mut Totals);
}
