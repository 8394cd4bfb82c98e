"""Deciding again (重演): what a replay takes from a stored event, and the columns in which its answer is told.

A stored event holds the document that caused it with what the decision wrote on it; ``document_of`` takes that off
again, so that the same decision core can be asked anew, and ``numbers_of`` says which numbers it was given then, so
that it is given the same ones now. Nothing here reads a store.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from cebport.clearance import states, tax
from cebport.clearance.conclude import bill, close, refuse_inventory, say, taxed_in_full
from cebport.clearance.draft import Draft, Facts, Outcome
from cebport.clearance.parts import (
    CancelPart,
    Case,
    Event,
    InventoryPart,
    OrderPart,
    PaymentPart,
    Reason,
    ReturnPart,
    SignedForPart,
    TallyPart,
    WaybillPart,
)

# ── what a stored event knows ───────────────────────────────────────────────────────────────────────────

PLAIN: dict[str, Any] = {"status": 0, "said": 0}
WRITTEN_ON: dict[type, dict[str, Any]] = {
    OrderPart: PLAIN,
    PaymentPart: PLAIN,
    WaybillPart: PLAIN,
    SignedForPart: PLAIN,
    InventoryPart: {**PLAIN, "preNo": "", "invtNo": ""},
    CancelPart: {**PLAIN, "preNo": ""},
    ReturnPart: {**PLAIN, "preNo": ""},
    TallyPart: {**PLAIN, "preNo": "", "rkdNo": ""},
}
"""Kind of part -> the fields that the decision fills in, as they are when the document arrives."""


def document_of(event: Event, inbox: int) -> Any | None:
    """The document that caused an event, as it arrived; None where the event does not hold it (it was refused)."""
    index, change, road = event.index, event.set, event.waybill_set
    part: Any
    if change is not None:
        for part in (change.inventory, change.order):
            if part is not UNSET and part is not None and part.inbox == inbox and part.index == index:
                return replace(part, **WRITTEN_ON[type(part)])
    if road is not None:
        for part in (road.part, road.signed_for):
            if part is not UNSET and part is not None and part.inbox == inbox and part.index == index:
                return replace(part, **WRITTEN_ON[type(part)])
    if change is not None:
        for group in (change.payments, change.cancels, change.returns):
            if group is not UNSET:
                for part in group:
                    if part.inbox == inbox and part.index == index:
                        return replace(part, **WRITTEN_ON[type(part)])
    tally = event.tally_set
    if tally is not None and tally.inbox == inbox and tally.index == index:
        return replace(tally, **WRITTEN_ON[TallyPart])
    return None


def carried(event: Event) -> tuple[Reason, ...]:
    """What was found before the decision (signature, field rules): such reasons bring their own words."""
    return tuple([reason for reason in event.why if reason.words is not None])


class Given(NamedTuple):
    """A number that an event gave out: its kind ("pre", "invt", "tax", "rkd"), for which document, series and text."""

    kind: str
    inbox: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of it
    series: str
    number: int
    text: str


def numbers_given(event: Event, inbox: int, kind: str = "") -> Iterator[Given]:
    """The numbers that an event gave out or kept, by the document that they are of; all, or those of one kind."""
    change, tally = event.set, event.tally_set
    if event.number and kind in ("", "pre"):
        yield _pre(event.number, inbox, event.index)
    if change is not None:
        inventory = change.inventory
        if inventory is not UNSET and inventory is not None:
            yield from _of_inventory(inventory, change.bill, kind)
        if kind in ("", "pre"):
            for group in (change.cancels, change.returns):
                if group is not UNSET:
                    for request in group:
                        if request.preNo and (request.inbox, request.index) == (inbox, event.index):
                            yield _pre(request.preNo, inbox, event.index)
    if tally is not None:
        if tally.preNo and kind in ("", "pre"):
            yield _pre(tally.preNo, inbox, event.index)
        if tally.rkdNo and kind in ("", "rkd"):
            office, rest = tally.customsCode, tally.rkdNo.removeprefix(tally.customsCode)
            yield Given("rkd", inbox, event.index, f"rkd/{office}/{rest[:8]}", int(rest[8:]), tally.rkdNo)


def _pre(text: str, inbox: int, index: int) -> Given:
    return Given("pre", inbox, index, f"pre/{text[0]}/{text[1:9]}", int(text[9:]), text)


def _of_inventory(inventory: InventoryPart, made: Any, kind: str) -> Iterator[Given]:
    inbox, index, office = inventory.inbox, inventory.index, inventory.customsCode
    if inventory.preNo and kind in ("", "pre"):
        yield _pre(inventory.preNo, inbox, index)
    if inventory.invtNo and kind in ("", "invt"):
        year, _, number = inventory.invtNo.removeprefix(office).partition("I")
        yield Given("invt", inbox, index, f"invt/{office}/{year}", int(number), inventory.invtNo)
    if made is not UNSET and made is not None and kind in ("", "tax"):
        rest = made.taxNo.removeprefix("TX" + office)
        yield Given("tax", inbox, index, f"tax/{office}/{rest[:8]}", int(rest[8:]), made.taxNo)


# ── answers that the journal lacks ──────────────────────────────────────────────────────────────────────

APPROVED = "approved"
"""The outcome of an assumption (``assume.tally``, ``assume.review``) that lets the parcel go on."""


def answer(case: Case, facts: Facts, view: Any, now: int, outcome: str) -> Outcome:
    """What an assumed answer of an officer does to an inventory that waits for one (300), or for its tally (120).

    Approved, it is released and billed by the rates of the day that the law names, as far as its rates are known.
    """
    draft = Draft(case, facts, view, now, 0, 0)
    assert draft.inventory is not None
    inventory = draft.inventory
    if outcome != APPROVED:
        refuse_inventory(draft, inventory, [])
        return draft.finish(states.parcel_state(draft.inventory.status))
    made = tax.assess(inventory.lines, inventory.freight, inventory.insuredFee,
                      draft.law_of(inventory, "tax.rate_day"), full=taxed_in_full(draft, inventory))
    draft.why.extend(made.reasons)
    inventory = say(draft, "inventory", inventory, states.RELEASED_800)
    draft.released_at = inventory.said
    draft.names.append("released")
    draft.inventory = bill(draft, inventory, made)
    if not int(view.get("clearance.close_days") or 0):
        close(draft)
    return draft.finish(states.parcel_state(draft.inventory.status))


# ── what a replay tells ─────────────────────────────────────────────────────────────────────────────────


class Column(NamedTuple):
    """A figure of the answer: its name, the link of the chain that it belongs to, its name in words, how it comes
    about. filled: whether a replay fills it already; a part that cannot be replayed yet says so here."""

    name: str
    link: str
    zh: str
    en: str
    how: str
    unit: str = "parcels"
    filled: bool = True


LINKS = ("customs", "taxation", "inspection", "forex")
COLUMNS: tuple[Column, ...] = (
    Column("parcels", "customs", "包裹", "parcels", "cases that either world has"),
    Column("released", "customs", "放行", "released", "state released or closed"),
    Column("refused", "customs", "退单", "refused", "state refused; the reasons in dimension reason"),
    Column("waiting", "customs", "等待", "waiting", "state waiting: documents, a tally or an answer lack"),
    Column("cancelled", "customs", "撤销", "cancelled", "state cancelled"),
    Column("returned", "customs", "退货", "returned", "state returned"),
    Column("full_tax", "customs", "超限额全额征税", "taxed in full over a limit", "reason LAW-FULL-TAX"),
    Column("value", "customs", "放行货值", "value released", "goods, freight and insurance of released parcels", "cny"),
    Column("buyers", "customs", "购买人", "buyers", "buyers with an inventory", "buyers"),
    Column("buyers_at_limit", "customs", "触及年度限额的购买人", "buyers at their year's limit",
           "buyers with an inventory that the year's limit refused or taxed in full", "buyers"),
    Column("clearance_hours", "customs", "平均通关时间", "mean clearance time",
           "declaration of the inventory to its release, mean of the released", "hours"),
    Column("duty", "taxation", "关税", "duty", "bills that stand, by their lines", "cny"),
    Column("vat", "taxation", "增值税", "VAT", "bills that stand, by their lines", "cny"),
    Column("consumption", "taxation", "消费税", "consumption tax", "bills that stand, by their lines", "cny"),
    Column("tax", "taxation", "税款合计", "tax in all", "duty + VAT + consumption tax", "cny"),
    Column("guarantee", "taxation", "担保占用", "guarantee taken", "tax secured at one moment, its peak", "cny", False),
    Column("inspections", "inspection", "查验", "inspections", "parcels selected for inspection", "parcels", False),
    Column("desk_load", "inspection", "人工审核量", "desk load", "answers that officers must give", "answers", False),
    Column("foreign_exchange", "forex", "外汇收付", "foreign exchange", "payments to be reconciled", "cny", False),
)
"""Every figure of a what-if, in the order of the report. A part of the port that becomes replayable fills its own."""
DIMENSIONS = ("all", "place", "mode", "day", "goods", "reason", "guarantor")
"""What figures are split by. goods: the first eight digits of the goods code; reason: the rule."""
