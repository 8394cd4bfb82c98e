"""Foreign exchange at the desk (外汇业务): lists taken, batches made, the chain reconciled, statistics, retention.

    take_list    a list of an institution becomes payment records, or batches that it reports; whole or not at all
    make_batch   recorded payments whose parcels are released become a batch with what may leave; whole or not at all
    reconcile    batch, payment, order, inventory and return held against each other
    statistics   balance of payments by period, code, currency, country
    retention    what must still be kept; the names in lists that are past it go

Payments and orders are those of the store's cases. Nothing here decides: the rules are ``clearance/forex.py``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from cebport.clearance import forex, forex_rows
from cebport.clearance.draft import day_of
from cebport.clearance.forex import Batch, BatchLine, Finding, ForexChange, PaymentRecord, Trade
from cebport.clearance.parts import Case, Event, case_key
from cebport.faults import Fault, SettingsError, StoreConflict, fault_of, is_valid
from cebport.messages.codes import identity_problems
from cebport.policy import Policy, sheets
from cebport.policy.places import NATION
from cebport.server.blind import Blinder
from cebport.server.booking import Brought, book, known
from cebport.server.filings import Filings
from cebport.server.forex_fold import batch_row, line_row, payment_row
from cebport.server.store.store import Store, encode, telling_damage
from cebport.server.work import payment_key
from cebport.values import BEIJING, ZERO, beijing_day, plain

LINK = "forex"
PEER = "desk/forex"
RECORDS_AN_EVENT = 5000
ROWS_A_PAGE = 500
TRIES_MAX = 20
FIRST_DAY, LAST_DAY = date.min, date.max
AFTER_ALL = "\x7f"
"""Behind every key: keys are printable ASCII."""
_payment = msgspec.msgpack.Decoder(PaymentRecord)
_batch = msgspec.msgpack.Decoder(Batch)
_case = msgspec.msgpack.Decoder(Case)
Register = Callable[[str, str], bool]
"""The population register: whether it knows a person of this name and number."""


class Desk(NamedTuple):
    """Where foreign exchange is looked after: the store, the law (and whose, "CN" = the nation), the clock."""

    store: Store
    policy: Policy
    now: datetime
    place: str = NATION
    code: str = ""

    @property
    def today(self) -> date:
        """The day of the clock in Beijing."""
        return beijing_day(self.now)

    def law(self, day: date, place: str = "") -> Any:
        """The law of a day at a batch's place, or at the desk's."""
        return self.policy.at(day, place or self.place)


class Taken(NamedTuple):
    """What came of a list: its kind, the message that it became (0 = nothing was booked), how many rows it has, how
    many of its records (payments, or batches) were new and how many known alike, and every fault."""

    kind: str
    inbox: int
    rows: int
    fresh: int
    known: int
    faults: tuple[Fault, ...]


class Span(NamedTuple):
    """Which days are looked at, and of which institution ("" = all)."""

    since: date = FIRST_DAY
    until: date = LAST_DAY
    institution: str = ""

    def keys(self) -> tuple[str, str]:
        """Between which keys the institution's records lie."""
        return (f"{self.institution}|", f"{self.institution}}}") if self.institution else ("", AFTER_ALL)

    def has(self, day: str | date) -> bool:
        """Whether a day is one of them."""
        return str(self.since) <= str(day) <= str(self.until)


# ── a list ──────────────────────────────────────────────────────────────────────────────────────────


def _fault(code: str, path: str, **values: Any) -> Fault:
    return fault_of(forex_rows.catalog(), code, path=path, **values)


