"""Cancel and return (撤销、退货): what a company may take back, until when, and what is restored.

A cancel names a living, not yet released inventory and gives back the buyer's year; a return names a
released one, keeps to its window and its quantities, gives back year and tax of what comes back, and
voids the bill (a part that stays is billed anew).
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from msgspec.structs import replace

from cebport.clearance import allowance, books, states
from cebport.clearance.conclude import free_documents, give_back_year, say, summary_timer
from cebport.clearance.draft import Draft, day8, day_of, law_source
from cebport.clearance.parts import (
    Bill,
    BillLine,
    CancelPart,
    Hold,
    InventoryPart,
    Reason,
    ReturnPart,
)
from cebport.clearance.taking import admission, announce, pre_number, refuse
from cebport.faults import ERROR
from cebport.values import FEN, ZERO, plain


def _held(documents: tuple[Any, ...], part: Any) -> Any:
    return next((d for d in documents if (d.copNo, d.invtNo) == (part.copNo, part.invtNo)), None)


def _named(draft: Draft, part: Any, kind: str, open_states: frozenset[int]) -> Reason | None:
    """Whether the request names this parcel's inventory, and that one is in a state that allows it."""
    inventory = draft.inventory
    if inventory is None or not inventory.invtNo or inventory.invtNo != part.invtNo:
        return Reason("REQUEST-NO-INVENTORY", ERROR, f"{kind}/invtNo", part.invtNo,
                      inventory.invtNo if inventory is not None else "")
    if part.agentCode not in (inventory.agentCode, inventory.ebcCode):
        return Reason("REQUEST-OTHER-PARTY", ERROR, f"{kind}/agentCode", part.agentCode, inventory.agentCode)
    if inventory.status not in open_states:
        return Reason("REQUEST-STATE", ERROR, f"{kind}/invtNo", str(inventory.status),
                      ", ".join(map(str, sorted(open_states))))
    return None


def _with(documents: tuple[Any, ...], held: Any, new: Any) -> tuple[Any, ...]:
    return (*(d for d in documents if d is not held), new)


def take_cancel(draft: Draft, part: CancelPart) -> None:
    """623: only before release, and it must name the inventory (invtNo). A cancel can only be new (appType 1)."""
    held = _held(draft.cancels, part)
    if part.appType == "1":
        reason = admission("cancel", part, held, in_use=False)
    else:
        reason = Reason("KEY-MISSING", ERROR, "cancel", f"appType {part.appType}", "1")
    if reason is None and part.appStatus != "1":
        reason = _named(draft, part, "CEB623", states.table()["cancel_open"])
    part = draft.said(part, preNo=held.preNo if held is not None else pre_number(draft, "C"))
    if reason is not None:
        refuse(draft, "cancel", part, reason)
        return
    taken = announce(draft, "cancel", part, held.said if held is not None else 0)
    if taken.status == states.SENT:
        taken = say(draft, "cancel", taken, states.STORED)
        taken = say(draft, "cancel", taken, states.CONCLUDED)
        _cancelled(draft)
    draft.cancels = _with(draft.cancels, held, taken)


def _cancelled(draft: Draft) -> None:
    inventory = draft.inventory
    assert inventory is not None
    draft.inventory = draft.said(inventory, status=states.advance("inventory", inventory.status, states.GONE_BACK))
    draft.names.append("inventory cancelled")
    give_back_year(draft, inventory.invtNo, "cancelled")
    free_documents(draft)


def take_return(draft: Draft, part: ReturnPart) -> None:
    """625: within its window, of lines that exist, of no more than is left of them."""
    held = _held(draft.returns, part)
    reason = admission("return", part, held, in_use=held is not None and held.status == states.CONCLUDED)
    if reason is None and part.appStatus != "1":
        reason = _named(draft, part, "CEB625", states.table()["return_open"]) or _window(draft, part)
        reason = reason or _quantities(draft, part)
    part = draft.said(part, preNo=held.preNo if held is not None else pre_number(draft, "T"))
    if reason is not None:
        refuse(draft, "return", part, reason)
        return
    taken = announce(draft, "return", part, held.said if held is not None else 0)
    if taken.status == states.SENT:
        taken = say(draft, "return", taken, states.STORED)
        taken = say(draft, "return", taken, states.CONCLUDED)
        _returned(draft, taken)
    draft.returns = _with(draft.returns, held, taken)


def _window(draft: Draft, part: ReturnPart) -> Reason | None:
    """Calendar days in China after the day of release, that day not counted."""
    days = draft.view.get("window.return_apply_days")
    if days is None:
        return None
    gone_days = (draft.view.day - day_of(draft.released_at)).days
    if gone_days <= int(days):
        return None
    return Reason("RETURN-WINDOW", ERROR, "CEB625/appTime", f"{gone_days}", f"{days}",
                  law_source(draft.view, "window.return_apply_days"))


def returned_quantities(returns: tuple[ReturnPart, ...]) -> dict[int, Decimal]:
    """gnum -> quantity that approved returns have already taken back."""
    sums: dict[int, Decimal] = {}
    for done in returns:
        if done.status == states.CONCLUDED:
            for line in done.lines:
                sums[line.gnum] = sums.get(line.gnum, ZERO) + line.qty
    return sums


