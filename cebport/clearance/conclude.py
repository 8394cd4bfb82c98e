"""When every document is there: match, law, limits, tax, release, bill, close (比对、审核、征税、放行).

A match that fails refuses the inventory alone: order, payment and waybill stay with customs and may be
changed, or used by a new inventory. What passes is stored (120), released (800), billed (816) and closed
(899) in this order; a row of the law may stop it on the way (tally, missing rate).
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from msgspec.structs import replace

from cebport.clearance import allowance, books, states, tax
from cebport.clearance.draft import Draft, day8, law_source
from cebport.clearance.match import DOCUMENT_NAMES, match, tax_total
from cebport.clearance.match import codes as match_codes
from cebport.clearance.parts import Bill, Hold, InventoryPart, PaymentPart, Reason, WaybillPart
from cebport.clearance.receipts import info_of, words
from cebport.clearance.taking import timer_in
from cebport.faults import ERROR, INFO, WARNING
from cebport.values import plain

YEAR_RULE, YEAR_CODE = "LAW-LIMIT-YEAR", "1313"
ALL_DOCUMENTS = ("order", "payment", "waybill")
LIST_TOPIC = "positive_list.edition"
NO_REMARK_BROKEN = frozenset({"listed", "not_required"})
REMARKS_KEPT = frozenset({"", "bonded_only"})
"""Remarks that the goods code and the mode settle: a listed line with another one is told."""


def conclude(draft: Draft) -> None:
    """Decide the inventory if it waits and all that the place asks for is there; else leave it waiting."""
    inventory = draft.inventory
    if inventory is None or inventory.status != states.SENT:
        return
    law = draft.law_of(inventory, "clearance.law_day")
    needed = documents_needed(law, inventory.tradeMode)
    payment = _payment(draft) if "payment" in needed else None
    waybill = draft.waybill_part if "waybill" in needed else None
    order = draft.order
    if order is None or order.status not in DECLARED:
        return
    if "payment" in needed and payment is None:
        return
    if "waybill" in needed and (waybill is None or waybill.status not in DECLARED):
        return
    reasons = match(order, payment, waybill, inventory, law.practice)
    if law.mode(inventory.tradeMode) is None:
        topic = f"mode.{inventory.tradeMode}"
        reasons.append(Reason("LAW-MODE", ERROR, "CEB621/tradeMode", inventory.tradeMode, f"{law.place} {law.day}",
                              law_source(law, topic) if topic in law else ""))
    goods = allowance.asked(inventory, law)
    listing_reasons(law, inventory, {one.hs8 for one in goods}, reasons)
    quantity_reasons(draft, law, inventory, goods, reasons)
    value = tax.limit_value(inventory.lines, inventory.freight, inventory.insuredFee, law)
    treated = tax.treatment(inventory.lines, value, draft.facts.spent_fen, law)
    if treated.action == tax.REFUSE:
        reasons.append(limit_reason(treated, law))
    if reasons:
        draft.why.extend(reasons)
        if any(reason.severity == ERROR for reason in reasons):
            refuse_inventory(draft, inventory, reasons)
            return
    store(draft, inventory, payment, waybill)
    hold_year(draft, law, goods, value, treated)
    if waits_for_tally(draft, inventory):
        draft.names.append("waits for tally")
        return
    release(draft)


def documents_needed(view: Any, mode: str) -> tuple[str, ...]:
    """Which documents the inventory waits for and is matched with: the practice's, else the law's of the mode."""
    return view.practice.get("documents") or view.get("duty.documents." + mode) or ALL_DOCUMENTS


def absent_documents(draft: Draft, inventory: InventoryPart) -> list[str]:
    """The messages that the inventory still waits for."""
    needed = documents_needed(draft.view, inventory.tradeMode)
    waybill = draft.waybill_part
    there = {
        "order": draft.order is not None and draft.order.status in DECLARED,
        "payment": "payment" not in needed or _payment(draft) is not None,
        "waybill": "waybill" not in needed or (waybill is not None and waybill.status in DECLARED),
    }
    return [DOCUMENT_NAMES[name] for name in ALL_DOCUMENTS if not there[name]]


DECLARED = frozenset({states.SENT, states.STORED})


def _payment(draft: Draft) -> PaymentPart | None:
    """The payment of the order: the one that it names.

    A payment that fits neither the company nor the number that the order names is a stranger's and is not looked at;
    one that fits only one of them is (the match tells the difference). An order that names none takes the first.
    """
    living = [p for p in draft.payments if p.status in DECLARED]
    order = draft.order
    if not living or order is None:
        return None
    number, company = order.payTransactionId, order.payCode
    if not number and not company:
        return living[0]

    def fit(payment: PaymentPart) -> int:
        return (number == payment.payTransactionId and 2) + (company == payment.payCode and 1)

    best = max(living, key=fit)
    return best if fit(best) else None


def listing_reasons(law: Any, inventory: InventoryPart, counted: set[str], reasons: list[Reason]) -> None:
    """The positive list (正面清单): absence from a full edition refuses, from a loaded sample only warns.

    A remark that the goods code cannot answer (some goods only, a quantity that the line does not give) is told, for
    people to look; ``counted`` are the lines of the list whose quantity is looked at.
    """
    for line in inventory.lines:
        listing = law.listed(line.gcode, inventory.tradeMode)
        if listing.state in NO_REMARK_BROKEN and listing.remark_kind in REMARKS_KEPT:
            continue
        path = f"CEB621/gnum={line.gnum}/gcode"
        if listing.state == "absent":
            severity = ERROR if listing.complete else WARNING
            reasons.append(Reason("LAW-LIST-ABSENT", severity, path, line.gcode, listing.edition,
                                  law_source(law, LIST_TOPIC)))
        elif line.gcode[:8] not in counted:
            severity = INFO if listing.state == "listed" else ERROR
            reasons.append(Reason("LAW-LIST-REMARK", severity, path, line.gcode,
                                  f"{listing.remark or listing.remark_kind} {listing.edition}",
                                  law_source(law, LIST_TOPIC)))


def quantity_reasons(draft: Draft, law: Any, inventory: InventoryPart, goods: list[allowance.Asked],
                     reasons: list[Reason]) -> None:
    """A quantity a person and year (每人每年限量): over it the inventory is refused; a mere sample only warns."""
    for one in goods:
        held = draft.facts.counted.get(one.hs8, 0)
        if held + one.amount <= one.most:
            continue
        listing = law.listed(one.hs8, inventory.tradeMode)
        shown = [plain(Decimal(amount) / allowance.UNITS_A_QUANTITY) for amount in (held, one.amount, one.most)]
        reasons.append(Reason(
            "LAW-LIST-QUANTITY", ERROR if listing.complete else WARNING, f"CEB621/gnum={one.gnum}/gcode",
            f"{one.hs8} {shown[0]} + {shown[1]}", f"{shown[2]} [{one.unit}] {listing.edition}",
            law_source(law, LIST_TOPIC)))


def limit_reason(treated: tax.Treatment, view: Any) -> Reason:
    """The limit that refuses: the value (for the year: what it already holds + the value) and the limit."""
    value = plain(treated.value)
    found = f"{plain(treated.spent)} + {value}" if treated.rule == YEAR_RULE else value
    return Reason(treated.rule, ERROR, "CEB621", found, plain(treated.limit),
                  law_source(view, tax.limit_topic(treated.rule, view)))


def refusal_codes() -> dict[str, str]:
    """Rule -> inner code for returnInfo."""
    return {**match_codes(), YEAR_RULE: YEAR_CODE}


def refuse_inventory(draft: Draft, inventory: InventoryPart, reasons: list[Reason]) -> None:
    """退单: 100 with every reason; the waybill is free again, the other documents stay as they are.

    Refused after it was stored, it gives back the buyer's year and its documents.
    """
    inventory = say(draft, "inventory", inventory, states.REFUSED_100, info_of(reasons, refusal_codes()))
    draft.inventory = inventory
    give_back_year(draft, inventory.invtNo, "refused")
    free_documents(draft)
    draft.names.append("inventory refused by customs")


def give_back_year(draft: Draft, document: str, cause: str) -> None:
    """The buyer's year gets back all that the inventory holds of it (恢复额度), where the law says so of the cause."""
    hold = draft.hold
    if hold is not None and (hold.amount_fen or hold.goods) and cause in draft.view["quota.restore_on"]:
        draft.keep_of_year(document, Hold(hold.buyer, hold.year, 0, (), hold.full))