class _Refused(Exception):
    """Found inside the transaction: nothing is booked."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__()


def take_list(desk: Desk, name: str, raw: bytes, institution: str = "", register: Register | None = None) -> Taken:
    """Take a list of payments or batches (CSV, XLSX). A list with any error books nothing; what it repeats of what is
    on record alike is known and booked once. Raises StoreConflict where the same file came meanwhile."""
    brought = Brought(PEER, LINK, name, raw)
    before = known(desk.store, brought)
    if before:
        row = desk.store.inbox_row(before)
        at = datetime.fromtimestamp(row.received_at / 1000, BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        return Taken("", 0, 0, 0, 0, (_fault("CEB-FOREX-006", name, found=before, expected=at),))
    read = read_file(name, raw, institution)
    rows = len(read.payments) + len(read.batches)
    faults = [*read.faults, *_looked(desk, name, read)]
    if not is_valid(faults):
        return Taken(read.kind, 0, rows, 0, 0, tuple(faults))
    if read.kind == forex_rows.PAYMENTS:
        records, unreal = _records(desk, read.payments, register)
        if unreal:
            faults.append(_fault("CEB-FOREX-016", name, found=len(unreal), expected=unreal[0]))
        booked = _Booking(desk, name, payments=records)
    else:
        booked = _Booking(desk, name, batches=_batches(desk, read.batches))
    try:
        inbox = book(desk.store, brought, desk.now, desk.policy.edition, desk.code, booked.settle)
    except _Refused as refused:
        return Taken(read.kind, 0, rows, 0, 0, (*faults, *refused.faults))
    if booked.known:
        faults.append(_fault("CEB-FOREX-008", name, found=booked.known))
    return Taken(read.kind, inbox, rows, booked.fresh, booked.known, tuple(faults))


def read_file(name: str, raw: bytes, institution: str = "") -> forex_rows.ForexList:
    """The rows of a file: of its first sheet whose heads are known. What cannot be read is one fault."""
    try:
        found = sheets.read_sheets(raw)
    except sheets.Trouble as trouble:
        if isinstance(trouble.__cause__, ModuleNotFoundError):
            raise trouble.__cause__ from trouble
        found_text = str(trouble.values.get("found", trouble.code))
        expected = str(trouble.values.get("expected", "CSV, XLSX"))
        return forex_rows.ForexList("", (), (), (), (_fault("CEB-FOREX-009", name, found=found_text,
                                                            expected=expected),))
    if not found:
        return forex_rows.ForexList("", (), (), (), (_fault("CEB-FOREX-010", name),))
    sheet = next((sheet for sheet in found if forex_rows.head_row(sheet.rows) is not None), found[0])
    return forex_rows.read_list(f"{name} {sheet.name}".rstrip(), sheet.rows, institution)


def _looked(desk: Desk, name: str, read: forex_rows.ForexList) -> Iterator[Fault]:
    """What is wrong with a list as a whole: days to come, institutions not filed, data that it lacks."""
    today = desk.today
    rows: Sequence[Any] = (*read.payments, *read.batches)
    for row in rows:
        day = row.paid_at[:8] if read.kind == forex_rows.PAYMENTS else row.day.strftime("%Y%m%d")
        if day > today.strftime("%Y%m%d"):
            yield _fault("CEB-FOREX-017", f"{name}:{row.row}", found=day, expected=str(today))
    filings = Filings(desk.store)
    for company in dict.fromkeys(row.payCode for row in rows):
        if not filings.is_filed(company, today.isoformat(), "payment"):
            yield _fault("CEB-FOREX-015", name, found=company, expected="payment")
    if read.kind == forex_rows.PAYMENTS and read.payments:
        gives = forex_rows.table()["gives"]
        lacking = [data for data in desk.law(today)["forex.data_to_give"]
                   if data in gives and gives[data] not in read.columns]
        if lacking:
            names = forex_rows.table()["data"]
            yield _fault("CEB-FOREX-014", name, found="；".join(
                f"{names[data]['zh']} {names[data]['en']}" for data in lacking))


def _records(desk: Desk, rows: Iterable[forex_rows.PaymentRow],
             register: Register | None) -> tuple[list[PaymentRecord], list[int]]:
    """Records with names hidden, and the rows that did not pass the real-name check (实名核验)."""
    blinder = Blinder(desk.store.vault)
    records, unreal = [], []
    for row in rows:
        real = real_name(row.name, row.identity, register)
        if real != forex.REAL:
            unreal.append(row.row)
        records.append(PaymentRecord(
            row.payCode, row.number, row.orderNo, row.ebpCode, row.paid_at, row.amount, blinder.name(row.name),
            blinder.identity(row.identity), real, row.ebcCode, row.logisticsNo))
    return records, unreal


def real_name(name: str, identity: str, register: Register | None = None) -> str:
    """What the real-name check says of a payer: real, missing, bad, unknown (to the register, where one is asked)."""
    if not name.strip() or not identity.strip():
        return forex.MISSING
    if identity_problems(identity.strip().upper()):
        return forex.BAD
    return forex.REAL if register is None or register(name.strip(), identity.strip().upper()) else forex.UNKNOWN


def _batches(desk: Desk, rows: Iterable[forex_rows.BatchRow]) -> list[tuple[Batch, tuple[BatchLine, ...]]]:
    """Batches with their lines, in the order in which they begin in the list."""
    grouped: dict[tuple[str, str], list[forex_rows.BatchRow]] = {}
    for row in rows:
        grouped.setdefault((row.payCode, row.batch), []).append(row)
    place = "" if desk.place == NATION else desk.place
    made = []
    for group in grouped.values():
        head = group[0]
        lines = tuple([BatchLine(at, row.number, row.cny, row.foreign) for at, row in enumerate(group, 1)])
        cny = head.total if head.total is not None else sum((line.cny for line in lines), ZERO)
        made.append((Batch(head.payCode, head.batch, head.day.isoformat(), head.currency, head.rate, cny,
                           sum((line.foreign for line in lines), ZERO), head.usd_rate, head.bank, head.country, place,
                           len(lines), False), lines))
    return made


class _Booking:
    """What one act books; the records that it repeats must be as they were."""

    def __init__(self, desk: Desk, path: str, payments: Sequence[PaymentRecord] = (),
                 batches: Sequence[tuple[Batch, tuple[BatchLine, ...]]] = ()) -> None:
        self.desk, self.path, self.payments, self.batches = desk, path, payments, batches
        self.fresh = self.known = 0

    def settle(self, inbox: int) -> list[Event]:
        """Inside the transaction: the tables, and the events that say so. Raises _Refused, StoreConflict."""
        engine = self.desk.store.engine
        engine.rows("forex_turn")  # one act at a time: what was read of lines and batches still stands
        payments = self._new_payments()
        batches = self._new_batches()
        self.fresh = len(payments) + len(batches)
        put = engine.many("insert_forex_payments", [payment_row(record, inbox) for record in payments])
        put += engine.many("insert_forex_batches", [batch_row(batch, inbox) for batch, _ in batches])
        if put < self.fresh:
            raise StoreConflict(note="forex: records were taken by another writer")
        engine.many("insert_forex_lines", [line_row(batch, line) for batch, lines in batches for line in lines])
        changes = [ForexChange(payments=tuple(payments[at : at + RECORDS_AN_EVENT]))
                   for at in range(0, len(payments), RECORDS_AN_EVENT)]
        changes += [ForexChange(batches=(one,)) for one in batches]
        law = f"{self.desk.place}@{self.desk.today}"
        return [Event(name=EVENTS[bool(change.batches)], index=number, law=law, link=LINK, body=encode(change))
                for number, change in enumerate(changes or [ForexChange()], 1)]

    def _new_payments(self) -> list[PaymentRecord]:
        held = payments_of(self.desk.store, [record.key for record in self.payments])
        wrong = [fault for record in self.payments if record.key in held
                 for fault in self._differs(record.number, _told(record), _told(held[record.key]))
                 + self._payer(record, held[record.key])]
        if wrong:
            raise _Refused(wrong)
        new = [record for record in self.payments if record.key not in held]
        self.known += len(self.payments) - len(new)
        return new

    def _payer(self, record: PaymentRecord, held: PaymentRecord) -> list[Fault]:
        return [_fault("CEB-FOREX-007", self.path, number=record.number, field=name, found=new.mask, expected=old.mask)
                for name, new, old in (("payerName", record.payerName, held.payerName),
                                       ("payerIdNumber", record.payerIdNumber, held.payerIdNumber))
                if not new.same(old)]

    def _new_batches(self) -> list[tuple[Batch, tuple[BatchLine, ...]]]:
        store = self.desk.store
        held = batches_of(store, [batch.key for batch, _ in self.batches])
        lines = lines_in(store, held)
        new, wrong = [], []
        for batch, own in self.batches:
            if batch.key not in held:
                new.append((batch, own))
                continue
            wrong += self._differs(batch.number, _told(batch, own), _told(held[batch.key], lines[batch.key]))
            self.known += 1
        if wrong:
            raise _Refused(wrong)
        return new

    def _differs(self, number: str, new: dict[str, str], old: dict[str, str]) -> list[Fault]:
        return [_fault("CEB-FOREX-007", self.path, number=number, field=name, found=new.get(name, "-"),
                       expected=old.get(name, "-")) for name in {**old, **new} if new.get(name) != old.get(name)]


EVENTS = {False: "forex payments recorded", True: "forex batch recorded"}


def _told(record: Any, lines: Iterable[BatchLine] = ()) -> dict[str, str]:
    """What a record says, but for who pays, and what a list does not tell; lines by payment."""
    left_out = ("payerName", "payerIdNumber", "real", "place", "made")
    said = {name: plain(value) if isinstance(value, Decimal) else str(value)
            for name in type(record).__struct_fields__ if name not in left_out
            for value in (getattr(record, name),)}
    return said | {f"line {line.payment}": f"{plain(line.cny)} / {plain(line.foreign)}" for line in lines}


# ── what the store holds ────────────────────────────────────────────────────────────────────────────


@telling_damage()
def payments_of(store: Store, keys: Iterable[str]) -> dict[str, PaymentRecord]:
    """Payment records by key."""
    return {key: _payment.decode(blob) for key, blob in store.engine.select("forex_payments", keys)}


@telling_damage()
def batches_of(store: Store, keys: Iterable[str]) -> dict[str, Batch]:
    """Batches by key."""
    return {key: _batch.decode(blob) for key, blob in store.engine.select("forex_batches", keys)}


def lines_in(store: Store, batches: Iterable[str]) -> dict[str, tuple[BatchLine, ...]]:
    """Lines by the key of their batch."""
    wanted = list(batches)
    made: dict[str, list[BatchLine]] = {key: [] for key in wanted}
    for batch, number, payment, fen, amount in store.engine.select("forex_lines_in", wanted):
        made[batch].append(_line(number, payment, fen, amount))
    return {key: tuple(lines) for key, lines in made.items()}


def _line(number: int, payment: str, fen: int, amount: str) -> BatchLine:
    return BatchLine(number, payment.partition("|")[2], Decimal(fen).scaleb(-2), Decimal(amount))


def remitted_of(store: Store, payments: Iterable[str]) -> dict[str, list[tuple[Batch, BatchLine]]]:
    """Where payments were remitted: batches and lines by the payment's key."""
    rows = store.engine.select("forex_lines_of", payments)
    held = batches_of(store, dict.fromkeys(row[0] for row in rows))
    made: dict[str, list[tuple[Batch, BatchLine]]] = {}
    for batch, number, payment, fen, amount in rows:
        made.setdefault(payment, []).append((held[batch], _line(number, payment, fen, amount)))
    return made


