"""A port in memory: plays for a test what server/work.py and the settle step of the pipeline do with a store.

Parts are made of the documents of testing/builders.py by the real Blinder, or changed by hand. ``Port.send``
gives the facts, decides, keeps the records and checks what must hold after every step; ``Port.check`` proves
the whole: the fold of the events, the books, the receipts.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import yaml
from msgspec.structs import replace

from cebport.clearance import states
from cebport.clearance.allowance import account_of
from cebport.clearance.arrivals import Tick, arrive, decide_tally, tick
from cebport.clearance.case import decide
from cebport.clearance.draft import Facts, Outcome, Timer
from cebport.clearance.parts import (
    Blind,
    CancelPart,
    Case,
    Event,
    InventoryPart,
    Line,
    OrderPart,
    PaymentPart,
    Posting,
    Reply,
    ReturnPart,
    SignedForPart,
    Tally,
    TallyPart,
    Waybill,
    WaybillPart,
    case_key,
    fold_case,
    fold_tally,
    fold_waybill,
    waybill_key,
)
from cebport.clearance.receipts import Receipt, time17_of
from cebport.messages import documents, wire
from cebport.messages.documents import Document, Message
from cebport.policy import Policy
from cebport.server.blind import Blinder
from cebport.server.vault import Vault
from cebport.testing import builders
from cebport.testing.builders import Fees, Item, Story
from cebport.testing.market import Article, city, market, person
from cebport.values import BEIJING, parse_time

SECOND, DAY_MS = 1000, 86_400_000
REPLY = Reply("DXPENT0000000001")
CASES = Path(__file__).with_name("cases")
encode = msgspec.msgpack.Encoder().encode


def moment(text: str) -> datetime:
    """A Beijing time as the tables write it."""
    return parse_time(text)


def ms(text: str | datetime) -> int:
    """A moment in ms since 1970."""
    at = parse_time(text) if isinstance(text, str) else text
    return int(at.timestamp() * 1000)


def table(name: str) -> dict[str, Any]:
    """One file of tests/cases."""
    return yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))


def with_id(*names: str) -> Any:
    """Test ids from fields of a table's row."""
    return lambda row: " ".join(str(row[name]) for name in names if name in row)


def blind(text: str) -> Blind:
    """A personal value by hand."""
    return Blind(blake2b(text.encode(), digest_size=16).digest(), text[:1] + "*" * (len(text) - 1))


@cache
def blinder() -> Blinder:
    """One blinder with the keys of a vault that nobody else has."""
    with tempfile.TemporaryDirectory() as folder:
        return Blinder(Vault.open(Path(folder) / "keys"))


def article(hs: str) -> Article:
    """The first article on sale with that goods code."""
    return next(row for row in market().articles if row.hs == hs)


def item(hs: str, yuan: str, qty: int = 1) -> Item:
    """A basket line: goods code, price of one in CNY, pieces."""
    return Item(article(hs), qty, int(Decimal(yuan) * 100))


PLAIN = "4202119090"
"""Bags: VAT alone, any price."""


class Papers(NamedTuple):
    """One parcel as parts; ``story`` are the documents behind them."""

    story: Story
    order: OrderPart
    payment: PaymentPart
    waybill: WaybillPart
    inventory: InventoryPart

    def four(self) -> tuple[Any, ...]:
        """The documents of the match."""
        return (self.order, self.payment, self.waybill, self.inventory)

    def with_(self, changes: Mapping[str, Any]) -> Papers:
        """``{"order.freight": "5"}``: the same papers with other fields, as a table writes them."""
        made = self
        for path, value in changes.items():
            name, field = path.split(".")
            made = made._replace(**{name: changed(getattr(made, name), {field: value})})
        return made


PERSONAL = {"buyerName": "name", "payerName": "name", "consignee": "name", "buyerIdNumber": "identity",
            "payerIdNumber": "identity", "consigneeTelephone": "phone", "consigneeAddress": "address"}
AMOUNTS = frozenset({"freight", "insuredFee", "weight", "grossWeight", "taxTotal", "acturalPaid", "amountPaid",
                     "goodsValue", "qty", "price", "total", "qty1", "qty2"})


