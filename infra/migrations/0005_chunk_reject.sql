-- Rows that only the database refuses. A writer of the previous version inserts the default of the new column, and such a
-- row fails its chunk.
--
-- The constraints are not validated: that would read the whole table while all writers wait, and the rows satisfy the
-- previous constraint, which was stricter.

ALTER TABLE penstock.chunk
    ADD COLUMN rejected bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT chunk_accounted,
    ADD CONSTRAINT chunk_accounted CHECK (rows = loaded + deduplicated + superseded + rejected) NOT VALID,
    ADD CONSTRAINT chunk_rejected_check CHECK (rejected >= 0) NOT VALID;
COMMENT ON COLUMN penstock.chunk.rejected IS 'Rows that the database refused, for example because of a constraint';

CREATE TABLE penstock.chunk_reject (
    batch_id    uuid    NOT NULL,
    chunk       integer NOT NULL,
    number      integer NOT NULL,
    -- Null if the constraint is not one of a single column.
    column_name text,
    rule        text    NOT NULL,
    -- The numbers of the rows in the file. A withdrawal of another batch does not restore them.
    row_numbers bigint[] NOT NULL CHECK (cardinality(row_numbers) > 0),
    file        text    NOT NULL,
    PRIMARY KEY (batch_id, chunk, number)
);
COMMENT ON TABLE penstock.chunk_reject IS
    'The rejected rows of each chunk by the rule that they violate, and the file in the quarantine bucket that has them';

COMMENT ON COLUMN penstock.batch.rejected IS
    'Rows that the contract rejected; when the batch is closed, also those that the database refused';

CREATE OR REPLACE VIEW penstock.batch_status AS
SELECT b.batch_id, b.source, b.state, b.bucket, b.key, b.object_version, b.contract_version, b.generation, b.dropped_at,
    b.chunk_count, s.chunks AS chunks_applied, f.chunks AS chunks_failed, b.rows_read,
    CASE WHEN b.closed_at IS NULL THEN b.rejected + s.rejected ELSE b.rejected END AS rejected, b.blank,
    s.loaded, s.deduplicated, s.superseded, b.balanced, b.replaced_by, b.opened_at, b.closed_at
FROM penstock.batch AS b
CROSS JOIN LATERAL (
    SELECT count(*) AS chunks, coalesce(sum(c.loaded), 0)::bigint AS loaded,
        coalesce(sum(c.deduplicated), 0)::bigint AS deduplicated, coalesce(sum(c.superseded), 0)::bigint AS superseded,
        coalesce(sum(c.rejected), 0)::bigint AS rejected
    FROM penstock.chunk AS c WHERE c.batch_id = b.batch_id
) AS s
CROSS JOIN LATERAL (SELECT count(*) AS chunks FROM penstock.chunk_failure AS f WHERE f.batch_id = b.batch_id) AS f;