def cases_of(store: Store, records: Iterable[tuple[str, str, str]]) -> dict[str, Case]:
    """The parcels of payments, (key, order number, platform) each: by the payment itself, else by the order."""
    wanted = list(records)
    business = {key: payment_key(key.partition("|")[2], key.partition("|")[0]) for key, _, _ in wanted}
    owners = store.owners(business.values())
    leads = {key: owners.get(business[key], "") or (case_key(order, platform) if order else "")
             for key, order, platform in wanted}
    cases = store.cases({lead for lead in leads.values() if lead})
    return {key: cases[lead] for key, lead in leads.items() if lead in cases}


def _pages(store: Store, name: str, span: Span) -> Iterator[list[Any]]:
    after, before = span.keys()
    while rows := store.engine.rows(name, after, before, str(span.since), str(span.until), ROWS_A_PAGE):
        yield rows
        after = rows[-1][0]


def trades(store: Store, span: Span, *, only_open: bool = False) -> Iterator[list[Trade]]:
    """The recorded payments of some days with their parcels and remittances, a page at a time; ``only_open``: those
    that stand in no batch."""
    for rows in _pages(store, "forex_payments_open" if only_open else "forex_payments_between", span):
        with telling_damage():
            records = {key: _payment.decode(blob) for key, blob in rows}
        cases = cases_of(store, ((key, one.orderNo, one.ebpCode) for key, one in records.items()))
        sent = {} if only_open else remitted_of(store, records)
        yield [Trade(one, cases.get(key), tuple(sent.get(key, ()))) for key, one in records.items()]


