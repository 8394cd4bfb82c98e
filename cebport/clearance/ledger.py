"""The tax ledger (税款总账): double entry, from the walk's bills and from the files of guarantors and treasury.

A bill (816) makes the guarantor owe; a summary (818) puts what is owed into a payment document (缴款书); a void bill
takes it away, or makes a refund due where it was paid already; a payment brings it to the treasury. Beside that,
each guarantee (担保) is either free or taken. Which accounts an entry moves is a table (``tables/ledger.yaml``), each
move one debit and one credit of the same amount, so the books balance by construction; ``unbalanced`` proves it and
``uneven`` that accounts and documents tell the same.

``Ledger`` folds events of the journal in their order and never decides. Amounts are whole fen; days are ISO texts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import UNSET, Raw, Struct, UnsetType, msgpack

from cebport.clearance.books import TAX_KINDS, to_fen
from cebport.clearance.draft import day_of, law_source
from cebport.clearance.parts import Bill, Event, Posting, Reason
from cebport.faults import ERROR, WARNING, Words

KINDS = (*TAX_KINDS, "late_fee")
LATE_FEE, LINK = "late_fee", "taxation"
OPEN, SUMMARISED, VOID = "1", "2", "3"
SHORT, UNKNOWN = "collect.guarantee_short", "collect.guarantee_unknown"
RULES = {"refuse": ("LAW-GUARANTEE-REFUSE", ERROR), "hold": ("LAW-GUARANTEE-HOLD", WARNING),
         "warn": ("LAW-GUARANTEE-WARN", WARNING)}
PAID, GUARANTEE = "paid/", "guarantee/"
"""How the accounts of payments and of guarantees begin in the postings; those of bills begin ``tax/``."""


@cache
def table() -> Mapping[str, Any]:
    """tables/ledger.yaml: accounts, entries, kinds, states, heads of files."""
    import yaml

    return yaml.safe_load((Path(__file__).parent / "tables" / "ledger.yaml").read_text(encoding="utf-8"))


@cache
def moves() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Entry -> (debit account, credit account) of each move."""
    return {name: tuple((debit, credit) for debit, credit in row["moves"]) for name, row in table()["entries"].items()}


def words_of(part: str, name: str) -> Words:
    """The Chinese and English of an account, entry, kind or state; its own name where the table has none."""
    row = table()[part].get(name)
    return Words(name, name) if row is None else Words(row["zh"], row["en"])


def yuan(amount_fen: int) -> str:
    """Fen as CNY with two places.

    >>> yuan(-5)
    '-0.05'
    """
    return str((Decimal(amount_fen) / 100).quantize(Decimal("0.01")))


# ── the stop ────────────────────────────────────────────────────────────────────────────────────────


def guarantee_stop(balance_fen: int | None, occupied_fen: int, tax_fen: int, policy: Any) -> Reason | None:
    """Whether a guarantee covers the tax of one more parcel; the reason where it does not, else None.

    balance_fen: the guarantees that hold on the day, None = the guarantor has no account. occupied_fen: what is taken
    of them without this parcel. policy: the view of the parcel's day and place, whose rows ``collect.guarantee_short``
    and ``collect.guarantee_unknown`` say what follows: LAW-GUARANTEE-REFUSE, -HOLD or -WARN.
    """
    if not tax_fen or not policy.get("collect.guarantee"):
        return None
    topic = UNKNOWN if balance_fen is None else SHORT
    found = RULES.get(policy[topic])
    left = (balance_fen or 0) - occupied_fen
    if found is None or (balance_fen is not None and tax_fen <= left):
        return None
    rule, severity = found
    return Reason(rule, severity, "CEB621/assureCode", yuan(tax_fen), yuan(max(left, 0)), law_source(policy, topic))


def guarantee_state(balance_fen: int | None, occupied_fen: int, policy: Any) -> str:
    """How a guarantor stands: ``ok``, ``low`` (nearly taken, by the law's share), ``short`` or ``none``."""
    if balance_fen is None:
        return "none"
    if occupied_fen > balance_fen:
        return "short"
    share = Decimal(policy["collect.guarantee_low_share"])
    return "low" if occupied_fen and occupied_fen >= share * balance_fen else "ok"


# ── what files bring, as the journal keeps it ───────────────────────────────────────────────────────