def say(draft: Draft, kind: str, part: Any, status: int, info: str | None = None, **changes: Any) -> Any:
    """The part one state further, with its receipt, later than the one before it."""
    said = part.said + 1
    if said < draft.now:
        said = draft.now
    part = replace(part, status=states.advance(kind, part.status, status), said=said, **changes)
    code, text = _said_text(kind, status)
    draft.tell(part, code, status, said, info or text)
    return part


@cache
def _said_text(kind: str, status: int) -> tuple[str, str]:
    return str(status), words()[kind].get(str(status), "")


def store(draft: Draft, inventory: InventoryPart, payment: PaymentPart | None, waybill: WaybillPart | None) -> None:
    """120: the declaration gets its number, the three documents are used."""
    year = draft.view.day.year
    number = draft.facts.numbers.next(f"invt/{inventory.customsCode}/{year}")
    draft.inventory = say(draft, "inventory", inventory, states.STORED,
                          invtNo=f"{inventory.customsCode}{year}I{number:09d}")
    draft.order = say(draft, "order", draft.order, states.STORED)
    if payment is not None:
        stored = say(draft, "payment", payment, states.STORED)
        draft.payments = tuple([stored if p is payment else p for p in draft.payments])
    if waybill is not None:
        draft.waybill_part = say(draft, "waybill", waybill, states.STORED)
    draft.names.append("matched")


