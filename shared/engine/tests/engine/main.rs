//! Tests of the engine's public API: files are read, and the rows and rejects are compared with the expected ones.

#![allow(clippy::unwrap_used, reason = "a panic in a test helper is a test failure")]
#![allow(clippy::disallowed_macros, reason = "a test may print")]

mod avro;
mod avro_damage;
mod avro_files;
mod batch;
mod casts;
mod check_digits;
mod checksums;
mod columns;
mod compression;
mod delimited;
mod detect;
mod dialects;
mod documents;
mod empty_files;
mod encoders;
mod encodings;
mod formats;
mod golden;
mod headers;
mod hidden;
mod infer;
mod infer_ambiguous;
mod infer_samples;
mod infer_small;
mod infer_typed;
mod irregular;
mod json_array;
mod key_limit;
mod late_dialects;
mod magic;
mod ndjson;
mod nested;
mod no_json_form;
mod number_styles;
mod numeric_times;
mod parquet;
mod parquet_broken;
mod parquet_files;
mod parquet_hostile;
mod parquet_writers;
mod properties;
mod repeated_keys;
mod row_limit;
mod sniffing;
mod sniffing_headers;
mod strict_json;
mod support;
mod times;
mod typed;
mod unexpected;
mod unknown_encodings;
mod wrong_files;