class Guarantee(Struct, frozen=True, array_like=True, gc=False):
    """One guarantee (担保): a deposit, a letter, or an electronic one. ``until`` is its last day, "" = without end;
    ``ended``: the day from which on it no longer holds, whatever its last day was."""

    number: str
    code: str
    kind: str
    customs: str
    amount_fen: int
    since: str
    until: str
    ended: str = ""


class Payment(Struct, frozen=True, array_like=True, gc=False):
    """One payment of a payment document, or one refund to the guarantor (``back``); amounts by kind in fen."""

    serial: str
    number: str
    code: str
    port: str
    paid_on: str
    amounts: tuple[tuple[str, int], ...]
    back: bool = False

    def total_fen(self) -> int:
        """All kinds together."""
        return sum(amount for _, amount in self.amounts)


class Filed(Struct, frozen=True, array_like=True, gc=False):
    """What one file brings, as the journal keeps it (an event of link ``taxation``).

    ended: (number of a guarantee, the day from which on it no longer holds).
    """

    guarantees: tuple[Guarantee, ...] = ()
    ended: tuple[tuple[str, str], ...] = ()
    payments: tuple[Payment, ...] = ()


_filed = msgpack.Decoder(Filed)
_encode = msgpack.Encoder().encode


def filed_of(event: Event | Told) -> Filed:
    """What a file brought, of its event."""
    return _filed.decode(event.body)


def filed_event(name: str, filed: Filed, ended: Iterable[Guarantee] = ()) -> Event:
    """The event of a file, with what it posts; ``ended``: the guarantees that it ends."""
    return Event(name=name, link=LINK, body=_encode(filed), postings=(
        *guarantee_postings(filed.guarantees, ended), *payment_postings(filed.payments)))


class ToldHome(Struct, frozen=True, array_like=True, gc=False):
    """Of an inventory what the ledger asks, in the order of ``InventoryPart``: who guarantees, at which office."""

    inbox: Raw
    index: Raw
    guid: Raw
    appType: Raw
    appTime: Raw
    appStatus: Raw
    orderNo: Raw
    ebpCode: Raw
    ebcCode: Raw
    logisticsNo: Raw
    logisticsCode: Raw
    copNo: Raw
    agentCode: Raw
    assureCode: str
    emsNo: Raw
    customsCode: str


class ToldChange(Struct, frozen=True, gc=False):
    """Of a change what the ledger asks."""

    bill: Bill | UnsetType | None = UNSET
    inventory: ToldHome | UnsetType | None = UNSET


class Told(Struct, frozen=True, gc=False):
    """Of an event of the journal what the ledger asks: reading only that is faster than reading all."""

    case: str = ""
    set: ToldChange | None = None
    link: str = ""
    body: bytes = b""


told_of = msgpack.Decoder(list[Told]).decode
"""The events of a row of the journal."""


def guarantee_postings(lodged: Iterable[Guarantee], ended: Iterable[Guarantee]) -> tuple[Posting, ...]:
    """What a file of guarantees posts."""
    return (*[Posting(g.number, 0, "guarantee", GUARANTEE + g.code, g.amount_fen) for g in lodged],
            *[Posting(g.number, 1, "guarantee_end", GUARANTEE + g.code, -g.amount_fen) for g in ended])


def payment_postings(payments: Iterable[Payment]) -> tuple[Posting, ...]:
    """What a file of payments posts: a payment sets free what the guarantor owes, a refund takes that back."""
    made = []
    for payment in payments:
        sign, suffix = (1, "_refund") if payment.back else (-1, "_paid")
        made += [Posting(payment.serial, 0, kind + suffix, PAID + payment.code, sign * amount)
                 for kind, amount in payment.amounts if amount and kind != LATE_FEE]
    return tuple(made)


# ── records of the ledger ───────────────────────────────────────────────────────────────────────────


class TaxBill(NamedTuple):
    """One bill as the ledger sees it. released: the day from which its waiting days count."""

    tax_no: str
    case_key: str
    code: str
    port: str
    released: str
    duty_fen: int
    vat_fen: int
    consumption_fen: int
    status: str
    ent_duty_no: str

    def amounts(self) -> Iterator[tuple[str, int]]:
        """(kind, fen) of what is not zero."""
        for kind, amount in zip(TAX_KINDS, self[5:8], strict=True):
            if amount:
                yield kind, amount

    @property
    def total_fen(self) -> int:
        """All kinds together."""
        return self.duty_fen + self.vat_fen + self.consumption_fen


