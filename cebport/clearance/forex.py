"""Foreign exchange of retail imports (跨境电商外汇): what may be remitted, and the reconciliation.

    batch (购付汇批次)  1-n  payment (支付)  1-1  order (订单)  1-1  inventory (清单)  0-n  return (退货)

A payment institution collects yuan from buyers, buys currency in a lump and pays the sellers abroad. What may leave is
the price of the goods and foreign freight, less discount and what was returned; never tax, never domestic fees. All of
it here is pure: records and cases in, faults with the numbers in them out; the law of the batch's day and place says
limit, tolerance and what is looked at.

Amounts are CNY ``Decimal`` unless a name says ``foreign`` or ``usd``; a rate is CNY for one unit; days are ISO text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from msgspec import Struct

from cebport.clearance import states
from cebport.clearance.draft import day_of, law_source
from cebport.clearance.forex_rows import catalog, minor_of
from cebport.clearance.parts import Blind, Case, PaymentPart
from cebport.faults import ERROR, Fault, fault_of
from cebport.values import FEN, ZERO, parse_time, plain

USD = "502"
REAL, MISSING, BAD, UNKNOWN = "real", "missing", "bad", "unknown"
"""The real-name check (实名核验) of a payer: passed; no name or number; no such number can be; not in the register."""
UNPAID, PAID, OPEN, REMITTED, RETURNED = "unpaid", "paid", "open", "remitted", "returned"


class PaymentRecord(Struct, frozen=True, array_like=True, gc=False):
    """A payment as its institution tells it (支付记录). ``real``: what the real-name check said."""

    payCode: str
    number: str
    orderNo: str
    ebpCode: str
    paid_at: str
    amount: Decimal
    payerName: Blind
    payerIdNumber: Blind
    real: str
    ebcCode: str = ""
    logisticsNo: str = ""

    @property
    def key(self) -> str:
        """The one key of a payment; the institution stands first."""
        return payment_key(self.payCode, self.number)

    @property
    def day(self) -> str:
        """The day of the payment."""
        return f"{self.paid_at[:4]}-{self.paid_at[4:6]}-{self.paid_at[6:8]}"


class Batch(Struct, frozen=True, array_like=True, gc=False):
    """A purchase of currency with its remittance (购付汇批次).

    cny: the sum that the bank took. usd_rate: CNY for one dollar, None where nobody said. place: whose law holds. made:
    made here, not told by the institution.
    """

    payCode: str
    number: str
    day: str
    currency: str
    rate: Decimal
    cny: Decimal
    foreign: Decimal
    usd_rate: Decimal | None
    bank: str
    country: str
    place: str
    lines: int
    made: bool

    @property
    def key(self) -> str:
        """The one key of a batch; the institution stands first."""
        return payment_key(self.payCode, self.number)


class BatchLine(Struct, frozen=True, array_like=True, gc=False):
    """One payment in a batch: its number, what of it went, in CNY and in the currency."""

    number: int
    payment: str
    cny: Decimal
    foreign: Decimal

    def payment_key(self, batch: Batch) -> str:
        """The key of its payment record."""
        return payment_key(batch.payCode, self.payment)


class ForexChange(Struct, frozen=True, array_like=True, gc=False):
    """What an event of this link set: records that came, batches with their lines."""

    payments: tuple[PaymentRecord, ...] = ()
    batches: tuple[tuple[Batch, tuple[BatchLine, ...]], ...] = ()


def payment_key(company: str, number: str) -> str:
    """The key of a payment or a batch of an institution."""
    return f"{company}|{number}"


class Amounts(NamedTuple):
    """Where the money of one order goes, CNY. ``may`` is what may be remitted; the parts make up what was paid:
    paid = may + refunds + tax + domestic."""

    paid: Decimal
    goods: Decimal
    freight: Decimal
    discount: Decimal
    refunds: Decimal
    tax: Decimal
    domestic: Decimal
    may: Decimal


class Trade(NamedTuple):
    """One trade through the chain: the institution's record, the parcel at customs, and where it was remitted."""

    record: PaymentRecord | None
    case: Case | None
    remitted: tuple[tuple[Batch, BatchLine], ...] = ()

    @property
    def company(self) -> str:
        """The institution."""
        if self.record is not None:
            return self.record.payCode
        return self.remitted[0][0].payCode if self.remitted else ""

    @property
    def number(self) -> str:
        """The payment's number."""
        if self.record is not None:
            return self.record.number
        return self.remitted[0][1].payment if self.remitted else ""

    @property
    def payment(self) -> PaymentPart | None:
        """The payment as customs has it (411)."""
        if self.case is None:
            return None
        key = (self.number, self.company)
        return next((p for p in self.case.payments if (p.payTransactionId, p.payCode) == key), None)