def batches(store: Store, span: Span) -> Iterator[tuple[Batch, tuple[BatchLine, ...]]]:
    """The batches of some days with their lines."""
    for rows in _pages(store, "forex_batches_between", span):
        with telling_damage():
            held = {key: _batch.decode(blob) for key, blob in rows}
        lines = lines_in(store, held)
        for key, batch in held.items():
            yield batch, lines[key]


def forex_of(store: Store, cases: Iterable[Case]) -> dict[str, Trade]:
    """The trade of each parcel by the case's key: what its institution told of the payment that the order names."""
    keys: dict[str, str] = {}
    held = list(cases)
    for case in held:
        for key in _payments_named(case):
            keys[key] = case_key(case.orderNo, case.ebpCode)
    records, sent = payments_of(store, keys), remitted_of(store, keys)
    made = {case_key(case.orderNo, case.ebpCode): Trade(None, case) for case in held}
    for key, name in keys.items():
        if key in records or key in sent:
            made[name] = Trade(records.get(key), made[name].case, tuple(sent.get(key, ())))
    return made


def _payments_named(case: Case) -> list[str]:
    """Keys of the payments that a parcel may have been paid by."""
    order = case.order
    named = [forex.payment_key(p.payCode, p.payTransactionId) for p in case.payments]
    if order is not None and order.payTransactionId:
        named.append(forex.payment_key(order.payCode, order.payTransactionId))
    return list(dict.fromkeys(named))


