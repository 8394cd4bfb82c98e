"""The tables of account books (账册各表): their rows, their fold from the journal, and the proof of their balances.

The same functions make the rows that the desk writes and those that ``rebuild`` expects. ``prove`` replays every
movement of every line and compares with the running balances, without the journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from cebport.clearance import stock
from cebport.clearance.stock import BondList, Book, Change, Goods, Line, Move, Pass, Sale
from cebport.server.store.store import Store, encode

DUMP_ROWS = 2000
PROOF_ROWS = 20_000
DIFFERENCES_MAX = 100
BESIDE = ("entered1", "left1", "entered2", "left2", "in_at", "out_at")
TABLES = (
    "CREATE TABLE bonded_records (kind TEXT, key TEXT, blob BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID;"
    "CREATE TABLE bonded_moves (book TEXT, item INTEGER, seq INTEGER, kind INTEGER, document TEXT, line INTEGER, "
    "qty INTEGER, qty1 INTEGER, qty2 INTEGER, inbox INTEGER, PRIMARY KEY (book, item, seq)) WITHOUT ROWID;")
DECODERS: dict[str, Any] = {kind: msgspec.msgpack.Decoder(record).decode for kind, record in (
    ("books", Book), ("lines", Line), ("lists", BondList), ("passes", Pass), ("sales", Sale))}
decode_change = msgspec.msgpack.Decoder(Change).decode
decode_goods = msgspec.msgpack.Decoder(Goods).decode


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────


def book_row(book: Book) -> tuple[Any, ...]:
    """A book as the store holds it."""
    return book.number, book.version, book.customs, book.company.code, encode(book)


def line_row(line: Line) -> tuple[Any, ...]:
    """A line as the store holds it: balances in columns, so that SQL can check them."""
    return (line.book, line.item, line.version, line.goods.material, line.entered, line.increased, line.decreased,
            line.pre_increased, line.pre_decreased, line.reserved, line.entered1, line.left1, line.entered2,
            line.left2, line.in_at, line.out_at, line.list, line.list_line, encode(line.goods))


def line_of(row: Any) -> Line:
    """The line of a row."""
    return Line(row[0], row[1], decode_goods(row[18]), row[2], *row[4:18])


def list_row(made: BondList) -> tuple[Any, ...]:
    """A list as the store holds it."""
    return (made.number, made.version, made.book, made.company.code, made.own, made.io, made.kind, made.state,
            made.declared_at, encode(made))


def pass_row(made: Pass) -> tuple[Any, ...]:
    """A pass as the store holds it."""
    return (made.number, made.version, made.customs, made.company.code, made.own, made.io, made.state,
            made.declared_at, encode(made))


def sale_row(sale: Sale) -> tuple[Any, ...]:
    """A sale as the store holds it; live: something of it leaves, due: something of it must come back."""
    return (sale.invt, sale.version, sale.book, sale.list, sale.back_list,
            int(any(line.out for line in sale.lines)), int(any(line.due for line in sale.lines)), sale.at,
            encode(sale))


ROWS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "books": book_row, "lines": line_row, "lists": list_row, "passes": pass_row, "sales": sale_row}


def move_rows(moves: tuple[Move, ...], version: Callable[[str, int], int], inbox: int) -> list[tuple[Any, ...]]:
    """Movements as the store holds them. ``version``: how many a line had before; the next has the next number."""
    numbers, at, rows = stock.kind_numbers(), dict[tuple[str, int], int](), []
    for move in moves:
        key = (move.book, move.item)
        at[key] = seq = (at[key] if key in at else version(*key)) + 1
        rows.append((move.book, move.item, seq, numbers[move.kind], move.document, move.line, move.qty, move.qty1,
                     move.qty2, inbox))
    return rows


# ── the fold ────────────────────────────────────────────────────────────────────────────────────────────


class _Folded:
    """Records in the scratch database."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self.base = base

    def get(self, kind: str, key: Any) -> Any:
        row = self.base.execute("SELECT blob FROM bonded_records WHERE kind = ? AND key = ?",
                                (kind, _text(key))).fetchone()
        return DECODERS[kind](row[0]) if row is not None else None

    def put(self, kind: str, key: Any, record: Any) -> None:
        self.base.execute("INSERT OR REPLACE INTO bonded_records VALUES (?, ?, ?)", (kind, _text(key), encode(record)))