Laws = Callable[[date, str], Any]
"""The law of a day at a place ("" = that of whoever asks)."""


# ── what may be remitted ────────────────────────────────────────────────────────────────────────────


def amounts(case: Case, view: Any, until: date | None = None) -> Amounts | None:
    """Where the money of an order goes by the law of ``view``; returns approved after ``until`` are not looked at.

    None while there is no order. What the buyer paid beyond goods, freight and tax stays in the country.
    """
    order, inventory = case.order, case.inventory
    if order is None:
        return None
    rule, never = view["forex.remittable"], view["forex.reconcile"]["never_remitted"]
    abroad = inventory is not None and inventory.tradeMode in rule["foreign_freight_modes"]
    freight = order.freight if abroad or "domestic_fees" not in never else ZERO
    discount = max(ZERO, order.goodsValue + order.freight + order.taxTotal - order.acturalPaid)
    worth = order.goodsValue + freight + (ZERO if "tax" in never else order.taxTotal)
    gross = min(max(ZERO, worth - discount), order.acturalPaid)
    share, whole = returned_share(case, until)
    if whole:
        refunds = gross if rule["refund_freight"] == "whole_return" else gross - min(gross, freight)
    else:
        goods = max(ZERO, min(gross, order.goodsValue - discount))
        refunds = (goods * share).quantize(FEN, ROUND_HALF_UP)
    tax = min(order.taxTotal, order.acturalPaid - gross)
    return Amounts(order.acturalPaid, order.goodsValue, freight, discount, refunds, tax,
                   order.acturalPaid - gross - tax, gross - refunds)


def returned_share(case: Case, until: date | None = None) -> tuple[Decimal, bool]:
    """(share of the goods' price that approved returns took back, whether nothing is left)."""
    inventory = case.inventory
    if inventory is None or not case.returns:
        return ZERO, False
    back: dict[int, Decimal] = {}
    for request in case.returns:
        if request.status == states.CONCLUDED and (until is None or day_of(request.said) <= until):
            for line in request.lines:
                back[line.gnum] = back.get(line.gnum, ZERO) + line.qty
    if not back:
        return ZERO, False
    total = sum((line.total for line in inventory.lines), ZERO)
    gone = sum((line.total * min(back.get(line.gnum, ZERO), line.qty) / line.qty for line in inventory.lines
                if line.qty), ZERO)
    whole = all(back.get(line.gnum, ZERO) >= line.qty for line in inventory.lines)
    return (gone / total if total else ZERO), whole


def is_released(case: Case | None, view: Any) -> bool:
    """Whether the parcel went through: its inventory in a state of the row, or sent back after that."""
    inventory = case.inventory if case is not None else None
    if inventory is None or case is None or not case.released_at:
        return False
    return inventory.status == states.SENT_BACK or str(inventory.status) in view["forex.reconcile"]["inventory_states"]


def state_of(trade: Trade, view: Any) -> str:
    """Where a trade stands in this link, in a word: unpaid, paid, open, remitted, returned."""
    if trade.case is not None and returned_share(trade.case)[1]:
        return RETURNED
    if trade.remitted:
        return REMITTED
    if trade.record is None:
        return UNPAID
    return OPEN if is_released(trade.case, view) else PAID


# ── the checks of one trade ─────────────────────────────────────────────────────────────────────────


class About(NamedTuple):
    """What a finding is about: institution, payment, order, batch and its line ("" and 0 where it names none)."""

    payCode: str
    payTransactionId: str = ""
    orderNo: str = ""
    batch: str = ""
    line: int = 0

    @property
    def path(self) -> str:
        """The place of a fault."""
        said = " ".join(part for part in (self.payCode, self.payTransactionId, self.orderNo) if part)
        if not self.batch:
            return said
        return f"{said} / {self.batch}:{self.line}" if self.line else f"{said} / {self.batch}"


class Finding(NamedTuple):
    """Something that does not close: the fault, what it is about, and the CNY at stake."""

    fault: Fault
    about: About
    amount: Decimal


