"""Append-only books (账簿): the buyer's year, the guarantor's tax. A correction is a posting of its own.

Postings are unique by (document, line, kind), so that running again posts nothing twice; amounts are
signed fen. The invariants asserted here stand again as CHECK constraints in the store.
"""

from __future__ import annotations

from decimal import Decimal

from cebport.clearance.parts import Bill, Hold, Posting

QUOTA, QUOTA_BACK = "quota", "quota_back"
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


def hold_postings(invt_no: str, hold: Hold) -> tuple[Posting, ...]:
    """An inventory takes its value from the buyer's year."""
    assert hold.amount_fen >= 0
    return (Posting(invt_no, 0, QUOTA, quota_account(hold), hold.amount_fen),)


def restore_postings(document: str, hold: Hold, amount_fen: int) -> tuple[Posting, ...]:
    """What goes back to the buyer's year, by which document."""
    assert 0 <= amount_fen <= hold.amount_fen, f"{document}: restores {amount_fen} of {hold.amount_fen}"
    return (Posting(document, 0, QUOTA_BACK, quota_account(hold), -amount_fen),)


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
