//! Names of the types of PostgreSQL and of other systems.

use crate::model::SqlType;

/// The names that errors list.
pub(super) const NAMES: [&str; 14] = [
    "text",
    "varchar(n)",
    "smallint",
    "integer",
    "bigint",
    "numeric(p,s)",
    "double precision",
    "boolean",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "jsonb",
    "uuid",
];
/// Types without a size, or with one that does not affect the values: the display width of an integer, or the digits of
/// a fraction of a second, which are stored as they are.
pub(super) const PLAIN: [(&[&str], SqlType); 12] = [
    (
        &["tinyint", "byteint", "smallint", "int2", "int16", "short", "smallserial", "serial2"],
        SqlType::Smallint,
    ),
    (&["integer", "int", "int4", "int32", "mediumint", "serial", "serial4"], SqlType::Integer),
    (&["bigint", "int8", "int64", "bigserial", "serial8"], SqlType::Bigint),
    (&["hugeint", "int128", "int256"], SqlType::Numeric(None)),
    (
        &[
            "double precision",
            "double",
            "float8",
            "float64",
            "float",
            "real",
            "float4",
            "float32",
            "binary_float",
            "binary_double",
        ],
        SqlType::DoublePrecision,
    ),
    (&["boolean", "bool"], SqlType::Boolean),
    (&["date", "date32"], SqlType::Date),
    (&["time", "time without time zone"], SqlType::Time),
    (
        &[
            "timestamp",
            "timestamp without time zone",
            "timestamp_ntz",
            "timestampntz",
            "datetime",
            "datetime2",
            "smalldatetime",
        ],
        SqlType::Timestamp,
    ),
    (
        &[
            "timestamptz",
            "timestamp with time zone",
            "timestamp with local time zone",
            "timestamp_tz",
            "timestamptz",
            "timestamp_ltz",
            "timestampltz",
            "datetimeoffset",
        ],
        SqlType::Timestamptz,
    ),
    (&["json", "jsonb", "variant", "super", "object", "struct", "record", "map", "row"], SqlType::Jsonb),
    (&["uuid", "uniqueidentifier", "guid"], SqlType::Uuid),
];
/// Text types whose size, if any, is a length.
pub(super) const TEXTS: [&str; 20] = [
    "text",
    "string",
    "varchar",
    "character varying",
    "char varying",
    "nvarchar",
    "varchar2",
    "nvarchar2",
    "national character varying",
    "national varchar",
    "bpchar",
    "clob",
    "nclob",
    "ntext",
    "tinytext",
    "mediumtext",
    "longtext",
    "citext",
    "character large object",
    "long varchar",
];
/// Text types that have one character without a size.
pub(super) const CHARS: [&str; 4] = ["char", "character", "nchar", "national character"];
pub(super) const NUMERICS: [&str; 7] =
    ["numeric", "decimal", "dec", "number", "fixed", "bignumeric", "bigdecimal"];
/// Types whose values are stored as text if `logicalType` is `string`.
pub(super) const TEXTUAL: [&str; 9] =
    ["xml", "xmltype", "inet", "cidr", "macaddr", "interval", "rowid", "name", "sysname"];
/// Text types that list their values.
pub(super) const ENUMS: [&str; 4] = ["enum", "enum8", "enum16", "set"];
/// Types whose values may be any JSON.
pub(super) const ANY_JSON: [&str; 4] = ["json", "jsonb", "variant", "super"];
pub(super) const BINARIES: [&str; 12] = [
    "bytea",
    "binary",
    "varbinary",
    "blob",
    "tinyblob",
    "mediumblob",
    "longblob",
    "bytes",
    "raw",
    "long raw",
    "image",
    "byte",
];
