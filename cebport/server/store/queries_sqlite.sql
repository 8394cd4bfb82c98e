-- Every statement of the store on SQLite, by name. The same names stand in queries_postgresql.sql.
-- {in} becomes a list of placeholders; a statement called with many rows runs once a row.

-- name: deliver
INSERT INTO inbox (peer, digest, kind, name, route, received_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (peer, digest) DO NOTHING RETURNING id;
-- name: delivered
SELECT id FROM inbox WHERE peer = ? AND digest = ?;
-- name: book_inbox
INSERT INTO inbox (peer, digest, kind, name, route, received_at, state) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id;
-- name: archive
INSERT INTO archive (inbox, key_id, wrapped, blob) VALUES (?, ?, ?, ?);
-- name: claim
UPDATE inbox SET state = 1, worker = ? WHERE id IN (SELECT id FROM inbox
WHERE state < 2 AND state = 0 ORDER BY id LIMIT ?)
RETURNING id, kind, peer, name, route, received_at,
(SELECT length(blob) FROM archive WHERE archive.inbox = inbox.id);
-- name: claimers
SELECT DISTINCT worker FROM inbox WHERE state < 2 AND state = 1;
-- name: release_claims
UPDATE inbox SET state = 0, worker = '' WHERE state < 2 AND state = 1 AND worker = ?;
-- name: unclaim
UPDATE inbox SET state = 0, worker = '' WHERE id = ? AND state = 1 AND worker = ?;
-- name: newest_seal
SELECT key_id, wrapped FROM archive ORDER BY inbox DESC LIMIT 1;
-- name: archived
SELECT inbox, key_id, wrapped, blob FROM archive WHERE inbox IN ({in});
-- name: settle_inbox
UPDATE inbox SET state = ?, note = ? WHERE id = ? AND state = 1 AND worker = ?;
-- name: retry_inbox
UPDATE inbox SET state = 0, worker = '', note = '' WHERE state = 3;
-- name: retry_outbox
UPDATE outbox SET state = 0 WHERE state = 3;
-- name: aside_inbox
SELECT id, name, note FROM inbox WHERE state = 3 ORDER BY id;
-- name: aside_outbox
SELECT id, type, inbox FROM outbox WHERE state = 3 ORDER BY id;
-- name: inbox_row
SELECT id, peer, digest, kind, name, route, received_at, state, worker, note FROM inbox WHERE id = ?;
-- name: inbox_rows
SELECT id, peer, kind, name, received_at, state, note FROM inbox WHERE id IN ({in});
-- name: open_counts
SELECT (SELECT count(*) FROM inbox WHERE state < 2), (SELECT count(*) FROM outbox WHERE state = 0);
-- name: cases
SELECT key, blob FROM cases WHERE key IN ({in});
-- name: waybills
SELECT key, blob FROM waybills WHERE key IN ({in});
-- name: tallies
SELECT key, blob FROM tallies WHERE key IN ({in});
-- name: keys
SELECT key, case_key FROM keys WHERE key IN ({in});
-- name: quota
SELECT buyer, year, held_fen FROM quota WHERE buyer IN ({in});
-- name: insert_cases
INSERT INTO cases (key, version, state, blob) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING;
-- name: update_cases
UPDATE cases SET version = ?2, state = ?3, blob = ?4 WHERE key = ?1 AND version = ?5;
-- name: insert_waybills
INSERT INTO waybills (key, version, blob) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING;
-- name: update_waybills
UPDATE waybills SET version = ?2, blob = ?3 WHERE key = ?1 AND version = ?4;
-- name: insert_tallies
INSERT INTO tallies (key, version, blob) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING;
-- name: update_tallies
UPDATE tallies SET version = ?2, blob = ?3 WHERE key = ?1 AND version = ?4;
-- name: insert_keys
INSERT INTO keys (key, case_key) VALUES (?, ?) ON CONFLICT (key) DO NOTHING;
-- name: update_keys
UPDATE keys SET case_key = ?2 WHERE key = ?1 AND case_key = ?3;
-- name: put_former
INSERT INTO keys (key, case_key) VALUES (?, ?) ON CONFLICT DO NOTHING;
-- name: guard_cases
UPDATE cases SET version = version WHERE key = ? AND version = ?;
-- name: add_counts
INSERT INTO counts (name, slot, count) VALUES (?, ?, ?)
ON CONFLICT (name, slot) DO UPDATE SET count = counts.count + excluded.count;
-- name: put_refusals
INSERT INTO refusals (key, inbox) VALUES (?, ?) ON CONFLICT DO NOTHING;
-- name: refusals
SELECT key, inbox FROM refusals WHERE key >= ?1 AND key < ?2;
-- name: insert_quota
INSERT INTO quota (buyer, year, held_fen) VALUES (?, ?, ?) ON CONFLICT (buyer, year) DO NOTHING;
-- name: update_quota
UPDATE quota SET held_fen = ?3 WHERE buyer = ?1 AND year = ?2 AND held_fen = ?4;
-- name: post
INSERT INTO postings (document, line, kind, account, amount_fen, inbox) VALUES (?, ?, ?, ?, ?, ?);
-- name: journal
INSERT INTO journal (inbox, at, law, code, documents, blob) VALUES (?, ?, ?, ?, ?, ?);
-- name: put_outbox
INSERT INTO outbox (inbox, type, receiver, wrap, documents, created_at, blob) VALUES (?, ?, ?, ?, ?, ?, ?);
-- name: put_timers
INSERT INTO timers (kind, due_at, inbox, blob) VALUES (?, ?, ?, ?);
-- name: due_timers
SELECT id, kind, due_at, blob FROM timers WHERE state = 0 AND due_at <= ? ORDER BY due_at, id LIMIT ?;
-- name: end_timer
UPDATE timers SET state = 2 WHERE id = ? AND state = 0;
-- name: due_count
SELECT count(*) FROM timers WHERE state = 0 AND due_at <= ?;
-- name: outbox_open
SELECT id, inbox, type, receiver, wrap, documents, created_at, blob FROM outbox WHERE state = 0 AND id > ?
ORDER BY id LIMIT ?;
-- name: mark_sent
UPDATE outbox SET state = ?2 WHERE id = ?1;
-- name: send_again
UPDATE outbox SET state = 0 WHERE inbox = ? AND state = 2 AND type <> 'DATA';
-- name: lease_numbers
INSERT INTO numbers (name, next) VALUES (?, 1 + ?)
ON CONFLICT (name) DO UPDATE SET next = numbers.next + excluded.next - 1 RETURNING next;
-- name: put_filings
INSERT INTO filings (code, name, roles, since, until) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, roles = excluded.roles, since = excluded.since,
until = excluded.until;
-- name: add_filings
INSERT INTO filings (code, name, roles, since, until) VALUES (?, ?, ?, ?, ?) ON CONFLICT (code) DO NOTHING;
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
SELECT position, inbox, at, law, code, blob FROM journal WHERE position > ? ORDER BY position LIMIT ?;
-- name: journal_of
SELECT position, inbox, at, law, code, blob FROM journal WHERE inbox IN ({in}) ORDER BY position;
-- name: dump_cases
SELECT key, version, state, blob FROM cases WHERE key > ? ORDER BY key LIMIT ?;
-- name: dump_waybills
SELECT key, version, blob FROM waybills WHERE key > ? ORDER BY key LIMIT ?;
-- name: dump_tallies
SELECT key, version, blob FROM tallies WHERE key > ? ORDER BY key LIMIT ?;
-- name: dump_quota
SELECT buyer, year, held_fen FROM quota WHERE held_fen <> 0;
-- name: dump_refusals
SELECT key, inbox FROM refusals WHERE (key, inbox) > (?, ?) ORDER BY key, inbox LIMIT ?;
-- name: dump_postings
SELECT document, line, kind, account, amount_fen FROM postings WHERE (document, line, kind) > (?, ?, ?)
ORDER BY document, line, kind LIMIT ?;
-- name: dump_keys
SELECT key, case_key FROM keys WHERE key > ? ORDER BY key LIMIT ?;
-- name: dump_timers
SELECT id, inbox, kind, due_at, blob FROM timers WHERE id > ? ORDER BY id LIMIT ?;
-- name: dump_outbox
SELECT id, inbox, type, receiver, documents, created_at FROM outbox WHERE id > ? AND type <> 'DATA'
ORDER BY id LIMIT ?;
-- name: journal_without_done
SELECT journal.inbox FROM journal LEFT JOIN inbox ON inbox.id = journal.inbox
WHERE inbox.id IS NULL OR inbox.state <> 2 ORDER BY 1 LIMIT ?;
-- name: done_without_journal
SELECT inbox.id FROM inbox LEFT JOIN journal ON journal.inbox = inbox.id
WHERE inbox.state = 2 AND journal.inbox IS NULL ORDER BY 1 LIMIT ?;
-- name: inbox_without_archive
SELECT inbox.id FROM inbox LEFT JOIN archive ON archive.inbox = inbox.id WHERE archive.inbox IS NULL ORDER BY 1 LIMIT ?;
-- name: archive_without_inbox
SELECT archive.inbox FROM archive LEFT JOIN inbox ON inbox.id = archive.inbox WHERE inbox.id IS NULL ORDER BY 1 LIMIT ?;
-- name: rung_without_inbox
SELECT timers.id FROM timers LEFT JOIN inbox ON inbox.kind = 'timer' AND inbox.name = timers.kind || '/' || timers.id
WHERE timers.state <> 0 AND inbox.id IS NULL ORDER BY 1 LIMIT ?;
-- name: case_prefix
SELECT key, blob FROM cases WHERE key >= ?1 AND key < ?2;
-- name: waybill_prefix
SELECT key, blob FROM waybills WHERE key >= ?1 AND key < ?2;
-- name: tally_prefix
SELECT key, blob FROM tallies WHERE key >= ?1 AND key < ?2;
-- name: key_prefix
SELECT key, case_key FROM keys WHERE key >= ?1 AND key < ?2;
-- name: posting_of
SELECT document, line, kind, account, amount_fen FROM postings WHERE document IN ({in}) ORDER BY document, line, kind;
-- name: outbox_of
SELECT id, type, receiver, documents, created_at, state, blob FROM outbox WHERE inbox IN ({in}) ORDER BY id;
-- name: record_access
INSERT INTO access (at, who, what, reason) VALUES (?, ?, ?, ?);
-- name: archive_keys
SELECT inbox, key_id, wrapped FROM archive WHERE key_id <> ? AND inbox > ? ORDER BY inbox LIMIT ?;
-- name: outbox_blobs
SELECT id, blob FROM outbox WHERE blob IS NOT NULL AND id > ? ORDER BY id LIMIT ?;
-- name: rehide
UPDATE outbox SET blob = ?2 WHERE id = ?1;
-- name: rewrap
UPDATE archive SET key_id = ?2, wrapped = ?3 WHERE inbox = ?1 AND wrapped = ?4;
-- name: reseal
UPDATE archive SET key_id = ?2, wrapped = ?3, blob = ?4 WHERE inbox = ?1 AND wrapped = ?5;
-- name: held_total
SELECT coalesce(sum(held_fen), 0) FROM quota;
-- name: posted_total
SELECT coalesce(sum(amount_fen), 0) FROM postings WHERE kind IN ('quota', 'quota_back');
-- name: forex_turn
SELECT 1;
-- name: forex_payments
SELECT key, blob FROM forex_payments WHERE key IN ({in});
-- name: forex_batches
SELECT key, blob FROM forex_batches WHERE key IN ({in});
-- name: forex_lines_of
SELECT batch, number, payment, cny_fen, amount FROM forex_lines WHERE payment IN ({in}) ORDER BY batch, number;
-- name: forex_lines_in
SELECT batch, number, payment, cny_fen, amount FROM forex_lines WHERE batch IN ({in}) ORDER BY batch, number;
-- name: insert_forex_payments
INSERT INTO forex_payments (key, day, amount_fen, inbox, blob) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING;
-- name: insert_forex_batches
INSERT INTO forex_batches (key, day, inbox, blob) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING;
-- name: insert_forex_lines
INSERT INTO forex_lines (batch, number, payment, cny_fen, amount) VALUES (?, ?, ?, ?, ?);
-- name: forex_payments_between
SELECT key, blob FROM forex_payments WHERE key > ? AND key < ? AND day BETWEEN ? AND ? ORDER BY key LIMIT ?;
-- name: forex_payments_open
SELECT key, blob FROM forex_payments WHERE key > ? AND key < ? AND day BETWEEN ? AND ?
AND NOT EXISTS (SELECT 1 FROM forex_lines WHERE payment = forex_payments.key) ORDER BY key LIMIT ?;
-- name: forex_batches_between
SELECT key, blob FROM forex_batches WHERE key > ? AND key < ? AND day BETWEEN ? AND ? ORDER BY key LIMIT ?;
-- name: forex_years
SELECT kind, year, count(*), min(day), max(day) FROM
(SELECT 'payments' AS kind, substr(day, 1, 4) AS year, day FROM forex_payments
UNION ALL SELECT 'batches', substr(day, 1, 4), day FROM forex_batches) AS held GROUP BY kind, year ORDER BY year, kind DESC;
-- name: forex_files
SELECT inbox, max(day) FROM (SELECT inbox, day FROM forex_payments UNION ALL SELECT inbox, day FROM forex_batches) AS held
GROUP BY inbox HAVING max(day) < ? ORDER BY inbox;
-- name: dump_forex_payments
SELECT key, day, amount_fen, inbox, blob FROM forex_payments WHERE key > ? ORDER BY key LIMIT ?;
-- name: dump_forex_batches
SELECT key, day, inbox, blob FROM forex_batches WHERE key > ? ORDER BY key LIMIT ?;
-- name: dump_forex_lines
SELECT batch, number, payment, cny_fen, amount FROM forex_lines WHERE (batch, number) > (?, ?)
ORDER BY batch, number LIMIT ?;
-- name: ledger_turn
SELECT 1;
-- name: journal_head
SELECT coalesce(max(position), 0) FROM journal;
-- name: ledger_position
SELECT position FROM ledger_at WHERE name = 'journal';
-- name: begin_ledger
INSERT INTO ledger_at (name, position) VALUES ('journal', 0) ON CONFLICT (name) DO NOTHING;
-- name: move_ledger
UPDATE ledger_at SET position = ? WHERE name = 'journal' AND position = ?;
-- name: living_bills
SELECT tax_no, case_key, code, port, released, duty_fen, vat_fen, consumption_fen, status, ent_duty_no FROM tax_bills
WHERE status <> '3' AND case_key IN ({in});
-- name: put_tax_bills
INSERT INTO tax_bills (tax_no, case_key, code, port, released, duty_fen, vat_fen, consumption_fen, status, ent_duty_no)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (tax_no) DO UPDATE SET status = excluded.status, ent_duty_no = excluded.ent_duty_no;
-- name: tax_documents
SELECT number, code, port, made, released, bills, paid_on FROM tax_documents WHERE number IN ({in});
-- name: put_tax_documents
INSERT INTO tax_documents (number, code, port, made, released, bills, paid_on)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE SET released = excluded.released, bills = excluded.bills,
paid_on = excluded.paid_on;
-- name: tax_sums
SELECT number, kind, billed_fen, paid_fen FROM tax_sums WHERE number IN ({in});
-- name: put_tax_sums
INSERT INTO tax_sums (number, kind, billed_fen, paid_fen)
VALUES (?, ?, ?, ?)
ON CONFLICT (number, kind) DO UPDATE SET billed_fen = excluded.billed_fen, paid_fen = excluded.paid_fen;
-- name: guarantees
SELECT number, code, kind, customs, amount_fen, since, until, ended FROM guarantees WHERE number IN ({in});
-- name: guarantees_of
SELECT number, code, kind, customs, amount_fen, since, until, ended FROM guarantees WHERE code IN ({in}) ORDER BY number;
-- name: guarantees_held
SELECT number, code, kind, customs, amount_fen, since, until, ended FROM guarantees WHERE code IN ({in}) ORDER BY number;
-- name: put_guarantees
INSERT INTO guarantees (number, code, kind, customs, amount_fen, since, until, ended)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (number) DO UPDATE SET ended = excluded.ended;
-- name: tax_payments
SELECT serial, number, code, port, paid_on, back, duty_fen, vat_fen, consumption_fen, late_fee_fen FROM tax_payments WHERE serial IN ({in});
-- name: tax_payments_of
SELECT serial, number, code, port, paid_on, back, duty_fen, vat_fen, consumption_fen, late_fee_fen FROM tax_payments
WHERE number IN ({in}) ORDER BY serial;
-- name: put_tax_payments
INSERT INTO tax_payments (serial, number, code, port, paid_on, back, duty_fen, vat_fen, consumption_fen, late_fee_fen)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: put_tax_refunds
INSERT INTO tax_refunds (code, refund_fen)
VALUES (?, ?)
ON CONFLICT (code) DO UPDATE SET refund_fen = excluded.refund_fen;
-- name: tax_refunds_of
SELECT code, refund_fen FROM tax_refunds WHERE code IN ({in});
-- name: add_ledger
INSERT INTO ledger (day, entry, account, code, port, kind, debit_fen, credit_fen)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, entry, account, code, port, kind) DO UPDATE SET debit_fen = ledger.debit_fen + excluded.debit_fen,
credit_fen = ledger.credit_fen + excluded.credit_fen;
-- name: add_tax_held
INSERT INTO tax_held (code, slot, held_fen)
VALUES (?, ?, ?)
ON CONFLICT (code, slot) DO UPDATE SET held_fen = tax_held.held_fen + excluded.held_fen;
-- name: tax_held_of
SELECT code, sum(held_fen) FROM tax_held WHERE code IN ({in}) GROUP BY code;
-- name: guarantors
SELECT code FROM guarantees UNION SELECT code FROM tax_held ORDER BY code;
-- name: open_bills
SELECT code, port, sum(duty_fen), sum(vat_fen), sum(consumption_fen), count(*), min(released) FROM tax_bills
WHERE status = '1' GROUP BY code, port ORDER BY code, port;
-- name: document_sums
SELECT d.code, d.port, s.kind, sum(max(s.billed_fen - s.paid_fen, 0)), sum(max(s.paid_fen - s.billed_fen, 0))
FROM tax_sums AS s JOIN tax_documents AS d ON d.number = s.number WHERE s.billed_fen <> s.paid_fen
GROUP BY d.code, d.port, s.kind ORDER BY d.code, d.port, s.kind;
-- name: documents_open
SELECT number, code, port, made, released, bills, paid_on FROM tax_documents
WHERE number IN (SELECT number FROM tax_sums WHERE billed_fen <> paid_fen) ORDER BY number;
-- name: documents_made
SELECT number, code, port, made, released, bills, paid_on FROM tax_documents WHERE made BETWEEN ? AND ? ORDER BY number;
-- name: ledger_before
SELECT '', entry, account, code, port, kind, sum(debit_fen), sum(credit_fen) FROM ledger WHERE day < ?
GROUP BY entry, account, code, port, kind;
-- name: ledger_between
SELECT day, entry, account, code, port, kind, debit_fen, credit_fen FROM ledger WHERE day BETWEEN ? AND ?;
-- name: dump_guarantees
SELECT number, code, kind, customs, amount_fen, since, until, ended FROM guarantees WHERE number > ? ORDER BY number LIMIT ?;
-- name: dump_tax_bills
SELECT tax_no, case_key, code, port, released, duty_fen, vat_fen, consumption_fen, status, ent_duty_no FROM tax_bills
WHERE tax_no > ? ORDER BY tax_no LIMIT ?;
-- name: dump_tax_documents
SELECT number, code, port, made, released, bills, paid_on FROM tax_documents WHERE number > ? ORDER BY number LIMIT ?;
-- name: dump_tax_payments
SELECT serial, number, code, port, paid_on, back, duty_fen, vat_fen, consumption_fen, late_fee_fen FROM tax_payments
WHERE serial > ? ORDER BY serial LIMIT ?;
-- name: dump_tax_sums
SELECT number, kind, billed_fen, paid_fen FROM tax_sums WHERE (number, kind) > (?, ?) ORDER BY number, kind LIMIT ?;
-- name: dump_tax_refunds
SELECT code, refund_fen FROM tax_refunds WHERE refund_fen <> 0 AND code > ? ORDER BY code LIMIT ?;
-- name: dump_ledger
SELECT day, entry, account, code, port, kind, debit_fen, credit_fen FROM ledger
WHERE (day, entry, account, code, port, kind) > (?, ?, ?, ?, ?, ?)
ORDER BY day, entry, account, code, port, kind LIMIT ?;
-- name: dump_tax_held
SELECT code, sum(held_fen) FROM tax_held GROUP BY code HAVING sum(held_fen) <> 0 ORDER BY code;
-- account books
-- name: insert_bonded_books
INSERT INTO bonded_books (key, version, customs, company, blob) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;
-- name: update_bonded_books
UPDATE bonded_books SET version = ?2, customs = ?3, company = ?4, blob = ?5
WHERE key = ?1 AND version = ?6;
-- name: bonded_books
SELECT key, blob FROM bonded_books WHERE key IN ({in});
-- name: dump_bonded_books
SELECT key, version, customs, company, blob FROM bonded_books WHERE key > ? ORDER BY key LIMIT ?;
-- name: insert_bonded_lists
INSERT INTO bonded_lists (key, version, book, company, own, io, kind, state, declared_at, blob) VALUES (?, ?, ?, ?,
?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;
-- name: update_bonded_lists
UPDATE bonded_lists SET version = ?2, book = ?3, company = ?4, own = ?5, io = ?6, kind = ?7, state = ?8, declared_at
= ?9, blob = ?10
WHERE key = ?1 AND version = ?11;
-- name: bonded_lists
SELECT key, blob FROM bonded_lists WHERE key IN ({in});
-- name: dump_bonded_lists
SELECT key, version, book, company, own, io, kind, state, declared_at, blob FROM bonded_lists WHERE key > ? ORDER BY
key LIMIT ?;
-- name: insert_bonded_passes
INSERT INTO bonded_passes (key, version, customs, company, own, io, state, declared_at, blob) VALUES (?, ?, ?, ?, ?,
?, ?, ?, ?) ON CONFLICT DO NOTHING;
-- name: update_bonded_passes
UPDATE bonded_passes SET version = ?2, customs = ?3, company = ?4, own = ?5, io = ?6, state = ?7, declared_at = ?8,
blob = ?9
WHERE key = ?1 AND version = ?10;
-- name: bonded_passes
SELECT key, blob FROM bonded_passes WHERE key IN ({in});
-- name: dump_bonded_passes
SELECT key, version, customs, company, own, io, state, declared_at, blob FROM bonded_passes WHERE key > ? ORDER BY
key LIMIT ?;
-- name: insert_bonded_sales
INSERT INTO bonded_sales (key, version, book, list, back_list, live, due, at, blob) VALUES (?, ?, ?, ?, ?, ?, ?, ?,
?) ON CONFLICT DO NOTHING;
-- name: update_bonded_sales
UPDATE bonded_sales SET version = ?2, book = ?3, list = ?4, back_list = ?5, live = ?6, due = ?7, at = ?8, blob = ?9
WHERE key = ?1 AND version = ?10;
-- name: bonded_sales
SELECT key, blob FROM bonded_sales WHERE key IN ({in});
-- name: dump_bonded_sales
SELECT key, version, book, list, back_list, live, due, at, blob FROM bonded_sales WHERE key > ? ORDER BY key LIMIT ?;
-- name: insert_bonded_lines
INSERT INTO bonded_lines (book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased,
reserved, entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?,
?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;
-- name: update_bonded_lines
UPDATE bonded_lines SET version = ?3, material = ?4, entered = ?5, increased = ?6, decreased = ?7, pre_increased =
?8, pre_decreased = ?9, reserved = ?10, entered1 = ?11, left1 = ?12, entered2 = ?13, left2 = ?14, in_at = ?15, out_at
= ?16, list = ?17, list_line = ?18, goods = ?19
WHERE book = ?1 AND item = ?2 AND version = ?20;
-- name: bonded_lines
SELECT book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased, reserved, entered1,
left1, entered2, left2, in_at, out_at, list, list_line, goods FROM bonded_lines
WHERE book = ? AND item IN (SELECT value FROM json_each(?));
-- name: bonded_line
SELECT book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased, reserved,
entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods FROM bonded_lines WHERE book = ? AND item = ?;
-- name: bonded_lines_of
SELECT book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased, reserved,
entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods FROM bonded_lines WHERE book = ? AND material
= ? ORDER BY item;
-- name: bonded_lines_after
SELECT book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased, reserved,
entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods FROM bonded_lines WHERE book = ? AND item > ?
ORDER BY item LIMIT ?;
-- name: dump_bonded_lines
SELECT book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased, reserved,
entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods FROM bonded_lines WHERE (book, item) > (?, ?)
ORDER BY book, item LIMIT ?;
-- name: insert_bonded_moves
INSERT INTO bonded_moves (book, item, seq, kind, document, line, qty, qty1, qty2, inbox) VALUES (?, ?, ?, ?, ?, ?, ?,
?, ?, ?);
-- name: dump_bonded_moves
SELECT book, item, seq, kind, document, line, qty, qty1, qty2, inbox FROM bonded_moves WHERE (book, item, seq) > (?,
?, ?)
ORDER BY book, item, seq LIMIT ?;
-- name: bonded_moves_after
SELECT book, item, seq, kind, qty, qty1, qty2 FROM bonded_moves WHERE (book, item, seq) > (?, ?, ?)
ORDER BY book, item, seq LIMIT ?;
-- name: bonded_moves_of
SELECT seq, kind, document, line, qty, qty1, qty2, inbox FROM bonded_moves WHERE book = ? AND item = ?
ORDER BY seq DESC LIMIT ?;
-- name: add_bonded_totals
INSERT INTO bonded_totals (book, slot, items, moves, entered, increased, decreased, pre_increased, pre_decreased,
reserved) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (book, slot) DO UPDATE SET items = bonded_totals.items + excluded.items, moves = bonded_totals.moves +
excluded.moves, entered = bonded_totals.entered + excluded.entered, increased = bonded_totals.increased +
excluded.increased, decreased = bonded_totals.decreased + excluded.decreased, pre_increased =
bonded_totals.pre_increased + excluded.pre_increased, pre_decreased = bonded_totals.pre_decreased +
excluded.pre_decreased, reserved = bonded_totals.reserved + excluded.reserved;
-- name: bonded_total
SELECT sum(items), sum(moves), sum(entered), sum(increased), sum(decreased), sum(pre_increased), sum(pre_decreased),
sum(reserved) FROM bonded_totals WHERE book = ?;
-- name: dump_bonded_totals
SELECT book, sum(items), sum(moves), sum(entered), sum(increased), sum(decreased), sum(pre_increased),
sum(pre_decreased), sum(reserved) FROM bonded_totals GROUP BY book ORDER BY book;
-- name: bonded_own_lists
SELECT key, blob FROM bonded_lists WHERE company = ? AND own = ? AND state NOT IN ('refused', 'deleted') ORDER BY key;
-- name: bonded_own_passes
SELECT key, blob FROM bonded_passes WHERE company = ? AND own = ? AND state NOT IN ('refused', 'void') ORDER BY key;
-- name: bonded_open_lists
SELECT key, blob FROM bonded_lists WHERE book = ? AND state IN ('stored', 'manual', 'passed', 'pre') ORDER BY key;
-- name: bonded_open_passes
SELECT key, blob FROM bonded_passes WHERE state IN ('stored', 'approved', 'first_gate') ORDER BY key;
-- name: bonded_sales_on
SELECT key, blob FROM bonded_sales WHERE list = ? AND list <> '' ORDER BY key;
-- name: bonded_sales_back
SELECT key, blob FROM bonded_sales WHERE back_list = ? AND back_list <> '' ORDER BY key;
-- name: bonded_sales_free
SELECT key, blob FROM bonded_sales WHERE book = ? AND list = '' AND live = 1 ORDER BY at, key LIMIT ?;
-- name: bonded_sales_due
SELECT key, blob FROM bonded_sales WHERE book = ? AND due = 1 ORDER BY key LIMIT ?;
-- name: bonded_books_all
SELECT key, blob FROM bonded_books ORDER BY key;