def hold_year(draft: Draft, law: Any, goods: list[allowance.Asked], value: Decimal, treated: tax.Treatment) -> None:
    """The buyer's year holds the value and the counted goods from now on, or the value only from the release on."""
    inventory, full = draft.inventory, treated.action != tax.INSIDE
    assert inventory is not None
    if draft.view["quota.consume_at"] == "stored":
        take_year(draft, law, goods, value, full=full)
    else:
        draft.hold = Hold(inventory.buyerIdNumber.account, draft.view.day.year, 0, (), full)
    if full:
        draft.why.append(Reason("LAW-FULL-TAX", INFO, "CEB621", plain(treated.value), plain(treated.limit),
                                law_source(law, "tax.over_limit")))


def take_year(draft: Draft, law: Any, goods: list[allowance.Asked], value: Decimal, *, full: bool) -> None:
    """The buyer's year of today takes value and counted goods; a value taxed in full only where the law counts it."""
    inventory = draft.inventory
    assert inventory is not None
    amount = books.to_fen(value) if not full or law["tax.over_limit"]["counts_in_year"] else 0
    buyer = inventory.buyerIdNumber.account
    draft.hold_year(inventory.invtNo, Hold(buyer, draft.view.day.year, amount, allowance.holds(buyer, goods), full))


def hold_released(draft: Draft) -> bool:
    """What was stored without taking of the year takes it now; False and refused when it no longer fits.

    The hold says whether it was taken, whatever the row says today.
    """
    inventory, hold = draft.inventory, draft.hold
    if inventory is None or hold is None or hold.amount_fen or hold.goods or hold.full is None:
        return True
    law = draft.law_of(inventory, "clearance.law_day")
    value = tax.limit_value(inventory.lines, inventory.freight, inventory.insuredFee, law)
    treated = tax.treatment(inventory.lines, value, draft.facts.spent_fen, law)
    goods = allowance.asked(inventory, law)
    reasons: list[Reason] = []
    quantity_reasons(draft, law, inventory, goods, reasons)
    if treated.action == tax.REFUSE:
        reasons.append(limit_reason(treated, law))
    draft.why.extend(reasons)
    if any(reason.severity == ERROR for reason in reasons):
        refuse_inventory(draft, inventory, reasons)
        return False
    take_year(draft, law, goods, value, full=treated.action != tax.INSIDE)
    return True


def taxed_in_full(draft: Draft, inventory: InventoryPart) -> bool:
    """Whether the limits sent the inventory to full taxation. What its hold does not say (records of before it was
    kept) is worked out again: what holds nothing of the year was over it; of what does hold, its own value decides."""
    hold = draft.hold
    if hold is None or hold.full is not None:
        return hold is None or bool(hold.full)
    law = draft.law_of(inventory, "clearance.law_day")
    value = tax.limit_value(inventory.lines, inventory.freight, inventory.insuredFee, law)
    spent_fen = draft.facts.spent_fen - hold.amount_fen if hold.year == draft.view.day.year else 0
    return tax.treatment(inventory.lines, value, max(spent_fen, 0), law).action != tax.INSIDE


