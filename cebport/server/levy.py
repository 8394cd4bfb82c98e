"""What the tax ledger tells (税款征收的查询): guarantors, payment documents, months, and what does not agree.

Everything is read from the tables that ``ledger.follow`` keeps; bring them up to date first. Amounts are whole fen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from cebport.clearance.books import TAX_KINDS
from cebport.clearance.conclude import days_to_summary
from cebport.clearance.ledger import (
    KINDS,
    Guarantee,
    Payment,
    StatementRow,
    Sum,
    TaxDocument,
    Window,
    balances,
    guarantee_state,
    late_fee_fen,
    statement,
    unbalanced,
    uneven,
    window_of,
    yuan,
)
from cebport.clearance.papers import Books, catalog, differences, holds, read_payments
from cebport.faults import Fault, fault_of
from cebport.policy import Policy
from cebport.policy.places import NATION
from cebport.server.ledger import facts, payment_of, sums_of, table_of
from cebport.server.store.store import Store

PAID, OVERDUE, DUE, EARLY, BACK, VOID = "paid", "overdue", "due", "early", "refund_due", "void"


class Guarantor(NamedTuple):
    """A guarantor on a day. balance_fen: what holds on the day, None without any guarantee; taken_fen: the tax that it
    covers; refund_fen: what is due back."""

    code: str
    name: str
    balance_fen: int | None
    taken_fen: int
    refund_fen: int
    state: str
    guarantees: tuple[Guarantee, ...]

    @property
    def free_fen(self) -> int:
        """What is left; below zero it is too short by so much."""
        return (self.balance_fen or 0) - self.taken_fen


class Due(NamedTuple):
    """A payment document on a day: days of payment, sums by kind, what is open, due back, and due for being late."""

    document: TaxDocument
    name: str
    window: Window
    sums: dict[str, Sum]
    open_fen: int
    refund_fen: int
    late_fee_fen: int
    state: str


class Waiting(NamedTuple):
    """Bills of a guarantor at a port that no payment document has yet, and the first day on which one takes some."""

    code: str
    name: str
    port: str
    bills: int
    amounts: tuple[tuple[str, int], ...]
    next_summary: date


class Levy:
    """The questions, with what they need: the store, the law, the day."""

    def __init__(self, store: Store, policy: Policy, today: date) -> None:
        self.store, self.policy, self.today = store, policy, today

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Code of an enterprise -> the name under which it is filed."""
        return {row[0]: row[1] for row in self.store.engine.rows("filings")}

    def name(self, code: str) -> str:
        """The name of an enterprise; "" where it is not filed."""
        return self.names.get(code, "")

    # guarantors -------------------------------------------------------------------------------------

    def guarantors(self, code: str = "") -> list[Guarantor]:
        """Everyone who lodged a guarantee or owes tax, or one of them."""
        codes = [row[0] for row in self.store.engine.rows("guarantors")]
        wanted = [one for one in codes if not code or one == code]
        held: dict[str, list[Guarantee]] = defaultdict(list)
        for row in self.store.engine.select("guarantees_of", wanted):
            held[row[1]].append(Guarantee(*row))
        back = dict(self.store.engine.select("tax_refunds_of", wanted))
        view = self.policy.at(self.today, NATION)
        return [Guarantor(one, self.name(one), balance, taken, int(back.get(one, 0)),
                          guarantee_state(balance, taken, view), tuple(held[one]))
                for one, (balance, taken) in facts(self.store, wanted, self.today).items()]

    def is_valid(self, one: Guarantee) -> bool:
        """Whether a guarantee holds today."""
        return holds(one, self.today)

    # payment documents ------------------------------------------------------------------------------

    def documents(self, *, every: bool = False, code: str = "") -> list[Due]:
        """Payment documents of which something is open or due back, or (``every``) all; the most urgent first."""
        rows = (self.store.engine.rows("documents_made", "", "9") if every
                else self.store.engine.rows("documents_open"))
        found = [TaxDocument(*row) for row in rows if not code or row[1] == code]
        return sorted(self._due(found), key=lambda due: (due.window.last, due.document.number))

    def made_between(self, first: date, last: date) -> list[Due]:
        """Payment documents made in these days, by number."""
        rows = self.store.engine.rows("documents_made", first.isoformat(), last.isoformat())
        return self._due([TaxDocument(*row) for row in rows])

    def window(self, document: TaxDocument) -> Window:
        """The days of payment, by the law of the day and place of the document."""
        return window_of(document, self.policy.at(date.fromisoformat(document.made), document.port))

    def _due(self, documents: Iterable[TaxDocument]) -> list[Due]:
        held = list(documents)
        by_number: dict[str, dict[str, Sum]] = defaultdict(dict)
        for (number, kind), one in sums_of(self.store.engine, [each.number for each in held]).items():
            by_number[number][kind] = one
        return [self._one(document, by_number[document.number]) for document in held]

    def _one(self, document: TaxDocument, sums: dict[str, Sum]) -> Due:
        window = self.window(document)
        left, back = (sum(getattr(one, side) for one in sums.values()) for side in ("open_fen", "refund_fen"))
        if left:
            state = OVERDUE if self.today > window.last else EARLY if self.today < window.first else DUE
        elif back:
            state = BACK
        else:
            state = PAID if document.bills or any(one.paid_fen for one in sums.values()) else VOID
        fee = late_fee_fen(left, window, self.today)
        return Due(document, self.name(document.code), window, sums, left, back, fee, state)

    def waiting(self, code: str = "") -> list[Waiting]:
        """Bills that are not yet in a payment document."""
        made = []
        for owner, port, duty, vat, consumption, bills, released in self.store.engine.rows("open_bills"):
            if code and owner != code:
                continue
            first = date.fromisoformat(released)
            view = self.policy.at(first, port)
            days = days_to_summary(first, int(view["collect.wait_days"]), view.get("collect.summary") or "daily")
            made.append(Waiting(owner, self.name(owner), port, int(bills),
                                tuple(zip(TAX_KINDS, map(int, (duty, vat, consumption)), strict=True)),
                                max(first + timedelta(days=days), self.today)))
        return made

    # months -----------------------------------------------------------------------------------------

    def lines(self, first: date, last: date) -> list[tuple[Any, ...]]:
        """The ledger of these days, and what was before them summed up under no day."""
        engine = self.store.engine
        return [tuple(row) for row in (*engine.rows("ledger_before", first.isoformat()),
                                       *engine.rows("ledger_between", first.isoformat(), last.isoformat()))]

    def statement(self, first: date, last: date) -> list[StatementRow]:
        """The statement of these days by guarantor, port and tax kind."""
        return statement(self.lines(first, last), first, last)

    def bureau(self, first: date, last: date) -> list[tuple[Due, str, Sum]]:
        """For the tax bureau: (payment document made in these days, tax kind, sums), a row each that is not nothing."""
        return [(due, kind, due.sums[kind]) for due in self.made_between(first, last)
                for kind in KINDS if kind in due.sums and any(due.sums[kind])]

    # what does not agree ----------------------------------------------------------------------------

    def proof(self) -> tuple[dict[str, int], list[Fault]]:
        """Whether the books balance and accounts, documents and postings tell the same: ({debit, credit} of all entries
        in fen, everything that is off)."""
        lines = self.lines(date.min, date.max)
        totals = {"debit": sum(line[6] for line in lines), "credit": sum(line[7] for line in lines)}
        found = [_fault("060", entry, yuan(amount)) for entry, amount in sorted(unbalanced(lines).items())]
        open_bills = {(code, port, kind): int(amount)
                      for code, port, *amounts, _, _ in self.store.engine.rows("open_bills")
                      for kind, amount in zip(TAX_KINDS, amounts, strict=True) if amount}
        documents = {(code, port, kind): (int(still), int(back))
                     for code, port, kind, still, back in self.store.engine.rows("document_sums")}
        balance = balances(lines)
        found += [_fault("061", account, yuan(held), yuan(expected))
                  for account, held, expected in uneven(balance, open_bills, documents)]
        taken: dict[str, int] = defaultdict(int)
        for (account, code, _, _), amount in balance.items():
            taken[code] -= amount if account == "occupied" else 0
        for code, (_, by_postings) in facts(self.store, taken, self.today).items():
            if taken[code] != by_postings:
                found.append(_fault("062", code, yuan(taken[code]), yuan(by_postings)))
        return totals, found

    def compare(self, name: str, raw: bytes, first: date | None, last: date | None) -> tuple[int, list[Fault]]:
        """A list of payments against the payment documents made in these days (without days: those it names, and all
        that are overdue); how many documents were compared, and every difference."""
        cells, faults = table_of(name, raw)
        file = read_payments(name, cells) if not faults else None
        if file is None or file.faults:
            return 0, faults if file is None else file.faults
        listed = [payment for _, payment in file.payments]
        numbers = dict.fromkeys(payment.number for payment in listed)
        rows = self.store.engine.select("tax_documents", numbers)
        if first is not None and last is not None:
            rows += self.store.engine.rows("documents_made", first.isoformat(), last.isoformat())
        else:
            rows += self.store.engine.rows("documents_open")
        documents = {row[0]: TaxDocument(*row) for row in rows}
        return len(documents), differences(listed, self._books(documents), self.today)

    def _books(self, documents: Mapping[str, TaxDocument]) -> Books:
        payments: dict[str, Payment] = {row[0]: payment_of(row)
                                        for row in self.store.engine.select("tax_payments_of", documents)}
        return Books(documents, sums_of(self.store.engine, documents), payments,
                     {number: self.window(document) for number, document in documents.items()})


def _fault(code: str, path: str, found: object, expected: object = "") -> Fault:
    return fault_of(catalog(), f"CEB-LEDGER-{code}", path=path, found=found, expected=expected)