class TaxDocument(NamedTuple):
    """One payment document (缴款书): made on a day for the living bills of a guarantor at a port.

    released: the first release among them, from which the days of payment count; paid_on: the last payment's day.
    """

    number: str
    code: str
    port: str
    made: str
    released: str
    bills: int
    paid_on: str


class Sum(NamedTuple):
    """What a payment document has of one kind: billed and paid in (less what was paid back)."""

    billed_fen: int = 0
    paid_fen: int = 0

    @property
    def open_fen(self) -> int:
        """Still to be paid."""
        return max(self.billed_fen - self.paid_fen, 0)

    @property
    def refund_fen(self) -> int:
        """To be paid back."""
        return max(self.paid_fen - self.billed_fen, 0)


class Place(NamedTuple):
    """Where an amount stands in the ledger: a day's entry, an account, whose, at which port, of which kind."""

    day: str
    entry: str
    account: str
    code: str
    port: str
    kind: str


class Ledger:
    """The ledger under construction. Whoever feeds it puts the records that an event touches in before (``bills`` by
    case key, ``documents`` and ``sums`` by number, ``guarantees``), and takes what it changed out."""

    def __init__(self) -> None:
        self.bills: dict[str, TaxBill] = {}
        """Case key -> its living bill."""
        self.ended_bills: list[TaxBill] = []
        self.documents: dict[str, TaxDocument] = {}
        self.sums: dict[tuple[str, str], Sum] = {}
        self.guarantees: dict[str, Guarantee] = {}
        self.payments: list[Payment] = []
        self.lines: dict[Place, list[int]] = defaultdict(lambda: [0, 0])
        self.refunds: dict[str, int] = defaultdict(int)
        """Guarantor -> by how much refunds due have changed."""
        self.changed_bills: dict[str, None] = {}
        self.changed_documents: dict[str, None] = {}
        self.changed_guarantees: dict[str, None] = {}

    def fold(self, event: Event | Told, at: int) -> None:
        """What one event of the journal, settled at ``at`` (ms), means for the books."""
        change = event.set
        if change is not None and change.bill is not UNSET and change.bill is not None:
            inventory = change.inventory
            home = (inventory.assureCode, inventory.customsCode) if inventory else ("", "")
            self._billed(event.case, change.bill, home, day_of(at).isoformat())
        if event.link == LINK:
            self._filed(filed_of(event), day_of(at).isoformat())

    # bills ------------------------------------------------------------------------------------------

    def _billed(self, case: str, bill: Bill, home: tuple[str, str], day: str) -> None:
        held = self.bills.get(case)
        if held is not None and held.tax_no != bill.taxNo:
            self._void(case, held, day)
            home = home if home[0] else (held.code, held.port)
            held = None
        if held is None:
            if bill.status == VOID:
                return
            held = TaxBill(bill.taxNo, case, *home, day_of(bill.made_at).isoformat(), to_fen(bill.duty),
                           to_fen(bill.vat), to_fen(bill.consumption), OPEN, "")
            self._keep(held)
            for kind, amount in held.amounts():
                self._enter(day, "bill", held.code, held.port, kind, amount)
        if bill.status == SUMMARISED and held.status == OPEN:
            self._summarise(held._replace(status=SUMMARISED, ent_duty_no=bill.entDutyNo), day)
        elif bill.status == VOID:
            self._void(case, held, day)

    def _keep(self, bill: TaxBill) -> None:
        self.bills[bill.case_key] = bill
        self.changed_bills[bill.case_key] = None

    def _summarise(self, bill: TaxBill, day: str) -> None:
        self._keep(bill)
        number = bill.ent_duty_no
        held = self.documents.get(number)
        self._document(TaxDocument(number, bill.code, bill.port, day, bill.released, 1, "") if held is None else
                       held._replace(bills=held.bills + 1, released=min(held.released, bill.released)))
        for kind, amount in bill.amounts():
            was = self.sums.get((number, kind), Sum())
            against = min(was.refund_fen, amount)
            self.sums[(number, kind)] = was._replace(billed_fen=was.billed_fen + amount)
            self._enter(day, "offset", bill.code, bill.port, kind, against)
            self._enter(day, "summary", bill.code, bill.port, kind, amount - against)
            self.refunds[bill.code] -= against

    def _void(self, case: str, bill: TaxBill, day: str) -> None:
        del self.bills[case]
        self.changed_bills.pop(case, None)
        self.ended_bills.append(bill._replace(status=VOID))
        number = bill.ent_duty_no
        if bill.status == OPEN:
            for kind, amount in bill.amounts():
                self._enter(day, "void", bill.code, bill.port, kind, amount)
            return
        self._document(self.documents[number]._replace(bills=self.documents[number].bills - 1))
        for kind, amount in bill.amounts():
            was = self.sums[(number, kind)]
            unpaid = min(was.open_fen, amount)
            self.sums[(number, kind)] = was._replace(billed_fen=was.billed_fen - amount)
            self._enter(day, "void_due", bill.code, bill.port, kind, unpaid)
            self._enter(day, "void_paid", bill.code, bill.port, kind, amount - unpaid)
            self.refunds[bill.code] += amount - unpaid

    def _document(self, document: TaxDocument) -> None:
        self.documents[document.number] = document
        self.changed_documents[document.number] = None

    # files ------------------------------------------------------------------------------------------

    def _filed(self, filed: Filed, day: str) -> None:
        for one in filed.guarantees:
            self._guarantee(one)
            self._enter(day, "lodged", one.code, one.customs, one.kind, one.amount_fen)
        for number, last in filed.ended:
            one = self.guarantees[number]
            self._guarantee(Guarantee(one.number, one.code, one.kind, one.customs, one.amount_fen, one.since,
                                      one.until, last))
            self._enter(day, "ended", one.code, one.customs, one.kind, one.amount_fen)
        for payment in filed.payments:
            self._pay(payment, day)

    def _guarantee(self, one: Guarantee) -> None:
        self.guarantees[one.number] = one
        self.changed_guarantees[one.number] = None

    def _pay(self, payment: Payment, day: str) -> None:
        self.payments.append(payment)
        held = self.documents[payment.number]
        if not payment.back:
            self._document(held._replace(paid_on=max(held.paid_on, payment.paid_on)))
        for kind, amount in payment.amounts:
            was = self.sums.get((payment.number, kind), Sum())
            if kind == LATE_FEE:
                self.sums[(payment.number, kind)] = Sum(was.billed_fen + amount, was.paid_fen + amount)
                self._enter(day, "late_fee", held.code, held.port, kind, amount)
            elif payment.back:
                self.sums[(payment.number, kind)] = was._replace(paid_fen=was.paid_fen - amount)
                self._enter(day, "refunded", held.code, held.port, kind, amount)
                self.refunds[held.code] -= amount
            else:
                due = min(was.open_fen, amount)
                self.sums[(payment.number, kind)] = was._replace(paid_fen=was.paid_fen + amount)
                self._enter(day, "paid", held.code, held.port, kind, due)
                self._enter(day, "overpaid", held.code, held.port, kind, amount - due)
                self.refunds[held.code] += amount - due

    def _enter(self, day: str, entry: str, code: str, port: str, kind: str, amount_fen: int) -> None:
        """One entry: as many debits as credits."""
        if not amount_fen:
            return
        assert amount_fen > 0, f"{entry} of {amount_fen} fen"
        for debit, credit in moves()[entry]:
            self.lines[Place(day, entry, debit, code, port, kind)][0] += amount_fen
            self.lines[Place(day, entry, credit, code, port, kind)][1] += amount_fen


