"""The books: postings, what a hold and a bill post, what comes back; nothing twice, nothing below zero."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from world import PLAIN, Port, item, papers, rows, value_papers

from cebport.clearance import books
from cebport.clearance.parts import Bill, BillLine, GoodsHold, Hold, Posting

BUYER = bytes(range(16))
HOLD = Hold(BUYER, 2026, 300_00)
ACCOUNT = f"quota/2026/{BUYER.hex()}"


def bill_of(*lines: tuple[str, str, str], number: str = "TX1") -> Bill:
    made = tuple(BillLine(n, "1", Decimal(100), *(Decimal(x) for x in one)) for n, one in enumerate(lines, 1))
    return Bill(number, "1", sum((x.duty for x in made), Decimal(0)), sum((x.vat for x in made), Decimal(0)),
                sum((x.consumption for x in made), Decimal(0)), made, 1, 1)


# ── one posting ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("amount", "fen"), [("0", 0), ("0.01", 1), ("27.3", 2730), ("26000.00", 2600000),
                                             ("-3.5", -350), ("1E+2", 10000)])
def test_cny_becomes_fen(amount: str, fen: int) -> None:
    assert books.to_fen(Decimal(amount)) == fen


@pytest.mark.parametrize("amount", ["0.001", "27.305", "1E-3"])
def test_a_part_of_a_fen_is_our_own_mistake(amount: str) -> None:
    with pytest.raises(AssertionError, match="no whole number of fen"):
        books.to_fen(Decimal(amount))


def test_a_hold_takes_of_the_year() -> None:
    assert books.hold_postings("I1", HOLD) == (Posting("I1", 0, "quota", ACCOUNT, 300_00),)
    with pytest.raises(AssertionError):
        books.hold_postings("I1", Hold(BUYER, 2026, -1))


def test_what_comes_back_is_at_most_what_is_held() -> None:
    left = Hold(BUYER, 2026, 200_00)
    assert books.restore_postings("T1", HOLD, left) == (Posting("T1", 0, "quota_back", ACCOUNT, -100_00),)
    for amount in (300_01, -1):
        with pytest.raises(AssertionError, match="restores"):
            books.restore_postings("T1", HOLD, Hold(BUYER, 2026, amount))
    with_goods = Hold(BUYER, 2026, 0, (GoodsHold("10063020", b"a" * 16, 500, "035"),))
    account = f"quota/2026/{(b'a' * 16).hex()}"
    assert books.hold_postings("I1", with_goods) == (Posting("I1", 1, "quantity", account, 500),)
    assert books.restore_postings("T1", with_goods, Hold(BUYER, 2026, 0)) == (
        Posting("T1", 1, "quantity_back", account, -500),)


def test_a_bill_posts_each_line_and_tax_and_voids_the_same() -> None:
    bill = bill_of(("0", "9.10", "0"), ("6.00", "13.78", "1.20"))
    made = books.bill_postings(bill, "9133")
    assert made == (
        Posting("TX1", 1, "vat", "tax/9133", 910), Posting("TX1", 2, "duty", "tax/9133", 600),
        Posting("TX1", 2, "vat", "tax/9133", 1378), Posting("TX1", 2, "consumption", "tax/9133", 120))
    back = books.bill_postings(bill, "9133", sign=-1)
    assert [(p.document, p.line, p.kind.removesuffix("_void"), -p.amount_fen) for p in back] == [
        (p.document, p.line, p.kind, p.amount_fen) for p in made]
    keys = [(p.document, p.line, p.kind) for p in (*made, *back)]
    assert len(set(keys)) == len(keys), "a void is a posting of its own, not a second one of the bill"
    assert books.bill_postings(bill_of(("0", "0", "0")), "9133") == ()
    assert {p.kind for p in made} <= set(books.TAX_KINDS)


# ── postings of parcels ─────────────────────────────────────────────────────────────────────────────────


def posted(port: Port) -> list[tuple[str, int]]:
    return [(posting.kind, posting.amount_fen) for posting in port.postings]


def test_a_good_parcel_posts_its_hold_and_its_tax() -> None:
    port = Port()
    made = papers()
    port.send(*made.four()[:3])
    assert not port.postings
    port.send(made.inventory)
    case = port.case(made)
    assert port.postings == [
        Posting(case.inventory.invtNo, 0, "quota",
                f"quota/2026/{made.inventory.buyerIdNumber.hash.hex()}", 300_00),
        Posting(case.bill.taxNo, 1, "vat", f"tax/{made.inventory.assureCode}", 27_30)]
    port.check()


def test_a_refused_parcel_posts_nothing() -> None:
    port = Port()
    port.send(*papers().with_({"payment.payerName": "欧阳测试"}).four())
    assert not port.postings and not port.quota
    port.check()


def test_a_parcel_taxed_in_full_before_2019_takes_nothing_of_the_year() -> None:
    port = Port(at="2018-06-01T09:00:00")
    made = value_papers("2000.01", at="2018-06-01T08:59:00")
    port.send(*made.four())
    assert port.case(made).hold.full and port.case(made).hold.amount_fen == 0 and not port.quota
    assert {kind for kind, _ in posted(port)} == {"duty", "vat"}
    port.send(port.give_back(made))
    assert port.case(made).state == "returned" and sum(port.posted("tax/").values()) == 0
    port.check()


def test_cancel_and_new_declaration_post_under_numbers_of_their_own() -> None:
    port = Port(rows({"duty.tally": True}))
    made = papers()
    port.send(*made.four())
    first = port.case(made).inventory.invtNo
    port.send(port.cancel(made))
    port.send(replace(made.inventory, guid="F" * 36, appTime="20261124100000"))
    second = port.case(made).inventory.invtNo
    assert [(p.document, p.kind, p.amount_fen) for p in port.postings] == [
        (first, "quota", 300_00), (first, "quota_back", -300_00), (second, "quota", 300_00)]
    port.send(port.cancel(made, copNo="C-SECOND"))
    assert port.spent(made) == 0
    port.check()


RETURNS: list[tuple[str, list[dict[int, int]], list[str], list[str]]] = [
    # name, quantities returned one after the other, what the year holds after each, what is owed after each
    ("one of three, one of three, one of three", [{1: 1}, {1: 1}, {1: 1}], ["200.01", "100.01", "0"],
     ["18.20", "9.10", "0"]),
    ("all at once", [{1: 3}], ["0"], ["0"]),
    ("two, then one", [{1: 2}, {1: 1}], ["100", "0"], ["9.10", "0"]),
]


@pytest.mark.parametrize(("name", "quantities", "held", "owed"), RETURNS, ids=[row[0] for row in RETURNS])
def test_returns_give_back_in_proportion(
    name: str, quantities: list[dict[int, int]], held: list[str], owed: list[str]
) -> None:
    port = Port()
    made = papers(basket=(item(PLAIN, "100", 3),))
    if name.startswith("one of three"):
        made = made.with_({f"{part}.lines": {1: {"total": "300.02"}} for part in ("order", "inventory")})
    port.send(*made.four())
    for at, (asked, year, tax) in enumerate(zip(quantities, held, owed, strict=True)):
        back = port.give_back(made, {n: Decimal(q) for n, q in asked.items()}, copNo=f"T{at}")
        port.send(replace(back, guid=f"{at}" * 36))
        assert port.case(made).state in ("closed", "returned")
        assert (port.spent(made), sum(port.posted("tax/").values())) == (Decimal(year), Decimal(tax) * 100)
        port.check()
    assert port.case(made).state == "returned" and port.said("818") == ["3"] * len(quantities)
    assert port.said("816") == ["1"] * len(quantities)


def test_freight_goes_back_with_its_goods() -> None:
    """A returned line takes its share of freight and insurance out of the year and the bill."""
    from cebport.testing.builders import Fees

    port = Port()
    made = papers(basket=(item(PLAIN, "100", 1), item("1901101090", "200", 1)), fees=Fees(1000, 200))
    port.send(*made.four())
    assert port.spent(made) == 312
    dutiable = [one.dutiable for one in port.case(made).bill.lines]
    assert dutiable == [Decimal("104.00"), Decimal("208.00")]
    port.send(port.give_back(made, {1: Decimal(1)}))
    assert port.spent(made) == 208 and [one.gnum for one in port.case(made).bill.lines] == [2]
    assert port.case(made).bill.total == Decimal("18.93")
    port.send(port.give_back(made, {2: Decimal(1)}, copNo="SECOND", guid="F" * 36))
    assert port.spent(made) == 0 and port.case(made).state == "returned"
    port.check()


def test_two_lines_of_a_return_for_the_same_goods_count_together() -> None:
    port = Port()
    made = papers(basket=(item(PLAIN, "100", 3),))
    port.send(*made.four())
    back = port.give_back(made, {1: Decimal(2)})
    twice = replace(back, lines=(*back.lines, replace(back.lines[0], qty=Decimal(2))))
    port.send(twice)
    assert port.said("626")[-1] == "-625209" and port.case(made).state == "closed"
    fits = replace(back, lines=(back.lines[0], replace(back.lines[0], qty=Decimal(1))), guid="F" * 36)
    port.send(fits)
    assert port.case(made).state == "returned" and port.spent(made) == 0
    port.check()


def test_the_guarantor_owes_the_living_bills_of_all_parcels() -> None:
    port = Port()
    made = [value_papers("100", n, buyer=n) for n in range(1, 11)]
    for one in made:
        port.send(*one.four())
    account = f"tax/{made[0].inventory.assureCode}"
    assert port.posted("tax/") == {account: 91_00}
    for one in made[:4]:
        port.send(port.give_back(one))
    assert port.posted("tax/")[account] == 54_60
    port.wait(days=31)
    assert port.posted("tax/")[account] == 54_60, "a summary collects, it does not change what is owed"
    numbers = {port.case(one).bill.entDutyNo for one in made[4:]}
    assert len(numbers) == 1 and 0 < len(numbers.pop()) <= 50, "one payment number a guarantor, day and port"
    port.check()


def test_a_small_refusal_of_the_year_takes_nothing() -> None:
    """Refused by the limit: the year stays as it was, and what still fits passes."""
    port = Port()
    made: list[Any] = [value_papers("5000", n, buyer=7) for n in range(1, 7)]
    for one in made[:5]:
        port.send(*one.four())
    assert port.spent(made[0]) == 25000
    port.send(*made[5].four())
    assert port.case(made[5]).state == "refused" and port.spent(made[0]) == 25000
    small = value_papers("1000", 9, buyer=7)
    port.send(*small.four())
    assert port.case(small).state == "closed" and port.spent(made[0]) == 26000
    port.check()
