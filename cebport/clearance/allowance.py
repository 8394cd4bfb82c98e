"""What a person may have of some goods in a year (每人每年限量): a remark of the positive list, counted.

Each buyer, year and line of the list has an account of its own beside the one in money; amounts are whole
hundred-thousandths of the remark's unit, as fine as a quantity in a message.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from cebport.clearance.parts import GoodsHold, Hold, InventoryPart, Line, ReturnPart

UNITS_A_QUANTITY = 100_000


class Asked(NamedTuple):
    """What an inventory takes of one line of the list: its first goods line, and the most a person may have a year."""

    hs8: str
    gnum: int
    amount: int
    most: int
    unit: str


@lru_cache(maxsize=4096)
def account_of(buyer: bytes, hs8: str) -> bytes:
    """The account (16 bytes) of a buyer's keyed hash and a line of the list."""
    return blake2b(hs8.encode(), digest_size=16, key=buyer).digest()


def counted_lines(inventory: InventoryPart, view: Any) -> Iterable[str]:
    """The lines of the list (8 digits) of an inventory's goods that have a quantity a person and year."""
    counted = view.counted
    if not counted:
        return ()
    return dict.fromkeys(line.gcode[:8] for line in inventory.lines if line.gcode[:8] in counted)


def measured(line: Line, unit: str) -> int | None:
    """How much of the unit a line has; None when it is given in none of its units."""
    for code, quantity in ((line.unit1, line.qty1), (line.unit2, line.qty2), (line.unit, line.qty)):
        if code == unit and quantity is not None:
            return int((quantity * UNITS_A_QUANTITY).to_integral_value(ROUND_HALF_UP))
    return None


def asked(inventory: InventoryPart, view: Any) -> list[Asked]:
    """What the inventory takes, by line of the list; goods that give no quantity in its unit are not in it."""
    if not view.counted:
        return []
    sums: dict[str, Asked] = {}
    for line in inventory.lines:
        hs8 = line.gcode[:8]
        if hs8 not in view.counted:
            continue
        row = view.listed(line.gcode, inventory.tradeMode).row
        amount = measured(line, row.unit)
        if amount is not None:
            held = sums.get(hs8)
            most = int(row.quantity * UNITS_A_QUANTITY)
            sums[hs8] = Asked(hs8, held.gnum if held else line.gnum, amount + (held.amount if held else 0), most,
                              row.unit)
    return list(sums.values())


def holds(buyer: bytes, wanted: Iterable[Asked]) -> tuple[GoodsHold, ...]:
    """What the buyer's year holds from now on."""
    return tuple([GoodsHold(one.hs8, account_of(buyer, one.hs8), one.amount, one.unit) for one in wanted])


def given_back(hold: Hold, inventory: InventoryPart, part: ReturnPart) -> dict[str, int]:
    """Line of the list -> what a return of some goods gives back of it, in proportion to the quantity."""
    lines = {line.gnum: line for line in inventory.lines}
    back: dict[str, int] = {}
    for held in hold.goods:
        for gone in part.lines:
            line = lines[gone.gnum]
            amount = measured(line, held.unit) if line.gcode[:8] == held.hs8 else None
            if amount and line.qty:
                share = (Decimal(amount) * gone.qty / line.qty).to_integral_value(ROUND_HALF_UP)
                back[held.hs8] = min(held.amount, back.get(held.hs8, 0) + int(share))
    return back