def _text(key: Any) -> str:
    """A key as text that sorts as the key itself does."""
    return key if isinstance(key, str) else f"{key[0]}\x1f{key[1]:010d}"


def fold(base: sqlite3.Connection, event: Any, inbox: int) -> None:
    """What an event of this link set, into the scratch tables."""
    change, folded = decode_change(event.body), _Folded(base)

    def version(book: str, item: int) -> int:
        line = folded.get("lines", (book, item))
        return line.version if line is not None else 0

    rows = move_rows(change.moves, version, inbox)
    stock.fold(folded, change)
    base.executemany("INSERT INTO bonded_moves VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def sides(store: Store, base: sqlite3.Connection) -> Iterator[tuple[str, Iterator[Any], Iterator[Any]]]:
    """(table, stored rows, folded rows), both in the order of their keys."""
    for kind, row in ROWS.items():
        keys = 2 if kind == "lines" else 1
        yield (f"bonded_{kind}", _paged(store, f"dump_bonded_{kind}", keys),
               (_keyed(row(DECODERS[kind](blob)), keys) for (blob,) in base.execute(
                   "SELECT blob FROM bonded_records WHERE kind = ? ORDER BY key", (kind,))))
    yield ("bonded_moves", _paged(store, "dump_bonded_moves", 3),
           (_keyed(row, 3) for row in base.execute("SELECT * FROM bonded_moves ORDER BY book, item, seq")))
    yield ("bonded_totals", (_keyed(tuple(map(_whole, row)), 1) for row in store.engine.rows("dump_bonded_totals")
                             if any(row[1:])), iter(_totals(base)))


def _whole(value: Any) -> Any:
    return value if isinstance(value, str) else int(value)


def _keyed(row: Any, keys: int) -> tuple[Any, ...]:
    """A row with its key in one piece in front; bytes as bytes."""
    plain = tuple([bytes(value) if isinstance(value, memoryview | bytearray) else value for value in row])
    return plain if keys == 1 else (plain[:keys], *plain[keys:])


def _paged(store: Store, name: str, keys: int) -> Iterator[tuple[Any, ...]]:
    after: tuple[Any, ...] = ("", -1, -1)[:keys]
    while rows := store.engine.rows(name, *after, DUMP_ROWS):
        for row in rows:
            yield _keyed(row, keys)
        after = tuple(rows[-1][:keys])


def _totals(base: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Items, movements and balances of each book, added up from the folded lines."""
    sums: dict[str, list[int]] = {}
    for (blob,) in base.execute("SELECT blob FROM bonded_records WHERE kind = 'lines' ORDER BY key"):
        line = DECODERS["lines"](blob)
        held = sums.setdefault(line.book, [0] * (2 + len(stock.COUNTERS)))
        for at, amount in enumerate((1, line.version, *[getattr(line, name) for name in stock.COUNTERS])):
            held[at] += amount
    return [(book, *amounts) for book, amounts in sorted(sums.items())]


# ── the proof ───────────────────────────────────────────────────────────────────────────────────────────


class Proof(NamedTuple):
    """What a replay of all movements found."""

    lines: int
    moves: int
    differences: list[str]


def prove(store: Store, book: str = "", progress: Callable[[int], None] | None = None) -> Proof:
    """Replay every movement (of one book, or of all) and compare each line with its running balances.

    No balance is ever below zero on the way, movements are numbered without a gap, and the totals of each book are the
    sums of its lines.
    """
    with store.engine.reading():
        return _Replay(store, book, progress).run()


class _Replay:
    """Movements and lines side by side, in the order of their keys."""

    def __init__(self, store: Store, book: str, progress: Callable[[int], None] | None) -> None:
        self.store, self.book, self.progress = store, book, progress
        self.differences: list[str] = []
        self.moves = self.lines = 0
        signs = {kind: dict(effects) for kind, effects in stock.effects().items()}
        self.signs: dict[int, tuple[int, ...]] = {
            number: tuple(signs[kind].get(counter, 0) for counter in stock.COUNTERS)
            for kind, number in stock.kind_numbers().items()}

    def run(self) -> Proof:
        folded = self._folded()
        there = next(folded, None)
        sums: dict[str, list[int]] = {}
        for line in self._stored():
            self.lines += 1
            key = (line[0], line[1])
            while there is not None and there[0] < key:
                self._differ(f"{there[0][0]}/{there[0][1]}: has movements, but is no line of the book")
                there = next(folded, None)
            found: tuple[int, ...] = (0,) * 11
            if there is not None and there[0] == key:
                found = there[1]
                there = next(folded, None)
            told = (line[2], *line[4:14])
            if tuple(told) != found:
                self._differ(f"{key[0]}/{key[1]}: holds {_said(told)}, its movements give {_said(found)}")
            held = sums.setdefault(line[0], [0] * 8)
            for at, amount in enumerate((1, line[2], *line[4:10])):
                held[at] += amount
        while there is not None:
            self._differ(f"{there[0][0]}/{there[0][1]}: has movements, but is no line of the book")
            there = next(folded, None)
        self._check_totals(sums)
        return Proof(self.lines, self.moves, self.differences)

    def _differ(self, text: str) -> None:
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(text)

    def _stored(self) -> Iterator[Any]:
        after = (self.book, -1)
        while rows := self.store.engine.rows("dump_bonded_lines", *after, DUMP_ROWS):
            for row in rows:
                if self.book and row[0] != self.book:
                    return
                yield row
            after = (rows[-1][0], rows[-1][1])

    def _pages(self) -> Iterator[list[Any]]:
        after: tuple[Any, ...] = (self.book, -1, -1)
        while rows := self.store.engine.rows("bonded_moves_after", *after, PROOF_ROWS):
            after = tuple(rows[-1][:3])
            if self.book and after[0] != self.book:
                rows = [row for row in rows if row[0] == self.book]
                yield rows
                return
            yield rows
            if self.progress is not None:
                self.progress(len(rows))

    def _folded(self) -> Iterator[tuple[tuple[str, int], tuple[int, ...]]]:
        """(book, item) and what its movements add up to."""
        signs, book, item, last = self.signs, "", -1, 0
        a = b = c = d = e = f = in1 = left1 = in2 = left2 = 0
        for rows in self._pages():
            self.moves += len(rows)
            for row_book, row_item, seq, kind, qty, qty1, qty2 in rows:
                if row_item != item or row_book != book:
                    if item >= 0:
                        yield (book, item), (last, a, b, c, d, e, f, in1, left1, in2, left2)
                    book, item, last = row_book, row_item, 0
                    a = b = c = d = e = f = in1 = left1 = in2 = left2 = 0
                if seq != last + 1:
                    self._differ(f"{book}/{item}: movement {last + 1} is missing")
                last = seq
                sa, sb, sc, sd, se, sf = signs[kind]
                a += sa * qty
                b += sb * qty
                c += sc * qty
                d += sd * qty
                e += se * qty
                f += sf * qty
                if sa:
                    in1 += qty1
                    in2 += qty2
                turn = sa + sb - sc
                if turn:
                    left1 += turn * qty1
                    left2 += turn * qty2
                if d < 0 or e < 0 or f < 0 or a + b - c - e - f < 0:
                    self._differ(f"{book}/{item}: below zero after movement {seq}")
        if item >= 0:
            yield (book, item), (last, a, b, c, d, e, f, in1, left1, in2, left2)

    def _check_totals(self, sums: dict[str, list[int]]) -> None:
        for book, *amounts in self.store.engine.rows("dump_bonded_totals"):
            told = [int(amount) for amount in amounts]
            if (not self.book or book == self.book) and told != sums.get(book, [0] * 8):
                self._differ(f"{book}: its totals are {_said(tuple(told))}, its lines add up to "
                             f"{_said(tuple(sums.get(book, [])))}")


def _said(amounts: Any) -> str:
    return " ".join(str(int(amount)) for amount in amounts)
