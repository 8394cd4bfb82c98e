"""decide(): one document meets its parcel (通关判定).

(part, case, facts, view, now) -> Outcome, without clock, chance or I/O. The documents of a parcel come in
any order; whoever is last starts the match. What a document says twice changes nothing; what comes late
or too early is answered with the official code. The steps:

    take       business key, appType 1/2/3, staleness          -> receipts 2 and 3, or the refusal
    conclude   when all documents are there: match, law, limits, tax, release, bill, close
    requests   cancel and return (see requests.py); tally and timers (see arrivals.py)
"""

from __future__ import annotations

from typing import Any

from cebport.clearance import states
from cebport.clearance.conclude import conclude
from cebport.clearance.draft import Draft, Facts, Outcome
from cebport.clearance.parts import (
    CancelPart,
    Case,
    InventoryPart,
    OrderPart,
    Past,
    PaymentPart,
    Reason,
    ReturnPart,
    SignedForPart,
    WaybillPart,
)
from cebport.clearance.receipts import words
from cebport.clearance.requests import take_cancel, take_return
from cebport.clearance.taking import FREE, admission, announce, pre_number, refuse, timer_in
from cebport.faults import ERROR


def decide(part: Any, case: Case, facts: Facts, view: Any, now: int) -> Outcome:
    """What this document does to its parcel. ``now`` in ms since 1970; ``view`` the law of place and day.

    ``case`` is the parcel as stored, or an empty ``Case(orderNo, ebpCode)``; for a waybill that no
    inventory names yet it is ``Case("", "")``. Nothing given is changed; the outcome has the new records.
    """
    draft = Draft(case, facts, view, now, part.inbox, part.index)
    TAKERS[type(part)](draft, part)
    return draft.finish(states.parcel_state(draft.inventory.status if draft.inventory is not None else None))


def _used(draft: Draft) -> bool:
    return draft.inventory is not None and draft.inventory.status in states.table()["in_use"]


def _ownership(part: OrderPart, held: OrderPart | None) -> Reason | None:
    """A merchant's card changes no other merchant's order; order numbers are the platform's."""
    if held is None or part.by == "platform" or held.ebcCode == part.ebcCode:
        return None
    if part.appType == "1" and held.status not in (states.DELETED, states.STASHED):
        return None  # the key decides: it exists
    return Reason("KEY-OTHER-OWNER", ERROR, "CEB311/ebcCode", part.ebcCode, held.ebcCode)


def take_order(draft: Draft, part: OrderPart) -> None:
    """311."""
    held = draft.order
    reason = _ownership(part, held) or admission("order", part, held, _used(draft))
    if reason is not None:
        refuse(draft, "order", part, reason)
        return
    draft.order = announce(draft, "order", part, held.said if held is not None else 0)
    conclude(draft)


def _is_taken(draft: Draft, part: Any, held: Any) -> bool:
    """Whether another parcel keeps the business key; of a document that this parcel had, only a new one asks that."""
    owner = draft.facts.owner
    return bool(owner) and owner != draft.key and (held is None or (held.status in FREE and part.appType == "1"))


def take_payment(draft: Draft, part: PaymentPart) -> None:
    """411. Another order's payment under the same number is a payment that exists."""
    key = (part.payTransactionId, part.payCode)
    held = None
    for payment in draft.payments:
        if (payment.payTransactionId, payment.payCode) == key:
            held = payment
    if _is_taken(draft, part, held):
        reason: Reason | None = Reason("KEY-EXISTS", ERROR, "payment", part.orderNo, draft.facts.owner.split("|")[0])
    else:
        reason = admission("payment", part, held, _used(draft) and held is not None and held.status == states.STORED)
    if reason is not None:
        refuse(draft, "payment", part, reason)
        return
    taken = announce(draft, "payment", part, held.said if held is not None else 0)
    if draft.payments:
        others = [p for p in draft.payments if p is not held]
        draft.payments = tuple(sorted([*others, taken], key=lambda p: (p.payTransactionId, p.payCode)))
    else:
        draft.payments = (taken,)
    conclude(draft)


def take_waybill(draft: Draft, part: WaybillPart) -> None:
    """511. A state (513) that came before its waybill is stored now."""
    held = draft.waybill_part
    reason = admission("waybill", part, held, _used(draft))
    if reason is not None:
        refuse(draft, "waybill", part, reason)
        return
    draft.waybill_part = announce(draft, "waybill", part, held.said if held is not None else 0)
    signed = draft.signed_for
    if signed is not None and signed.status == states.SENT and draft.waybill_part.status == states.SENT:
        draft.signed_for = _store_signed(draft, signed)
    conclude(draft)


