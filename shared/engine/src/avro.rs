//! A reader for Avro object container files, <https://avro.apache.org/docs/1.12.0/specification/>. It reads block by
//! block, and the size of one block bounds its memory use.
//!
//! The `apache-avro` crate is not used, for these reasons: it stops at the first damaged datum, whereas this reader
//! continues after the next sync marker; its errors have no position; its memory limit applies to the whole process; it
//! builds a tree of values for each row; and it depends on a second deflate and xz implementation and on a random
//! number generator, which a pure crate must not have. The tests compare this decoder with it.
//!
//! A row is a record. A fault that affects one row, such as a string that is not UTF-8 or a row that is too long, makes
//! that row a reject. A fault that makes the rest of a block undecodable rejects that rest: one reject counts for as
//! many rows as the block declares. Only a file that ends inside a block and a file without a valid header are
//! unreadable.

mod block;
mod codec;
mod datum;
mod declared;
mod header;
mod json;
mod row;
mod schema;
mod stream;

pub(crate) use block::AvroSource;
pub(crate) use declared::declared_columns;
