"""The tax ledger in the store (税款总账): follows the journal, takes files of guarantees and payments, proves itself.

The walk writes one thing for it, the running sum that each guarantor owes (``tax_held``), so that a parcel can be
stopped in the same transaction. All else is folded from the journal after the walk, by ``follow``, from where it
stood: bills, payment documents, payments, guarantees, double entry. The ledger costs the walk nothing and may lag
behind it; whoever asks brings it up to date first. ``Mirror`` folds the same into a scratch file for a rebuild.

On PostgreSQL a message that began earlier may be committed later, so the journal is read only up to a position
below which nothing is under way: who asks for it holds, for a moment, what writers of the journal need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cebport.clearance.ledger import (
    KINDS,
    Filed,
    Guarantee,
    Ledger,
    Payment,
    Sum,
    TaxBill,
    TaxDocument,
    Told,
    filed_event,
    filed_of,
    told_of,
)
from cebport.clearance.papers import (
    agrees,
    filed_guarantees,
    holds,
    read_guarantees,
    read_payments,
    refused_guarantees,
    refused_payments,
    trouble,
)
from cebport.faults import Fault, StoreConflict
from cebport.policy.sheets import SHEET_BYTES_MAX, Trouble, read_sheets
from cebport.server.booking import Brought, book, known
from cebport.server.store.engines import SqliteEngine
from cebport.server.store.store import OWED, Store, telling_damage
from cebport.values import beijing_day

ROWS_A_STEP = 200
DUMP_ROWS = 2000
TRIES_MAX = 20
PEER, LINK = "taxation", "taxation"
SCHEMA = Path(__file__).parent / "store" / "migrations" / "versions" / "0005_sqlite.sql"
Rows = Sequence[tuple[int, list[Told]]]
"""Rows of the journal: (settled at, events)."""


# ── following the journal ───────────────────────────────────────────────────────────────────────────


def payment_row(payment: Payment) -> tuple[Any, ...]:
    """A payment as its table has it."""
    held = dict(payment.amounts)
    return (payment.serial, payment.number, payment.code, payment.port, payment.paid_on, int(payment.back),
            *[held.get(kind, 0) for kind in KINDS])


def payment_of(row: Sequence[Any]) -> Payment:
    """The payment of a row of its table."""
    amounts = tuple((kind, int(amount)) for kind, amount in zip(KINDS, row[6:], strict=True) if amount)
    serial, number, code, port, paid_on, back = row[:6]
    return Payment(serial, number, code, port, paid_on, amounts, bool(back))


def _load(engine: Any, rows: Rows) -> Ledger:
    """The records that these rows of the journal touch, in a few look-ups."""
    ledger = Ledger()
    cases = {event.case: None for _, events in rows for event in events if event.set is not None and event.case}
    ledger.bills = {bill.case_key: bill for bill in (TaxBill(*row) for row in engine.select("living_bills", cases))}
    numbers = {bill.ent_duty_no: None for bill in ledger.bills.values() if bill.ent_duty_no}
    ends: dict[str, None] = {}
    for _, events in rows:
        for event in events:
            bill = event.set.bill if event.set is not None else None
            if bill and bill.entDutyNo:
                numbers[bill.entDutyNo] = None
            if event.link == LINK:
                filed = filed_of(event)
                numbers |= dict.fromkeys(payment.number for payment in filed.payments)
                ends |= dict.fromkeys(number for number, _ in filed.ended)
    ledger.documents = {row[0]: TaxDocument(*row) for row in engine.select("tax_documents", numbers)}
    ledger.sums = sums_of(engine, numbers)
    ledger.guarantees = {row[0]: Guarantee(*row) for row in engine.select("guarantees", ends)}
    return ledger


def sums_of(engine: Any, numbers: Iterable[str]) -> dict[tuple[str, str], Sum]:
    """The sums of payment documents by (number, kind)."""
    return {(number, kind): Sum(billed, paid) for number, kind, billed, paid in engine.select("tax_sums", numbers)}


def _store(engine: Any, ledger: Ledger) -> None:
    """Write what a ledger changed."""
    many = engine.many
    many("put_tax_bills", [tuple(bill) for bill in ledger.ended_bills])
    many("put_tax_bills", [tuple(ledger.bills[case]) for case in ledger.changed_bills])
    many("put_tax_documents", [tuple(ledger.documents[number]) for number in sorted(ledger.changed_documents)])
    touched = dict.fromkeys(ledger.changed_documents)
    touched |= {payment.number: None for payment in ledger.payments}
    many("put_tax_sums", sorted((*key, *held) for key, held in ledger.sums.items() if key[0] in touched))
    many("put_guarantees", [_guarantee_row(ledger.guarantees[number]) for number in sorted(ledger.changed_guarantees)])
    many("put_tax_payments", [payment_row(payment) for payment in ledger.payments])
    changed = {code: amount for code, amount in ledger.refunds.items() if amount}
    before = dict(engine.select("tax_refunds_of", changed))
    many("put_tax_refunds", sorted((code, before.get(code, 0) + amount) for code, amount in changed.items()))
    many("add_ledger", sorted((*place, *sides) for place, sides in ledger.lines.items()))


def _guarantee_row(one: Guarantee) -> tuple[Any, ...]:
    return (one.number, one.code, one.kind, one.customs, one.amount_fen, one.since, one.until, one.ended)


def fold_rows(engine: Any, rows: Rows) -> None:
    """Rows of the journal into the tables of the ledger, inside a transaction."""
    ledger = _load(engine, rows)
    for at, events in rows:
        for event in events:
            ledger.fold(event, at)
    _store(engine, ledger)


def concerns(event: Told) -> bool:
    """Whether an event of the journal has anything for the ledger."""
    return event.link == LINK or (event.set is not None and bool(event.set.bill))


def _position(store: Store) -> int:
    rows = store.engine.rows("ledger_position")
    return int(rows[0][0]) if rows else 0


def _head(store: Store) -> int:
    """The last position below which no message is under way. Inside a transaction, which keeps others from writing."""
    store.engine.rows("ledger_turn")
    return int(store.engine.rows("journal_head")[0][0])


def _advance(store: Store, head: int) -> int:
    """One step towards ``head`` inside a transaction; how many rows of the journal that were."""
    position = _position(store)
    if position >= head:
        return 0
    read = [row for row in store.engine.rows("journal_after", position, ROWS_A_STEP) if row[0] <= head]
    if not read:
        return 0
    rows = [(row[2], events) for row in read
            if (events := [event for event in told_of(store.vault.stretch(row[5])) if concerns(event)])]
    fold_rows(store.engine, rows)
    store.engine.rows("begin_ledger")
    if store.engine.many("move_ledger", [(read[-1][0], position)]) != 1:
        raise StoreConflict(note="the ledger was brought up to date by somebody else")
    return len(read)


@telling_damage()
def follow(store: Store, progress: Callable[[int], None] | None = None) -> int:
    """Bring the ledger up to the journal's end; how many rows of it were new. May be ended at any moment."""
    with store.transaction():
        head = _head(store)
    done = tries = 0
    while True:
        try:
            with store.transaction():
                step = _advance(store, head)
        except StoreConflict:
            tries += 1
            if tries == TRIES_MAX:
                raise
            continue
        if not step:
            return done
        done += step
        if progress is not None:
            progress(step)


