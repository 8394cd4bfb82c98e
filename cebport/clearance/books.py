"""Append-only books (账簿): the buyer's year, the guarantor's tax. A correction is a posting of its own.

Postings are unique by (document, line, kind), so that running again posts nothing twice; amounts are
signed fen. The invariants asserted here stand again as CHECK constraints in the store.
"""

from __future__ import annotations

from decimal import Decimal

from cebport.clearance.parts import Bill, GoodsHold, Hold, Posting

QUOTA, QUOTA_BACK = "quota", "quota_back"
QUANTITY, QUANTITY_BACK = "quantity", "quantity_back"
TAX_KINDS = ("duty", "vat", "consumption")


def to_fen(amount: Decimal) -> int:
    """CNY to whole fen. The amount must already be rounded: a loss of money is our own mistake."""
    scaled = amount * 100
    whole = int(scaled)
    assert whole == scaled, f"{amount} is no whole number of fen"
    return whole


def quota_account(hold: Hold) -> str:
    """The account of a buyer's year: the person only as keyed hash."""
    return f"quota/{hold.year}/{hold.buyer.hex()}"


def goods_account(hold: Hold, goods: GoodsHold) -> str:
    """The account of a buyer's year of one line of the list; amounts in hundred-thousandths of its unit."""
    return f"quota/{hold.year}/{goods.account.hex()}"


def hold_postings(document: str, hold: Hold) -> tuple[Posting, ...]:
    """An inventory takes its value, and what it has of counted goods, from the buyer's year."""
    assert hold.amount_fen >= 0
    made = [Posting(document, 0, QUOTA, quota_account(hold), hold.amount_fen)] if hold.amount_fen else []
    for number, goods in enumerate(hold.goods, 1):
        made.append(Posting(document, number, QUANTITY, goods_account(hold, goods), goods.amount))
    return tuple(made)


def restore_postings(document: str, hold: Hold, left: Hold) -> tuple[Posting, ...]:
    """What goes back to the buyer's year, by which document; ``left`` is what stays held."""
    back = hold.amount_fen - left.amount_fen
    assert 0 <= back <= hold.amount_fen, f"{document}: restores {back} of {hold.amount_fen}"
    made = [Posting(document, 0, QUOTA_BACK, quota_account(hold), -back)] if back else []
    stays = {goods.hs8: goods.amount for goods in left.goods}
    for number, goods in enumerate(hold.goods, 1):
        gone = goods.amount - stays.get(goods.hs8, 0)
        assert 0 <= gone <= goods.amount, f"{document}: restores {gone} of {goods.amount}"
        if gone:
            made.append(Posting(document, number, QUANTITY_BACK, goods_account(hold, goods), -gone))
    return tuple(made)


def bill_postings(bill: Bill, assure_code: str, sign: int = 1) -> tuple[Posting, ...]:
    """The guarantor owes (or, with sign -1, no longer owes) the lines of a bill; zero amounts post nothing."""
    account = f"tax/{assure_code}"
    suffix = "" if sign > 0 else "_void"
    made = []
    for line in bill.lines:
        for kind, amount in (("duty", line.duty), ("vat", line.vat), ("consumption", line.consumption)):
            if amount:
                made.append(Posting(bill.taxNo, line.gnum, kind + suffix, account, sign * to_fen(amount)))
    return tuple(made)