def take_signed_for(draft: Draft, part: SignedForPart) -> None:
    """513: changes only the waybill's state; early ones wait for their waybill; what is stored stays."""
    held = draft.signed_for
    reason = admission("waybill_state", part, held, held is not None and held.status == states.STORED)
    if reason is not None:
        refuse(draft, "waybill_state", part, reason)
        return
    taken = announce(draft, "waybill_state", part, held.said if held is not None else 0)
    waybill = draft.waybill_part
    if taken.status == states.SENT and waybill is not None and waybill.status in (states.SENT, states.STORED):
        taken = _store_signed(draft, taken)
    draft.signed_for = taken


def _store_signed(draft: Draft, part: SignedForPart) -> SignedForPart:
    said = max(draft.now, part.said + 1)
    draft.tell(part, "120", states.STORED, said, words()["waybill_state"]["120"])
    draft.names.append("waybill state stored")
    return draft.said(part, status=states.advance("waybill_state", part.status, states.STORED), said=said)


def take_inventory(draft: Draft, part: InventoryPart) -> None:
    """621. One living inventory an order; preNo stays with (copNo, agentCode) through changes and new declarations."""
    held = draft.inventory
    same = held if held is not None and (held.copNo, held.agentCode) == (part.copNo, part.agentCode) else None
    before = _declared_before(draft, part) if draft.past else None
    reason = _inventory_admission(draft, part, same, held)
    if reason is None and same is None and before is not None and part.appTime <= before.appTime:
        reason = Reason("KEY-STALE", ERROR, "inventory", part.appTime, before.appTime)
    earlier = same.preNo if same is not None else before.preNo if before is not None else ""
    if earlier:
        part = draft.said(part, preNo=earlier)
    if reason is not None:
        refuse(draft, "inventory", part, reason)
        return
    if held is not None and (same is None or held.status not in (states.STASHED, states.SENT)):
        draft.past = (*draft.past, Past(held.copNo, held.agentCode, held.preNo, held.invtNo, held.status, held.appTime))
    if not earlier:
        part = draft.said(part, preNo=pre_number(draft, "B"))
    taken = announce(draft, "inventory", part, held.said if held is not None else 0)
    draft.inventory = taken = draft.said(taken, declared_at=draft.now)
    draft.hold, draft.bill, draft.released_at, draft.closed_at = None, None, 0, 0
    draft.link = draft.key if taken.status == states.SENT else ""
    if taken.status == states.SENT:
        conclude(draft)
        wait_days = draft.view.get("clearance.match_wait_days")
        if wait_days is not None and draft.inventory.status == states.SENT:
            draft.timers.append(timer_in("match_wait", draft, int(wait_days)))


def _declared_before(draft: Draft, part: InventoryPart) -> Past | None:
    """The last earlier declaration of the parcel under the same own number."""
    key = (part.copNo, part.agentCode)
    return next((past for past in reversed(draft.past) if (past.copNo, past.agentCode) == key), None)


def _inventory_admission(
    draft: Draft, part: InventoryPart, same: InventoryPart | None, held: InventoryPart | None
) -> Reason | None:
    if _is_taken(draft, part, same):
        return Reason("KEY-EXISTS", ERROR, "inventory", part.orderNo, draft.facts.owner.split("|")[0])
    if same is None and held is not None and held.status not in FREE:
        return Reason("KEY-ORDER-DECLARED", ERROR, "inventory", part.copNo, held.copNo)
    change_open = states.table()["change_open"]
    in_use = same is not None and same.status not in change_open
    reason = admission("inventory", part, same, in_use)
    if reason is None and same is not None and same.status == states.SENT:
        declared = (same.logisticsNo, same.logisticsCode)
        if (part.logisticsNo, part.logisticsCode) != declared:
            return Reason("KEY-WAYBILL-CHANGED", ERROR, "CEB621/logisticsNo", part.logisticsNo, same.logisticsNo)
    if reason is None and draft.link and draft.link != draft.key:
        return Reason("KEY-WAYBILL-USED", ERROR, "CEB621/logisticsNo", part.logisticsNo, draft.link.split("|")[0])
    return reason


TAKERS: dict[type, Any] = {
    OrderPart: take_order,
    PaymentPart: take_payment,
    WaybillPart: take_waybill,
    SignedForPart: take_signed_for,
    InventoryPart: take_inventory,
    CancelPart: take_cancel,
    ReturnPart: take_return,
}