def _quantities(draft: Draft, part: ReturnPart) -> Reason | None:
    inventory = draft.inventory
    assert inventory is not None
    there = {line.gnum: line for line in inventory.lines}
    gone = returned_quantities(draft.returns)
    asked: dict[int, Decimal] = {}
    for line in part.lines:
        original = there.get(line.gnum)
        path = f"CEB625/gnum={line.gnum}"
        if original is None or original.gcode != line.gcode:
            return Reason("RETURN-LINE", ERROR, path, f"{line.gnum} {line.gcode}",
                          original.gcode if original is not None else "")
        if original.unit != line.unit:
            return Reason("RETURN-LINE", ERROR, path, f"{line.gnum} {line.unit}", original.unit)
        asked[line.gnum] = asked.get(line.gnum, ZERO) + line.qty
        left = original.qty - gone.get(line.gnum, ZERO)
        if asked[line.gnum] > left:
            return Reason("RETURN-QUANTITY", ERROR, f"{path}/qty", plain(asked[line.gnum]), plain(left))
    return None


def _returned(draft: Draft, part: ReturnPart) -> None:
    """Give back year and tax of what returns; all of it back ends the parcel, a part leaves a smaller bill."""
    inventory, bill = draft.inventory, draft.bill
    assert inventory is not None
    gone = returned_quantities((*draft.returns, part))
    whole = all(gone.get(line.gnum, ZERO) >= line.qty for line in inventory.lines)
    if bill is not None:
        remaining = None if whole else _remaining(draft, inventory, bill, part)
        restored = _restored_fen(draft.hold, bill, remaining)
        inventory = _rebill(draft, inventory, bill, remaining)
        if draft.hold is not None and "returned" in draft.view["quota.restore_on"]:
            draft.keep_of_year(part.preNo, _left_of_year(draft.hold, inventory, part, restored, whole=whole))
    if whole:
        inventory = draft.said(inventory, status=states.advance("inventory", inventory.status, states.SENT_BACK))
        draft.names.append("all returned")
    else:
        draft.names.append("part returned")
    draft.inventory = inventory


def _left_of_year(hold: Hold, inventory: InventoryPart, part: ReturnPart, restored_fen: int, *, whole: bool) -> Hold:
    """What the buyer's year still holds after a return."""
    if whole:
        return Hold(hold.buyer, hold.year, 0, (), hold.full)
    back = allowance.given_back(hold, inventory, part)
    goods = tuple([replace(one, amount=one.amount - back.get(one.hs8, 0)) for one in hold.goods])
    return Hold(hold.buyer, hold.year, hold.amount_fen - restored_fen, goods, hold.full)


def _remaining(draft: Draft, inventory: InventoryPart, bill: Bill, part: ReturnPart) -> tuple[BillLine, ...]:
    """The bill's lines for what is left, each amount in proportion to the quantity, to the fen."""
    before = returned_quantities(draft.returns)
    back: dict[int, Decimal] = {}
    for sent in part.lines:
        back[sent.gnum] = back.get(sent.gnum, ZERO) + sent.qty
    quantity = {line.gnum: line.qty for line in inventory.lines}
    left = []
    for line in bill.lines:
        had = quantity[line.gnum] - before.get(line.gnum, ZERO)
        keeps = had - back.get(line.gnum, ZERO)
        if keeps <= 0:
            continue

        def of(amount: Decimal, keeps: Decimal = keeps, had: Decimal = had) -> Decimal:
            return amount if keeps == had else (amount * keeps / had).quantize(FEN, ROUND_HALF_UP)

        left.append(BillLine(line.gnum, line.gcode, of(line.dutiable), of(line.duty), of(line.vat),
                             of(line.consumption)))
    return tuple(left)


def _restored_fen(hold: Hold | None, bill: Bill, remaining: tuple[BillLine, ...] | None) -> int:
    """What the year gets back: of what it holds, the share that the returned goods have in the dutiable value."""
    was = sum((line.dutiable for line in bill.lines), ZERO)
    kept = sum((line.dutiable for line in remaining or ()), ZERO)
    if hold is None or not was:
        return 0
    return int((hold.amount_fen * (was - kept) / was).quantize(Decimal(1), ROUND_HALF_UP))


def _rebill(
    draft: Draft, inventory: InventoryPart, bill: Bill, remaining: tuple[BillLine, ...] | None
) -> InventoryPart:
    """818 void for the old bill; 816 for what is left, under a new number."""
    said = max(draft.now, inventory.said + 1, bill.said + 1)
    void = Bill(bill.taxNo, "3", bill.duty, bill.vat, bill.consumption, bill.lines, bill.made_at, said, bill.entDutyNo)
    draft.tell_bill_state(inventory, void, said)
    draft.postings.extend(books.bill_postings(bill, inventory.assureCode, sign=-1))
    draft.bill = void
    if remaining:
        said += 1
        day = day8(draft.view.day)
        number = draft.facts.numbers.next(f"tax/{inventory.customsCode}/{day}")
        draft.bill = Bill(
            f"TX{inventory.customsCode}{day}{number:08d}", "1",
            sum((x.duty for x in remaining), ZERO), sum((x.vat for x in remaining), ZERO),
            sum((x.consumption for x in remaining), ZERO), remaining, bill.made_at, said)
        draft.tell_bill(inventory, draft.bill, said)
        draft.postings.extend(books.bill_postings(draft.bill, inventory.assureCode))
        if bill.status == "2":
            draft.timers.append(summary_timer(draft, wait_days=0))
    return draft.said(inventory, said=said)

