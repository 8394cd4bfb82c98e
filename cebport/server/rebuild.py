"""Proving the projections (重建): fold the journal into a scratch store and compare.

The fold never decides again: it applies what each event set. Records, key table, quota, postings, refusals and
timers must come out byte for byte as they stand; of the outbox the number of receipts of each type and moment, and
that every receiver of a message got as many; of the inbox that what is in the journal is done and the other way
round, and that every row has its bytes in the archive (whether those open only shows when they are read). Memory
stays bounded: the scratch is an SQLite file in the temp folder.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from cebport.clearance.parts import Case, Event, Tally, Waybill, fold_case, fold_tally, fold_waybill
from cebport.server import bonded_fold, forex_fold
from cebport.server.ledger import LINK as TAXATION
from cebport.server.ledger import Mirror
from cebport.server.store.store import STATE_NUMBERS, Store, encode
from cebport.server.work import FORMER, REQUEST, claimed_keys, refused_keys

ROWS_A_STEP = 40
DUMP_ROWS = 2000
DIFFERENCES_MAX = 100
_events = msgspec.msgpack.Decoder(list[Event])
RECORDS: dict[str, tuple[Any, Callable[[Any, Any, int], Any], str]] = {
    "cases": (Case, fold_case, "set"),
    "waybills": (Waybill, fold_waybill, "waybill_set"),
    "tallies": (Tally, fold_tally, "tally_set"),
}
LINKS: dict[str, Any] = {"bonded": bonded_fold, "forex": forex_fold}
"""Link of the chain -> the module that proves its tables: TABLES (scratch tables, as SQL), fold(base, event, inbox),
and sides(store, base): name, stored and folded rows of each table, both in the order of their keys."""


@dataclass(slots=True)
class Report:
    """What a rebuild found: how much was folded, digests of both sides, and each difference by key."""

    messages: int = 0
    events: int = 0
    records: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; its schema is docs/reference/schemas/rebuild.json."""
        return {"equal": not self.differences, "messages": self.messages, "events": self.events,
                "records": self.records, "digests": self.digests, "differences": self.differences}


JOINS = {
    "journal_without_done": "inbox {}: in the journal, not done",
    "done_without_journal": "inbox {}: done, not in the journal",
    "inbox_without_archive": "archive {}: in the inbox, not in the archive",
    "archive_without_inbox": "archive {}: in the archive, not in the inbox",
    "rung_without_inbox": "timers {}: has rung, but is not in the inbox",
}
"""Statement of the store that finds rows whose counterpart is missing -> what such a row means."""


