//! The engine from outside: bytes in, rows and rejects out.

#![allow(clippy::unwrap_used, reason = "in helpers of tests, too, the panic is the failure")]

mod casts;
mod compression;
mod delimited;
mod documents;
mod encoders;
mod formats;
mod golden;
mod ndjson;
mod nested;
mod properties;
mod support;
mod times;