def waits_for_tally(draft: Draft, inventory: InventoryPart) -> bool:
    """Whether the place holds a direct parcel until its tally says it arrived (by default no row does)."""
    view = draft.view
    return bool(view["duty.tally"]) and inventory.tradeMode in (view["duty.tally_modes"] or ()) and not draft.arrived


def release(draft: Draft) -> None:
    """800 with the bill (816), and 899 at once where no day lies between. A row names the day whose rates hold."""
    if not hold_released(draft):
        return
    inventory = draft.inventory
    assert inventory is not None
    made = tax.assess(inventory.lines, inventory.freight, inventory.insuredFee, draft.law_of(inventory, "tax.rate_day"),
                      full=taxed_in_full(draft, inventory))
    draft.why.extend(made.reasons)
    if made.missing:
        draft.inventory = say(draft, "inventory", inventory, states.REVIEW)
        draft.names.append("waits for a rate")
        return
    if draft.order is not None:
        off = tax_total(draft.order, made.total, draft.view.practice)
        if off is not None:
            draft.why.append(off)
    if draft.view.practice.get("emit_399"):
        inventory = say(draft, "inventory", inventory, states.CONCLUDED)
    inventory = say(draft, "inventory", inventory, states.RELEASED_800)
    draft.released_at = inventory.said
    draft.names.append("released")
    draft.inventory = bill(draft, inventory, made)
    close_days = int(draft.view.get("clearance.close_days") or 0)
    if close_days == 0:
        close(draft)
    else:
        draft.timers.append(timer_in("close", draft, close_days))


def bill(draft: Draft, inventory: InventoryPart, made: tax.Assessment) -> InventoryPart:
    """816, also for zero tax: what the guarantor owes, and the day on which it will be summarised."""
    said = inventory.said + 1
    day = day8(draft.view.day)
    number = draft.facts.numbers.next(f"tax/{inventory.customsCode}/{day}")
    draft.bill = Bill(f"TX{inventory.customsCode}{day}{number:08d}", "1", made.duty, made.vat, made.consumption,
                      made.lines, said, said)
    draft.tell_bill(inventory, draft.bill, said)
    draft.postings.extend(books.bill_postings(draft.bill, inventory.assureCode))
    draft.timers.append(summary_timer(draft))
    draft.names.append("billed")
    return draft.said(inventory, said=said)


def summary_timer(draft: Draft, wait_days: int | None = None) -> Any:
    """The first summary day after the waiting days (汇总征税): daily, half month or month by the row."""
    view = draft.view
    waits = int(view["collect.wait_days"]) if wait_days is None else wait_days
    return timer_in("collect", draft, days_to_summary(view.day, waits, view.get("collect.summary") or "daily"))


@lru_cache(maxsize=256)
def days_to_summary(today: date, wait_days: int, rhythm: str) -> int:
    """Days from the release to the summary of its bill."""
    day = today + timedelta(days=wait_days + 1)
    first_of_next = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    if rhythm == "half_month" and day.day not in (1, 16):
        day = day.replace(day=16) if day.day < 16 else first_of_next
    elif rhythm == "month" and day.day != 1:
        day = first_of_next
    return (day - today).days


def close(draft: Draft) -> None:
    """899: nothing more is expected of the parcel."""
    assert draft.inventory is not None
    draft.inventory = say(draft, "inventory", draft.inventory, states.CLOSED_899)
    draft.closed_at = draft.inventory.said
    draft.names.append("closed")


def free_documents(draft: Draft) -> None:
    """After a cancel or a refusal: order, payments and waybill are no longer used and may go into a new inventory."""
    if draft.order is not None and draft.order.status == states.STORED:
        draft.order = draft.said(draft.order, status=states.advance("order", states.STORED, states.SENT))
    draft.payments = tuple(
        draft.said(p, status=states.SENT) if p.status == states.STORED else p for p in draft.payments)
    if draft.waybill_part is not None and draft.waybill_part.status == states.STORED:
        draft.waybill_part = draft.said(draft.waybill_part, status=states.SENT)
    draft.link = ""