class _Scratch:
    """The folded side."""

    def __init__(self, path: Path) -> None:
        self.base = sqlite3.connect(path, isolation_level=None)
        self.base.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -48000;"
            + "".join(f"CREATE TABLE {t} (key TEXT PRIMARY KEY, blob BLOB NOT NULL);" for t in RECORDS)
            + "CREATE TABLE quota (account TEXT PRIMARY KEY, held_fen INTEGER NOT NULL);"
            + "CREATE TABLE keys (key TEXT PRIMARY KEY, case_key TEXT NOT NULL);"
            + "CREATE TABLE refusals (key TEXT, inbox INTEGER, PRIMARY KEY (key, inbox)) WITHOUT ROWID;"
            + "".join(f"CREATE TABLE {t} (inbox INTEGER, kind TEXT, due_at INTEGER, blob BLOB);"
                      for t in ("timers", "stored_timers"))
            + "CREATE TABLE receipts (at INTEGER, type TEXT, count INTEGER, PRIMARY KEY (at, type)) WITHOUT ROWID;"
            + "CREATE TABLE outbox (at INTEGER, type TEXT, inbox INTEGER, receiver TEXT, count INTEGER, "
              "PRIMARY KEY (at, type, inbox, receiver)) WITHOUT ROWID;"
            + "".join(link.TABLES for link in LINKS.values()))
        self.postings = 0
        self.posted = 0
        self._decoders = {table: msgspec.msgpack.Decoder(kind) for table, (kind, _, _) in RECORDS.items()}

    def get(self, table: str, key: str) -> Any:
        row = self.base.execute(f"SELECT blob FROM {table} WHERE key = ?", (key,)).fetchone()
        if row is not None:
            return self._decoders[table].decode(row[0])
        first, _, second = key.rpartition("|")
        return RECORDS[table][0](first, second)

    def put(self, table: str, key: str, record: Any) -> None:
        self.base.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (key, encode(record)))

    def fold(self, event: Event, inbox: int, held: dict[tuple[str, str], Any]) -> None:
        for table, key in (("cases", event.case), ("waybills", event.waybill), ("tallies", event.tally)):
            _, fold, name = RECORDS[table]
            change = getattr(event, name)
            if key and change is not None:
                record = held.get((table, key)) or self.get(table, key)
                held[(table, key)] = after = fold(record, change, inbox)
                if table == "cases":
                    for business in claimed_keys(record, after):
                        self.claim(business, key)
        if event.link in LINKS:
            LINKS[event.link].fold(self.base, event, inbox)
        for refused in refused_keys(event):
            self.base.execute("INSERT OR IGNORE INTO refusals VALUES (?, ?)", (refused, inbox))
        for p in event.postings:
            self.postings += 1
            number = _row_number((p.document, p.line, p.kind, p.account, p.amount_fen))
            self.posted = (self.posted + number) % (1 << 128)
            if p.account.startswith("quota/"):
                self.base.execute(
                    "INSERT INTO quota VALUES (?1, ?2) ON CONFLICT (account) DO UPDATE SET held_fen = held_fen + ?2",
                    (p.account, p.amount_fen))

    def claim(self, business: str, key: str) -> None:
        """A business key leads to this case now; whose it was keeps a row beside it."""
        row = self.base.execute("SELECT case_key FROM keys WHERE key = ?", (business,)).fetchone()
        if row is not None and row[0] != key:
            if business.startswith(REQUEST):
                return
            self.base.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (f"{business}{FORMER}{row[0]}", row[0]))
        self.base.execute("INSERT OR REPLACE INTO keys VALUES (?, ?)", (business, key))

    def fold_message(self, events: list[Event], inbox: int, at: int) -> None:
        """What a message put into timers and outbox."""
        due: dict[tuple[str, int], list[str]] = {}
        for event in events:
            for timer in event.timers:
                due.setdefault(timer, []).append(event.case)
        self.base.executemany("INSERT INTO timers VALUES (?, ?, ?, ?)", [
            (inbox, kind, due_at, encode(cases)) for (kind, due_at), cases in due.items()])
        told = Counter(kind for event in events for kind, _ in event.receipts)
        self.base.executemany(
            "INSERT INTO receipts VALUES (?1, ?2, ?3) ON CONFLICT (at, type) DO UPDATE SET count = count + ?3",
            [(at, kind, count) for kind, count in told.items()])

    def keep(self, held: dict[tuple[str, str], Any]) -> None:
        for (table, key), record in held.items():
            self.put(table, key, record)