# ── what a guarantor has, and what of it is taken ───────────────────────────────────────────────────


def facts(store: Store, codes: Iterable[str], day: date, *, lock: bool = False) -> dict[str, tuple[int | None, int]]:
    """Guarantor -> (fen of the guarantees that hold on the day, None without any; fen of tax that they cover now).

    Exact inside a write transaction that asks with ``lock``: then no other one of the same guarantor with an account
    goes on before this one ends.
    """
    wanted = sorted(set(codes))
    held: dict[str, list[Guarantee]] = {}
    for row in store.engine.select("guarantees_held" if lock else "guarantees_of", wanted):
        held.setdefault(row[1], []).append(Guarantee(*row))
    owed = {code: int(amount) for code, amount in store.engine.select("tax_held_of", wanted)}
    back = {code: int(amount) for code, amount in store.engine.select("tax_refunds_of", wanted)}
    return {code: (sum(one.amount_fen for one in held[code] if holds(one, day)) if code in held else None,
                   owed.get(code, 0) + back.get(code, 0)) for code in wanted}


# ── files ───────────────────────────────────────────────────────────────────────────────────────────


class Taken(NamedTuple):
    """What became of a file: the message it is in the archive (0 = nothing was booked), rows booked, what is wrong."""

    inbox: int
    rows: int
    faults: list[Fault]


