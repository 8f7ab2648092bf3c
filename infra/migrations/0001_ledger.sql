-- The ledger records what was applied, in the same transaction as the rows.
--
-- Migrations only expand the schema, so that a writer of the previous version works while the new one is rolled out, and after it
-- is rolled back. The first writer that finds them missing runs them in one transaction under an advisory lock.

CREATE SCHEMA IF NOT EXISTS penstock;
COMMENT ON SCHEMA penstock IS 'The batches and chunks that Penstock has loaded, with the counts of their rows';

CREATE TABLE penstock.migration (
    version    integer     PRIMARY KEY,
    name       text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE penstock.migration IS 'The migrations of this schema that have been applied';

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
    -- The time at which the chunk was claimed.
    applied_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (batch_id, chunk),
    CONSTRAINT chunk_accounted CHECK (rows = loaded + deduplicated + superseded)
);
COMMENT ON TABLE penstock.chunk IS 'The chunks that have been applied; a chunk that is listed here is never applied again';
COMMENT ON COLUMN penstock.chunk.loaded IS 'Rows that were inserted or replaced an older row';
COMMENT ON COLUMN penstock.chunk.deduplicated IS 'Rows that lost to another row of the same batch';
COMMENT ON COLUMN penstock.chunk.superseded IS 'Rows that lost to a newer row of another batch';

CREATE TABLE penstock.batch (
    batch_id         uuid        PRIMARY KEY,
    source           text        NOT NULL,
    bucket           text        NOT NULL,
    key              text        NOT NULL,
    -- The version id, or the ETag if the bucket is not versioned.
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
COMMENT ON TABLE penstock.batch IS 'The batches whose chunks have all been applied';

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
    'The columns of the target tables that contracts added, each with the first contract. A row that replaces another sets those that its own contract lacks to null; columns that were added otherwise are not changed';
