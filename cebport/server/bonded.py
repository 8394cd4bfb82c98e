"""Account books on the store (账册台): an act of a company, an officer or a gate, booked in one transaction.

    deliver  the bytes of the act: sealed in the archive, an inbox row        the same bytes again change nothing
    decide   clearance.bonded, with what the books hold
    write    records, movements, totals, journal, receipts into the outbox    all or nothing

``Held`` is the working set: what a decision asks for, read when it is asked for, written with the version it was made
from. The walk uses it too, so that a released inventory reserves its stock in its own transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from cebport.clearance import bonded, stock
from cebport.clearance.bonded import parcels
from cebport.clearance.parts import Case, Event
from cebport.clearance.stock import BondList, Book, Change, Goods, Line, Pass, Sale
from cebport.faults import StoreConflict
from cebport.server.bonded_fold import DECODERS, ROWS, line_of, move_rows
from cebport.server.bonded_letters import refusal
from cebport.server.booking import Brought, book, known
from cebport.server.store.store import Store, encode
from cebport.values import beijing_day

LINK = "bonded"
TRIES_MAX = 20
ITEM_DIGITS_MAX = 9


class Held:
    """Records of the store as a decision may ask for them; see ``stock.Shelf`` for the same in memory."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._held: dict[str, dict[Any, Any]] = {kind: {} for kind in ROWS}
        self._seen: dict[tuple[str, Any], int | None] = {}
        self._changed: dict[tuple[str, Any], None] = {}
        self._before: dict[tuple[str, int], Line | None] = {}
        self._moves: list[tuple[Any, ...]] = []
        self._materials: dict[tuple[str, str], int] = {}

    # reading ----------------------------------------------------------------------------------------

    def load_lines(self, wanted: Mapping[str, Iterable[int]]) -> None:
        """The lines of these items, one look-up a book."""
        for number, items in wanted.items():
            missing = [item for item in dict.fromkeys(items) if (number, item) not in self._held["lines"]]
            if missing:
                for item in missing:
                    self._held["lines"][(number, item)] = None
                    self._seen.setdefault(("lines", (number, item)), None)
                for row in self.store.engine.rows("bonded_lines", number, json.dumps(missing)):
                    self._keep_line(line_of(row))

    def load(self, kind: str, keys: Iterable[str]) -> None:
        """Records of these keys, one look-up."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._held[kind]]
        if missing:
            for key in missing:
                self._held[kind][key] = None
                self._seen.setdefault((kind, key), None)
            self._keep(kind, self.store.engine.select(f"bonded_{kind}", missing))

    def get(self, kind: str, key: Any) -> Any:
        """The record, or None."""
        if key not in self._held[kind]:
            if kind == "lines":
                self.load_lines({key[0]: [key[1]]})
            else:
                self.load(kind, [key])
        return self._held[kind][key]

    def _keep(self, kind: str, rows: Iterable[Any]) -> list[Any]:
        """Records of (key, blob); one that is known already stays as it is."""
        found = []
        for key, blob in rows:
            if self._held[kind].get(key) is None and (kind, key) not in self._changed:
                record = DECODERS[kind](blob)
                self._held[kind][key], self._seen[(kind, key)] = record, record.version
            found.append(self._held[kind][key])
        return found

    def _keep_line(self, line: Line) -> Line:
        key = (line.book, line.item)
        if self._held["lines"].get(key) is None:
            self._held["lines"][key], self._seen[("lines", key)] = line, line.version
        return self._held["lines"][key]

    def line_of(self, number: str, goods: Goods) -> Line | None:
        """The line of a book that is these goods."""
        for row in self.store.engine.rows("bonded_lines_of", number, goods.material):
            self._keep_line(line_of(row))
        return next((line for _, line in sorted(self._held["lines"].items()) if line is not None
                     and line.book == number and stock.same_goods(line.goods, goods)), None)

    def item_of(self, number: str, named: str) -> int:
        """The item of a book that a declaration names by its number or its material number; 0 = none."""
        if named.isascii() and named.isdigit() and len(named) <= ITEM_DIGITS_MAX and self.get(
                "lines", (number, int(named))) is not None:
            return int(named)
        found = self._materials.get((number, named))
        if found is None:
            rows = self.store.engine.rows("bonded_lines_of", number, named)
            lines = [self._keep_line(line_of(row)) for row in rows]
            found = self._materials[(number, named)] = lines[0].item if lines else 0
        return found

    def sales_of(self, number: str) -> list[Sale]:
        """The sales on a list, or coming back by it."""
        for name in ("bonded_sales_on", "bonded_sales_back"):
            self._keep("sales", self.store.engine.rows(name, number))
        return sorted((sale for sale in self._held["sales"].values()
                       if sale is not None and number in (sale.list, sale.back_list)), key=lambda sale: sale.invt)

    def own(self, kind: str, company: str, own: str) -> Any:
        """The living list or pass of a company's own number."""
        self._keep(kind, self.store.engine.rows(f"bonded_own_{kind}", company, own))
        dead = (stock.REFUSED, stock.DELETED, stock.VOID)
        return next((record for record in self._held[kind].values() if record is not None
                     and (record.company.code, record.own) == (company, own) and record.state not in dead), None)

    def open_lists(self, number: str) -> list[BondList]:
        """The lists of a book that are not at their end."""
        self._keep("lists", self.store.engine.rows("bonded_open_lists", number))
        return [made for made in self._held["lists"].values() if made is not None and made.book == number
                and made.state in stock.table()["list_open"]]

    # changing ---------------------------------------------------------------------------------------

    def put(self, kind: str, key: Any, record: Any) -> None:
        """The record from now on."""
        if kind == "lines":
            self._before.setdefault(key, self.get("lines", key))
        self._seen.setdefault((kind, key), None)
        self._held[kind][key] = record
        self._changed[(kind, key)] = None

    def apply(self, change: Change, inbox: int) -> None:
        """Fold a change onto what is held; what it moved is written with the rest."""
        def version(number: str, item: int) -> int:
            line = self.get("lines", (number, item))
            return line.version if line is not None else 0

        items: dict[str, list[int]] = {}
        for move in change.moves:
            items.setdefault(move.book, []).append(move.item)
        self.load_lines(items)
        self._moves += move_rows(change.moves, version, inbox)
        for kind, keys in (("sales", (*change.freed, *change.listed)), ("books", [one.number for one in change.books])):
            self.load(kind, keys)
        stock.fold(self, change)

    def write(self, slot: int) -> None:
        """Everything that changed, inside the running transaction. Raises StoreConflict for the loser."""
        engine = self.store.engine
        for kind, row in ROWS.items():
            fresh, held = [], []
            for changed, key in self._changed:
                if changed == kind:
                    before = self._seen[(kind, key)]
                    values = row(self._held[kind][key])
                    if before is None:
                        fresh.append(values)
                    else:
                        held.append((*values, before))
            done = engine.many(f"insert_bonded_{kind}", sorted(fresh)) + engine.many(
                f"update_bonded_{kind}", sorted(held))
            if done != len(fresh) + len(held):
                raise StoreConflict(note=f"bonded_{kind}: {len(fresh) + len(held) - done} rows were changed by another "
                                         "writer")
        engine.many("insert_bonded_moves", sorted(self._moves))
        engine.many("add_bonded_totals", [(number, slot, *amounts) for number, amounts in sorted(self._sums().items())])
        self._changed.clear()
        self._moves.clear()

    def _sums(self) -> dict[str, list[int]]:
        """By how much the totals of each book change."""
        sums: dict[str, list[int]] = {}
        for key, before in self._before.items():
            line = self._held["lines"][key]
            held = sums.setdefault(line.book, [0] * (2 + len(stock.COUNTERS)))
            held[0] += int(before is None)
            held[1] += line.version - (before.version if before is not None else 0)
            for at, name in enumerate(stock.COUNTERS, 2):
                held[at] += getattr(line, name) - (getattr(before, name) if before is not None else 0)
        return {number: amounts for number, amounts in sums.items() if any(amounts)}


