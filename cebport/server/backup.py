"""Backup and restore (备份与恢复): one file, either database, checked row by row.

A backup is a consistent snapshot of every table as a compressed stream; it can be restored into either kind
of store. Keys are not in it: without the key file nobody reads the archive, so keep the two apart.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from cebport.faults import SettingsError
from cebport.server.rebuild import check
from cebport.server.store.engines import engine_of
from cebport.server.store.store import HEAD_REVISION, Store, upgrade

MAGIC = "cebport-backup-1"
ROWS_A_CHUNK = 500
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
}
COUNTED = {"inbox": "id", "journal": "position", "outbox": "id", "timers": "id", "access": "id"}
_encode = msgspec.msgpack.Encoder().encode


def backup(url: str, target: Path) -> dict[str, Any]:
    """Write a snapshot of the store to ``target``; gives rows by table and the digest. The store may be in use."""
    engine = engine_of(url)
    half = target.with_name(target.name + ".part")
    rows: dict[str, int] = {}
    digest = hashlib.sha256()
    try:
        revision = engine.scalar("SELECT version_num FROM alembic_version")
        if revision is None:
            raise SettingsError(note=f"store {url}: there is no cebport store")
        with half.open("wb") as file, zstandard.ZstdCompressor(level=6).stream_writer(file, closefd=False) as out:
            _put(out, digest, [MAGIC, revision])
            for table, chunk in engine.snapshot(TABLES, ROWS_A_CHUNK):
                rows[table] = rows.get(table, 0) + len(chunk)
                _put(out, digest, [table, chunk])
            out.write(_frame([["end", digest.hexdigest()]]))
        with half.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(half, target)
    finally:
        engine.close()
        half.unlink(missing_ok=True)
    return {"file": str(target), "bytes": target.stat().st_size, "rows": rows, "sha256": digest.hexdigest()}


def _frame(items: list[Any]) -> bytes:
    body = _encode(items)
    return len(body).to_bytes(8, "big") + body


def _put(out: Any, digest: Any, item: Any) -> None:
    framed = _frame([item])
    digest.update(framed)
    out.write(framed)


def read_backup(source: Path) -> Iterator[list[Any]]:
    """The items of a backup, checked: [MAGIC, revision], then [table, rows]... Raises SettingsError when it is cut
    off or altered."""
    digest = hashlib.sha256()
    try:
        with source.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            while True:
                size = stream.read(8)
                if len(size) < 8:
                    raise SettingsError(note=f"backup {source}: cut off")
                body = stream.read(int.from_bytes(size, "big"))
                if len(body) < int.from_bytes(size, "big"):
                    raise SettingsError(note=f"backup {source}: cut off")
                (item,) = msgspec.msgpack.decode(body)
                if item[0] == "end":
                    if item[1] != digest.hexdigest():
                        raise SettingsError(note=f"backup {source}: altered, its digest does not fit")
                    return
                digest.update(size + body)
                yield item
    except (OSError, zstandard.ZstdError, msgspec.DecodeError, ValueError) as wrong:
        raise SettingsError(note=f"backup {source}: {wrong}") from wrong


def restore(source: Path, url: str, keys: Path | None = None, *, verify: bool = False) -> dict[str, Any]:
    """Fill an empty store from a backup; with ``verify`` also prove it: rows, the whole journal, and the keys.

    Raises SettingsError when the store is not empty, the backup is damaged, or (verifying) anything differs.
    """
    for _ in read_backup(source):  # the whole file is sound before a row is written
        pass
    engine = engine_of(url)
    try:
        if engine.scalar("SELECT version_num FROM alembic_version") is None:
            upgrade(engine)
        if engine.scalar("SELECT count(*) FROM inbox"):
            raise SettingsError(note=f"store {url}: not empty; restore into a new one")
        rows: dict[str, int] = {}
        with engine.transaction():
            for item in read_backup(source):
                if item[0] == MAGIC:
                    if item[1] != HEAD_REVISION:
                        raise SettingsError(note=f"backup {source}: schema {item[1]}, this program has {HEAD_REVISION}")
                    continue
                table, chunk = item
                engine.fill(table, TABLES[table], chunk)
                rows[table] = rows.get(table, 0) + len(chunk)
            engine.count_on(COUNTED)
    finally:
        engine.close()
    answer: dict[str, Any] = {"store": url, "rows": rows, "verified": None}
    if verify:
        answer["verified"] = _verify(url, keys, rows)
    return answer


def _verify(url: str, keys: Path | None, rows: dict[str, int]) -> bool:
    store = Store.open(url, keys, migrate=False)
    try:
        for table in TABLES:
            if store.engine.scalar(f"SELECT count(*) FROM {table}") != rows.get(table, 0):
                raise SettingsError(note=f"store {url}: table {table} has not the rows of the backup")
        report = check(store)
        if report.differences:
            raise SettingsError(note=f"store {url}: {report.differences[0]}")
        newest = store.engine.scalar("SELECT max(inbox) FROM archive")
        if newest is not None:
            store.archived([newest])
    finally:
        store.close()
    return True

