-- Every statement of the store on PostgreSQL, by name. The same names stand in queries_sqlite.sql.
-- A statement called with many rows takes one array a column.

-- name: deliver
INSERT INTO inbox (peer, digest, kind, name, route, received_at) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (peer, digest) DO NOTHING RETURNING id;
-- name: delivered
SELECT id FROM inbox WHERE peer = %s AND digest = %s;
-- name: book_inbox
INSERT INTO inbox (peer, digest, kind, name, route, received_at, state)
VALUES (%s, %s, %s, %s, %s, %s, %s::smallint) RETURNING id;
-- name: archive
INSERT INTO archive (inbox, key_id, wrapped, blob) SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bytea[], %s::bytea[]);
-- name: claim
UPDATE inbox SET state = 1, worker = %s WHERE id IN
(SELECT id FROM inbox WHERE state = 0 ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, kind, peer, name, route, received_at,
(SELECT length(blob) FROM archive WHERE archive.inbox = inbox.id);
-- name: claimers
SELECT DISTINCT worker FROM inbox WHERE state = 1;
-- name: release_claims
UPDATE inbox SET state = 0, worker = '' WHERE state = 1 AND worker = %s;
-- name: unclaim
UPDATE inbox SET state = 0, worker = '' FROM unnest(%s::bigint[], %s::text[]) AS n (id, worker)
WHERE inbox.id = n.id AND inbox.state = 1 AND inbox.worker = n.worker;
-- name: newest_seal
SELECT key_id, wrapped FROM archive ORDER BY inbox DESC LIMIT 1;
-- name: archived
SELECT inbox, key_id, wrapped, blob FROM archive WHERE inbox = ANY (%s::bigint[]);
-- name: settle_inbox
UPDATE inbox SET state = n.state, note = n.note
FROM unnest(%s::smallint[], %s::text[], %s::bigint[], %s::text[]) AS n (state, note, id, worker)
WHERE inbox.id = n.id AND inbox.state = 1 AND inbox.worker = n.worker;
-- name: retry_inbox
UPDATE inbox SET state = 0, worker = '', note = '' WHERE state = 3;
-- name: retry_outbox
UPDATE outbox SET state = 0 WHERE state = 3;
-- name: aside_inbox
SELECT id, name, note FROM inbox WHERE state = 3 ORDER BY id;
-- name: aside_outbox
SELECT id, type, inbox FROM outbox WHERE state = 3 ORDER BY id;
-- name: inbox_row
SELECT id, peer, digest, kind, name, route, received_at, state, worker, note FROM inbox WHERE id = %s;
-- name: inbox_rows
SELECT id, peer, kind, name, received_at, state, note FROM inbox WHERE id = ANY (%s::bigint[]);
-- name: open_counts
SELECT (SELECT count(*) FROM inbox WHERE state < 2), (SELECT count(*) FROM outbox WHERE state = 0);
-- name: cases
SELECT key, blob FROM cases WHERE key = ANY (%s::text[]);
-- name: waybills
SELECT key, blob FROM waybills WHERE key = ANY (%s::text[]);
-- name: tallies
SELECT key, blob FROM tallies WHERE key = ANY (%s::text[]);
-- name: keys
SELECT key, case_key FROM keys WHERE key = ANY (%s::text[]);
-- name: quota
SELECT buyer, year, held_fen FROM quota WHERE buyer = ANY (%s::bytea[]);
-- name: insert_cases
INSERT INTO cases (key, version, state, blob)
SELECT * FROM unnest(%s::text[], %s::int[], %s::smallint[], %s::bytea[]) ON CONFLICT (key) DO NOTHING;
-- name: update_cases
UPDATE cases SET version = n.version, state = n.state, blob = n.blob
FROM unnest(%s::text[], %s::int[], %s::smallint[], %s::bytea[], %s::int[]) AS n (key, version, state, blob, before)
WHERE cases.key = n.key AND cases.version = n.before;
-- name: insert_waybills
INSERT INTO waybills (key, version, blob)
SELECT * FROM unnest(%s::text[], %s::int[], %s::bytea[]) ON CONFLICT (key) DO NOTHING;
-- name: update_waybills
UPDATE waybills SET version = n.version, blob = n.blob
FROM unnest(%s::text[], %s::int[], %s::bytea[], %s::int[]) AS n (key, version, blob, before)
WHERE waybills.key = n.key AND waybills.version = n.before;
-- name: insert_tallies
INSERT INTO tallies (key, version, blob)
SELECT * FROM unnest(%s::text[], %s::int[], %s::bytea[]) ON CONFLICT (key) DO NOTHING;
-- name: update_tallies
UPDATE tallies SET version = n.version, blob = n.blob
FROM unnest(%s::text[], %s::int[], %s::bytea[], %s::int[]) AS n (key, version, blob, before)
WHERE tallies.key = n.key AND tallies.version = n.before;
-- name: insert_keys
INSERT INTO keys (key, case_key) SELECT * FROM unnest(%s::text[], %s::text[]) ON CONFLICT (key) DO NOTHING;
-- name: update_keys
UPDATE keys SET case_key = n.case_key FROM unnest(%s::text[], %s::text[], %s::text[]) AS n (key, case_key, before)
WHERE keys.key = n.key AND keys.case_key = n.before;
-- name: put_former
INSERT INTO keys (key, case_key) SELECT * FROM unnest(%s::text[], %s::text[]) ON CONFLICT DO NOTHING;
-- name: guard_cases
UPDATE cases SET version = cases.version FROM unnest(%s::text[], %s::int[]) AS n (key, version)
WHERE cases.key = n.key AND cases.version = n.version;
-- name: add_counts
INSERT INTO counts (name, slot, count) SELECT * FROM unnest(%s::text[], %s::int[], %s::bigint[])
ON CONFLICT (name, slot) DO UPDATE SET count = counts.count + excluded.count;
-- name: put_refusals
INSERT INTO refusals (key, inbox) SELECT * FROM unnest(%s::text[], %s::bigint[]) ON CONFLICT DO NOTHING;
-- name: refusals
SELECT key, inbox FROM refusals WHERE key >= %s AND key < %s;
-- name: insert_quota
INSERT INTO quota (buyer, year, held_fen)
SELECT * FROM unnest(%s::bytea[], %s::int[], %s::bigint[]) ON CONFLICT (buyer, year) DO NOTHING;
-- name: update_quota
UPDATE quota SET held_fen = n.held_fen
FROM unnest(%s::bytea[], %s::int[], %s::bigint[], %s::bigint[]) AS n (buyer, year, held_fen, before)
WHERE quota.buyer = n.buyer AND quota.year = n.year AND quota.held_fen = n.before;
-- name: post
INSERT INTO postings (document, line, kind, account, amount_fen, inbox)
SELECT * FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::bigint[], %s::bigint[]);
-- name: journal
INSERT INTO journal (inbox, at, law, code, documents, blob)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::int[], %s::bytea[]);
-- name: put_outbox
INSERT INTO outbox (inbox, type, receiver, wrap, documents, created_at, blob)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::int[], %s::int[], %s::bigint[], %s::bytea[]);
-- name: put_timers
INSERT INTO timers (kind, due_at, inbox, blob)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bytea[]);
-- name: due_timers
SELECT id, kind, due_at, blob FROM timers WHERE state = 0 AND due_at <= %s ORDER BY due_at, id LIMIT %s;
-- name: end_timer
UPDATE timers SET state = 2 WHERE id = ANY (%s::bigint[]) AND state = 0;
-- name: due_count
SELECT count(*) FROM timers WHERE state = 0 AND due_at <= %s;
-- name: outbox_open
SELECT id, inbox, type, receiver, wrap, documents, created_at, blob FROM outbox WHERE state = 0 AND id > %s
ORDER BY id LIMIT %s;
-- name: mark_sent
UPDATE outbox SET state = n.state FROM unnest(%s::bigint[], %s::smallint[]) AS n (id, state) WHERE outbox.id = n.id;
-- name: send_again
UPDATE outbox SET state = 0 WHERE inbox = %s AND state = 2 AND type <> 'DATA';
-- name: lease_numbers
INSERT INTO numbers (name, next) VALUES (%s, 1 + %s::bigint)
ON CONFLICT (name) DO UPDATE SET next = numbers.next + excluded.next - 1 RETURNING next;
-- name: put_filings
INSERT INTO filings (code, name, roles, since, until)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (code) DO UPDATE SET name = excluded.name, roles = excluded.roles, since = excluded.since,
until = excluded.until;
-- name: add_filings
INSERT INTO filings (code, name, roles, since, until)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) ON CONFLICT (code) DO NOTHING;
-- name: filings
SELECT code, name, roles, since, until FROM filings;
-- name: totals
SELECT name, sum(count) FROM counts GROUP BY name;
-- name: counted
SELECT 'state/' || state, count(*) FROM cases GROUP BY state
UNION ALL SELECT 'messages', count(*) FROM inbox WHERE kind <> 'timer'
UNION ALL SELECT 'documents', coalesce(sum(documents), 0) FROM journal
UNION ALL SELECT 'receipts', coalesce(sum(documents), 0) FROM outbox
UNION ALL SELECT 'refusals', count(*) FROM refusals WHERE substr(key, 1, 1) <> '~';
-- name: forget_counts
DELETE FROM counts;
-- name: recount
INSERT INTO counts (name, slot, count)
SELECT 'state/' || state, 0, count(*) FROM cases GROUP BY state
UNION ALL SELECT 'messages', 0, count(*) FROM inbox WHERE kind <> 'timer'
UNION ALL SELECT 'documents', 0, coalesce(sum(documents), 0) FROM journal
UNION ALL SELECT 'receipts', 0, coalesce(sum(documents), 0) FROM outbox
UNION ALL SELECT 'refusals', 0, count(*) FROM refusals WHERE substr(key, 1, 1) <> '~';
-- name: journal_after
SELECT position, inbox, at, law, code, blob FROM journal WHERE position > %s ORDER BY position LIMIT %s;
-- name: journal_of
SELECT position, inbox, at, law, code, blob FROM journal WHERE inbox = ANY (%s::bigint[]) ORDER BY position;
-- name: dump_cases
SELECT key, version, state, blob FROM cases WHERE key COLLATE "C" > %s ORDER BY key COLLATE "C" LIMIT %s;
-- name: dump_waybills
SELECT key, version, blob FROM waybills WHERE key COLLATE "C" > %s ORDER BY key COLLATE "C" LIMIT %s;
-- name: dump_tallies
SELECT key, version, blob FROM tallies WHERE key COLLATE "C" > %s ORDER BY key COLLATE "C" LIMIT %s;
-- name: dump_quota
SELECT buyer, year, held_fen FROM quota WHERE held_fen <> 0;
-- name: dump_refusals
SELECT key, inbox FROM refusals WHERE (key, inbox) > (%s, %s::bigint) ORDER BY key, inbox LIMIT %s;
-- name: dump_postings
SELECT document, line, kind, account, amount_fen FROM postings WHERE (document, line, kind) > (%s, %s::int, %s)
ORDER BY document, line, kind LIMIT %s;
-- name: dump_keys
SELECT key, case_key FROM keys WHERE key COLLATE "C" > %s ORDER BY key COLLATE "C" LIMIT %s;
-- name: dump_timers
SELECT id, inbox, kind, due_at, blob FROM timers WHERE id > %s ORDER BY id LIMIT %s;
-- name: dump_outbox
SELECT id, inbox, type, receiver, documents, created_at FROM outbox WHERE id > %s AND type <> 'DATA'
ORDER BY id LIMIT %s;
-- name: journal_without_done
SELECT journal.inbox FROM journal LEFT JOIN inbox ON inbox.id = journal.inbox
WHERE inbox.id IS NULL OR inbox.state <> 2 ORDER BY 1 LIMIT %s;
-- name: done_without_journal
SELECT inbox.id FROM inbox LEFT JOIN journal ON journal.inbox = inbox.id
WHERE inbox.state = 2 AND journal.inbox IS NULL ORDER BY 1 LIMIT %s;
-- name: inbox_without_archive
SELECT inbox.id FROM inbox LEFT JOIN archive ON archive.inbox = inbox.id WHERE archive.inbox IS NULL ORDER BY 1 LIMIT %s;
-- name: archive_without_inbox
SELECT archive.inbox FROM archive LEFT JOIN inbox ON inbox.id = archive.inbox WHERE inbox.id IS NULL ORDER BY 1 LIMIT %s;
-- name: rung_without_inbox
SELECT timers.id FROM timers LEFT JOIN inbox ON inbox.kind = 'timer' AND inbox.name = timers.kind || '/' || timers.id
WHERE timers.state <> 0 AND inbox.id IS NULL ORDER BY 1 LIMIT %s;
-- name: case_prefix
SELECT key, blob FROM cases WHERE key COLLATE "C" >= %s AND key COLLATE "C" < %s;
-- name: waybill_prefix
SELECT key, blob FROM waybills WHERE key COLLATE "C" >= %s AND key COLLATE "C" < %s;
-- name: tally_prefix
SELECT key, blob FROM tallies WHERE key COLLATE "C" >= %s AND key COLLATE "C" < %s;
-- name: key_prefix
SELECT key, case_key FROM keys WHERE key COLLATE "C" >= %s AND key COLLATE "C" < %s;
-- name: posting_of
SELECT document, line, kind, account, amount_fen FROM postings WHERE document = ANY (%s::text[]) ORDER BY document, line, kind;
-- name: outbox_of
SELECT id, type, receiver, documents, created_at, state, blob FROM outbox WHERE inbox = ANY (%s::bigint[]) ORDER BY id;
-- name: record_access
INSERT INTO access (at, who, what, reason) VALUES (%s, %s, %s, %s);
-- name: archive_keys
SELECT inbox, key_id, wrapped FROM archive WHERE key_id <> %s AND inbox > %s ORDER BY inbox LIMIT %s;
-- name: outbox_blobs
SELECT id, blob FROM outbox WHERE blob IS NOT NULL AND id > %s ORDER BY id LIMIT %s;
-- name: rehide
UPDATE outbox SET blob = n.blob FROM unnest(%s::bigint[], %s::bytea[]) AS n (id, blob) WHERE outbox.id = n.id;
-- name: rewrap
UPDATE archive SET key_id = n.key_id, wrapped = n.wrapped
FROM unnest(%s::bigint[], %s::text[], %s::bytea[], %s::bytea[]) AS n (inbox, key_id, wrapped, before)
WHERE archive.inbox = n.inbox AND archive.wrapped = n.before;
-- name: reseal
UPDATE archive SET key_id = n.key_id, wrapped = n.wrapped, blob = n.blob
FROM unnest(%s::bigint[], %s::text[], %s::bytea[], %s::bytea[], %s::bytea[]) AS n (inbox, key_id, wrapped, blob, before)
WHERE archive.inbox = n.inbox AND archive.wrapped = n.before;
-- name: held_total
SELECT coalesce(sum(held_fen), 0) FROM quota;
-- name: posted_total
SELECT coalesce(sum(amount_fen), 0) FROM postings WHERE kind IN ('quota', 'quota_back');
-- name: forex_turn
LOCK TABLE forex_batches IN SHARE ROW EXCLUSIVE MODE;
-- name: forex_payments
SELECT key, blob FROM forex_payments WHERE key = ANY (%s::text[]);
-- name: forex_batches
SELECT key, blob FROM forex_batches WHERE key = ANY (%s::text[]);
-- name: forex_lines_of
SELECT batch, number, payment, cny_fen, amount FROM forex_lines WHERE payment = ANY (%s::text[]) ORDER BY batch, number;
-- name: forex_lines_in
SELECT batch, number, payment, cny_fen, amount FROM forex_lines WHERE batch = ANY (%s::text[]) ORDER BY batch, number;
-- name: insert_forex_payments
INSERT INTO forex_payments (key, day, amount_fen, inbox, blob)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bytea[]) ON CONFLICT (key) DO NOTHING;
-- name: insert_forex_batches
INSERT INTO forex_batches (key, day, inbox, blob)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bytea[]) ON CONFLICT (key) DO NOTHING;
-- name: insert_forex_lines
INSERT INTO forex_lines (batch, number, payment, cny_fen, amount)
SELECT * FROM unnest(%s::text[], %s::int[], %s::text[], %s::bigint[], %s::text[]);
-- name: forex_payments_between
SELECT key, blob FROM forex_payments WHERE key > %s AND key < %s AND day BETWEEN %s AND %s ORDER BY key LIMIT %s;
-- name: forex_payments_open
SELECT key, blob FROM forex_payments WHERE key > %s AND key < %s AND day BETWEEN %s AND %s
AND NOT EXISTS (SELECT 1 FROM forex_lines WHERE payment = forex_payments.key) ORDER BY key LIMIT %s;
-- name: forex_batches_between
SELECT key, blob FROM forex_batches WHERE key > %s AND key < %s AND day BETWEEN %s AND %s ORDER BY key LIMIT %s;
-- name: forex_years
SELECT kind, year, count(*), min(day), max(day) FROM
(SELECT 'payments' AS kind, substr(day, 1, 4) AS year, day FROM forex_payments
UNION ALL SELECT 'batches', substr(day, 1, 4), day FROM forex_batches) AS held GROUP BY kind, year ORDER BY year, kind DESC;
-- name: forex_files
SELECT inbox, max(day) FROM (SELECT inbox, day FROM forex_payments UNION ALL SELECT inbox, day FROM forex_batches) AS held
GROUP BY inbox HAVING max(day) < %s ORDER BY inbox;
-- name: dump_forex_payments
SELECT key, day, amount_fen, inbox, blob FROM forex_payments WHERE key > %s ORDER BY key LIMIT %s;
-- name: dump_forex_batches
SELECT key, day, inbox, blob FROM forex_batches WHERE key > %s ORDER BY key LIMIT %s;
-- name: dump_forex_lines
SELECT batch, number, payment, cny_fen, amount FROM forex_lines WHERE (batch, number) > (%s, %s)
ORDER BY batch, number LIMIT %s;
-- name: ledger_turn
LOCK TABLE journal IN SHARE ROW EXCLUSIVE MODE;
-- name: journal_head
SELECT coalesce(max(position), 0) FROM journal;
-- name: ledger_position
SELECT position FROM ledger_at WHERE name = 'journal';
-- name: begin_ledger
INSERT INTO ledger_at (name, position) VALUES ('journal', 0) ON CONFLICT (name) DO NOTHING;
-- name: move_ledger
UPDATE ledger_at SET position = n.position FROM unnest(%s::bigint[], %s::bigint[]) AS n (position, before)
WHERE ledger_at.name = 'journal' AND ledger_at.position = n.before;
-- name: living_bills
SELECT tax_no, case_key, code, port, released, duty_fen, vat_fen, consumption_fen, status, ent_duty_no FROM tax_bills
WHERE status <> '3' AND case_key = ANY (%s::text[]);
-- name: put_tax_bills
INSERT INTO tax_bills (tax_no, case_key, code, port, released, duty_fen, vat_fen, consumption_fen, status, ent_duty_no)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[])
ON CONFLICT (tax_no) DO UPDATE SET status = excluded.status, ent_duty_no = excluded.ent_duty_no;
-- name: tax_documents
SELECT number, code, port, made, released, bills, paid_on FROM tax_documents WHERE number = ANY (%s::text[]);
-- name: put_tax_documents
INSERT INTO tax_documents (number, code, port, made, released, bills, paid_on)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::text[])
ON CONFLICT (number) DO UPDATE SET released = excluded.released, bills = excluded.bills,
paid_on = excluded.paid_on;
-- name: tax_sums
SELECT number, kind, billed_fen, paid_fen FROM tax_sums WHERE number = ANY (%s::text[]);
-- name: put_tax_sums
INSERT INTO tax_sums (number, kind, billed_fen, paid_fen)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[])
ON CONFLICT (number, kind) DO UPDATE SET billed_fen = excluded.billed_fen, paid_fen = excluded.paid_fen;
-- name: guarantees
SELECT number, code, kind, customs, amount_fen, since, until, ended FROM guarantees WHERE number = ANY (%s::text[]);
-- name: guarantees_of
SELECT number, code, kind, customs, amount_fen, since, until, ended FROM guarantees WHERE code = ANY (%s::text[]) ORDER BY number;
-- name: guarantees_held
SELECT number, code, kind, customs, amount_fen, since, until, ended FROM guarantees WHERE code = ANY (%s::text[]) ORDER BY number FOR UPDATE;
-- name: put_guarantees
INSERT INTO guarantees (number, code, kind, customs, amount_fen, since, until, ended)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (number) DO UPDATE SET ended = excluded.ended;
-- name: tax_payments
SELECT serial, number, code, port, paid_on, back, duty_fen, vat_fen, consumption_fen, late_fee_fen FROM tax_payments WHERE serial = ANY (%s::text[]);
-- name: tax_payments_of
SELECT serial, number, code, port, paid_on, back, duty_fen, vat_fen, consumption_fen, late_fee_fen FROM tax_payments
WHERE number = ANY (%s::text[]) ORDER BY serial;
-- name: put_tax_payments
INSERT INTO tax_payments (serial, number, code, port, paid_on, back, duty_fen, vat_fen, consumption_fen, late_fee_fen)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]);
-- name: put_tax_refunds
INSERT INTO tax_refunds (code, refund_fen)
SELECT * FROM unnest(%s::text[], %s::bigint[])
ON CONFLICT (code) DO UPDATE SET refund_fen = excluded.refund_fen;
-- name: tax_refunds_of
SELECT code, refund_fen FROM tax_refunds WHERE code = ANY (%s::text[]);
-- name: add_ledger
INSERT INTO ledger (day, entry, account, code, port, kind, debit_fen, credit_fen)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
ON CONFLICT (day, entry, account, code, port, kind) DO UPDATE SET debit_fen = ledger.debit_fen + excluded.debit_fen,
credit_fen = ledger.credit_fen + excluded.credit_fen;
-- name: add_tax_held
INSERT INTO tax_held (code, slot, held_fen)
SELECT * FROM unnest(%s::text[], %s::int[], %s::bigint[])
ON CONFLICT (code, slot) DO UPDATE SET held_fen = tax_held.held_fen + excluded.held_fen;
-- name: tax_held_of
SELECT code, sum(held_fen)::bigint FROM tax_held WHERE code = ANY (%s::text[]) GROUP BY code;
-- name: guarantors
SELECT code FROM guarantees UNION SELECT code FROM tax_held ORDER BY code;
-- name: open_bills
SELECT code, port, sum(duty_fen)::bigint, sum(vat_fen)::bigint, sum(consumption_fen)::bigint, count(*), min(released) FROM tax_bills
WHERE status = '1' GROUP BY code, port ORDER BY code, port;
-- name: document_sums
SELECT d.code, d.port, s.kind, sum(greatest(s.billed_fen - s.paid_fen, 0))::bigint, sum(greatest(s.paid_fen - s.billed_fen, 0))::bigint
FROM tax_sums AS s JOIN tax_documents AS d ON d.number = s.number WHERE s.billed_fen <> s.paid_fen
GROUP BY d.code, d.port, s.kind ORDER BY d.code, d.port, s.kind;
-- name: documents_open
SELECT number, code, port, made, released, bills, paid_on FROM tax_documents
WHERE number IN (SELECT number FROM tax_sums WHERE billed_fen <> paid_fen) ORDER BY number;
-- name: documents_made
SELECT number, code, port, made, released, bills, paid_on FROM tax_documents WHERE made BETWEEN %s AND %s ORDER BY number;
-- name: ledger_before
SELECT '', entry, account, code, port, kind, sum(debit_fen)::bigint, sum(credit_fen)::bigint FROM ledger WHERE day < %s
GROUP BY entry, account, code, port, kind;
-- name: ledger_between
SELECT day, entry, account, code, port, kind, debit_fen, credit_fen FROM ledger WHERE day BETWEEN %s AND %s;
-- name: dump_guarantees
SELECT number, code, kind, customs, amount_fen, since, until, ended FROM guarantees WHERE number > %s ORDER BY number LIMIT %s;
-- name: dump_tax_bills
SELECT tax_no, case_key, code, port, released, duty_fen, vat_fen, consumption_fen, status, ent_duty_no FROM tax_bills
WHERE tax_no > %s ORDER BY tax_no LIMIT %s;
-- name: dump_tax_documents
SELECT number, code, port, made, released, bills, paid_on FROM tax_documents WHERE number > %s ORDER BY number LIMIT %s;
-- name: dump_tax_payments
SELECT serial, number, code, port, paid_on, back, duty_fen, vat_fen, consumption_fen, late_fee_fen FROM tax_payments
WHERE serial > %s ORDER BY serial LIMIT %s;
-- name: dump_tax_sums
SELECT number, kind, billed_fen, paid_fen FROM tax_sums WHERE (number, kind) > (%s, %s) ORDER BY number, kind LIMIT %s;
-- name: dump_tax_refunds
SELECT code, refund_fen FROM tax_refunds WHERE refund_fen <> 0 AND code > %s ORDER BY code LIMIT %s;
-- name: dump_ledger
SELECT day, entry, account, code, port, kind, debit_fen, credit_fen FROM ledger
WHERE (day, entry, account, code, port, kind) > (%s, %s, %s, %s, %s, %s)
ORDER BY day, entry, account, code, port, kind LIMIT %s;
-- name: dump_tax_held
SELECT code, sum(held_fen)::bigint FROM tax_held GROUP BY code HAVING sum(held_fen) <> 0 ORDER BY code;
-- account books
-- name: insert_bonded_books
INSERT INTO bonded_books (key, version, customs, company, blob)
SELECT * FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::bytea[]) ON CONFLICT DO NOTHING;
-- name: update_bonded_books
UPDATE bonded_books SET version = n.version, customs = n.customs, company = n.company, blob = n.blob
FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::bytea[], %s::int[]) AS n (key, version, customs,
company, blob, before)
WHERE bonded_books.key = n.key AND bonded_books.version = n.before;
-- name: bonded_books
SELECT key, blob FROM bonded_books WHERE key = ANY (%s::text[]);
-- name: dump_bonded_books
SELECT key, version, customs, company, blob FROM bonded_books WHERE key > %s ORDER BY key LIMIT %s;
-- name: insert_bonded_lists
INSERT INTO bonded_lists (key, version, book, company, own, io, kind, state, declared_at, blob)
SELECT * FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
%s::bigint[], %s::bytea[]) ON CONFLICT DO NOTHING;
-- name: update_bonded_lists
UPDATE bonded_lists SET version = n.version, book = n.book, company = n.company, own = n.own, io = n.io, kind =
n.kind, state = n.state, declared_at = n.declared_at, blob = n.blob
FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
%s::bigint[], %s::bytea[], %s::int[]) AS n (key, version, book, company, own, io, kind, state, declared_at, blob,
before)
WHERE bonded_lists.key = n.key AND bonded_lists.version = n.before;
-- name: bonded_lists
SELECT key, blob FROM bonded_lists WHERE key = ANY (%s::text[]);
-- name: dump_bonded_lists
SELECT key, version, book, company, own, io, kind, state, declared_at, blob FROM bonded_lists WHERE key > %s ORDER BY
key LIMIT %s;
-- name: insert_bonded_passes
INSERT INTO bonded_passes (key, version, customs, company, own, io, state, declared_at, blob)
SELECT * FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[],
%s::bytea[]) ON CONFLICT DO NOTHING;
-- name: update_bonded_passes
UPDATE bonded_passes SET version = n.version, customs = n.customs, company = n.company, own = n.own, io = n.io, state
= n.state, declared_at = n.declared_at, blob = n.blob
FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[],
%s::bytea[], %s::int[]) AS n (key, version, customs, company, own, io, state, declared_at, blob, before)
WHERE bonded_passes.key = n.key AND bonded_passes.version = n.before;
-- name: bonded_passes
SELECT key, blob FROM bonded_passes WHERE key = ANY (%s::text[]);
-- name: dump_bonded_passes
SELECT key, version, customs, company, own, io, state, declared_at, blob FROM bonded_passes WHERE key > %s ORDER BY
key LIMIT %s;
-- name: insert_bonded_sales
INSERT INTO bonded_sales (key, version, book, list, back_list, live, due, at, blob)
SELECT * FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::bigint[],
%s::bytea[]) ON CONFLICT DO NOTHING;
-- name: update_bonded_sales
UPDATE bonded_sales SET version = n.version, book = n.book, list = n.list, back_list = n.back_list, live = n.live,
due = n.due, at = n.at, blob = n.blob
FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::bigint[],
%s::bytea[], %s::int[]) AS n (key, version, book, list, back_list, live, due, at, blob, before)
WHERE bonded_sales.key = n.key AND bonded_sales.version = n.before;
-- name: bonded_sales
SELECT key, blob FROM bonded_sales WHERE key = ANY (%s::text[]);
-- name: dump_bonded_sales
SELECT key, version, book, list, back_list, live, due, at, blob FROM bonded_sales WHERE key > %s ORDER BY key LIMIT
%s;
-- name: insert_bonded_lines
INSERT INTO bonded_lines (book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased,
reserved, entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods)
SELECT * FROM unnest(%s::text[], %s::int[], %s::int[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[],
%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
%s::bigint[], %s::text[], %s::int[], %s::bytea[]) ON CONFLICT DO NOTHING;
-- name: update_bonded_lines
UPDATE bonded_lines SET version = n.version, material = n.material, entered = n.entered, increased = n.increased,
decreased = n.decreased, pre_increased = n.pre_increased, pre_decreased = n.pre_decreased, reserved = n.reserved,
entered1 = n.entered1, left1 = n.left1, entered2 = n.entered2, left2 = n.left2, in_at = n.in_at, out_at = n.out_at,
list = n.list, list_line = n.list_line, goods = n.goods
FROM unnest(%s::text[], %s::int[], %s::int[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
%s::text[], %s::int[], %s::bytea[], %s::int[]) AS n (book, item, version, material, entered, increased, decreased,
pre_increased, pre_decreased, reserved, entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods,
before)
WHERE bonded_lines.book = n.book AND bonded_lines.item = n.item AND bonded_lines.version = n.before;
-- name: bonded_lines
SELECT book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased, reserved, entered1,
left1, entered2, left2, in_at, out_at, list, list_line, goods FROM bonded_lines
WHERE book = %s AND item IN (SELECT value::int FROM jsonb_array_elements_text(%s::jsonb) AS value);
-- name: bonded_line
SELECT book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased, reserved,
entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods FROM bonded_lines WHERE book = %s AND item =
%s;
-- name: bonded_lines_of
SELECT book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased, reserved,
entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods FROM bonded_lines WHERE book = %s AND
material = %s ORDER BY item;
-- name: bonded_lines_after
SELECT book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased, reserved,
entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods FROM bonded_lines WHERE book = %s AND item >
%s ORDER BY item LIMIT %s;
-- name: dump_bonded_lines
SELECT book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased, reserved,
entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods FROM bonded_lines WHERE (book, item) > (%s,
%s) ORDER BY book, item LIMIT %s;
-- name: insert_bonded_moves
INSERT INTO bonded_moves (book, item, seq, kind, document, line, qty, qty1, qty2, inbox)
SELECT * FROM unnest(%s::text[], %s::int[], %s::int[], %s::smallint[], %s::text[], %s::int[], %s::bigint[],
%s::bigint[], %s::bigint[], %s::bigint[]);
-- name: dump_bonded_moves
SELECT book, item, seq, kind, document, line, qty, qty1, qty2, inbox FROM bonded_moves WHERE (book, item, seq) > (%s,
%s, %s)
ORDER BY book, item, seq LIMIT %s;
-- name: bonded_moves_after
SELECT book, item, seq, kind, qty, qty1, qty2 FROM bonded_moves WHERE (book, item, seq) > (%s, %s, %s)
ORDER BY book, item, seq LIMIT %s;
-- name: bonded_moves_of
SELECT seq, kind, document, line, qty, qty1, qty2, inbox FROM bonded_moves WHERE book = %s AND item = %s
ORDER BY seq DESC LIMIT %s;
-- name: add_bonded_totals
INSERT INTO bonded_totals (book, slot, items, moves, entered, increased, decreased, pre_increased, pre_decreased,
reserved)
SELECT * FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
%s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (book, slot) DO UPDATE SET items = bonded_totals.items + excluded.items, moves = bonded_totals.moves +
excluded.moves, entered = bonded_totals.entered + excluded.entered, increased = bonded_totals.increased +
excluded.increased, decreased = bonded_totals.decreased + excluded.decreased, pre_increased =
bonded_totals.pre_increased + excluded.pre_increased, pre_decreased = bonded_totals.pre_decreased +
excluded.pre_decreased, reserved = bonded_totals.reserved + excluded.reserved;
-- name: bonded_total
SELECT sum(items), sum(moves), sum(entered), sum(increased), sum(decreased), sum(pre_increased), sum(pre_decreased),
sum(reserved) FROM bonded_totals WHERE book = %s;
-- name: dump_bonded_totals
SELECT book, sum(items), sum(moves), sum(entered), sum(increased), sum(decreased), sum(pre_increased),
sum(pre_decreased), sum(reserved) FROM bonded_totals GROUP BY book ORDER BY book;
-- name: bonded_own_lists
SELECT key, blob FROM bonded_lists WHERE company = %s AND own = %s AND state NOT IN ('refused', 'deleted') ORDER BY
key;
-- name: bonded_own_passes
SELECT key, blob FROM bonded_passes WHERE company = %s AND own = %s AND state NOT IN ('refused', 'void') ORDER BY key;
-- name: bonded_open_lists
SELECT key, blob FROM bonded_lists WHERE book = %s AND state IN ('stored', 'manual', 'passed', 'pre') ORDER BY key;
-- name: bonded_open_passes
SELECT key, blob FROM bonded_passes WHERE state IN ('stored', 'approved', 'first_gate') ORDER BY key;
-- name: bonded_sales_on
SELECT key, blob FROM bonded_sales WHERE list = %s AND list <> '' ORDER BY key;
-- name: bonded_sales_back
SELECT key, blob FROM bonded_sales WHERE back_list = %s AND back_list <> '' ORDER BY key;
-- name: bonded_sales_free
SELECT key, blob FROM bonded_sales WHERE book = %s AND list = '' AND live = 1 ORDER BY at, key LIMIT %s;
-- name: bonded_sales_due
SELECT key, blob FROM bonded_sales WHERE book = %s AND due = 1 ORDER BY key LIMIT %s;
-- name: bonded_books_all
SELECT key, blob FROM bonded_books ORDER BY key;