def about(trade: Trade, batch: Batch | None = None, line: BatchLine | None = None) -> About:
    """What a finding of a trade is about."""
    case = trade.case
    order = trade.record.orderNo if trade.record is not None else case.orderNo if case is not None else ""
    return About(trade.company, trade.number, order, batch.number if batch is not None else "",
                 line.number if line is not None else 0)


def _found(code: str, what: About, amount: Decimal = ZERO, **values: Any) -> Finding:
    fault = fault_of(catalog(), code, path=what.path, amount=plain(amount), **values)
    return Finding(fault, what, amount)


def check(trade: Trade, laws: Laws, today: date) -> list[Finding]:
    """Everything that is wrong with one trade, as of ``today``; [] = it closes, or is not as far yet."""
    return [*_paid(trade, laws, today), *_agrees(trade, laws, today), *_remitted(trade, laws)]


def _law(laws: Laws, day: date, place: str = "") -> Any:
    return laws(day, place)


def _paid(trade: Trade, laws: Laws, today: date) -> Iterator[Finding]:
    """Whether what was paid came to customs, and was released in time."""
    record, case = trade.record, trade.case
    if record is None:
        if trade.remitted:
            yield _found("CEB-FOREX-112", about(trade), found=trade.number, expected=trade.remitted[0][0].number)
        return
    view = _law(laws, today)
    if trade.payment is None:
        yield _found("CEB-FOREX-111", about(trade), found=record.number, expected="CEB411",
                     amount=record.amount)
    if not is_released(case, view):
        days = (today - date.fromisoformat(record.day)).days
        limit = int(view["forex.reconcile"]["release_within_days"])
        if days > limit:
            state = case.inventory.status if case is not None and case.inventory is not None else "-"
            yield _found("CEB-FOREX-101", about(trade), found=f"{days}", expected=f"{limit}", state=state,
                         amount=record.amount, source=law_source(view, "forex.reconcile"))


def _agrees(trade: Trade, laws: Laws, today: date) -> Iterator[Finding]:
    """Whether record, payment and order say the same: amount, payer, numbers."""
    record, case = trade.record, trade.case
    if record is None:
        return
    view = _law(laws, today)
    rule = view["forex.reconcile"]
    order, payment = case.order if case is not None else None, trade.payment
    for name, amount in (("CEB411/amountPaid", payment.amountPaid if payment is not None else None),
                         ("CEB311/acturalPaid", order.acturalPaid if order is not None else None)):
        if amount is not None and abs(amount - record.amount) > rule["tolerance_cny"]:
            yield _found("CEB-FOREX-103", about(trade), found=plain(record.amount), expected=plain(amount), other=name,
                         amount=record.amount - amount)
    if view.get("forex.real_name") and record.real != REAL:
        yield _found("CEB-FOREX-114", about(trade), found=record.payerIdNumber.mask or "-", expected=record.real,
                     source=law_source(view, "forex.real_name"), **_real_words(record.real))
    if order is not None and rule["payer_is_buyer"] and record.real in (REAL, UNKNOWN) and not (
            record.payerIdNumber.same(order.buyerIdNumber) and record.payerName.same(order.buyerName)):
        yield _found("CEB-FOREX-107", about(trade),
                     found=f"{record.payerName.mask} {record.payerIdNumber.mask}",
                     expected=f"{order.buyerName.mask} {order.buyerIdNumber.mask}",
                     source=law_source(view, "forex.reconcile"))
    yield from _numbers(trade)


def _numbers(trade: Trade) -> Iterator[Finding]:
    """Whether the numbers that the record names are those of the documents."""
    record, case = trade.record, trade.case
    if record is None or case is None:
        return
    inventory, order = case.inventory, case.order
    pairs = [("orderNo", record.orderNo, case.orderNo), ("ebpCode", record.ebpCode, case.ebpCode)]
    if order is not None:
        pairs.append(("ebcCode", record.ebcCode or order.ebcCode, order.ebcCode))
        if order.payTransactionId:
            pairs.append(("payTransactionId", record.number, order.payTransactionId))
    if inventory is not None:
        pairs.append(("logisticsNo", record.logisticsNo or inventory.logisticsNo, inventory.logisticsNo))
    for name, told, held in pairs:
        if told != held:
            yield _found("CEB-FOREX-118", about(trade), found=told, expected=held, field=name)