# ── a batch made here ───────────────────────────────────────────────────────────────────────────────


class Made(NamedTuple):
    """What came of making a batch: the plan, the message that it became (0 = nothing was booked), the bank's list."""

    plan: forex.Plan
    inbox: int
    raw: bytes
    faults: tuple[Fault, ...]


def make_batch(desk: Desk, head: Batch, since: date = FIRST_DAY, most: int = forex_rows.ROWS_MAX) -> Made:
    """A batch of every recorded payment of the institution that may be remitted, booked.

    head: the batch without amounts; its day is the last day of payments that are looked at. Nothing is booked where its
    number is taken or no payment may go. Raises StoreConflict when others go on changing the same payments.
    """
    for attempt in range(TRIES_MAX):
        try:
            return _make_batch(desk, head, since, most)
        except StoreConflict:
            if attempt + 1 == TRIES_MAX:
                raise
    raise AssertionError("unreachable")


def _make_batch(desk: Desk, head: Batch, since: date, most: int) -> Made:
    store = desk.store
    span = Span(since, date.fromisoformat(head.day), head.payCode)
    seen: dict[str, int] = {}

    def open_trades() -> Iterator[Trade]:
        for page in trades(store, span, only_open=True):
            for trade in page:
                if trade.case is not None:
                    seen[case_key(trade.case.orderNo, trade.case.ebpCode)] = trade.case.version
                yield trade

    made = forex.plan(head, open_trades(), desk.law, most)
    held = batches_of(store, [head.key])
    if held:
        taken = _fault("CEB-FOREX-121", head.payCode, found=head.number, expected=held[head.key].day)
        return Made(made, 0, b"", (taken,))
    if not made.lines:
        nothing = _fault("CEB-FOREX-120", head.payCode, found=made.waiting, nothing=made.nothing)
        return Made(made, 0, b"", (nothing,))
    raw = bank_list(made.batch, made.lines)
    booked = _Booking(desk, head.number, batches=[(made.batch, made.lines)])

    def settle(inbox: int) -> list[Event]:
        events = booked.settle(inbox)
        keys = [line.payment_key(made.batch) for line in made.lines]
        if len(store.engine.select("forex_lines_of", keys)) != len(keys):
            raise StoreConflict(note="forex: a payment went into another batch meanwhile")
        now = store.cases(seen)
        if any(now[key].version != version for key, version in seen.items()):
            raise StoreConflict(note="forex: a parcel changed meanwhile")
        return events

    name = f"{head.payCode}-{head.number}.csv"
    return Made(made, book(store, Brought(PEER, LINK, name, raw), desk.now, desk.policy.edition, desk.code, settle),
                raw, ())


