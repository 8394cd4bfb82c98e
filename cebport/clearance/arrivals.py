"""Tally (711) and time: goods that arrived, and days that fell due (入库明细单、到期事项).

A tally says which waybills a site has received; a parcel that waits for it goes on. A tick is a timer
that fell due for one case: the end of waiting for documents, the close, the summary of its tax bill.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from cebport.clearance import states
from cebport.clearance.conclude import absent_documents, close, refuse_inventory, release, say
from cebport.clearance.draft import Draft, Facts, Outcome, day8
from cebport.clearance.parts import Bill, Case, Reason, TallyPart
from cebport.clearance.taking import admission, announce, pre_number, refuse
from cebport.faults import ERROR

DAY_MS = 86_400_000
SAID_LATE_MS_MAX = 60_000
"""The last receipt of a document may be told some ms after the clock that began its wait; never a minute."""


class Tick(NamedTuple):
    """A timer that fell due: what kind ("match_wait", "close", "collect")."""

    kind: str
    inbox: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of it


def decide_tally(part: TallyPart, facts: Facts, view: Any, now: int) -> Outcome:
    """711 itself: its business key, its receipts, its number (入库单编号). The waybills follow by ``arrive``."""
    draft = Draft(Case("", ""), facts, view, now, part.inbox, part.index)
    held = facts.tally.part if facts.tally is not None else None
    in_use = held is not None and held.status == states.CONCLUDED
    reason = admission("tally", part, held, in_use)
    part = draft.said(part, preNo=held.preNo if held is not None else pre_number(draft, "R"))
    if reason is not None:
        refuse(draft, "tally", part, reason)
        return draft.finish(states.parcel_state(None))
    taken = announce(draft, "tally", part, held.said if held is not None else 0)
    if taken.status == states.SENT:
        day = day8(view.day)
        number = facts.numbers.next(f"rkd/{part.customsCode}/{day}")
        taken = draft.said(taken, rkdNo=f"{part.customsCode}{day}{number:06d}")
        taken = say(draft, "tally", taken, states.STORED)
        taken = say(draft, "tally", taken, states.CONCLUDED)
    return draft.finish(states.parcel_state(None), tally_set=taken)


def arrive(rkd_no: str, case: Case, facts: Facts, view: Any, now: int, inbox: int, index: int) -> Outcome:
    """One waybill of a tally: it is here, and a parcel that waited only for that is released."""
    draft = Draft(case, facts, view, now, inbox, index)
    draft.names.append("arrived")
    draft.arrived = rkd_no
    inventory = draft.inventory
    if inventory is not None and inventory.status == states.STORED:
        release(draft)
    return draft.finish(states.parcel_state(draft.inventory.status if draft.inventory is not None else None))


def tick(due: Tick, case: Case, facts: Facts, view: Any, now: int) -> Outcome:
    """What a day that fell due does to a case; nothing when it no longer matters."""
    draft = Draft(case, facts, view, now, due.inbox, due.index)
    TICKS[due.kind](draft)
    return draft.finish(states.parcel_state(draft.inventory.status if draft.inventory is not None else None))


def _match_wait(draft: Draft) -> None:
    """100 when the documents are not there in time; a wait that began anew later has a timer of its own."""
    inventory, wait_days = draft.inventory, draft.view.get("clearance.match_wait_days")
    if inventory is None or inventory.status != states.SENT or wait_days is None:
        return
    if draft.now + SAID_LATE_MS_MAX < inventory.said + int(wait_days) * DAY_MS:
        return
    absent = absent_documents(draft, inventory)
    reason = Reason("MATCH-MISSING", ERROR, "CEB621/orderNo", inventory.orderNo, ", ".join(absent))
    draft.why.append(reason)
    refuse_inventory(draft, inventory, [reason])


def _close(draft: Draft) -> None:
    if draft.inventory is not None and draft.inventory.status == states.RELEASED_800:
        close(draft)


def _collect(draft: Draft) -> None:
    """818 status 2: the bill goes into the summary of its guarantor, day and port, under one payment number."""
    bill, inventory = draft.bill, draft.inventory
    if bill is None or inventory is None or bill.status != "1":
        return
    said = max(draft.now, bill.said + 1)
    number = f"{inventory.customsCode}{draft.view.day.strftime('%Y%m%d')}{inventory.assureCode}"[:50]
    draft.bill = Bill(bill.taxNo, "2", bill.duty, bill.vat, bill.consumption, bill.lines, bill.made_at, said, number)
    draft.tell_bill_state(inventory, draft.bill, said)
    draft.names.append("tax summarised")


TICKS = {"match_wait": _match_wait, "close": _close, "collect": _collect}
