"""The tables of foreign exchange, folded from the journal (外汇各表的重建): what ``rebuild`` proves them with.

The same functions make the rows that an import writes and those that a rebuild expects.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from cebport.clearance.books import to_fen
from cebport.clearance.forex import Batch, BatchLine, ForexChange, PaymentRecord
from cebport.server.store.store import Store, encode
from cebport.values import plain

DUMP_ROWS = 2000
TABLES = (
    "CREATE TABLE forex_payments (key TEXT PRIMARY KEY, day TEXT, amount_fen INTEGER, inbox INTEGER, blob BLOB);"
    "CREATE TABLE forex_batches (key TEXT PRIMARY KEY, day TEXT, inbox INTEGER, blob BLOB);"
    "CREATE TABLE forex_lines (batch TEXT, number INTEGER, payment TEXT, cny_fen INTEGER, amount TEXT, "
    "PRIMARY KEY (batch, number)) WITHOUT ROWID;")
decode_change = msgspec.msgpack.Decoder(ForexChange).decode


def payment_row(record: PaymentRecord, inbox: int) -> tuple[str, str, int, int, bytes]:
    """A payment record as the store holds it."""
    return record.key, record.day, to_fen(record.amount), inbox, encode(record)


def batch_row(batch: Batch, inbox: int) -> tuple[str, str, int, bytes]:
    """A batch as the store holds it."""
    return batch.key, batch.day, inbox, encode(batch)


def line_row(batch: Batch, line: BatchLine) -> tuple[str, int, str, int, str]:
    """A line of a batch as the store holds it."""
    return batch.key, line.number, line.payment_key(batch), to_fen(line.cny), plain(line.foreign)


def fold(base: sqlite3.Connection, event: Any, inbox: int) -> None:
    """What an event of this link set, into the scratch tables."""
    change = decode_change(event.body)
    base.executemany("INSERT INTO forex_payments VALUES (?, ?, ?, ?, ?)",
                     [payment_row(record, inbox) for record in change.payments])
    base.executemany("INSERT INTO forex_batches VALUES (?, ?, ?, ?)",
                     [batch_row(batch, inbox) for batch, _ in change.batches])
    base.executemany("INSERT INTO forex_lines VALUES (?, ?, ?, ?, ?)",
                     [line_row(batch, line) for batch, lines in change.batches for line in lines])


def sides(store: Store, base: sqlite3.Connection) -> Iterator[tuple[str, Iterator[Any], Iterator[Any]]]:
    """(table, stored rows, folded rows), both in the order of their keys."""
    for table, order in (("forex_payments", "key"), ("forex_batches", "key")):
        yield table, _stored(store, f"dump_{table}"), iter(base.execute(f"SELECT * FROM {table} ORDER BY {order}"))
    yield "forex_lines", _stored_lines(store), (
        ((row[0], row[1]), *row[2:]) for row in base.execute("SELECT * FROM forex_lines ORDER BY batch, number"))


def _stored(store: Store, name: str) -> Iterator[tuple[Any, ...]]:
    after = ""
    while rows := store.engine.rows(name, after, DUMP_ROWS):
        for row in rows:
            yield (*row[:-1], bytes(row[-1]))
        after = rows[-1][0]


def _stored_lines(store: Store) -> Iterator[tuple[Any, ...]]:
    after: tuple[str, int] = ("", 0)
    while rows := store.engine.rows("dump_forex_lines", *after, DUMP_ROWS):
        for row in rows:
            yield ((row[0], row[1]), *row[2:])
        after = (rows[-1][0], rows[-1][1])