def _real_words(real: str) -> dict[str, Any]:
    words = {MISSING: ("没有姓名或证件号码", "no name or identity number"),
             BAD: ("证件号码不成立", "the identity number is none"),
             UNKNOWN: ("核验机构查无此人", "the register does not know the person")}
    zh, en = words[real]
    return {"why_zh": zh, "why_en": en}


def _remitted(trade: Trade, laws: Laws) -> Iterator[Finding]:
    """Whether what went abroad might: once, after payment and release, no more than the goods, in the limit."""
    batches = sorted(trade.remitted, key=lambda pair: (pair[0].day, pair[0].key, pair[1].number))
    if len(batches) > 1 and _law(laws, _day(batches[-1][0]), batches[-1][0].place)["forex.reconcile"][
            "payment_in_one_batch"]:
        more = sum((line.cny for _, line in batches[1:]), ZERO)
        yield _found("CEB-FOREX-104", about(trade), found=", ".join(batch.number for batch, _ in batches),
                     expected=batches[0][0].number, amount=more)
    before = ZERO
    for batch, line in batches:
        yield from _line(trade, batch, line, before, laws)
        before += line.cny
    if batches:
        yield from _returned(trade, batches[-1][0], before, laws)


def _day(batch: Batch) -> date:
    return date.fromisoformat(batch.day)


def _line(trade: Trade, batch: Batch, line: BatchLine, before: Decimal, laws: Laws) -> Iterator[Finding]:
    """One line by the law of its batch; ``before``: what earlier batches took of the same payment."""
    day = _day(batch)
    view = _law(laws, day, batch.place)
    rule, what = view["forex.reconcile"], about(trade, batch, line)
    record, case = trade.record, trade.case
    if record is not None and not rule["payment_after_batch"] and record.day > batch.day:
        yield _found("CEB-FOREX-109", what, found=record.day, expected=f"<= {batch.day}", amount=line.cny)
    released = is_released(case, view) and case is not None and day_of(case.released_at) <= day
    if record is not None and not released:
        yield _found("CEB-FOREX-113", what, found=_released_on(case), expected=f"<= {batch.day}",
                     amount=line.cny)
    held = amounts(case, view, day) if case is not None else None
    sent = before + line.cny
    told = bool(before) and rule["payment_in_one_batch"]  # of a second batch all is too much, and that is said already
    if held is not None and sent - held.may > rule["tolerance_cny"] and not told:
        over = sent - held.may
        yield _found("CEB-FOREX-108", what, found=plain(sent), expected=plain(held.may), amount=over,
                     tax=plain(held.tax), domestic=plain(held.domestic), source=law_source(view, "forex.reconcile"))
    yield from limit_faults(batch, line.cny, view, what)
    yield from _exchanged(batch, line, rule, what)


def _released_on(case: Case | None) -> str:
    return str(day_of(case.released_at)) if case is not None and case.released_at else "-"


def limit_faults(batch: Batch, cny: Decimal, view: Any, what: About) -> Iterator[Finding]:
    """Whether a trade of so much keeps to the limit of the day (单笔限额), and institutions may remit at all."""
    limit = view.get("forex.limit_trade_usd")
    if limit is None:
        yield _found("CEB-FOREX-115", what, found=f"{batch.day} {view.place}", amount=cny)
        return
    usd = usd_of(batch, cny)
    if usd is None:
        yield _found("CEB-FOREX-116", what, found=batch.currency, expected=plain(limit["goods"]))
    elif usd > limit["goods"]:
        yield _found("CEB-FOREX-106", what, found=plain(usd), expected=plain(limit["goods"]), amount=cny,
                     source=law_source(view, "forex.limit_trade_usd"))


def usd_of(batch: Batch, cny: Decimal) -> Decimal | None:
    """CNY in US dollars by the batch's own rate, or by the one that it gives for the dollar; None when it has none."""
    rate = batch.rate if batch.currency == USD else batch.usd_rate
    return None if rate is None else (cny / rate).quantize(FEN, ROUND_HALF_UP)


def _exchanged(batch: Batch, line: BatchLine, rule: Any, what: About) -> Iterator[Finding]:
    """Whether the line's two amounts fit the rate, to one coin of the currency or the tolerance, whichever is more."""
    worth = line.foreign * batch.rate
    slack = max(Decimal(rule["tolerance_cny"]), minor_of(batch.currency) * batch.rate)
    if abs(worth - line.cny) > slack:
        yield _found("CEB-FOREX-117", what, found=plain(line.foreign), rate=plain(batch.rate),
                     expected=plain((line.cny / batch.rate).quantize(minor_of(batch.currency), ROUND_HALF_UP)),
                     amount=line.cny)


