"""Retail parcels and the account book that they sell out of (零售清单与账册): what a step of a parcel asks of its book.

The walk calls ``stock_stop`` before it releases, and ``acts_of`` with the parcel before and after each step. A book
that this window does not keep is nobody's business here: such parcels go their way as before.
"""

from __future__ import annotations

from typing import Any

from cebport.clearance import states, stock
from cebport.clearance.bonded.acts import GiveBack, Sell, TakeOff
from cebport.clearance.bonded.sales import sale_reasons
from cebport.clearance.parts import Case, InventoryPart, Line, Reason
from cebport.clearance.stock import Goods, Sale, SaleLine

SHIPPED_BACK = 700
RELEASED = frozenset({states.RELEASED_800, states.CLOSED_899})
ENDED = frozenset({states.REFUSED_100, states.GONE_BACK, SHIPPED_BACK})


def sells(inventory: InventoryPart, held: Any, view: Any) -> bool:
    """Whether the inventory sells out of a book that is kept here."""
    return bool(inventory.emsNo) and inventory.tradeMode in (view.get("bonded.sale_modes") or ()) and held.get(
        "books", inventory.emsNo) is not None


def sell_of(inventory: InventoryPart, held: Any) -> Sell:
    """What the inventory takes of its book; a line whose item nobody knows has item 0."""
    lines, goods = [], []
    for line in inventory.lines:
        item = held.item_of(inventory.emsNo, line.itemRecordNo)
        lines.append(SaleLine(line.gnum, item, _units(line.qty), _units(line.qty1), _units(line.qty2), line.total,
                              line.country))
        goods.append(_goods(line))
    sale = Sale(inventory.invtNo, inventory.emsNo, inventory.areaCode, inventory.customsCode, tuple(lines))
    return Sell(sale, tuple(goods))


def _units(quantity: Any) -> int:
    return (stock.units(quantity) or 0) if quantity is not None else 0


def _goods(line: Line) -> Goods:
    return Goods(line.itemRecordNo, line.gcode, line.name, "", line.country, line.unit, line.unit1, line.unit2)


def stock_stop(inventory: InventoryPart, held: Any, view: Any) -> list[Reason]:
    """Why the book cannot give what the inventory sells: the walk holds it. [] = it can, or the book is not ours."""
    if not sells(inventory, held, view):
        return []
    asked = sell_of(inventory, held)
    return sale_reasons(asked.sale, asked.goods, held)


def acts_of(before: Case | None, after: Case, held: Any, view: Any) -> list[Any]:
    """What a step of a parcel does to its book: reserve at the release (or, as the row says, when it is stored), take
    off when it ends without leaving, give back what a return approved."""
    inventory = after.inventory
    if inventory is None or not inventory.invtNo or not sells(inventory, held, view):
        return []
    acts: list[Any] = []
    sold = held.get("sales", inventory.invtNo) is not None
    if not sold and inventory.status not in ENDED and (
            inventory.status in RELEASED or view.get("bonded.reserve_at") == "stored"):
        acts.append(sell_of(inventory, held))
        sold = True
    if sold and inventory.status in ENDED:
        held_before = before.inventory if before is not None else None
        if held_before is None or held_before.status not in ENDED:
            acts.append(TakeOff(inventory.invtNo, inventory.invtNo))
    done = {one.preNo for one in (before.returns if before is not None else ()) if one.status == states.CONCLUDED}
    if sold:
        for one in after.returns:
            if one.status == states.CONCLUDED and one.preNo not in done and one.invtNo == inventory.invtNo:
                acts.append(GiveBack(inventory.invtNo, one.preNo,
                                     tuple([(line.gnum, _units(line.qty)) for line in one.lines])))
    return acts
