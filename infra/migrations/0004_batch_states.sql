-- A batch has a row from its first chunk on, with its state and its position in the order of drops.

ALTER TABLE penstock.batch
    -- Null until the batch is closed; penstock.batch_status has the counts of the applied chunks at any time.
    ALTER COLUMN loaded DROP NOT NULL,
    ALTER COLUMN deduplicated DROP NOT NULL,
    ALTER COLUMN superseded DROP NOT NULL,
    ALTER COLUMN balanced DROP NOT NULL,
    ALTER COLUMN closed_at DROP NOT NULL,
    ADD COLUMN state text NOT NULL DEFAULT 'loaded'
        CONSTRAINT batch_state CHECK (state IN ('loading', 'partly_loaded', 'failed', 'loaded', 'replaced', 'withdrawn')),
    ADD COLUMN target_schema  text,
    ADD COLUMN target_table   text,
    ADD COLUMN chunk_count    integer     CHECK (chunk_count >= 0),
    ADD COLUMN bytes          bigint      CHECK (bytes >= 0),
    ADD COLUMN engine_version text,
    ADD COLUMN dropped_at     timestamptz,
    -- Hexadecimal, compared as text; empty if the event had none.
    ADD COLUMN sequencer      text        NOT NULL DEFAULT '' COLLATE "C",
    ADD COLUMN generation     integer     NOT NULL DEFAULT 0 CHECK (generation >= 0),
    ADD COLUMN opened_at      timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN replaced_by    uuid;
COMMENT ON TABLE penstock.batch IS 'The batches of which at least one chunk was sent to the database';
COMMENT ON COLUMN penstock.batch.state IS
    'loading; partly_loaded or failed: chunks are in the dead-letter queue, and some or none are applied; loaded; replaced by another batch, or withdrawn: its rows were deleted';
COMMENT ON COLUMN penstock.chunk.chunk IS 'The index of the chunk, from 0; texts for people count from 1';
COMMENT ON COLUMN penstock.batch.dropped_at IS 'The time of the drop; batches of one time are ordered by (bucket, key, sequencer, generation)';

ALTER TABLE penstock.object_version
    -- A replay of a version is later than the version.
    ADD COLUMN generation integer NOT NULL DEFAULT 0 CHECK (generation >= 0);
COMMENT ON TABLE penstock.object_version IS
    'Batches that replace the earlier versions of their object; the later of two is the one with the greater (dropped_at, sequencer, generation, number)';

CREATE TABLE penstock.chunk_failure (
    batch_id  uuid        NOT NULL,
    chunk     integer     NOT NULL CHECK (chunk >= 0),
    rows      bigint      NOT NULL CHECK (rows >= 0),
    code      text        NOT NULL,
    message   text        NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (batch_id, chunk)
);
COMMENT ON TABLE penstock.chunk_failure IS
    'Chunks that were moved to the dead-letter queue, with the reason; a row is deleted when its chunk is applied. Chunks are numbered from 0';

CREATE TABLE penstock.superseded (
    batch_id uuid    NOT NULL,
    chunk    integer NOT NULL CHECK (chunk >= 0),
    by_batch uuid    NOT NULL,
    rows     bigint  NOT NULL CHECK (rows > 0),
    PRIMARY KEY (batch_id, chunk, by_batch)
);
COMMENT ON TABLE penstock.superseded IS 'The batches whose newer rows were in the table when a chunk was applied, with the number of its rows that they superseded';

CREATE TABLE penstock.stopped_batch (
    batch_id    uuid        PRIMARY KEY,
    -- Null if an operator withdrew the batch.
    replaced_by uuid,
    -- Rows that were deleted from the target table; null until then.
    deleted     bigint      CHECK (deleted >= 0),
    stopped_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE penstock.stopped_batch IS 'Batches of which no further chunk is applied: a replay replaces them, or an operator withdrew them';
CREATE INDEX stopped_batch_replaced_by ON penstock.stopped_batch (replaced_by) WHERE replaced_by IS NOT NULL;

CREATE TABLE penstock.withdrawal (
    batch_id  uuid    NOT NULL,
    collected uuid    NOT NULL,
    chunk     integer NOT NULL CHECK (chunk >= 0),
    PRIMARY KEY (batch_id, collected, chunk)
);
COMMENT ON TABLE penstock.withdrawal IS
    'Chunks of other batches whose rows have been collected in penstock.withdrawn_<batch>, to be restored when the batch is withdrawn';

-- VOLATILE: each call sees the batches that were registered after the calling statement began, because a row that another
-- transaction has just inserted can be in conflict too.
CREATE FUNCTION penstock.precedes(earlier uuid, later uuid) RETURNS boolean
LANGUAGE sql VOLATILE STRICT
AS $$
    SELECT CASE
        WHEN a.bucket = b.bucket AND a.key = b.key
            THEN (a.sequencer, a.generation, a.batch_id) < (b.sequencer, b.generation, b.batch_id)
        ELSE (a.key COLLATE "C", a.bucket COLLATE "C") < (b.key COLLATE "C", b.bucket COLLATE "C")
    END
    FROM penstock.batch AS a, penstock.batch AS b
    WHERE a.batch_id = earlier AND b.batch_id = later
$$;
COMMENT ON FUNCTION penstock.precedes(uuid, uuid) IS
    'Whether rows of the first batch precede those of the second, if their event times, priorities and times of the drop are equal. Batches of one object are ordered by sequencer and generation, those of different objects by key. Null if a batch is unknown';

CREATE VIEW penstock.batch_status AS
SELECT b.batch_id, b.source, b.state, b.bucket, b.key, b.object_version, b.contract_version, b.generation, b.dropped_at,
    b.chunk_count, s.chunks AS chunks_applied, f.chunks AS chunks_failed, b.rows_read, b.rejected, b.blank,
    s.loaded, s.deduplicated, s.superseded, b.balanced, b.replaced_by, b.opened_at, b.closed_at
FROM penstock.batch AS b
CROSS JOIN LATERAL (
    SELECT count(*) AS chunks, coalesce(sum(c.loaded), 0)::bigint AS loaded,
        coalesce(sum(c.deduplicated), 0)::bigint AS deduplicated, coalesce(sum(c.superseded), 0)::bigint AS superseded
    FROM penstock.chunk AS c WHERE c.batch_id = b.batch_id
) AS s
CROSS JOIN LATERAL (SELECT count(*) AS chunks FROM penstock.chunk_failure AS f WHERE f.batch_id = b.batch_id) AS f;
COMMENT ON VIEW penstock.batch_status IS 'Each batch with the counts of its applied chunks, also while it is being loaded';
