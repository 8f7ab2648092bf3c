-- Versions of one object, where the newest that is loaded stands for the others (penstock.overwrite: replace).

CREATE TABLE penstock.object_version (
    batch_id      uuid        PRIMARY KEY,
    -- In the order of registration.
    number        bigint      GENERATED ALWAYS AS IDENTITY,
    bucket        text        NOT NULL,
    key           text        NOT NULL,
    dropped_at    timestamptz NOT NULL,
    -- Hexadecimal, compared as text; empty where the event had none.
    sequencer     text        NOT NULL COLLATE "C",
    target_schema text        NOT NULL,
    target_table  text        NOT NULL,
    replaced_by   uuid,
    withdrawn     bigint      CHECK (withdrawn >= 0),
    CONSTRAINT object_version_replaced CHECK ((replaced_by IS NULL) = (withdrawn IS NULL))
);
COMMENT ON TABLE penstock.object_version IS
    'Batches that stand for the earlier versions of their object; the later of two is the one with the greater (dropped_at, sequencer, number)';
COMMENT ON COLUMN penstock.object_version.replaced_by IS 'The batch of a later version, once all of its rows were loaded';
COMMENT ON COLUMN penstock.object_version.withdrawn IS 'Rows that were taken out of the target table then';

CREATE INDEX object_version_standing ON penstock.object_version (bucket, key) WHERE replaced_by IS NULL;
CREATE INDEX object_version_replaced_by ON penstock.object_version (replaced_by) WHERE replaced_by IS NOT NULL;
