CREATE TABLE bonded_books (
  key TEXT COLLATE "C" PRIMARY KEY,
  version INTEGER NOT NULL,
  customs TEXT NOT NULL,
  company TEXT NOT NULL,
  blob BYTEA NOT NULL
);
CREATE TABLE bonded_lines (
  book TEXT COLLATE "C" NOT NULL,
  item INTEGER NOT NULL,
  version INTEGER NOT NULL,
  material TEXT COLLATE "C" NOT NULL,
  entered BIGINT NOT NULL CHECK (entered >= 0),
  increased BIGINT NOT NULL CHECK (increased >= 0),
  decreased BIGINT NOT NULL CHECK (decreased >= 0),
  pre_increased BIGINT NOT NULL CHECK (pre_increased >= 0),
  pre_decreased BIGINT NOT NULL CHECK (pre_decreased >= 0),
  reserved BIGINT NOT NULL CHECK (reserved >= 0),
  entered1 BIGINT NOT NULL,
  left1 BIGINT NOT NULL,
  entered2 BIGINT NOT NULL,
  left2 BIGINT NOT NULL,
  in_at BIGINT NOT NULL,
  out_at BIGINT NOT NULL,
  list TEXT NOT NULL,
  list_line INTEGER NOT NULL,
  goods BYTEA NOT NULL,
  PRIMARY KEY (book, item),
  CHECK (entered + increased - decreased - pre_decreased >= 0),
  CHECK (entered + increased - decreased - pre_decreased - reserved >= 0)
) WITH (fillfactor = 60);
CREATE INDEX bonded_lines_material ON bonded_lines (book, material);
CREATE TABLE bonded_lists (
  key TEXT COLLATE "C" PRIMARY KEY,
  version INTEGER NOT NULL,
  book TEXT COLLATE "C" NOT NULL,
  company TEXT COLLATE "C" NOT NULL,
  own TEXT COLLATE "C" NOT NULL,
  io TEXT NOT NULL CHECK (io IN ('I', 'E')),
  kind TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('stored', 'manual', 'passed', 'pre', 'off', 'refused', 'deleted')),
  declared_at BIGINT NOT NULL,
  blob BYTEA NOT NULL
);
CREATE INDEX bonded_lists_own ON bonded_lists (company, own);
CREATE INDEX bonded_lists_open ON bonded_lists (book) WHERE state IN ('stored', 'manual', 'passed', 'pre');
CREATE TABLE bonded_passes (
  key TEXT COLLATE "C" PRIMARY KEY,
  version INTEGER NOT NULL,
  customs TEXT NOT NULL,
  company TEXT COLLATE "C" NOT NULL,
  own TEXT COLLATE "C" NOT NULL,
  io TEXT NOT NULL CHECK (io IN ('I', 'E')),
  state TEXT NOT NULL CHECK (state IN ('stored', 'approved', 'first_gate', 'second_gate', 'crossed', 'refused', 'void')),
  declared_at BIGINT NOT NULL,
  blob BYTEA NOT NULL
);
CREATE INDEX bonded_passes_own ON bonded_passes (company, own);
CREATE INDEX bonded_passes_open ON bonded_passes (customs) WHERE state IN ('stored', 'approved', 'first_gate');
CREATE TABLE bonded_sales (
  key TEXT COLLATE "C" PRIMARY KEY,
  version INTEGER NOT NULL,
  book TEXT COLLATE "C" NOT NULL,
  list TEXT COLLATE "C" NOT NULL,
  back_list TEXT COLLATE "C" NOT NULL,
  live INTEGER NOT NULL CHECK (live IN (0, 1)),
  due INTEGER NOT NULL CHECK (due IN (0, 1)),
  at BIGINT NOT NULL,
  blob BYTEA NOT NULL
);
CREATE INDEX bonded_sales_free ON bonded_sales (book, at, key) WHERE list = '' AND live = 1;
CREATE INDEX bonded_sales_list ON bonded_sales (list) WHERE list <> '';
CREATE INDEX bonded_sales_due ON bonded_sales (book, key) WHERE due = 1;
CREATE INDEX bonded_sales_back ON bonded_sales (back_list) WHERE back_list <> '';
CREATE TABLE bonded_moves (
  book TEXT COLLATE "C" NOT NULL,
  item INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  kind SMALLINT NOT NULL,
  document TEXT NOT NULL,
  line INTEGER NOT NULL,
  qty BIGINT NOT NULL CHECK (qty > 0),
  qty1 BIGINT NOT NULL,
  qty2 BIGINT NOT NULL,
  inbox BIGINT NOT NULL,
  PRIMARY KEY (book, item, seq)
);
CREATE TABLE bonded_totals (
  book TEXT COLLATE "C" NOT NULL,
  slot INTEGER NOT NULL,
  items BIGINT NOT NULL,
  moves BIGINT NOT NULL,
  entered BIGINT NOT NULL,
  increased BIGINT NOT NULL,
  decreased BIGINT NOT NULL,
  pre_increased BIGINT NOT NULL,
  pre_decreased BIGINT NOT NULL,
  reserved BIGINT NOT NULL,
  PRIMARY KEY (book, slot)
);
