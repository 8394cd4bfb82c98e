CREATE TABLE forex_payments (
  key TEXT COLLATE "C" PRIMARY KEY,
  day TEXT COLLATE "C" NOT NULL CHECK (length(day) = 10),
  amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
  inbox BIGINT NOT NULL REFERENCES inbox (id),
  blob BYTEA NOT NULL
);
CREATE INDEX forex_payments_inbox ON forex_payments (inbox);
CREATE TABLE forex_batches (
  key TEXT COLLATE "C" PRIMARY KEY,
  day TEXT COLLATE "C" NOT NULL CHECK (length(day) = 10),
  inbox BIGINT NOT NULL REFERENCES inbox (id),
  blob BYTEA NOT NULL
);
CREATE INDEX forex_batches_day ON forex_batches (day);
CREATE INDEX forex_batches_inbox ON forex_batches (inbox);
CREATE TABLE forex_lines (
  batch TEXT COLLATE "C" NOT NULL REFERENCES forex_batches (key),
  number INTEGER NOT NULL CHECK (number > 0),
  payment TEXT COLLATE "C" NOT NULL,
  cny_fen BIGINT NOT NULL CHECK (cny_fen > 0),
  amount TEXT NOT NULL CHECK (amount NOT LIKE '-%'),
  PRIMARY KEY (batch, number)
);
CREATE INDEX forex_lines_payment ON forex_lines (payment);