def changed(part: Any, fields: Mapping[str, Any]) -> Any:
    """A part (or line) with other fields, written as a table does: amounts and persons as text, lines by gnum."""
    made: dict[str, Any] = {}
    for field, value in fields.items():
        if field in PERSONAL:
            made[field] = getattr(blinder(), PERSONAL[field])(value)
        elif field in AMOUNTS:
            made[field] = None if value is None else Decimal(value)
        elif field == "lines":
            made[field] = changed_lines(part.lines, value)
        elif field == "waybills":
            made[field] = tuple(value)
        else:
            made[field] = value
    return replace(part, **made)


def changed_lines(lines: tuple[Any, ...], changes: Mapping[int, Any]) -> tuple[Any, ...]:
    """Lines with other fields by gnum; a gnum that is not there is a copy of the first; null takes it out."""
    made = {line.gnum: line for line in lines}
    for gnum, fields in changes.items():
        if fields is None:
            del made[gnum]
        else:
            made[gnum] = changed(made.get(gnum) or replace(lines[0], gnum=gnum), fields)
    return tuple(made.values())


@lru_cache(maxsize=512)
def _papers(place: str, number: int, at: str, mode: str, basket: tuple[Item, ...] | None, fees: Fees | None,
            buyer: int | None, seed: int) -> Papers:
    on = parse_time(at)
    told = on if on.year > 2016 else on.replace(year=2017)
    made = builders.story(
        Random(seed), city(place), number, told, mode=mode, basket=basket, fees=fees,
        buyer=person(buyer) if buyer is not None else None)
    b = blinder()
    parts = Papers(
        made,
        b.order(made.order, 0, 1, REPLY),
        b.payment(made.payment, 0, 1, REPLY),
        b.waybill(made.waybill, 0, 1, REPLY),
        b.inventory(made.inventory, 0, 1, REPLY),
    )
    if told is not on:
        for name in Papers._fields[1:]:
            part = getattr(parts, name)
            parts = parts._replace(**{name: replace(part, appTime=f"{on.year}{part.appTime[4:]}")})
    return parts


def papers(
    number: int = 1,
    *,
    place: str = "ningbo",
    at: str = "2026-11-24T09:00:00",
    mode: str = "9610",
    basket: Sequence[Item] | None = ((item(PLAIN, "300"),)),
    fees: Fees | None = Fees(),
    buyer: int | None = None,
    seed: int = 1,
) -> Papers:
    """The four papers of a parcel, valid and equal in everything the match compares."""
    return _papers(place, number, at, mode, tuple(basket) if basket is not None else None, fees, buyer, seed)


def value_papers(yuan: str, number: int = 1, **more: Any) -> Papers:
    """A parcel of one bag worth so many CNY."""
    return papers(number, basket=(item(PLAIN, yuan),), **more)


class Numbers:
    """Fresh numbers by series."""

    def __init__(self, given: Mapping[str, int] | None = None) -> None:
        self.given = Counter(given or {})

    def next(self, series: str) -> int:
        """The next number of a series, from 1."""
        self.given[series] += 1
        return self.given[series]


@lru_cache(maxsize=64)
def _laid(overlay: str) -> Policy:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "overlay.yaml"
        path.write_text(overlay, encoding="utf-8")
        return Policy.load(overlays=[path])


def rows(changes: Mapping[str, Any], *, places: Sequence[str] = ()) -> Policy:
    """The law with other values for topics: ``rows({"duty.tally": True})``; practices change the national one."""
    made: dict[str, Any] = {}
    for topic, value in changes.items():
        row: dict[str, Any] = {"value": value, "since": date(2013, 1, 1), "until": date(2099, 12, 31),
                               "instrument": "cebport-default", "confidence": "K"}
        if places:
            row["places"] = list(places)
        if topic.startswith("practice."):
            row["practices"] = ["national"]
        made[topic] = [row]
    return _laid(yaml.safe_dump({"about": {"zh": "试", "en": "trial"}, "recorded_at": date(2026, 11, 24),
                                 "rows": made}, allow_unicode=True))