BANK_COLUMNS = ("支付企业代码", "批次号", "业务日期", "币种", "汇率", "美元汇率", "合作银行", "收款国家（地区）",
                "批次人民币总额", "支付交易编号", "人民币金额", "外币金额")


def bank_rows(batch: Batch, lines: Iterable[BatchLine]) -> Iterator[list[str]]:
    """A batch as rows of text, one a payment, under ``BANK_COLUMNS``: the list that ``take_list`` reads again."""
    for line in lines:
        yield [batch.payCode, batch.number, batch.day, forex_rows.iso_of(batch.currency), plain(batch.rate),
               "" if batch.usd_rate is None else plain(batch.usd_rate), batch.bank, batch.country, plain(batch.cny),
               line.payment, plain(line.cny), plain(line.foreign)]


def bank_list(batch: Batch, lines: Iterable[BatchLine]) -> bytes:
    """The list of a batch as CSV, UTF-8 with a mark."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(BANK_COLUMNS)
    writer.writerows(bank_rows(batch, lines))
    return out.getvalue().encode("utf-8-sig")


# ── reconciliation ──────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Totals:
    """What a reconciliation looked at, and where the money is, CNY; the parts of ``paid`` are those of released trades:
    paid = remittable + refunds + tax + domestic, remittable = remitted + open - over."""

    payments: int = 0
    batches: int = 0
    parcels: int = 0
    closed: int = 0
    waiting: int = 0
    recorded: Decimal = ZERO
    paid: Decimal = ZERO
    remittable: Decimal = ZERO
    remitted: Decimal = ZERO
    open: Decimal = ZERO
    over: Decimal = ZERO
    refunds: Decimal = ZERO
    tax: Decimal = ZERO
    domestic: Decimal = ZERO
    findings: dict[str, list[Any]] = field(default_factory=dict)

    def tell(self, finding: Finding) -> Finding:
        """Count a finding: how many of its kind, and the CNY at stake."""
        held = self.findings.setdefault(finding.fault.code, [0, ZERO])
        held[0] += 1
        held[1] += abs(finding.amount)
        return finding

    def add(self, trade: Trade, desk: Desk) -> None:
        """Count a trade that was looked at."""
        self.payments += 1
        self.recorded += trade.record.amount if trade.record is not None else ZERO
        view = desk.law(desk.today)
        held = forex.amounts(trade.case, view) if trade.case is not None else None
        if held is None or not forex.is_released(trade.case, view):
            self.waiting += 1
            return
        sent = sum((line.cny for _, line in trade.remitted), ZERO)
        self.paid += held.paid
        self.remittable += held.may
        self.remitted += sent
        self.open += max(ZERO, held.may - sent)
        self.over += max(ZERO, sent - held.may)
        self.refunds += held.refunds
        self.tax += held.tax
        self.domestic += held.domestic


def reconcile(desk: Desk, span: Span, totals: Totals) -> Iterator[Finding]:
    """Everything that does not close, as it is found; ``totals`` is filled on the way. Memory does not grow with the
    store."""
    with desk.store.engine.reading():
        for page in trades(desk.store, span):
            for trade in page:
                totals.add(trade, desk)
                found = forex.check(trade, desk.law, desk.today)
                totals.closed += not found
                yield from map(totals.tell, found)
        for batch, lines in batches(desk.store, span):
            totals.batches += 1
            yield from map(totals.tell, forex.check_batch(batch, lines, desk.law))
            for trade in _of_other_days(desk, batch, lines, span):
                yield from map(totals.tell, forex.check(trade, desk.law, desk.today))
        yield from map(totals.tell, _unpaid(desk, span, totals))


def _of_other_days(desk: Desk, batch: Batch, lines: Sequence[BatchLine], span: Span) -> Iterator[Trade]:
    """The trades of a batch whose payment was not looked at: none on record, or of other days; each with its first
    batch of these days."""
    for start in range(0, len(lines), ROWS_A_PAGE):
        keys = [line.payment_key(batch) for line in lines[start : start + ROWS_A_PAGE]]
        records = payments_of(desk.store, keys)
        others = [key for key in dict.fromkeys(keys) if key not in records or not span.has(records[key].day)]
        sent = remitted_of(desk.store, others)
        cases = cases_of(desk.store, ((key, records[key].orderNo, records[key].ebpCode) if key in records
                                      else (key, "", "") for key in others))
        for key in others:
            first = min(held.key for held, _ in sent[key] if span.has(held.day))
            if first == batch.key:
                yield Trade(records.get(key), cases.get(key), tuple(sent[key]))


@telling_damage()
def _unpaid(desk: Desk, span: Span, totals: Totals) -> Iterator[Finding]:
    """Released parcels that no institution has a payment of."""
    after = ""
    while rows := desk.store.engine.rows("dump_cases", after, ROWS_A_PAGE):
        after = rows[-1][0]
        view = desk.law(desk.today)
        released = [case for row in rows for case in (_case.decode(row[-1]),)
                    if forex.is_released(case, view) and span.has(day_of(case.released_at))
                    and (not span.institution or any(key.startswith(f"{span.institution}|")
                                                     for key in _payments_named(case)))]
        totals.parcels += len(released)
        known_keys = payments_of(desk.store, dict.fromkeys(key for case in released for key in _payments_named(case)))
        for case in released:
            if not any(key in known_keys for key in _payments_named(case)):
                found = forex.not_paid(case, view, desk.today)
                if found is not None:
                    yield found


# ── statistics ──────────────────────────────────────────────────────────────────────────────────────


def statistics(desk: Desk, span: Span, by: str = "month") -> list[forex.Flow]:
    """Balance of payments (国际收支统计) of what went in some days: by month, quarter or year."""
    def lines() -> Iterator[tuple[Batch, BatchLine, Case | None]]:
        for batch, own in batches(desk.store, span):
            for start in range(0, len(own), ROWS_A_PAGE):
                chunk = own[start : start + ROWS_A_PAGE]
                keys = [line.payment_key(batch) for line in chunk]
                records = payments_of(desk.store, keys)
                cases = cases_of(desk.store, ((key, records[key].orderNo, records[key].ebpCode)
                                              if key in records else (key, "", "") for key in keys))
                for line, key in zip(chunk, keys, strict=True):
                    yield batch, line, cases.get(key)

    with desk.store.engine.reading():
        return forex.flows(lines(), desk.law, by)


# ── retention ───────────────────────────────────────────────────────────────────────────────────────


class Kept(NamedTuple):
    """Records of a kind and a year: how many, their first and last day, until when the last must be kept (None: no row
    says), whether that is over."""

    kind: str
    year: str
    records: int
    first: str
    last: str
    until: date | None
    over: bool


def retention(desk: Desk) -> list[Kept]:
    """What is on record by year, and how long it must be kept (保存五年)."""
    view = desk.law(desk.today)
    made = []
    for kind, year, count, first, last in desk.store.engine.rows("forex_years"):
        until = forex.kept_until(date.fromisoformat(last), view)
        made.append(Kept(kind, year, int(count), first, last, until, until is not None and until < desk.today))
    return made


class Ended(NamedTuple):
    """Lists whose names and identity numbers became masks, and in how many rows."""

    lists: int
    rows: int


def end_retention(desk: Desk, who: str, reason: str) -> Ended:
    """In every archived list whose last record is past its time, names and identity numbers become masks.

    The records stay as they are: they hold keyed hashes and masks only. The act is recorded first. May be ended and run
    again. Raises SettingsError without a name or a reason.
    """
    if not who.strip() or not reason.strip():
        raise SettingsError(note="opening or shredding personal data needs the name of who does it, and a reason")
    store = desk.store
    store.record_access(int(desk.now.timestamp() * 1000), who.strip(), "forex retention", reason.strip())
    view = desk.law(desk.today)
    lists = rows = 0
    for inbox, last in store.engine.rows("forex_files", desk.today.isoformat()):
        until = forex.kept_until(date.fromisoformat(last), view)
        if until is None or until >= desk.today:
            continue
        count = _end(store, int(inbox))
        if count:
            lists, rows = lists + 1, rows + count
    return Ended(lists, rows)


def _end(store: Store, inbox: int) -> int:
    """Mask all names of one archived list; in how many rows. Sealed anew by another meanwhile: once more."""
    while True:
        ((_, key_id, wrapped, blob),) = store.engine.select("archived", [inbox])
        hidden, count = hide(store, store.vault.unseal(key_id, wrapped, blob), lambda identity: True)
        if not count:
            return 0
        with store.engine.forgetting("archive"), store.transaction():
            if store.engine.many("reseal", [(inbox, *store.vault.seal(hidden), bytes(wrapped))]):
                return count


def hide(store: Store, raw: bytes, whose: Callable[[str], bool]) -> tuple[bytes, int]:
    """A list with names and identity numbers masked in the rows of some people, as CSV, and how many rows that changed.

    whose: whether an identity number, as the row has it, is one of theirs. Bytes that are no list stay as they are.
    """
    try:
        found = sheets.read_sheets(raw)
    except sheets.Trouble:
        return raw, 0
    blinder = Blinder(store.vault)
    rows = [list(row) for sheet in found for row in sheet.rows]
    columns: dict[str, int] = {}
    changed = 0
    for row in rows:
        if forex_rows.head_row([row]) is not None:
            columns = {column: at for at, cell in enumerate(row) if (column := forex_rows.column_of(cell))}
            continue
        at, name = columns.get("identity"), columns.get("name")
        if not whose(row[at] if at is not None and at < len(row) else ""):
            continue
        before = list(row)
        if at is not None and at < len(row) and row[at]:
            row[at] = row[at] if "*" in row[at] else blinder.identity(row[at]).mask
        if name is not None and name < len(row) and row[name]:
            row[name] = blinder.name(row[name]).mask
        changed += row != before
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return (out.getvalue().encode(), changed) if changed else (raw, 0)