def follow(held: Held, before: Case | None, after: Case, view: Any, now: int, inbox: int) -> list[bonded.Outcome]:
    """What a step of a parcel does to its account book, folded onto ``held``: the walk's own transaction writes it.

    Its release reserves stock, a cancel takes it off, an approved return gives it back. Each outcome that changes
    something is for the journal (``link_of``).
    """
    outcomes = []
    for act in parcels.acts_of(before, after, held, view):
        outcome = bonded.decide(act, held, view, now, held.store)
        if outcome.change is not None:
            held.apply(outcome.change, inbox)
        outcomes.append(outcome)
    return outcomes


def link_of(outcome: bonded.Outcome) -> tuple[str, bytes]:
    """(link, body) of the event that carries an outcome's change."""
    return (LINK, encode(outcome.change)) if outcome.change is not None else ("", b"")


class Posted(NamedTuple):
    """What became of an act: its inbox row, whether it had come before, and (when it is new) its outcome."""

    inbox: int
    repeated: bool
    outcome: bonded.Outcome | None


class Desk:
    """The window's account books: one a process."""

    def __init__(self, store: Store, policy: Any, *, profile: str | None = None, code: str = "") -> None:
        self.store, self.policy, self.profile, self.code = store, policy, profile, code

    def view(self, customs: str, now: datetime) -> Any:
        """The law of a park today."""
        return self.policy.at(beijing_day(now), customs, profile=self.profile)

    def post(self, act: Any, brought: Brought, now: datetime, *, receiver: str = "") -> Posted:
        """Book an act of which ``brought`` are the bytes. Raises StoreConflict when others are always first.

        A refusal is journalled as well, with its reasons; the books stay as they are.
        """
        for attempt in range(TRIES_MAX):
            before = known(self.store, brought)
            if before:
                with self.store.transaction():
                    self.store.engine.rows("send_again", before)
                return Posted(before, True, None)
            try:
                return self._once(act, brought, now, receiver)
            except StoreConflict:
                self.store.forget_leases()
                if attempt + 1 == TRIES_MAX:
                    raise
            except BaseException:
                self.store.forget_leases()
                raise
        raise AssertionError("a try returns or raises")

    def _once(self, act: Any, brought: Brought, now: datetime, receiver: str) -> Posted:
        outcomes: list[bonded.Outcome] = []
        inbox = book(self.store, brought, now, self.policy.edition, self.code,
                     lambda inbox: self._settle(act, inbox, now, receiver, outcomes))
        return Posted(inbox, False, outcomes[-1])

    def _settle(self, act: Any, inbox: int, now: datetime, receiver: str,
                outcomes: list[bonded.Outcome]) -> Sequence[Event]:
        """Decide with fresh facts and write, inside the transaction of ``book``."""
        held, at = Held(self.store), int(now.timestamp() * 1000)
        view = self.view(self.customs_of(act, held), now)
        self._preload(act, held)
        outcome = bonded.decide(act, held, view, at, self.store)
        outcomes.append(outcome)
        if outcome.change is not None:
            held.apply(outcome.change, inbox)
            held.write(self.store.slot)
        answers = refusal(act, outcome, at) if outcome.refused else outcome.answers
        self._send(answers, inbox, receiver, at)
        return [event_of(outcome, answers, view)]

    @staticmethod
    def _preload(act: Any, held: Held) -> None:
        """What a big list asks for, in a few look-ups."""
        if isinstance(act, bonded.FileList):
            held.load("sales", act.sales)
            held.load_lines({act.list.book: [line.item for line in act.list.lines if line.item]})

    def _send(self, answers: Iterable[bonded.Answer], inbox: int, receiver: str, at: int) -> None:
        rows = [(inbox, answer.type, reply_of(answer, receiver), 0, 1, at,
                 self.store.vault.hide(encode(answer))) for answer in answers]
        self.store.engine.many("put_outbox", rows)
        self.store.count_receipts(len(rows))

    @staticmethod
    def customs_of(act: Any, held: Held) -> str:
        """The customs office whose law an act is under: that of the book, list or pass that it is about."""
        match act:
            case bonded.FileBook():
                return act.book.customs
            case bonded.FileList():
                return act.list.customs
            case bonded.FilePass():
                return act.made.customs
            case bonded.Sell():
                return act.sale.customs
            case bonded.Count():
                found: Any = held.get("books", act.book)
            case bonded.TakeOff() | bonded.GiveBack():
                found = held.get("sales", act.invt)
            case _:
                found = held.get("lists", act.number) or held.get("passes", act.number)
        return found.customs if found is not None else "CN"