class Port:
    """See the module. ``now`` in ms; it moves a second at every sending unless told otherwise."""

    def __init__(self, policy: Policy | None = None, *, profile: str | None = None,
                 at: str = "2026-11-24T09:00:00", step: int = SECOND) -> None:
        self.policy, self.profile, self.step = policy or Policy.load(), profile, step
        self.now = ms(at)
        self.numbers = Numbers()
        self.cases: dict[str, Case] = {}
        self.waybills: dict[str, Waybill] = {}
        self.tallies: dict[str, Tally] = {}
        self.owners: dict[str, str] = {}
        self.quota: Counter[tuple[bytes, int]] = Counter()
        self.events: list[tuple[int, Event]] = []
        self.receipts: list[Receipt] = []
        self.timers: list[Timer] = []
        self.postings: list[Posting] = []
        self.inbox = 0

    # ── the settle step ─────────────────────────────────────────────────────────────────────────────

    @property
    def day(self) -> Any:
        """The day in China."""
        return datetime.fromtimestamp(self.now / 1000, BEIJING).date()

    def view(self, place: str) -> Any:
        """The law of today at a place."""
        return self.policy.at(self.day, place, profile=self.profile)

    def send(self, *sent: Any) -> Outcome:
        """Deliver parts one after the other, each in a message of its own; the outcome of the last."""
        assert sent
        for part in sent:
            self.now += self.step
            self.inbox += 1
            part = replace(part, inbox=self.inbox, index=1)
            outcome = self._tally(part) if isinstance(part, TallyPart) else self._one(part)
        return outcome

    def facts(self, part: Any, case: Case) -> Facts:
        """What the decision may know for this document."""
        source = part if isinstance(part, (WaybillPart, SignedForPart, InventoryPart)) else case.inventory
        waybill, owner = None, ""
        if source is not None:
            waybill = self.waybills.get(waybill_key(source.logisticsNo, source.logisticsCode)) or Waybill(
                source.logisticsNo, source.logisticsCode)
        if isinstance(part, InventoryPart):
            owner = self.owners.get(f"I|{part.copNo}|{part.agentCode}", "")
        elif isinstance(part, PaymentPart):
            owner = self.owners.get(f"P|{part.payTransactionId}|{part.payCode}", "")
        inventory = part if isinstance(part, InventoryPart) else case.inventory
        return Facts(self.numbers, waybill, self._spent(inventory), owner, counted=self._counted(inventory))

    def _counted(self, inventory: InventoryPart | None) -> dict[str, int]:
        if inventory is None:
            return {}
        buyer = inventory.buyerIdNumber.hash
        return {line.gcode[:8]: self.quota[(account_of(buyer, line.gcode[:8]), self.day.year)]
                for line in inventory.lines}

    def _spent(self, inventory: InventoryPart | None) -> int:
        return 0 if inventory is None else self.quota[(inventory.buyerIdNumber.hash, self.day.year)]

    def case_for(self, part: Any) -> Case:
        """The parcel that a document belongs to."""
        if isinstance(part, (WaybillPart, SignedForPart)):
            waybill = self.waybills.get(waybill_key(part.logisticsNo, part.logisticsCode))
            return self.cases.get(waybill.case if waybill is not None else "") or Case("", "")
        return self.cases.get(case_key(part.orderNo, part.ebpCode)) or Case(part.orderNo, part.ebpCode)

    def _place(self, case: Case) -> str:
        return case.inventory.customsCode if case.inventory is not None else "CN"

    def _one(self, part: Any) -> Outcome:
        case = self.case_for(part)
        facts, view = self.facts(part, case), self.view(getattr(part, "customsCode", None) or self._place(case))
        outcome = self.twice(lambda numbers: decide(part, case, replace(facts, numbers=numbers), view, self.now))
        self.take(outcome, case)
        return outcome

    def _tally(self, part: TallyPart) -> Outcome:
        held = self.tallies.get(waybill_key(part.copNo, part.operatorCode)) or Tally(part.copNo, part.operatorCode)
        view = self.view(part.customsCode)
        outcome = self.twice(lambda numbers: decide_tally(part, Facts(numbers, tally=held), view, self.now))
        self.take(outcome, Case("", ""))
        if outcome.tally is not None and outcome.tally.part.rkdNo:
            for number in part.waybills:
                key = waybill_key(number, part.logisticsCode)
                waybill = self.waybills.get(key) or Waybill(number, part.logisticsCode)
                case = self.cases.get(waybill.case) or Case("", "")
                spent = self._spent(case.inventory)
                rkd = outcome.tally.part.rkdNo

                def came(numbers: Numbers, waybill: Waybill = waybill, case: Case = case, spent: int = spent,
                         rkd: str = rkd) -> Outcome:
                    return arrive(rkd, case, Facts(numbers, waybill, spent), view, self.now, part.inbox, part.index)

                self.take(self.twice(came), case)
        return outcome

    def twice(self, decision: Any) -> Outcome:
        """The outcome of a decision, made twice from the same: pure means equal."""
        again = decision(Numbers(self.numbers.given))
        outcome = decision(self.numbers)
        assert outcome == again, "the same decision came out differently"
        return outcome

    def take(self, outcome: Outcome, before: Case) -> None:
        """Keep what the outcome changed, as the store does."""
        event = outcome.event
        self.events.append((self.inbox, event))
        if outcome.case is not None:
            assert_steps(before, outcome.case)
            self.cases[event.case] = outcome.case
            lives = set(living_keys(outcome.case))
            for business, owner in list(self.owners.items()):
                if owner == event.case and business not in lives:
                    del self.owners[business]
            for business in lives:
                assert self.owners.setdefault(business, event.case) == event.case, "two cases keep one business key"
        if outcome.waybill is not None:
            assert_waybill_steps(self.waybills.get(event.waybill), outcome.waybill)
            self.waybills[event.waybill] = outcome.waybill
        if outcome.tally is not None:
            held = self.tallies.get(event.tally)
            assert held is None or held.part.status != states.CONCLUDED, "a tally that was concluded changed"
            self.tallies[event.tally] = outcome.tally
        for buyer, year, amount in outcome.quota:
            self.quota[(buyer, year)] += amount
            assert self.quota[(buyer, year)] >= 0, "a buyer's year went below zero"
        assert all(time_of(receipt) >= time17_of(self.now) for receipt in outcome.receipts), "told before it happened"
        self.postings.extend(event.postings)
        self.receipts.extend(outcome.receipts)
        self.timers.extend(outcome.timers)

    # ── time ────────────────────────────────────────────────────────────────────────────────────────

    def wait(self, **delta: int) -> None:
        """Let time pass (days=, hours=, seconds=, ms=), running what falls due on the way."""
        scale = {"days": DAY_MS, "hours": 3_600_000, "minutes": 60_000, "seconds": SECOND, "ms": 1}
        self.until(self.now + sum(scale[name] * count for name, count in delta.items()))

    def until(self, then: int) -> None:
        """Run every timer due at or before ``then``, each at its moment."""
        while due := sorted((t for t in self.timers if t.due_at <= then), key=lambda t: t.due_at):
            timer = due[0]
            self.timers.remove(timer)
            self.now = max(self.now, timer.due_at)
            self.inbox += 1
            case = self.cases[timer.case]
            facts, view = self.facts(None, case), self.view(self._place(case))

            def fall(numbers: Numbers, timer: Timer = timer, case: Case = case, facts: Facts = facts,
                     view: Any = view) -> Outcome:
                return tick(Tick(timer.kind, self.inbox, 0), case, replace(facts, numbers=numbers), view, self.now)

            self.take(self.twice(fall), case)
        self.now = max(self.now, then)

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────

    def case(self, of: Papers | Any) -> Case:
        """The parcel of these papers."""
        part = of.order if isinstance(of, Papers) else of
        return self.cases[case_key(part.orderNo, part.ebpCode)]

    def waybill(self, of: Papers) -> Waybill:
        """The waybill of these papers."""
        return self.waybills[waybill_key(of.waybill.logisticsNo, of.waybill.logisticsCode)]

    def said(self, kind: str) -> list[str]:
        """The statuses of all receipts of a type, in order."""
        return [receipt.status for receipt in self.receipts if receipt.type == kind]

    def spent(self, of: Papers, year: int | None = None) -> Decimal:
        """What the buyer's year holds, CNY."""
        return Decimal(self.quota[(of.inventory.buyerIdNumber.hash, year or self.day.year)]) / 100

    def posted(self, accounts: str) -> Counter[str]:
        """Sums of the postings by account, of the accounts that begin so; fen."""
        sums: Counter[str] = Counter()
        for posting in self.postings:
            if posting.account.startswith(accounts):
                sums[posting.account] += posting.amount_fen
        return sums

    def why(self) -> list[Any]:
        """Every reason of the last event."""
        return list(self.events[-1][1].why)

    def cancel(self, of: Papers, **changes: Any) -> CancelPart:
        """A cancel of the parcel's inventory, to send."""
        document = builders.cancel(Random(9), of.story, self._invt_no(of), self._at())
        return replace(blinder().cancel(document, 0, 1, REPLY), **changes)

    def give_back(self, of: Papers, quantities: Mapping[int, Decimal] | None = None, **changes: Any) -> ReturnPart:
        """A return of lines of the parcel, to send."""
        document = builders.refund(Random(8), of.story, self._invt_no(of), self._at(), quantities=quantities)
        return replace(blinder().take_back(document, 0, 1, REPLY), **changes)

    def signed_for(self, of: Papers, **changes: Any) -> SignedForPart:
        """The parcel's 513."""
        document = builders.signed_for(Random(7), of.story, self._at())
        return replace(blinder().signed_for(document, 0, 1, REPLY), **changes)

    def tally(self, *of: Papers, **changes: Any) -> TallyPart:
        """A 711 of these parcels."""
        document = builders.tally(Random(6), [one.story for one in of], self._at())
        return replace(blinder().tally(document, 0, 1, REPLY), **changes)

    def _invt_no(self, of: Papers) -> str:
        case = self.cases.get(case_key(of.order.orderNo, of.order.ebpCode))
        known = case.inventory.invtNo if case is not None and case.inventory is not None else ""
        return known or "31182026I000000001"

    def _at(self) -> datetime:
        return datetime.fromtimestamp(self.now / 1000, BEIJING)

    # ── proofs ──────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """Everything that must hold at rest."""
        self.check_fold()
        self.check_books()
        self.check_receipts()

    def check_fold(self) -> None:
        """The events alone give the records."""
        cases: dict[str, Case] = {}
        waybills: dict[str, Waybill] = {}
        tallies: dict[str, Tally] = {}
        for inbox, event in self.events:
            event = msgspec.msgpack.decode(encode(event), type=Event)
            if event.case and event.set is not None:
                number, _, platform = event.case.rpartition("|")
                cases[event.case] = fold_case(cases.get(event.case) or Case(number, platform), event.set, inbox)
            if event.waybill and event.waybill_set is not None:
                number, _, carrier = event.waybill.rpartition("|")
                waybills[event.waybill] = fold_waybill(
                    waybills.get(event.waybill) or Waybill(number, carrier), event.waybill_set, inbox)
            if event.tally and event.tally_set is not None:
                number, _, operator = event.tally.rpartition("|")
                tallies[event.tally] = fold_tally(tallies.get(event.tally) or Tally(number, operator),
                                                  event.tally_set, inbox)
        assert cases == self.cases
        assert waybills == self.waybills
        assert tallies == self.tallies

    def check_books(self) -> None:
        """Sum of quota postings = held; tax postings = living bills; nothing posted twice."""
        keys = [(p.document, p.line, p.kind) for p in self.postings]
        assert len(set(keys)) == len(keys), "posted twice"
        sums: Counter[str] = Counter()
        for posting in self.postings:
            sums[posting.account] += posting.amount_fen
        held: Counter[str] = Counter()
        owed: Counter[str] = Counter()
        for case in self.cases.values():
            if case.hold is not None:
                assert case.hold.amount_fen >= 0
                held[f"quota/{case.hold.year}/{case.hold.buyer.hex()}"] += case.hold.amount_fen
                for goods in case.hold.goods:
                    held[f"quota/{case.hold.year}/{goods.account.hex()}"] += goods.amount
            if case.bill is not None:
                assert case.bill.duty == sum((x.duty for x in case.bill.lines), Decimal(0))
                assert case.bill.vat == sum((x.vat for x in case.bill.lines), Decimal(0))
                assert case.bill.consumption == sum((x.consumption for x in case.bill.lines), Decimal(0))
                if case.bill.status != "3":
                    assert case.inventory is not None
                    owed[f"tax/{case.inventory.assureCode}"] += int(case.bill.total * 100)
        quota = Counter({f"quota/{year}/{buyer.hex()}": amount for (buyer, year), amount in self.quota.items()})
        posted = Counter({account: amount for account, amount in sums.items() if account.startswith("quota/")})
        assert +posted == +quota == +held
        assert +Counter({a: n for a, n in sums.items() if a.startswith("tax/")}) == +owed
        assert all(amount >= 0 for amount in sums.values())

    def check_receipts(self) -> None:
        """Times of one document rise, ids differ, and every receipt fits the schema."""
        last: dict[tuple[Any, ...], str] = {}
        ids: Counter[str] = Counter()
        made: dict[str, list[Document]] = {}
        for receipt in self.receipts:
            ids[receipt.head[0]] += 1
            made.setdefault(receipt.type, []).append(document_of(receipt))
            key = (receipt.type, *echo_of(receipt))
            time = time_of(receipt)
            if not receipt.status.startswith("-"):
                assert last.get(key, "") < time, f"{key}: {time} does not come after {last[key]}"
                last[key] = time
        assert not ids or max(ids.values()) == 1, "two receipts with one id"
        for kind, all_of in made.items():
            for start in range(0, len(all_of), 100):
                message = Message(f"CEB{kind}Message", "A" * 36, "1.0", tuple(all_of[start : start + 100]))
                faults = wire.schema_faults(wire.parse_tree(wire.write(message)))
                assert not faults, [f.message.en for f in faults]

    def canonical(self) -> Any:
        """The state without numbers, times and inbox ids: what must not depend on the order of arrival."""
        return {
            "cases": {key: bare(case) for key, case in sorted(self.cases.items())},
            "waybills": {key: bare(waybill) for key, waybill in sorted(self.waybills.items())},
            "tallies": {key: bare(one) for key, one in sorted(self.tallies.items())},
            "quota": sorted((account, amount) for account, amount in self.quota.items() if amount),
            "owed": sorted((account, amount) for account, amount in self.posted("tax/").items() if amount),
        }


