CREATE TABLE counts (
  name TEXT NOT NULL,
  slot INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (name, slot)
) WITHOUT ROWID;
CREATE INDEX inbox_aside ON inbox (id) WHERE state = 3;
CREATE INDEX outbox_aside ON outbox (id) WHERE state = 3;
INSERT INTO counts (name, slot, count)
SELECT 'state/' || state, 0, count(*) FROM cases GROUP BY state
UNION ALL SELECT 'messages', 0, count(*) FROM inbox WHERE kind <> 'timer'
UNION ALL SELECT 'documents', 0, coalesce(sum(documents), 0) FROM journal
UNION ALL SELECT 'receipts', 0, coalesce(sum(documents), 0) FROM outbox
UNION ALL SELECT 'refusals', 0, count(*) FROM refusals WHERE substr(key, 1, 1) <> '~';