def reply_of(answer: bonded.Answer, receiver: str) -> str:
    """Who gets an answer: whoever declared the list or pass it is about, else whoever acts now."""
    for record in (answer.list, answer.made):
        if record is not None and record.reply:
            return record.reply
    return receiver


def event_of(outcome: bonded.Outcome, answers: Iterable[bonded.Answer], view: Any) -> Event:
    """The line of the journal of an act."""
    return Event(name=f"bonded: {outcome.name}", number=outcome.number, why=outcome.why,
                 receipts=tuple([(answer.type, answer.result) for answer in answers]),
                 law=f"{view.place}@{view.day}", link=link_of(outcome)[0], body=link_of(outcome)[1])


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────


class Summary(NamedTuple):
    """A book and what it holds as a whole; amounts in hundred-thousandths of whatever unit each item has."""

    book: Book
    items: int
    moves: int
    counters: dict[str, int]

    @property
    def balance(self) -> int:
        """in + increases - decreases - pre-decreases."""
        held = self.counters
        return held["entered"] + held["increased"] - held["decreased"] - held["pre_decreased"]


def books_of(store: Store) -> list[Book]:
    """Every book, in the order of their numbers."""
    return [DECODERS["books"](blob) for _, blob in store.engine.rows("bonded_books_all")]