ECHO = {"312": ("ebpCode", "ebcCode", "orderNo"), "412": ("payCode", "payTransactionId"),
        "512": ("logisticsCode", "logisticsNo"), "514": ("logisticsCode", "logisticsNo"),
        "622": ("customsCode", "ebpCode", "ebcCode", "agentCode", "copNo", "preNo", "invtNo"),
        "624": ("customsCode", "agentCode", "ebpCode", "ebcCode", "copNo", "preNo", "invtNo"),
        "626": ("customsCode", "agentCode", "ebpCode", "ebcCode", "copNo", "preNo", "invtNo"),
        "712": ("customsCode", "operatorCode", "copNo", "preNo", "rkdNo"),
        "816": ("invtNo", "taxNo"), "818": ("invtNo", "taxNo")}


HEADS: dict[str, tuple[Any, Any]] = {
    "312": (documents.OrderReturn, None), "412": (documents.PaymentReturn, None),
    "512": (documents.LogisticsReturn, None), "514": (documents.LogisticsStatusReturn, None),
    "622": (documents.InventoryReturn, None), "624": (documents.InvtCancelReturn, None),
    "626": (documents.InvtRefundReturn, None), "712": (documents.DeliveryReturn, None),
    "816": (documents.TaxHeadRd, documents.TaxListRd), "818": (documents.TaxHeadStatus, None),
}


