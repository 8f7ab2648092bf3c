//! Avro object container files, <https://avro.apache.org/docs/1.12.0/specification/>: block by block, in memory that
//! one block bounds.
//!
//! Written by hand rather than with the `apache-avro` crate: that one ends with the first datum that is broken, where
//! here reading goes on behind the next marker; it tells no places; its limit of memory is one for the whole process;
//! it builds a tree of values for each row; and it brings a second deflate and xz, and random numbers, which a pure
//! crate must not have. It judges this decoder in the tests.
//!
//! A row is a record. What keeps a row from being read, but not those after it, makes that row a reject: a string that
//! is no UTF-8, a row that is too long. What breaks the order of a block's bytes loses the rest of that block: one
//! reject counts as so many rows as the block says. Only a file that ends within a block, and one without a header,
//! cannot be read.

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