def _returned(trade: Trade, last: Batch, sent: Decimal, laws: Laws) -> Iterator[Finding]:
    """Whether goods came back after their price had left: that much is to be fetched or set off."""
    case = trade.case
    if case is None or not case.returns:
        return
    view = _law(laws, _day(last), last.place)
    now, then = amounts(case, view), amounts(case, view, _day(last))
    if now is None or then is None:
        return
    excess = sent - max(now.may, ZERO)
    if now.refunds > then.refunds and excess > view["forex.reconcile"]["tolerance_cny"]:
        latest = max(day_of(request.said) for request in case.returns if request.status == states.CONCLUDED)
        yield _found("CEB-FOREX-105", about(trade, last), found=str(latest), expected=last.day, batch=last.number,
                     amount=min(excess, now.refunds - then.refunds))


def not_paid(case: Case, view: Any, today: date) -> Finding | None:
    """A released parcel for which no institution told a payment; None where it is not released."""
    if not is_released(case, view):
        return None
    order = case.order
    company, number = (order.payCode, order.payTransactionId) if order is not None else ("", "")
    paid = order.acturalPaid if order is not None else ZERO
    return _found("CEB-FOREX-102", About(company, number, case.orderNo), found=_released_on(case),
                  expected=number or "CEB411", amount=paid)


def check_batch(batch: Batch, lines: Sequence[BatchLine], laws: Laws) -> list[Finding]:
    """Whether a batch is the sum of its lines, so that every order can be told of it (可还原)."""
    view = _law(laws, _day(batch), batch.place)
    slack = view["forex.reconcile"]["tolerance_cny"]
    what = About(batch.payCode, batch=batch.number)
    cny = sum((line.cny for line in lines), ZERO)
    foreign = sum((line.foreign for line in lines), ZERO)
    found = []
    if abs(cny - batch.cny) > slack:
        found.append(_found("CEB-FOREX-110", what, found=plain(batch.cny), expected=plain(cny), lines=len(lines),
                            amount=batch.cny - cny, source=law_source(view, "forex.reconcile")))
    if abs(foreign - batch.foreign) > minor_of(batch.currency) * len(lines) / 2:
        found.append(_found("CEB-FOREX-110", what, found=plain(batch.foreign), expected=plain(foreign),
                            lines=len(lines), amount=batch.cny - cny,
                            source=law_source(view, "forex.bulk_restorable")))
    return found


# ── making a batch ──────────────────────────────────────────────────────────────────────────────────


class Plan(NamedTuple):
    """A batch as it may be booked: with its lines, and why other payments are not in it; ``waiting``: not released yet,
    ``nothing``: nothing of them may leave."""

    batch: Batch
    lines: tuple[BatchLine, ...]
    refused: tuple[Finding, ...]
    waiting: int
    nothing: int


def plan(head: Batch, trades: Iterable[Trade], laws: Laws, most: int) -> Plan:
    """A batch of all trades that may be remitted on its day, each with what may leave of it.

    head: the batch without amounts. most: so many lines, then it is full. A trade with any error is not in it, and is
    told.
    """
    day = _day(head)
    lines: list[BatchLine] = []
    refused: list[Finding] = []
    view = _law(laws, day, head.place)
    waiting = nothing = 0
    for trade in trades:
        if len(lines) >= most:
            break
        case = trade.case
        if trade.record is None or not is_released(case, view) or case is None or day_of(case.released_at) > day:
            waiting += 1
            continue
        held = amounts(case, view)
        may = held.may if held is not None else ZERO
        found = [wrong for wrong in (*_agrees(trade, laws, day), *_again(trade), *_too_late(trade, head),
                                     *limit_faults(head, may, view, about(trade))) if wrong.fault.severity == ERROR]
        if found:
            refused += found
        elif may <= ZERO:
            nothing += 1
        else:
            lines.append(BatchLine(len(lines) + 1, trade.record.number, may, ZERO))
    return _priced(head, lines, tuple(refused), waiting, nothing)


def _again(trade: Trade) -> Iterator[Finding]:
    if trade.remitted:
        batch, line = trade.remitted[0]
        yield _found("CEB-FOREX-104", about(trade), found=batch.number, expected="-", amount=line.cny)


