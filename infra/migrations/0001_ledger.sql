-- The ledger: what was applied, in the same transaction as the rows themselves.
--
-- Migrations only expand: a writer of the version before goes on working while this one rolls out, and after it
-- is rolled back. They run in one transaction under an advisory lock, by the first writer that finds them missing.

CREATE SCHEMA IF NOT EXISTS penstock;
COMMENT ON SCHEMA penstock IS 'What Penstock loaded, and what became of every row';

CREATE TABLE penstock.migration (
    version    integer     PRIMARY KEY,
    name       text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE penstock.migration IS 'Migrations of this schema that have been applied';

CREATE TABLE penstock.chunk (
    batch_id         uuid        NOT NULL,
    chunk            integer     NOT NULL CHECK (chunk >= 0),
    source           text        NOT NULL,
    target_schema    text        NOT NULL,
    target_table     text        NOT NULL,
    contract_version text        NOT NULL,
    rows             bigint      NOT NULL CHECK (rows >= 0),
    loaded           bigint      NOT NULL CHECK (loaded >= 0),
    deduplicated     bigint      NOT NULL CHECK (deduplicated >= 0),
    superseded       bigint      NOT NULL CHECK (superseded >= 0),
    sha256           text        NOT NULL,
    -- When its transaction began to apply it.
    applied_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (batch_id, chunk),
    CONSTRAINT chunk_accounted CHECK (rows = loaded + deduplicated + superseded)
);
COMMENT ON TABLE penstock.chunk IS 'Each chunk that was applied, once; a chunk that stands here is never applied again';
COMMENT ON COLUMN penstock.chunk.loaded IS 'Rows inserted, or put in the place of an older row';
COMMENT ON COLUMN penstock.chunk.deduplicated IS 'Rows that lost to another row of the same batch';
COMMENT ON COLUMN penstock.chunk.superseded IS 'Rows that lost to a newer row of another batch';

CREATE TABLE penstock.batch (
    batch_id         uuid        PRIMARY KEY,
    source           text        NOT NULL,
    bucket           text        NOT NULL,
    key              text        NOT NULL,
    -- Version id, or the ETag where the bucket keeps no versions.
    object_version   text        NOT NULL,
    contract_version text        NOT NULL,
    rows_read        bigint      NOT NULL CHECK (rows_read >= 0),
    rejected         bigint      NOT NULL CHECK (rejected >= 0),
    loaded           bigint      NOT NULL CHECK (loaded >= 0),
    deduplicated     bigint      NOT NULL CHECK (deduplicated >= 0),
    superseded       bigint      NOT NULL CHECK (superseded >= 0),
    -- rows_read = loaded + rejected + deduplicated + superseded
    balanced         boolean     NOT NULL,
    closed_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE penstock.batch IS 'Each batch whose chunks have all been applied';

CREATE TABLE penstock.target_column (
    table_schema     text        NOT NULL,
    table_name       text        NOT NULL,
    column_name      text        NOT NULL,
    sql_type         text        NOT NULL,
    source           text        NOT NULL,
    contract_version text        NOT NULL,
    added_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (table_schema, table_name, column_name)
);
COMMENT ON TABLE penstock.target_column IS
    'Columns of the target tables that come from contracts, with the first one that brought each. A row that replaces another empties those that its own contract lacks; columns that others added to the table are left alone';