class _Refused(Exception):
    """A file that is not booked; undoes the transaction. Stays inside the module."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__(len(faults))


def table_of(name: str, raw: bytes) -> tuple[list[list[str]], list[Fault]]:
    """The cells of a CSV or XLSX (its first sheet with anything in it), and why there are none."""
    try:
        sheets = read_sheets(raw)
    except Trouble as bad:
        said = str(bad.values.get("found") or bad.code)
        return [], [trouble("011", name, said, f"{SHEET_BYTES_MAX} bytes")]
    return next((sheet.rows for sheet in sheets if any(cell for row in sheet.rows for cell in row)), []), []


def take_guarantees(store: Store, name: str, raw: bytes, now: datetime, edition: str, code: str) -> Taken:
    """Book a file of guarantees, whole or not at all. edition, code: of the law and the program."""
    cells, faults = table_of(name, raw)
    file = read_guarantees(name, cells) if not faults else None
    if file is None or not agrees(file.faults):
        return Taken(0, 0, faults if file is None else file.faults)
    today = beijing_day(now)
    owners = {end.code for end in file.ended} | {one.code for _, one in file.lodged}

    def settle() -> tuple[Filed, list[Guarantee]]:
        numbers = [one.number for _, one in file.lodged] + [end.number for end in file.ended]
        held = {row[0]: Guarantee(*row) for row in store.engine.select("guarantees", numbers)}
        standing = {owner: (valid or 0, taken) for owner, (valid, taken) in facts(store, owners, today).items()}
        refused = refused_guarantees(name, file, held, standing, today)
        if refused:
            raise _Refused(refused)
        return filed_guarantees(file, held, today)

    return _booked(store, Brought(PEER, LINK, name, raw), now, (edition, code), "guarantees filed", settle, owners)


def take_payments(store: Store, name: str, raw: bytes, now: datetime, edition: str, code: str) -> Taken:
    """Book a file of payments and refunds, whole or not at all."""
    cells, faults = table_of(name, raw)
    file = read_payments(name, cells) if not faults else None
    if file is None or not agrees(file.faults):
        return Taken(0, 0, faults if file is None else file.faults)

    def settle() -> tuple[Filed, list[Guarantee]]:
        payments = [payment for _, payment in file.payments]
        numbers = {payment.number: None for payment in payments}
        documents = {row[0]: TaxDocument(*row) for row in store.engine.select("tax_documents", numbers)}
        booked = {row[0]: payment_of(row)
                  for row in store.engine.select("tax_payments", [payment.serial for payment in payments])}
        refused = refused_payments(name, file, documents, sums_of(store.engine, numbers), booked, beijing_day(now))
        if refused:
            raise _Refused(refused)
        return Filed(payments=tuple(payments)), []

    return _booked(store, Brought(PEER, LINK, name, raw), now, (edition, code), "payments filed", settle, ())


def _booked(store: Store, brought: Brought, now: datetime, by: tuple[str, str], event: str,
            settle: Callable[[], tuple[Filed, list[Guarantee]]], owners: Iterable[str]) -> Taken:
    """Journal and postings of a file; the ledger's tables follow. What it says is weighed against the ledger as it is
    when nobody else writes; ``owners`` are locked first, as the walk locks them."""
    before = known(store, brought)
    if before:
        return Taken(0, 0, [trouble("010", brought.name, before)])
    follow(store)

    def write(inbox: int) -> Sequence[Any]:
        facts(store, owners, beijing_day(now), lock=True)
        head = _head(store)
        while _advance(store, head):
            pass
        filed, ended = settle()
        made = filed_event(event, filed, ended)
        store.engine.many("post", [(p.document, p.line, p.kind, p.account, p.amount_fen, inbox)
                                   for p in made.postings])
        store.hold_tax(made.postings)
        rows.append(len(filed.guarantees) + len(filed.ended) + len(filed.payments))
        return [made]

    rows: list[int] = []
    try:
        inbox = book(store, brought, now, *by, write)
    except _Refused as refused:
        return Taken(0, 0, refused.faults)
    except StoreConflict:
        before = known(store, brought)  # somebody else brought the same bytes at the same time
        if not before:
            raise
        return Taken(0, 0, [trouble("010", brought.name, before)])
    follow(store)
    return Taken(inbox, rows[-1], [])


# ── proof ───────────────────────────────────────────────────────────────────────────────────────────

PAGED: Mapping[str, int] = {"guarantees": 1, "tax_bills": 1, "tax_documents": 1, "tax_payments": 1, "tax_sums": 2,
                            "tax_refunds": 1, "ledger": 6}
"""Table of the ledger -> of how many columns its key is."""


def pages(engine: Any, table: str) -> Iterator[tuple[Any, ...]]:
    """Every row of a table of the ledger, in the order of its key."""
    key = PAGED[table]
    after: Sequence[Any] = ("",) * key
    while rows := engine.rows(f"dump_{table}", *after, DUMP_ROWS):
        yield from map(tuple, rows)
        after = rows[-1][:key]


def keyed(table: str, rows: Iterable[Any]) -> Iterator[Any]:
    """Rows with their key in front as one, as a comparison wants them."""
    key = PAGED[table]
    for row in rows:
        yield row if key == 1 else (tuple(row[:key]), *row[key:])


class Mirror:
    """The ledger folded anew into a scratch file, fed with the journal row by row, up to where the store's own has
    come; and what each guarantor owes by the postings."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.until = store, _position(store)
        self.engine = SqliteEngine(folder / "ledger.db")
        self.engine.connection.execute("PRAGMA synchronous = OFF")
        self.engine.connection.executescript(
            "CREATE TABLE postings (account TEXT, amount_fen INTEGER);" + SCHEMA.read_text(encoding="utf-8"))
        self._held: dict[str, int] = {}

    def feed(self, rows: Iterable[tuple[int, int, bytes]]) -> None:
        """Rows of the journal: (position, settled at, events as bytes)."""
        concerned = []
        for position, at, raw in rows:
            if position <= self.until:
                told = [event for event in told_of(raw) if concerns(event)]
                if told:
                    concerned.append((at, told))
        if concerned:
            with self.engine.transaction():
                fold_rows(self.engine, concerned)

    def post(self, events: Iterable[Any]) -> None:
        """What events of the journal post to the sums that guarantors owe."""
        for event in events:
            for posting in event.postings:
                if posting.account.startswith(OWED):
                    code = posting.account.partition("/")[2]
                    self._held[code] = self._held.get(code, 0) + posting.amount_fen

    def sides(self) -> Iterator[tuple[str, Iterator[Any], Iterator[Any]]]:
        """(table, stored rows, folded rows), both in the order of their keys."""
        for table in PAGED:
            yield (table, keyed(table, pages(self.store.engine, table)), keyed(table, pages(self.engine, table)))
        yield ("tax_held", iter([(code, int(amount)) for code, amount in self.store.engine.rows("dump_tax_held")]),
               iter(sorted((code, amount) for code, amount in self._held.items() if amount)))

    def close(self) -> None:
        """Let go of the scratch file."""
        self.engine.close()