def summary_of(store: Store, number: str) -> Summary | None:
    """A book with its running totals: no line is read."""
    found = store.engine.select("bonded_books", [number])
    if not found:
        return None
    items, moves, *amounts = [int(value or 0) for value in store.engine.rows("bonded_total", number)[0]]
    return Summary(DECODERS["books"](found[0][1]), items, moves, dict(zip(stock.COUNTERS, amounts, strict=True)))


def lines_of(store: Store, number: str, after: int, count: int) -> list[Line]:
    """Lines of a book behind an item, in the order of their items."""
    return [line_of(row) for row in store.engine.rows("bonded_lines_after", number, after, count)]


def line_at(store: Store, number: str, item: int) -> Line | None:
    """One line of a book with its balances."""
    rows = store.engine.rows("bonded_line", number, item)
    return line_of(rows[0]) if rows else None


def free_sales(store: Store, number: str, count: int) -> list[Sale]:
    """Sales of a book that are on no list yet, oldest first."""
    return [DECODERS["sales"](blob) for _, blob in store.engine.rows("bonded_sales_free", number, count)]


def due_sales(store: Store, number: str, count: int) -> list[Sale]:
    """Sales of a book of which something must come back, and is on no inbound list yet."""
    found = [DECODERS["sales"](blob) for _, blob in store.engine.rows("bonded_sales_due", number, count)]
    return [sale for sale in found if not sale.back_list]


def list_at(store: Store, number: str) -> BondList | None:
    """A list by its number."""
    rows = store.engine.select("bonded_lists", [number])
    return DECODERS["lists"](rows[0][1]) if rows else None


def pass_at(store: Store, number: str) -> Pass | None:
    """A pass by its number."""
    rows = store.engine.select("bonded_passes", [number])
    return DECODERS["passes"](rows[0][1]) if rows else None
