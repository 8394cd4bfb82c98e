CREATE TABLE forex_payments (
  key TEXT PRIMARY KEY,
  day TEXT NOT NULL CHECK (length(day) = 10),
  amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
  inbox INTEGER NOT NULL REFERENCES inbox (id),
  blob BLOB NOT NULL
);
CREATE INDEX forex_payments_inbox ON forex_payments (inbox);
CREATE TABLE forex_batches (
  key TEXT PRIMARY KEY,
  day TEXT NOT NULL CHECK (length(day) = 10),
  inbox INTEGER NOT NULL REFERENCES inbox (id),
  blob BLOB NOT NULL
);
CREATE INDEX forex_batches_day ON forex_batches (day);
CREATE INDEX forex_batches_inbox ON forex_batches (inbox);
CREATE TABLE forex_lines (
  batch TEXT NOT NULL REFERENCES forex_batches (key),
  number INTEGER NOT NULL CHECK (number > 0),
  payment TEXT NOT NULL,
  cny_fen INTEGER NOT NULL CHECK (cny_fen > 0),
  amount TEXT NOT NULL CHECK (amount NOT LIKE '-%'),
  PRIMARY KEY (batch, number)
) WITHOUT ROWID;
CREATE INDEX forex_lines_payment ON forex_lines (payment);