def check(store: Store, progress: Callable[[int], None] | None = None) -> Report:
    """Fold the whole journal and compare with what stands in the store; it may be in use. Differences name the key."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="cebport-rebuild-") as folder, store.engine.reading():
        scratch = _Scratch(Path(folder) / "scratch.db")
        mirror = Mirror(store, Path(folder))
        position = 0
        while rows := store.engine.rows("journal_after", position, ROWS_A_STEP):
            scratch.base.execute("BEGIN")
            held: dict[tuple[str, str], Any] = {}
            billed: list[tuple[int, int, bytes]] = []
            for place, inbox, at, _, _, blob in rows:
                try:
                    raw = store.vault.stretch(blob)
                    events = _events.decode(raw)
                except (ValueError, zstandard.ZstdError):
                    _differ(report, f"journal {place}: cannot be read")
                    continue
                for event in events:
                    scratch.fold(event, inbox, held)
                    report.events += 1
                scratch.fold_message(events, inbox, at)
                if any(event.link == TAXATION or (event.set is not None and event.set.bill) for event in events):
                    billed.append((place, at, raw))
                mirror.post(events)
                report.messages += 1
            position = rows[-1][0]
            scratch.keep(held)
            mirror.feed(billed)
            scratch.base.execute("COMMIT")
            if progress is not None:
                progress(len(rows))
        for table in RECORDS:
            _compare(report, table, _stored(store, table), _folded(scratch, table))
        _compare(report, "keys", _pages(store, "dump_keys"), iter(
            scratch.base.execute("SELECT key, case_key FROM keys ORDER BY key")))
        _compare(report, "quota", iter(sorted(
            (f"quota/{year}/{bytes(buyer).hex()}", held) for buyer, year, held in store.engine.rows("dump_quota"))),
            iter(scratch.base.execute("SELECT account, held_fen FROM quota WHERE held_fen <> 0 ORDER BY account")))
        _compare(report, "refusals", _refusals(store), iter(
            ((key, inbox),) for key, inbox in scratch.base.execute("SELECT key, inbox FROM refusals ORDER BY 1, 2")))
        for link in LINKS.values():
            for name, stored, folded in link.sides(store, scratch.base):
                _compare(report, name, stored, folded)
        for name, stored, folded in mirror.sides():
            _compare(report, name, stored, folded)
        _compare_postings(report, store, scratch)
        _compare_timers(report, store, scratch)
        _compare_outbox(report, store, scratch)
        _compare_totals(report, store)
        for name, words in JOINS.items():
            for (row,) in store.engine.rows(name, DIFFERENCES_MAX):
                _differ(report, words.format(row))
        scratch.base.close()
        mirror.close()
    return report


def _stored(store: Store, table: str) -> Iterator[tuple[str, bytes]]:
    """Key and bytes, as this program writes the record; no bytes where the columns beside them say something else."""
    decoder = msgspec.msgpack.Decoder(RECORDS[table][0])
    for key, *columns, blob in _pages(store, f"dump_{table}"):
        try:
            record = decoder.decode(blob)
        except ValueError:
            yield key, b""
            continue
        told = [record.version, STATE_NUMBERS[record.state]] if table == "cases" else [record.version]
        yield key, encode(record) if columns == told else b""


def _refusals(store: Store) -> Iterator[tuple[tuple[str, int]]]:
    after: tuple[Any, ...] = ("", -1)
    while rows := store.engine.rows("dump_refusals", *after, DUMP_ROWS):
        for row in rows:
            yield (tuple(row),)
        after = tuple(rows[-1])


def _pages(store: Store, name: str, first: Any = "") -> Iterator[Any]:
    after = first
    while rows := store.engine.rows(name, after, DUMP_ROWS):
        yield from rows
        after = rows[-1][0]


def _folded(scratch: _Scratch, table: str) -> Iterator[tuple[str, bytes]]:
    yield from scratch.base.execute(f"SELECT key, blob FROM {table} ORDER BY key")


def _compare(report: Report, table: str, stored: Iterator[Any], folded: Iterator[Any]) -> None:
    """Both sides in key order, row by row."""
    digest, count = hashlib.sha256(), 0
    here, there = next(stored, None), next(folded, None)
    while here is not None or there is not None:
        if there is None or (here is not None and here[0] < there[0]):
            _differ(report, f"{table} {_named(here)}: stored, not in the journal")
            here = next(stored, None)
        elif here is None or there[0] < here[0]:
            _differ(report, f"{table} {_named(there)}: in the journal, not stored")
            there = next(folded, None)
        else:
            if tuple(here) != tuple(there):
                _differ(report, f"{table} {_named(here)}: stored and folded differ")
            digest.update(repr(tuple(there)).encode())
            count += 1
            here, there = next(stored, None), next(folded, None)
    report.records[table] = count
    report.digests[table] = digest.hexdigest()


def _named(row: Any) -> str:
    return row[0] if isinstance(row[0], str) else " ".join(map(str, row[0]))


def _differ(report: Report, text: str) -> None:
    if len(report.differences) < DIFFERENCES_MAX:
        report.differences.append(text)


def _row_number(row: tuple[Any, ...]) -> int:
    return int.from_bytes(hashlib.blake2b(repr(row).encode(), digest_size=16).digest(), "big")


def _compare_postings(report: Report, store: Store, scratch: _Scratch) -> None:
    """Postings are a set: compared by count and by an order-free sum of row digests."""
    count = total = 0
    after: tuple[Any, ...] = ("", -1, "")
    while rows := store.engine.rows("dump_postings", *after, DUMP_ROWS):
        for row in rows:
            total = (total + _row_number(tuple(row))) % (1 << 128)
            count += 1
        after = tuple(rows[-1][:3])
    report.records["postings"] = count
    report.digests["postings"] = f"{total:032x}"
    if (count, total) != (scratch.postings, scratch.posted):
        _differ(report, f"postings: {count} stored, {scratch.postings} in the journal, or their contents differ")


def _compare_totals(report: Report, store: Store) -> None:
    """The running totals against the rows that they count."""
    told = {name: int(count) for name, count in store.engine.rows("totals") if count}
    counted = {name: int(count) for name, count in store.engine.rows("counted") if count}
    for name in sorted(told.keys() | counted.keys()):
        if told.get(name, 0) != counted.get(name, 0):
            _differ(report, f"counts {name}: {told.get(name, 0)} stored, {counted.get(name, 0)} counted")


def _compare_timers(report: Report, store: Store, scratch: _Scratch) -> None:
    """Timers by message, kind and moment, with the cases that they are for."""
    base = scratch.base
    base.execute("BEGIN")
    for _, inbox, kind, due_at, blob in _pages(store, "dump_timers", 0):
        base.execute("INSERT INTO stored_timers VALUES (?, ?, ?, ?)", (inbox, kind, due_at, bytes(blob)))
    base.execute("COMMIT")
    rows = "SELECT inbox, kind, due_at, blob FROM {} ORDER BY 1, 2, 3, 4"
    stored, folded = (((tuple(row[:3]), row[3]) for row in base.execute(rows.format(table)))
                      for table in ("stored_timers", "timers"))
    _compare(report, "timers", stored, folded)


def _compare_outbox(report: Report, store: Store, scratch: _Scratch) -> None:
    """Receipts by moment and type; copies to subscribers are as many as what the sender gets."""
    base = scratch.base
    base.execute("BEGIN")
    for _, inbox, kind, receiver, documents, at in _pages(store, "dump_outbox", 0):
        base.execute("INSERT INTO outbox VALUES (?1, ?2, ?3, ?4, ?5) "
                     "ON CONFLICT (at, type, inbox, receiver) DO UPDATE SET count = count + ?5",
                     (at, kind, inbox, receiver, documents))
    base.execute("COMMIT")
    _compare(report, "outbox",
             ((tuple(row[:2]), row[2]) for row in base.execute(
                 "SELECT at, type, sum(most) FROM (SELECT at, type, max(count) AS most FROM outbox "
                 "GROUP BY at, type, inbox) AS of_each GROUP BY at, type ORDER BY 1, 2")),
             ((tuple(row[:2]), row[2]) for row in base.execute(
                 "SELECT at, type, count FROM receipts ORDER BY 1, 2")))
    for inbox, kind in base.execute("SELECT inbox, type FROM outbox GROUP BY inbox, type, at "
                                    "HAVING min(count) <> max(count) ORDER BY 1, 2"):
        _differ(report, f"outbox {inbox} {kind}: its receivers do not get the same number of receipts")