# ── proofs ──────────────────────────────────────────────────────────────────────────────────────────


def balances(lines: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str, str, str], int]:
    """(account, code, port, kind) -> debits less credits, of rows (day, entry, account, code, port, kind, debit,
    credit)."""
    held: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for _, _, account, code, port, kind, debit, credit in lines:
        held[(account, code, port, kind)] += debit - credit
    return dict(held)


def unbalanced(lines: Iterable[tuple[Any, ...]]) -> dict[str, int]:
    """Entries whose debits are not their credits -> the difference; {} = the books balance."""
    off: dict[str, int] = defaultdict(int)
    for _, entry, _, _, _, _, debit, credit in lines:
        off[entry] += debit - credit
    return {entry: amount for entry, amount in off.items() if amount}


def uneven(balance: Mapping[tuple[str, str, str, str], int], open_bills: Mapping[tuple[str, str, str], int],
           documents: Mapping[tuple[str, str, str], tuple[int, int]]) -> list[tuple[str, int, int]]:
    """Where accounts and documents differ: (account and whose, in the account, by the documents).

    open_bills: (code, port, kind) -> fen of bills that are not summarised. documents: the same -> (open, refund due).
    """
    found = []
    owners = {key[1:] for key in balance if key[3] in TAX_KINDS} | set(open_bills) | set(documents)
    for owner in sorted(owners):
        still, back = documents.get(owner, (0, 0))
        told = {"assessed": open_bills.get(owner, 0), "due": still, "refund": -back,
                "occupied": -(open_bills.get(owner, 0) + still)}
        for account, expected in told.items():
            held = balance.get((account, *owner), 0)
            if held != expected:
                found.append((" ".join((account, *owner)), held, expected))
    return found


