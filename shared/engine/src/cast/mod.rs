//! From harmonised text to the column's type, in PostgreSQL's spelling. Exact: what does not fit is a fault,
//! nothing is rounded or cut.

pub(crate) mod number;
pub(crate) mod time;
