//! The types of servers, and their keys.

use super::common::ROLE;
use crate::custom::Level;
use crate::shape::ValueKind::{Custom, Id, List, Map, Str};
use crate::shape::{AdditionalKeys, MappingShape, WordList};

/// The keys of a server, besides those of its type.
pub(crate) static SERVER: MappingShape = MappingShape::of(&[
    ("id", Id),
    ("server", Str),
    ("type", crate::shape::ValueKind::Word(&TYPES)),
    ("description", Str),
    ("environment", Str),
    ("roles", List(&Map(&ROLE))),
    ("customProperties", Custom(Level::Server)),
])
.requires(&["server", "type"])
.open(AdditionalKeys::InV3_0);

static TYPES: WordList = WordList {
    what: "a type of server",
    words: &[
        "api",
        "athena",
        "azure",
        "bigquery",
        "clickhouse",
        "databricks",
        "denodo",
        "dremio",
        "duckdb",
        "glue",
        "cloudsql",
        "db2",
        "hive",
        "impala",
        "informix",
        "kafka",
        "kinesis",
        "local",
        "mysql",
        "oracle",
        "postgresql",
        "postgres",
        "presto",
        "pubsub",
        "redshift",
        "s3",
        "sftp",
        "snowflake",
        "sqlserver",
        "synapse",
        "trino",
        "vertica",
        "zen",
        "custom",
    ],
};

/// The keys of a type of server. `port` is a whole number, all others are strings.
#[derive(Debug)]
pub(crate) struct ServerType {
    names: &'static [&'static str],
    pub(crate) required: &'static [&'static str],
    pub(crate) optional: &'static [&'static str],
}

/// Returns the keys of a type of server. An unknown type has those of a custom server, which are the keys of all types.
pub(crate) fn server(name: Option<&str>) -> &'static ServerType {
    let found = name.and_then(|name| SERVER_TYPES.iter().find(|server| server.names.contains(&name)));
    found.unwrap_or(&CUSTOM)
}

static CUSTOM: ServerType = ServerType {
    names: &["custom"],
    required: &[],
    optional: &[
        "account",
        "catalog",
        "database",
        "dataset",
        "delimiter",
        "endpointUrl",
        "format",
        "host",
        "location",
        "path",
        "port",
        "project",
        "region",
        "regionName",
        "schema",
        "serviceName",
        "stagingDir",
        "warehouse",
        "stream",
    ],
};

static SERVER_TYPES: [ServerType; 32] = [
    ServerType { names: &["api"], required: &["location"], optional: &[] },
    ServerType {
        names: &["athena"],
        required: &["stagingDir", "schema"],
        optional: &["catalog", "regionName"],
    },
    ServerType { names: &["azure"], required: &["location", "format"], optional: &["delimiter"] },
    ServerType { names: &["bigquery"], required: &["project", "dataset"], optional: &[] },
    ServerType { names: &["clickhouse"], required: &["host", "port", "database"], optional: &[] },
    ServerType { names: &["databricks"], required: &["catalog", "schema"], optional: &["host"] },
    ServerType { names: &["denodo"], required: &["host", "port"], optional: &["database"] },
    ServerType { names: &["dremio"], required: &["host", "port"], optional: &["schema"] },
    ServerType { names: &["duckdb"], required: &["database"], optional: &["schema"] },
    ServerType { names: &["glue"], required: &["account", "database"], optional: &["location", "format"] },
    ServerType { names: &["cloudsql"], required: &["host", "port", "database", "schema"], optional: &[] },
    ServerType { names: &["db2"], required: &["host", "port", "database"], optional: &["schema"] },
    ServerType { names: &["hive"], required: &["host", "database"], optional: &["port"] },
    ServerType { names: &["impala"], required: &["host", "database"], optional: &["port"] },
    ServerType { names: &["informix"], required: &["host", "database"], optional: &["port"] },
    ServerType { names: &["zen"], required: &["host", "database"], optional: &["port"] },
    ServerType { names: &["kafka"], required: &["host"], optional: &["format"] },
    ServerType { names: &["kinesis"], required: &[], optional: &["region", "format"] },
    ServerType { names: &["local"], required: &["path", "format"], optional: &[] },
    ServerType { names: &["mysql"], required: &["host", "port", "database"], optional: &[] },
    ServerType { names: &["oracle"], required: &["host", "port", "serviceName"], optional: &[] },
    ServerType {
        names: &["postgresql", "postgres"],
        required: &["host", "port", "database", "schema"],
        optional: &[],
    },
    ServerType { names: &["presto"], required: &["host"], optional: &["catalog", "schema"] },
    ServerType { names: &["pubsub"], required: &["project"], optional: &[] },
    ServerType {
        names: &["redshift"],
        required: &["database", "schema"],
        optional: &["host", "region", "account"],
    },
    ServerType { names: &["s3"], required: &["location"], optional: &["endpointUrl", "format", "delimiter"] },
    ServerType { names: &["sftp"], required: &["location"], optional: &["format", "delimiter"] },
    ServerType {
        names: &["snowflake"],
        required: &["account", "database", "schema"],
        optional: &["host", "port", "warehouse"],
    },
    ServerType { names: &["sqlserver"], required: &["host", "database", "schema"], optional: &["port"] },
    ServerType { names: &["synapse"], required: &["host", "port", "database"], optional: &[] },
    ServerType { names: &["trino"], required: &["host", "port", "catalog", "schema"], optional: &[] },
    ServerType { names: &["vertica"], required: &["host", "port", "database", "schema"], optional: &[] },
];
