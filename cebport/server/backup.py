"""Backup and restore (备份与恢复): one file, either database, checked row by row.

A backup is a consistent snapshot of every table as a compressed stream, with the SHA-256 of the file behind
it; it can be restored into either kind of store. Keys are not in it: without the key file nobody reads the
archive, so keep the two apart.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from cebport.faults import ChannelDown, SettingsError
from cebport.server.rebuild import check
from cebport.server.store.engines import engine_of
from cebport.server.store.store import HEAD_REVISION, Store, default_keys, upgrade
from cebport.server.vault import Vault

MAGIC = "cebport-backup-1"
ROWS_A_CHUNK = {"archive": 2}
"""Few where one row may have megabytes, else ``ROWS_A_CHUNK_ELSE``: memory stays small."""
ROWS_A_CHUNK_ELSE = 500
SEAL_BYTES = hashlib.sha256().digest_size
TABLES = {
    "inbox": "id, peer, digest, kind, name, route, received_at, state, worker, note",
    "archive": "inbox, key_id, wrapped, blob",
    "cases": "key, version, state, blob",
    "waybills": "key, version, blob",
    "tallies": "key, version, blob",
    "keys": "key, case_key",
    "refusals": "key, inbox",
    "quota": "buyer, year, held_fen",
    "postings": "document, line, kind, account, amount_fen, inbox",
    "journal": "position, inbox, at, law, code, documents, blob",
    "outbox": "id, inbox, type, receiver, wrap, documents, created_at, state, blob",
    "timers": "id, kind, due_at, inbox, state, blob",
    "numbers": "name, next",
    "filings": "code, name, roles, since, until",
    "access": "id, at, who, what, reason",
    "bonded_books": "key, version, customs, company, blob",
    "bonded_lines": "book, item, version, material, entered, increased, decreased, pre_increased, pre_decreased, "
    "reserved, entered1, left1, entered2, left2, in_at, out_at, list, list_line, goods",
    "bonded_lists": "key, version, book, company, own, io, kind, state, declared_at, blob",
    "bonded_passes": "key, version, customs, company, own, io, state, declared_at, blob",
    "bonded_sales": "key, version, book, list, back_list, live, due, at, blob",
    "bonded_moves": "book, item, seq, kind, document, line, qty, qty1, qty2, inbox",
    "bonded_totals": "book, slot, items, moves, entered, increased, decreased, pre_increased, pre_decreased, reserved",
    "forex_payments": "key, day, amount_fen, inbox, blob",
    "forex_batches": "key, day, inbox, blob",
    "forex_lines": "batch, number, payment, cny_fen, amount",
    "tax_held": "code, slot, held_fen",
    "guarantees": "number, code, kind, customs, amount_fen, since, until, ended",
    "tax_bills": "tax_no, case_key, code, port, released, duty_fen, vat_fen, consumption_fen, status, ent_duty_no",
    "tax_documents": "number, code, port, made, released, bills, paid_on",
    "tax_sums": "number, kind, billed_fen, paid_fen",
    "tax_payments": "serial, number, code, port, paid_on, back, duty_fen, vat_fen, consumption_fen, late_fee_fen",
    "tax_refunds": "code, refund_fen",
    "ledger": "day, entry, account, code, port, kind, debit_fen, credit_fen",
    "ledger_at": "name, position",
}
"""Everything but the running totals (``counts``): those are counted again."""
COUNTS_SINCE = "0002"
COUNTED = {"inbox": "id", "journal": "position", "outbox": "id", "timers": "id", "access": "id"}
_encode = msgspec.msgpack.Encoder().encode


def backup(url: str, target: Path) -> dict[str, Any]:
    """Write a snapshot of the store to ``target``; gives rows by table and the digest. The store may be in use."""
    engine = engine_of(url)
    half = target.with_name(target.name + ".part")
    rows: dict[str, int] = {}
    try:
        revision = engine.scalar("SELECT version_num FROM alembic_version")
        if revision is None:
            raise SettingsError(note=f"store {url.split('@')[-1]}: there is no cebport store")
        with half.open("wb") as file, zstandard.ZstdCompressor(level=6).stream_writer(file, closefd=False) as out:
            out.write(_frame([MAGIC, revision]))
            for table, chunk in engine.snapshot(TABLES, lambda table: ROWS_A_CHUNK.get(table, ROWS_A_CHUNK_ELSE)):
                rows[table] = rows.get(table, 0) + len(chunk)
                out.write(_frame([table, chunk]))
            out.write(_frame(["end"]))
        with half.open("rb+") as whole:
            seal = hashlib.file_digest(whole, "sha256")
            whole.write(seal.digest())
            whole.flush()
            os.fsync(whole.fileno())
        os.replace(half, target)
    except OSError as wrong:
        raise ChannelDown(note=f"backup {target}: {wrong}") from wrong
    finally:
        engine.close()
        half.unlink(missing_ok=True)
    return {"file": str(target), "bytes": target.stat().st_size, "rows": rows, "sha256": seal.hexdigest()}


def _frame(item: list[Any]) -> bytes:
    body = _encode(item)
    return len(body).to_bytes(8, "big") + body


def _check_seal(source: Path) -> None:
    """Raises SettingsError unless the file is, byte for byte, what backup wrote."""
    digest, left = hashlib.sha256(), source.stat().st_size - SEAL_BYTES
    with source.open("rb") as file:
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
        if left or file.read() != digest.digest():
            raise SettingsError(note=f"backup {source}: cut off or altered, its digest does not fit")


def read_backup(source: Path) -> Iterator[list[Any]]:
    """The items of a backup: [MAGIC, revision], then [table, rows]... Raises SettingsError when it is none, cut off
    or altered; the whole file is checked before the first item is given."""
    try:
        _check_seal(source)
        with source.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            while size := int.from_bytes(stream.read(8), "big"):
                item = msgspec.msgpack.decode(stream.read(size))
                if item[0] == "end":
                    return
                yield item
        raise SettingsError(note=f"backup {source}: has no end")
    except (OSError, zstandard.ZstdError, msgspec.DecodeError) as wrong:
        raise SettingsError(note=f"backup {source}: {wrong}") from wrong


def restore(source: Path, url: str, keys: Path | None = None, *, verify: bool = False) -> dict[str, Any]:
    """Fill an empty store from a backup; with ``verify`` also prove it: rows, the whole journal, and the keys.

    Raises SettingsError when the store is not empty, the backup is damaged, or (verifying) anything differs; without
    the right key file nothing is written.
    """
    (magic, revision) = next(read_backup(source))  # the whole file is sound before a row is written
    if magic != MAGIC or revision > HEAD_REVISION:
        raise SettingsError(note=f"backup {source}: {magic}, schema {revision}; this program has {HEAD_REVISION}")
    if verify:
        _try_keys(source, keys or default_keys(url))
    engine = engine_of(url)
    try:
        there = engine.scalar("SELECT version_num FROM alembic_version")
        if there is None or there < revision:
            upgrade(engine, revision)
            there = revision
        if engine.scalar("SELECT count(*) FROM inbox"):
            raise SettingsError(note=f"store {url.split('@')[-1]}: not empty; restore into a new one")
        rows: dict[str, int] = {}
        with engine.transaction():
            for table, chunk in read_backup(source):
                if table == MAGIC:
                    continue
                engine.fill(table, TABLES[table], chunk)
                rows[table] = rows.get(table, 0) + len(chunk)
            engine.count_on(COUNTED)
            if there >= COUNTS_SINCE:
                engine.rows("forget_counts")
                engine.rows("recount")
        upgrade(engine)
    finally:
        engine.close()
    answer: dict[str, Any] = {"store": url, "rows": rows, "verified": None}
    if verify:
        answer["verified"] = _verify(url, keys, rows)
    return answer


def _try_keys(source: Path, keys: Path) -> None:
    """Before a row is written: the key file is there, and opens a message of every master key. Raises SettingsError."""
    if not keys.exists():
        raise SettingsError(note=f"key file {keys} is missing: without it nobody reads what the backup holds")
    vault = Vault.open(keys)
    tried: set[str] = set()
    for table, chunk in read_backup(source):
        if tried and table != "archive":
            break
        for _, key_id, wrapped, blob in chunk if table == "archive" else ():
            if key_id not in tried:
                vault.unseal(key_id, wrapped, blob)
                tried.add(key_id)


def _verify(url: str, keys: Path | None, rows: dict[str, int]) -> bool:
    store = Store.open(url, keys, migrate=False)
    try:
        for table, count in rows.items():  # an older backup lacks tables that the upgrade fills
            if store.engine.scalar(f"SELECT count(*) FROM {table}") != count:
                raise SettingsError(note=f"store {url.split('@')[-1]}: table {table} has not the rows of the backup")
        report = check(store)
        if report.differences:
            raise SettingsError(note=f"store {url.split('@')[-1]}: {report.differences[0]}")
        newest = store.engine.scalar("SELECT max(inbox) FROM archive")
        if newest is not None:
            store.archived([newest])
    finally:
        store.close()
    return True

