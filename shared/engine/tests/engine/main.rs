//! The engine from outside: bytes in, rows and rejects out.

#![allow(clippy::unwrap_used, reason = "in helpers of tests, too, the panic is the failure")]

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
mod infer_samples;
mod infer_typed;
mod irregular;
mod json_array;
mod key_limit;
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
mod sniffing;
mod support;
mod times;
mod typed;
mod unexpected;