def document_of(receipt: Receipt) -> Document:
    """The receipt as the document that is written."""
    head, line = HEADS[receipt.type]
    return Document(head(*receipt.head), tuple(line(*values) for values in receipt.lines))


def head_of(receipt: Receipt) -> dict[str, Any]:
    """The head of a receipt by field name."""
    return dict(zip(HEADS[receipt.type][0].__struct_fields__, receipt.head, strict=False))


def echo_of(receipt: Receipt) -> tuple[Any, ...]:
    """The business key that the receipt names, without the numbers that customs gives on the way."""
    head = head_of(receipt)
    return tuple(head[name] for name in ECHO[receipt.type] if name not in ("invtNo", "rkdNo"))


def time_of(receipt: Receipt) -> str:
    """returnTime."""
    return head_of(receipt)["returnTime"]


NUMBERS_AND_TIMES = frozenset({"inbox", "index", "said", "declared_at", "preNo", "invtNo", "rkdNo", "taxNo",
                               "entDutyNo", "made_at", "version", "inboxes"})
FLAGS = frozenset({"released_at", "closed_at", "arrived"})


def bare(record: Any) -> Any:
    """A record without numbers, times and inbox ids."""
    if isinstance(record, msgspec.Struct):
        return {
            name: bool(getattr(record, name)) if name in FLAGS else bare(getattr(record, name))
            for name in record.__struct_fields__ if name not in NUMBERS_AND_TIMES
        }
    return tuple(bare(one) for one in record) if isinstance(record, tuple) else record


