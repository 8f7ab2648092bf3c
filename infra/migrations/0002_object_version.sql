-- Versions of one object, of which the newest loaded one replaces the others (penstock.overwrite: replace).

CREATE TABLE penstock.object_version (
    batch_id      uuid        PRIMARY KEY,
    -- Increases in the order of registration.
    number        bigint      GENERATED ALWAYS AS IDENTITY,
    bucket        text        NOT NULL,
    key           text        NOT NULL,
    dropped_at    timestamptz NOT NULL,
    -- Hexadecimal, compared as text; empty if the event had none.
    sequencer     text        NOT NULL COLLATE "C",
    target_schema text        NOT NULL,
    target_table  text        NOT NULL,
    replaced_by   uuid,
    withdrawn     bigint      CHECK (withdrawn >= 0),
    CONSTRAINT object_version_replaced CHECK ((replaced_by IS NULL) = (withdrawn IS NULL))
);
COMMENT ON TABLE penstock.object_version IS
    'Batches that replace the earlier versions of their object; the later of two is the one with the greater (dropped_at, sequencer, number)';
COMMENT ON COLUMN penstock.object_version.replaced_by IS 'The batch of the later version that has replaced this one, once all of its rows are loaded';
COMMENT ON COLUMN penstock.object_version.withdrawn IS 'Rows that were deleted from the target table when the version was replaced';

CREATE INDEX object_version_current ON penstock.object_version (bucket, key) WHERE replaced_by IS NULL;
CREATE INDEX object_version_replaced_by ON penstock.object_version (replaced_by) WHERE replaced_by IS NOT NULL;
