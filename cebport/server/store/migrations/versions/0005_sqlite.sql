CREATE TABLE tax_held (
  code TEXT NOT NULL,
  slot INTEGER NOT NULL,
  held_fen INTEGER NOT NULL,
  PRIMARY KEY (code, slot)
) WITHOUT ROWID;
CREATE TABLE guarantees (
  number TEXT NOT NULL PRIMARY KEY,
  code TEXT NOT NULL,
  kind TEXT NOT NULL,
  customs TEXT NOT NULL,
  amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
  since TEXT NOT NULL CHECK (length(since) = 10),
  until TEXT NOT NULL,
  ended TEXT NOT NULL,
  CHECK (until = '' OR until >= since)
) WITHOUT ROWID;
CREATE INDEX guarantees_code ON guarantees (code);
CREATE TABLE tax_bills (
  tax_no TEXT NOT NULL PRIMARY KEY,
  case_key TEXT NOT NULL,
  code TEXT NOT NULL,
  port TEXT NOT NULL,
  released TEXT NOT NULL CHECK (length(released) = 10),
  duty_fen INTEGER NOT NULL CHECK (duty_fen >= 0),
  vat_fen INTEGER NOT NULL CHECK (vat_fen >= 0),
  consumption_fen INTEGER NOT NULL CHECK (consumption_fen >= 0),
  status TEXT NOT NULL CHECK (status IN ('1', '2', '3')),
  ent_duty_no TEXT NOT NULL,
  CHECK (status <> '2' OR ent_duty_no <> ''),
  CHECK (status <> '1' OR ent_duty_no = '')
) WITHOUT ROWID;
CREATE UNIQUE INDEX tax_bills_living ON tax_bills (case_key) WHERE status <> '3';
CREATE INDEX tax_bills_open ON tax_bills (code, port) WHERE status = '1';
CREATE INDEX tax_bills_document ON tax_bills (ent_duty_no) WHERE ent_duty_no <> '';
CREATE TABLE tax_documents (
  number TEXT NOT NULL PRIMARY KEY,
  code TEXT NOT NULL,
  port TEXT NOT NULL,
  made TEXT NOT NULL CHECK (length(made) = 10),
  released TEXT NOT NULL CHECK (released <= made),
  bills INTEGER NOT NULL CHECK (bills >= 0),
  paid_on TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX tax_documents_made ON tax_documents (made);
CREATE TABLE tax_sums (
  number TEXT NOT NULL REFERENCES tax_documents (number),
  kind TEXT NOT NULL,
  billed_fen INTEGER NOT NULL CHECK (billed_fen >= 0),
  paid_fen INTEGER NOT NULL CHECK (paid_fen >= 0),
  PRIMARY KEY (number, kind)
) WITHOUT ROWID;
CREATE INDEX tax_sums_open ON tax_sums (number) WHERE billed_fen <> paid_fen;
CREATE TABLE tax_payments (
  serial TEXT NOT NULL PRIMARY KEY,
  number TEXT NOT NULL REFERENCES tax_documents (number),
  code TEXT NOT NULL,
  port TEXT NOT NULL,
  paid_on TEXT NOT NULL CHECK (length(paid_on) = 10),
  back SMALLINT NOT NULL CHECK (back IN (0, 1)),
  duty_fen INTEGER NOT NULL CHECK (duty_fen >= 0),
  vat_fen INTEGER NOT NULL CHECK (vat_fen >= 0),
  consumption_fen INTEGER NOT NULL CHECK (consumption_fen >= 0),
  late_fee_fen INTEGER NOT NULL CHECK (late_fee_fen >= 0),
  CHECK (duty_fen + vat_fen + consumption_fen + late_fee_fen > 0)
) WITHOUT ROWID;
CREATE INDEX tax_payments_number ON tax_payments (number);
CREATE TABLE tax_refunds (
  code TEXT NOT NULL PRIMARY KEY,
  refund_fen INTEGER NOT NULL CHECK (refund_fen >= 0)
) WITHOUT ROWID;
CREATE TABLE ledger (
  day TEXT NOT NULL CHECK (length(day) = 10),
  entry TEXT NOT NULL,
  account TEXT NOT NULL,
  code TEXT NOT NULL,
  port TEXT NOT NULL,
  kind TEXT NOT NULL,
  debit_fen INTEGER NOT NULL CHECK (debit_fen >= 0),
  credit_fen INTEGER NOT NULL CHECK (credit_fen >= 0),
  PRIMARY KEY (day, entry, account, code, port, kind)
) WITHOUT ROWID;
CREATE TABLE ledger_at (
  name TEXT NOT NULL PRIMARY KEY,
  position INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO tax_held (code, slot, held_fen)
SELECT substr(account, 5), 0, sum(amount_fen) FROM postings WHERE account LIKE 'tax/%' GROUP BY account;