def living_keys(case: Case) -> Iterator[str]:
    """Business keys that a case keeps from all others."""
    over = (states.DELETED, states.STASHED, states.GONE_BACK, states.REFUSED_100)
    for payment in case.payments:
        if payment.status not in over:
            yield f"P|{payment.payTransactionId}|{payment.payCode}"
    if case.inventory is not None and case.inventory.status not in over:
        yield f"I|{case.inventory.copNo}|{case.inventory.agentCode}"


@lru_cache(maxsize=4096)
def reachable(kind: str, start: int) -> frozenset[int]:
    """Every state that the table leads to from one, that one included."""
    seen, ahead = {start}, [start]
    while ahead:
        for then in states.table()["moves"][kind].get(ahead.pop(), ()):
            if then not in seen:
                seen.add(then)
                ahead.append(then)
    return frozenset(seen)


FINAL = frozenset({states.RELEASED_800, states.CLOSED_899, states.SENT_BACK})


def assert_steps(before: Case, after: Case) -> None:
    """No record of a case goes a way that the table of states does not know; what is final stays."""
    old, new = before.inventory, after.inventory
    status = new.status if new is not None else states.SENT
    assert bool(after.released_at) is (status in FINAL), "released, or not"
    assert not after.closed_at or status in (states.CLOSED_899, states.SENT_BACK)
    assert after.closed_at or status != states.CLOSED_899
    assert (after.bill is not None) is (status in FINAL) and after.state == states.parcel_state(status)
    if old is not None:
        assert new is not None, "an inventory is never lost"
        if new.status not in reachable("inventory", old.status):
            assert old.status in (states.REFUSED_100, states.GONE_BACK, states.DELETED), (old.status, new.status)
            assert (new.guid, new.appTime) != (old.guid, old.appTime), "the same declaration came to life again"
        if old.status in FINAL:
            assert (new.guid, new.invtNo) == (old.guid, old.invtNo)
    for name in ("cancels", "returns"):
        done = [one for one in getattr(before, name) if one.status == states.CONCLUDED]
        assert all(one in getattr(after, name) for one in done), f"an approved one of {name} changed"
    if before.order is not None:
        assert after.order is not None
        assert after.order.status in reachable("order", before.order.status)
    assert len(after.payments) >= len(before.payments)


