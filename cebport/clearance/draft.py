"""An outcome under construction: the parcel as it will be, what is said of it, what is posted.

A ``Draft`` starts from the frozen case and waybill, the steps of the decision set its fields, and
``finish`` gives the ``Outcome``: only what differs from the start becomes part of the event. No step
reads a clock, a random number or the outside; numbers come ready from the facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from cebport.clearance import books, parts
from cebport.clearance.parts import (
    Bill,
    Case,
    CaseChange,
    Event,
    Hold,
    InventoryPart,
    Posting,
    Reason,
    Tally,
    TallyPart,
    Waybill,
    WaybillChange,
)
from cebport.clearance.receipts import BUILDERS, TYPES, Receipt, bill_receipt, bill_state_receipt, named
from cebport.values import BEIJING


class Numbers(Protocol):
    """Where fresh numbers come from: the shell leases them in blocks, so gaps happen and repeats do not."""

    def next(self, series: str) -> int:
        """The next number of a series, from 1."""
        ...


class Facts(Struct, frozen=True, gc=False):
    """What the decision knows besides the case.

    owner: the case that keeps the business key of the arriving document with a living one ("" = nobody).
    waybill: the waybill that the document is or names. spent_fen: what the buyer's year holds so far. counted: line of
    the positive list -> what it holds of goods with a quantity a person and year. mute: nobody will read the receipts,
    only that there are some counts (a what-if decides thousands of parcels a second).
    """

    numbers: Numbers
    waybill: Waybill | None = None
    spent_fen: int = 0
    owner: str = ""
    tally: Tally | None = None
    counted: Mapping[str, int] = {}
    mute: bool = False


class Timer(Struct, frozen=True, gc=False):
    """Something to look at again: ``kind`` of tick, when (ms), which case."""

    kind: str
    due_at: int
    case: str


class Outcome(Struct, frozen=True, gc=False):
    """What one document changed. ``case`` and ``waybill`` are None when untouched."""

    event: Event
    case: Case | None
    waybill: Waybill | None
    tally: Tally | None
    receipts: tuple[Receipt, ...]
    timers: tuple[Timer, ...]
    quota: tuple[tuple[bytes, int, int], ...]


@lru_cache(maxsize=8192)
def _guid_stem(document_guid: str) -> str:
    text = blake2b(document_guid.encode(), digest_size=10).hexdigest().upper()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-"


def receipt_guid(document_guid: str, status: int, time_ms: int) -> str:
    """A receipt's id: new, but the same again when the same decision is replayed.

    80 bits come from the document, 48 from the moment (some eight years in ms) and the status.
    """
    return _guid_stem(document_guid) + _guid_end(status, time_ms)


@lru_cache(maxsize=4096)
def _guid_end(status: int, time_ms: int) -> str:
    return f"{((time_ms & 0x3FFFFFFFFF) << 10) | (status & 0x3FF):012X}"


def day_of(time_ms: int) -> date:
    """The calendar day in China of a moment in ms since 1970."""
    return datetime.fromtimestamp(time_ms // 1000, BEIJING).date()


@lru_cache(maxsize=64)
def day8(day: date) -> str:
    """A day as numbers carry it: YYYYMMDD."""
    return day.strftime("%Y%m%d")


@lru_cache(maxsize=1024)
def label_of(view: Any) -> str:
    """The view that decided, as the journal names it: place@day."""
    return f"{view.place}@{view.day}"


@lru_cache(maxsize=1024)
def law_source(view: Any, topic: str) -> str:
    """The row that says so: topic, instrument (zh / en), confidence, first day, and whether its text was not seen; ""
    where no row holds."""
    row = view.row(topic)
    if row is None:
        return ""
    number = view.instrument(topic).no
    names = number.zh if number.zh == number.en else f"{number.zh} / {number.en}"
    since = f", {row.since}" if row.since else ""
    unseen = "" if row.seen else "; 未见原文 / text not seen"
    return f"{names} [{topic}, {row.confidence}{since}{unseen}]"


class Draft:
    """See the module. ``now`` in ms; ``view`` is the law of the case's place on the law day."""

    __slots__ = (
        "arrived",
        "bill",
        "cancels",
        "case",
        "closed_at",
        "facts",
        "hold",
        "inbox",
        "index",
        "inventory",
        "link",
        "names",
        "not_taken",
        "now",
        "order",
        "past",
        "payments",
        "postings",
        "quota",
        "receipts",
        "released_at",
        "returns",
        "signed_for",
        "timers",
        "view",
        "waybill",
        "waybill_part",
        "why",
    )

    def __init__(self, case: Case, facts: Facts, view: Any, now: int, inbox: int, index: int) -> None:
        self.case, self.facts, self.view, self.now, self.inbox, self.index = case, facts, view, now, inbox, index
        self.order, self.payments, self.inventory = case.order, case.payments, case.inventory
        self.hold, self.bill = case.hold, case.bill
        self.released_at, self.closed_at = case.released_at, case.closed_at
        self.cancels, self.returns, self.past = case.cancels, case.returns, case.past
        self.waybill = waybill = facts.waybill
        if waybill is not None:
            self.waybill_part, self.link = waybill.part, waybill.case
            self.arrived, self.signed_for = waybill.arrived, waybill.signed_for
        else:
            self.waybill_part, self.link, self.arrived, self.signed_for = None, "", "", None
        self.not_taken = ("", "")
        self.names: list[str] = []
        self.receipts: list[Receipt] = []
        self.why: list[Reason] = []
        self.postings: list[Posting] = []
        self.timers: list[Timer] = []
        self.quota: list[tuple[bytes, int, int]] = []

    @property
    def key(self) -> str:
        """The case's key."""
        return parts.case_key(self.case.orderNo, self.case.ebpCode)

    def hold_year(self, document: str, hold: Hold) -> None:
        """The buyer's year holds this from now on."""
        self.hold = hold
        self.postings.extend(books.hold_postings(document, hold))
        if hold.amount_fen:
            self.quota.append((hold.buyer, hold.year, hold.amount_fen))
        for goods in hold.goods:
            self.quota.append((goods.account, hold.year, goods.amount))

    def keep_of_year(self, document: str, left: Hold) -> None:
        """Of what the buyer's year holds only this is left; the rest goes back (恢复额度)."""
        hold = self.hold
        assert hold is not None
        self.postings.extend(books.restore_postings(document, hold, left))
        if left.amount_fen != hold.amount_fen:
            self.quota.append((hold.buyer, hold.year, left.amount_fen - hold.amount_fen))
        stays = {goods.hs8: goods.amount for goods in left.goods}
        for goods in hold.goods:
            if stays.get(goods.hs8, 0) != goods.amount:
                self.quota.append((goods.account, hold.year, stays.get(goods.hs8, 0) - goods.amount))
        self.hold = left

    def tell(self, part: Any, code: str, status: int, said: int, info: str) -> None:
        """A receipt of a document: its status (as the receipt writes it, and as a number), its moment, its words."""
        kind = part.__class__
        self.receipts.append(named(TYPES[kind], code) if self.facts.mute else BUILDERS[kind][1](
            part, code, said, info, receipt_guid(part.guid, status, said)))

    def tell_bill(self, inventory: InventoryPart, made: Bill, said: int) -> None:
        """816: a bill."""
        self.receipts.append(named("816", made.status) if self.facts.mute else bill_receipt(
            inventory, made, said, receipt_guid(inventory.guid, 816, said)))

    def tell_bill_state(self, inventory: InventoryPart, made: Bill, said: int) -> None:
        """818: what became of a bill."""
        self.receipts.append(named("818", made.status) if self.facts.mute else bill_state_receipt(
            inventory, made, said, receipt_guid(inventory.guid, 818, said)))

    def law_of(self, inventory: Any, topic: str) -> Any:
        """The view of the day that a row of the law names: the inventory's declaration, its acceptance, or today."""
        view, basis = self.view, self.view[topic]
        at = inventory.declared_at if basis == "declared" else inventory.said if (
            basis == "accepted" and inventory.invtNo) else self.now
        day = day_of(at) if at else view.day
        return view if day == view.day else view.policy.at(day, view.place, profile=view.profile)

    def _changed_fields(self, state: str) -> dict[str, Any]:
        """The fields of the case that this draft set anew."""
        case = self.case
        fields: dict[str, Any] = {}
        if self.order is not case.order:
            fields["order"] = self.order
        if self.payments is not case.payments:
            fields["payments"] = self.payments
        if self.inventory is not case.inventory:
            fields["inventory"] = self.inventory
        if self.hold is not case.hold:
            fields["hold"] = self.hold
        if self.bill is not case.bill:
            fields["bill"] = self.bill
        if self.released_at != case.released_at:
            fields["released_at"] = self.released_at
        if self.closed_at != case.closed_at:
            fields["closed_at"] = self.closed_at
        if self.cancels is not case.cancels:
            fields["cancels"] = self.cancels
        if self.returns is not case.returns:
            fields["returns"] = self.returns
        if self.past is not case.past:
            fields["past"] = self.past
        if state != case.state:
            fields["state"] = state
        return fields

    def _waybill_fields(self, waybill: Waybill) -> dict[str, Any]:
        """The fields of the waybill that this draft set anew; {} = untouched."""
        fields: dict[str, Any] = {}
        if self.waybill_part is not waybill.part:
            fields["part"] = self.waybill_part
        if self.link != waybill.case:
            fields["case"] = self.link
        if self.arrived != waybill.arrived:
            fields["arrived"] = self.arrived
        if self.signed_for is not waybill.signed_for:
            fields["signed_for"] = self.signed_for
        return fields

    def finish(self, state: str, tally_set: TallyPart | None = None) -> Outcome:
        """The outcome. ``state``: the parcel's state now."""
        case = waybill = tally = case_change = waybill_change = None
        key = road = ""
        if self.case.orderNo:
            key = self.key
            fields = self._changed_fields(state)
            if fields or self.case.version:
                case_change = CaseChange(**fields)
                case = parts.with_fields(self.case, fields, self.inbox)
        held = self.waybill
        if held is not None:
            waybill_fields = self._waybill_fields(held)
            if waybill_fields:
                waybill_change = WaybillChange(**waybill_fields)
                waybill = parts.with_waybill_fields(held, waybill_fields, self.inbox)
                road = parts.waybill_key(waybill.logisticsNo, waybill.logisticsCode)
        if tally_set is not None:
            assert self.facts.tally is not None
            tally = parts.fold_tally(self.facts.tally, tally_set, self.inbox)
        event = Event(
            name=self.names[0] if len(self.names) == 1 else "; ".join(self.names),
            index=self.index,
            case=key,
            waybill=road,
            tally=parts.waybill_key(tally.copNo, tally.operatorCode) if tally is not None else "",
            set=case_change,
            waybill_set=waybill_change,
            tally_set=tally_set,
            why=tuple(self.why),
            postings=tuple(self.postings),
            receipts=tuple([(r.type, r.status) for r in self.receipts]),
            law=label_of(self.view),
            spent_fen=self.facts.spent_fen,
            number=self.not_taken[0],
            own=self.not_taken[1],
            timers=tuple([(timer.kind, timer.due_at) for timer in self.timers]) if self.timers else (),
        )
        return Outcome(event, case, waybill, tally, tuple(self.receipts), tuple(self.timers), tuple(self.quota))

    def said(self, part: Any, **changes: Any) -> Any:
        """The part with ``changes``: parts are frozen, so a step makes the next one."""
        return replace(part, **changes)
