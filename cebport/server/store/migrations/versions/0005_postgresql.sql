CREATE TABLE tax_held (
  code TEXT COLLATE "C" NOT NULL,
  slot INTEGER NOT NULL,
  held_fen BIGINT NOT NULL,
  PRIMARY KEY (code, slot)
) WITH (fillfactor = 60);
CREATE TABLE guarantees (
  number TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  code TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  customs TEXT COLLATE "C" NOT NULL,
  amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
  since TEXT COLLATE "C" NOT NULL CHECK (length(since) = 10),
  until TEXT COLLATE "C" NOT NULL,
  ended TEXT COLLATE "C" NOT NULL,
  CHECK (until = '' OR until >= since)
);
CREATE INDEX guarantees_code ON guarantees (code);
CREATE TABLE tax_bills (
  tax_no TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  case_key TEXT COLLATE "C" NOT NULL,
  code TEXT COLLATE "C" NOT NULL,
  port TEXT COLLATE "C" NOT NULL,
  released TEXT COLLATE "C" NOT NULL CHECK (length(released) = 10),
  duty_fen BIGINT NOT NULL CHECK (duty_fen >= 0),
  vat_fen BIGINT NOT NULL CHECK (vat_fen >= 0),
  consumption_fen BIGINT NOT NULL CHECK (consumption_fen >= 0),
  status TEXT COLLATE "C" NOT NULL CHECK (status IN ('1', '2', '3')),
  ent_duty_no TEXT COLLATE "C" NOT NULL,
  CHECK (status <> '2' OR ent_duty_no <> ''),
  CHECK (status <> '1' OR ent_duty_no = '')
);
CREATE UNIQUE INDEX tax_bills_living ON tax_bills (case_key) WHERE status <> '3';
CREATE INDEX tax_bills_open ON tax_bills (code, port) WHERE status = '1';
CREATE INDEX tax_bills_document ON tax_bills (ent_duty_no) WHERE ent_duty_no <> '';
CREATE TABLE tax_documents (
  number TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  code TEXT COLLATE "C" NOT NULL,
  port TEXT COLLATE "C" NOT NULL,
  made TEXT COLLATE "C" NOT NULL CHECK (length(made) = 10),
  released TEXT COLLATE "C" NOT NULL CHECK (released <= made),
  bills INTEGER NOT NULL CHECK (bills >= 0),
  paid_on TEXT COLLATE "C" NOT NULL
);
CREATE INDEX tax_documents_made ON tax_documents (made);
CREATE TABLE tax_sums (
  number TEXT COLLATE "C" NOT NULL REFERENCES tax_documents (number),
  kind TEXT COLLATE "C" NOT NULL,
  billed_fen BIGINT NOT NULL CHECK (billed_fen >= 0),
  paid_fen BIGINT NOT NULL CHECK (paid_fen >= 0),
  PRIMARY KEY (number, kind)
);
CREATE INDEX tax_sums_open ON tax_sums (number) WHERE billed_fen <> paid_fen;
CREATE TABLE tax_payments (
  serial TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  number TEXT COLLATE "C" NOT NULL REFERENCES tax_documents (number),
  code TEXT COLLATE "C" NOT NULL,
  port TEXT COLLATE "C" NOT NULL,
  paid_on TEXT COLLATE "C" NOT NULL CHECK (length(paid_on) = 10),
  back SMALLINT NOT NULL CHECK (back IN (0, 1)),
  duty_fen BIGINT NOT NULL CHECK (duty_fen >= 0),
  vat_fen BIGINT NOT NULL CHECK (vat_fen >= 0),
  consumption_fen BIGINT NOT NULL CHECK (consumption_fen >= 0),
  late_fee_fen BIGINT NOT NULL CHECK (late_fee_fen >= 0),
  CHECK (duty_fen + vat_fen + consumption_fen + late_fee_fen > 0)
);
CREATE INDEX tax_payments_number ON tax_payments (number);
CREATE TABLE tax_refunds (
  code TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  refund_fen BIGINT NOT NULL CHECK (refund_fen >= 0)
);
CREATE TABLE ledger (
  day TEXT COLLATE "C" NOT NULL CHECK (length(day) = 10),
  entry TEXT COLLATE "C" NOT NULL,
  account TEXT COLLATE "C" NOT NULL,
  code TEXT COLLATE "C" NOT NULL,
  port TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  debit_fen BIGINT NOT NULL CHECK (debit_fen >= 0),
  credit_fen BIGINT NOT NULL CHECK (credit_fen >= 0),
  PRIMARY KEY (day, entry, account, code, port, kind)
);
CREATE TABLE ledger_at (
  name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  position BIGINT NOT NULL
);
INSERT INTO tax_held (code, slot, held_fen)
SELECT substr(account, 5), 0, sum(amount_fen) FROM postings WHERE account LIKE 'tax/%' GROUP BY account;
