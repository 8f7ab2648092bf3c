//! The engine from outside: bytes in, rows and rejects out.

mod casts;
mod compression;
mod delimited;
mod ndjson;
mod properties;
mod support;
