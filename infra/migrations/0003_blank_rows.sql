-- Rows that were skipped because all of their fields are empty. A writer of the previous version inserts the default.

ALTER TABLE penstock.batch
    ADD COLUMN blank bigint NOT NULL DEFAULT 0 CHECK (blank >= 0);
COMMENT ON COLUMN penstock.batch.blank IS 'Rows of the file whose fields are all empty';
COMMENT ON COLUMN penstock.batch.balanced IS
    'Whether rows_read = loaded + rejected + deduplicated + superseded + blank';