# ── days of payment ─────────────────────────────────────────────────────────────────────────────────


class Window(NamedTuple):
    """From when to when a payment document is to be paid, and what each day after that costs (a share a day)."""

    first: date
    last: date
    late_fee_rate: Decimal


def window_of(document: TaxDocument, view: Any) -> Window:
    """The days of payment (缴款期): counted from the first release in it, but never before the document was made."""
    made, released = date.fromisoformat(document.made), date.fromisoformat(document.released)
    first = max(made, released + timedelta(days=int(view["collect.pay_from_day"])))
    last = max(made, released + timedelta(days=int(view["collect.pay_to_day"])))
    return Window(first, max(first, last), Decimal(view["collect.late_fee_rate"]))


def late_fee_fen(amount_fen: int, window: Window, paid_on: date) -> int:
    """What is due besides for a payment after the last day, rounded to the fen.

    >>> late_fee_fen(100_00, Window(date(2026, 1, 1), date(2026, 1, 10), Decimal("0.0005")), date(2026, 1, 12))
    10
    """
    days = (paid_on - window.last).days
    if days <= 0:
        return 0
    return int((amount_fen * window.late_fee_rate * days).quantize(Decimal(1), ROUND_HALF_UP))


# ── the monthly statement ───────────────────────────────────────────────────────────────────────────


class StatementRow(NamedTuple):
    """A month of one guarantor, port and tax kind, in fen: opening + assessed − void − paid + refunded = closing.

    What is owed less refunds due; ``summarised`` went into payment documents.
    """

    code: str
    port: str
    kind: str
    opening: int
    assessed: int
    void: int
    summarised: int
    paid: int
    refunded: int
    closing: int


SHOWN = {"bill": "assessed", "void": "void", "void_due": "void", "void_paid": "void", "summary": "summarised",
         "offset": "summarised", "paid": "paid", "overpaid": "paid", "refunded": "refunded"}
"""Entry -> the column of the statement in which it shows."""


def statement(lines: Iterable[tuple[Any, ...]], first: date, last: date) -> list[StatementRow]:
    """The statement of the days first to last, by guarantor, port and tax kind; rows of nothing are left out."""
    since, until = first.isoformat(), last.isoformat()
    sums: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for day, entry, account, code, port, kind, debit, _ in lines:
        if day > until or not debit or account in ("free", "occupied", "lodged"):
            continue
        held = sums[(code, port, kind)]
        for column in (("assessed", "paid") if entry == LATE_FEE else (SHOWN[entry],)):
            held[column if day >= since else f"before_{column}"] += debit
    made = []
    for (code, port, kind), held in sorted(sums.items()):
        opening = (held["before_assessed"] - held["before_void"] - held["before_paid"] + held["before_refunded"])
        assessed, void, summarised, paid, refunded = [
            held[name] for name in ("assessed", "void", "summarised", "paid", "refunded")]
        if opening or assessed or void or summarised or paid or refunded:
            made.append(StatementRow(code, port, kind, opening, assessed, void, summarised, paid, refunded,
                                     opening + assessed - void - paid + refunded))
    return made