def _too_late(trade: Trade, head: Batch) -> Iterator[Finding]:
    if trade.record is not None and trade.record.day > head.day:
        yield _found("CEB-FOREX-109", about(trade), found=trade.record.day, expected=f"<= {head.day}",
                     amount=trade.record.amount)


def _priced(head: Batch, lines: list[BatchLine], refused: tuple[Finding, ...], waiting: int, nothing: int) -> Plan:
    """The lines with their share of the currency, bought in a lump: the shares make up the lump to the last coin."""
    cny = sum((line.cny for line in lines), ZERO)
    minor = minor_of(head.currency)
    foreign = (cny / head.rate).quantize(minor, ROUND_HALF_UP)
    shares = split(foreign, [line.cny for line in lines], minor)
    priced = tuple([BatchLine(line.number, line.payment, line.cny, share)
                    for line, share in zip(lines, shares, strict=True)])
    batch = Batch(head.payCode, head.number, head.day, head.currency, head.rate, cny, foreign, head.usd_rate,
                  head.bank, head.country, head.place, len(priced), head.made)
    return Plan(batch, priced, refused, waiting, nothing)


def split(total: Decimal, weights: Sequence[Decimal], minor: Decimal) -> list[Decimal]:
    """Split by weight in whole coins, their sum exactly ``total``: the largest remainders get the coins that are left.

    >>> split(Decimal("10.00"), [Decimal(1), Decimal(1), Decimal(1)], Decimal("0.01"))
    [Decimal('3.34'), Decimal('3.33'), Decimal('3.33')]
    """
    whole = sum(weights, ZERO)
    if not weights:
        return []
    exact = [total * weight / whole for weight in weights]
    shares = [one.quantize(minor, ROUND_DOWN) for one in exact]
    left = int(((total - sum(shares, ZERO)) / minor).to_integral_value())
    order = sorted(range(len(weights)), key=lambda at: (shares[at] - exact[at], at))
    for at in order[:left]:
        shares[at] += minor
    return shares


# ── balance of payments ─────────────────────────────────────────────────────────────────────────────


class Flow(NamedTuple):
    """A row of the statistics (国际收支统计): what went in a period, by whom, as what, in which currency, where to."""

    period: str
    payCode: str
    code: str
    currency: str
    country: str
    trades: int
    cny: Decimal
    foreign: Decimal
    usd: Decimal | None


def period_of(day: str, by: str) -> str:
    """The month, quarter or year of a day.

    >>> period_of("2026-11-24", "quarter")
    '2026-Q4'
    """
    if by == "year":
        return day[:4]
    return day[:7] if by == "month" else f"{day[:4]}-Q{(int(day[5:7]) + 2) // 3}"


def code_of(case: Case | None, view: Any) -> str:
    """The transaction code (国际收支交易编码) of a parcel by its trade mode; "" where no row says."""
    inventory = case.inventory if case is not None else None
    return "" if inventory is None else view["forex.bop_code_of_mode"].get(inventory.tradeMode, "")


def flows(lines: Iterable[tuple[Batch, BatchLine, Case | None]], laws: Laws, by: str = "month") -> list[Flow]:
    """The statistics of lines of batches. usd: None where one of its batches gives no dollar rate."""
    sums: dict[tuple[str, str, str, str, str], list[Any]] = {}
    for batch, line, case in lines:
        view = _law(laws, _day(batch), batch.place)
        key = (period_of(batch.day, by), batch.payCode, code_of(case, view), batch.currency, batch.country)
        held = sums.setdefault(key, [0, ZERO, ZERO, ZERO])
        usd = line.foreign if batch.currency == USD else usd_of(batch, line.cny)
        held[0] += 1
        held[1] += line.cny
        held[2] += line.foreign
        held[3] = None if usd is None or held[3] is None else held[3] + usd
    return [Flow(*key, *held) for key, held in sorted(sums.items())]


# ── retention ───────────────────────────────────────────────────────────────────────────────────────


def kept_until(day: date, view: Any) -> date | None:
    """The last day on which a record of ``day`` must be held; None where no row says how long."""
    years = view.get("forex.record_years")
    if years is None:
        return None
    try:
        return day.replace(year=day.year + int(years))
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + int(years), day=28) + timedelta(days=1)


def paid_day(record: PaymentRecord) -> date:
    """The day of a payment."""
    return parse_time(record.paid_at).date()
