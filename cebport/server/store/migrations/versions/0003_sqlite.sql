CREATE TABLE bonded_books (
  key TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  customs TEXT NOT NULL,
  company TEXT NOT NULL,
  blob BLOB NOT NULL
);
CREATE TABLE bonded_lines (
  book TEXT NOT NULL,
  item INTEGER NOT NULL,
  version INTEGER NOT NULL,
  material TEXT NOT NULL,
  entered INTEGER NOT NULL CHECK (entered >= 0),
  increased INTEGER NOT NULL CHECK (increased >= 0),
  decreased INTEGER NOT NULL CHECK (decreased >= 0),
  pre_increased INTEGER NOT NULL CHECK (pre_increased >= 0),
  pre_decreased INTEGER NOT NULL CHECK (pre_decreased >= 0),
  reserved INTEGER NOT NULL CHECK (reserved >= 0),
  entered1 INTEGER NOT NULL,
  left1 INTEGER NOT NULL,
  entered2 INTEGER NOT NULL,
  left2 INTEGER NOT NULL,
  in_at INTEGER NOT NULL,
  out_at INTEGER NOT NULL,
  list TEXT NOT NULL,
  list_line INTEGER NOT NULL,
  goods BLOB NOT NULL,
  PRIMARY KEY (book, item),
  CHECK (entered + increased - decreased - pre_decreased >= 0),
  CHECK (entered + increased - decreased - pre_decreased - reserved >= 0)
) WITHOUT ROWID;
CREATE INDEX bonded_lines_material ON bonded_lines (book, material);
CREATE TABLE bonded_lists (
  key TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  book TEXT NOT NULL,
  company TEXT NOT NULL,
  own TEXT NOT NULL,
  io TEXT NOT NULL CHECK (io IN ('I', 'E')),
  kind TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('stored', 'manual', 'passed', 'pre', 'off', 'refused', 'deleted')),
  declared_at INTEGER NOT NULL,
  blob BLOB NOT NULL
);
CREATE INDEX bonded_lists_own ON bonded_lists (company, own);
CREATE INDEX bonded_lists_open ON bonded_lists (book) WHERE state IN ('stored', 'manual', 'passed', 'pre');
CREATE TABLE bonded_passes (
  key TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  customs TEXT NOT NULL,
  company TEXT NOT NULL,
  own TEXT NOT NULL,
  io TEXT NOT NULL CHECK (io IN ('I', 'E')),
  state TEXT NOT NULL CHECK (state IN ('stored', 'approved', 'first_gate', 'second_gate', 'crossed', 'refused', 'void')),
  declared_at INTEGER NOT NULL,
  blob BLOB NOT NULL
);
CREATE INDEX bonded_passes_own ON bonded_passes (company, own);
CREATE INDEX bonded_passes_open ON bonded_passes (customs) WHERE state IN ('stored', 'approved', 'first_gate');
CREATE TABLE bonded_sales (
  key TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  book TEXT NOT NULL,
  list TEXT NOT NULL,
  back_list TEXT NOT NULL,
  live INTEGER NOT NULL CHECK (live IN (0, 1)),
  due INTEGER NOT NULL CHECK (due IN (0, 1)),
  at INTEGER NOT NULL,
  blob BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX bonded_sales_free ON bonded_sales (book, at, key) WHERE list = '' AND live = 1;
CREATE INDEX bonded_sales_list ON bonded_sales (list) WHERE list <> '';
CREATE INDEX bonded_sales_due ON bonded_sales (book, key) WHERE due = 1;
CREATE INDEX bonded_sales_back ON bonded_sales (back_list) WHERE back_list <> '';
CREATE TABLE bonded_moves (
  book TEXT NOT NULL,
  item INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  kind SMALLINT NOT NULL,
  document TEXT NOT NULL,
  line INTEGER NOT NULL,
  qty INTEGER NOT NULL CHECK (qty > 0),
  qty1 INTEGER NOT NULL,
  qty2 INTEGER NOT NULL,
  inbox INTEGER NOT NULL,
  PRIMARY KEY (book, item, seq)
) WITHOUT ROWID;
CREATE TABLE bonded_totals (
  book TEXT NOT NULL,
  slot INTEGER NOT NULL,
  items INTEGER NOT NULL,
  moves INTEGER NOT NULL,
  entered INTEGER NOT NULL,
  increased INTEGER NOT NULL,
  decreased INTEGER NOT NULL,
  pre_increased INTEGER NOT NULL,
  pre_decreased INTEGER NOT NULL,
  reserved INTEGER NOT NULL,
  PRIMARY KEY (book, slot)
) WITHOUT ROWID;