def assert_waybill_steps(before: Waybill | None, after: Waybill) -> None:
    """The same of a waybill, its state and its arrival."""
    if before is None:
        return
    assert not before.arrived or after.arrived, "what arrived is here"
    if before.part is not None:
        assert after.part is not None and after.part.status in reachable("waybill", before.part.status)
    if before.signed_for is not None and before.signed_for.status == states.STORED:
        assert after.signed_for == before.signed_for, "a stored waybill state changed"


@contextmanager
def showing(port: Port) -> Iterator[None]:
    """Adds what the port said to an assertion that fails."""
    try:
        yield
    except AssertionError as wrong:
        told = [(r.type, r.status, head_of(r).get("returnInfo")) for r in port.receipts]
        raise AssertionError(f"{wrong}\nreceipts: {told}\nevents: {[e.name for _, e in port.events]}") from wrong


def line(gcode: str, total: str, *, gnum: int = 1, qty: str = "1", unit: str = "011", qty1: str | None = None,
         unit1: str = "", qty2: str | None = None, unit2: str = "") -> Line:
    """A goods line by hand; total and quantities as text."""
    amount, count = Decimal(total), Decimal(qty)
    return Line(gnum, "goods", unit, count, (amount / count).quantize(Decimal("0.00001")), amount, "305", gcode,
                Decimal(qty1) if qty1 is not None else None, unit1,
                Decimal(qty2) if qty2 is not None else None, unit2)


def errors(port: Port) -> list[str]:
    """Rules that the last event names as errors."""
    return [reason.rule for reason in port.why() if reason.severity == "error"]


def all_rules(events: Iterable[tuple[int, Event]]) -> set[str]:
    """Every rule that any event names."""
    return {reason.rule for _, event in events for reason in event.why}
