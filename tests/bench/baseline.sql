-- The baseline: loads the file `:feed` into a temporary table without checks and runs the writer's merge.
BEGIN;
CREATE TEMPORARY TABLE feed (
  id text COLLATE "C", source text, title text, brand text, category text, price numeric(12, 2), currency text,
  gtin text, updated_at timestamptz, attributes jsonb
) ON COMMIT DROP;
\copy feed FROM ':feed' WITH (FORMAT csv, HEADER true)
INSERT INTO public.bench_baseline AS t (
  id, source, title, brand, category, price, currency, gtin, updated_at, attributes,
  _source, _batch_id, _row, _event_time, _priority, _dropped_at, _loaded_at
)
SELECT DISTINCT ON (id)
  id, source, title, brand, category, price, currency, gtin, updated_at, attributes,
  'bench', '00000000-0000-0000-0000-000000000000', 0, updated_at, 0, now(), now()
FROM feed
ORDER BY id, updated_at DESC
ON CONFLICT (id) DO UPDATE SET
  source = excluded.source, title = excluded.title, brand = excluded.brand, category = excluded.category,
  price = excluded.price, currency = excluded.currency, gtin = excluded.gtin, updated_at = excluded.updated_at,
  attributes = excluded.attributes, _source = excluded._source, _batch_id = excluded._batch_id, _row = excluded._row,
  _event_time = excluded._event_time, _priority = excluded._priority, _dropped_at = excluded._dropped_at,
  _loaded_at = excluded._loaded_at
WHERE (t._event_time, t._priority, t._dropped_at) <= (excluded._event_time, excluded._priority, excluded._dropped_at);
COMMIT;
