"""Three documents against the inventory: every link broken, in every order of arrival; the practices.

What breaks which link, and what a refusal must say, is in cases/match.yaml.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from world import Papers, Port, all_rules, changed, head_of, papers, rows, table, with_id

from cebport.clearance import match as matching
from cebport.clearance.conclude import refusal_codes
from cebport.clearance.match import line_differences, links, match
from cebport.clearance.parts import Blind
from cebport.clearance.receipts import catalog, explained
from cebport.policy import Policy

TABLE = table("match")
ORDERS = list(permutations(range(4)))


def broken(row: dict[str, Any]) -> Papers:
    return papers().with_(row["change"])


def value_of(made: Papers, field: str) -> str:
    """The value of ``CEB311/buyerName`` as a refusal shows it."""
    document, name = field.split("/")
    part = getattr(made, {"CEB311": "order", "CEB411": "payment", "CEB511": "waybill", "CEB621": "inventory"}[document])
    return matching.shown(getattr(part, name))


@pytest.mark.parametrize("row", TABLE["links"], ids=with_id("rule", "what"))
def test_every_link_broken_in_every_order(row: dict[str, Any]) -> None:
    made = broken(row)
    refused = row.get("severity", "error") == "error"
    ends = []
    for order in ORDERS:
        port = Port()
        four = made.four()
        port.send(*[four[at] for at in order])
        ends.append(port.canonical())
        case = port.case(made)
        assert case.state == ("refused" if refused else "closed")
        reasons = {reason.rule: reason for reason in port.why()}
        assert set(reasons) == {row["rule"], *row.get("also", ())}
        reason = reasons[row["rule"]]
        assert reason.severity == row.get("severity", "error")
        left, right = row["fields"]
        assert reason.path == f"{left} ≠ {right}"
        assert reason.found == (row["found"] if "found" in row else value_of(made, left))
        assert reason.expected == (row["expected"] if "expected" in row else value_of(made, right))
        fault = explained(reason)
        for words in (fault.message.zh, fault.message.en):
            assert left in words and right in words and reason.found in words and reason.expected in words
        assert fault.source and fault.remedy.zh and fault.remedy.en
        if refused:
            assert_refusal(port, made, reason, row)
        port.check()
    assert all(end == ends[0] for end in ends)


def assert_refusal(port: Port, made: Papers, reason: Any, row: dict[str, Any]) -> None:
    """Only the inventory is refused, with the code, both fields and both values; no personal value is told."""
    assert (port.said("312"), port.said("412"), port.said("512")) == (["2", "3"],) * 3
    assert port.said("622") == ["2", "3", "100"] and not port.said("816")
    info = head_of(next(r for r in port.receipts if r.status == "100"))["returnInfo"]
    assert info.startswith(f"[Code:{row['code']};Desc:") if "code" in row else "[Code:" not in info
    assert reason.path in info and reason.found in info and reason.expected in info
    told = " ".join(str(value) for receipt in port.receipts for value in receipt.head)
    buyer = made.story.buyer
    for plain in (buyer.id_number, buyer.phone, buyer.address, "欧阳测试", "110101199003070000", "19900001234"):
        assert plain not in told
    case = port.case(made)
    assert (case.order.status, case.payments[0].status, port.waybill(made).part.status) == (3, 3, 3)
    assert port.waybill(made).case == "" and case.hold is None and case.bill is None


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_good_parcel_in_every_order(order: tuple[int, ...]) -> None:
    made = papers()
    port = Port()
    four = made.four()
    for at in order[:3]:
        port.send(four[at])
        assert "120" not in [receipt.status for receipt in port.receipts]
    port.send(four[order[3]])
    assert port.case(made).state == "closed"
    for kind in ("312", "412", "512"):
        assert port.said(kind) == ["2", "3", "120"]
    assert port.said("622") == ["2", "3", "120", "800", "899"] and port.said("816") == ["1"]
    first = Port()
    first.send(*four)
    assert port.canonical() == first.canonical()
    assert not port.why()
    port.check()


def test_every_link_of_the_table_is_tried() -> None:
    assert {row["rule"] for row in TABLE["links"]} == {link.rule for link in links()} | {matching.WARN_AT}
    weights = {row["rule"]: row.get("severity", "error") for row in TABLE["links"]}
    for link in links():
        assert weights[link.rule] == link.severity
        assert link.source and link.rule in catalog()
        assert catalog()[link.rule]["remedy"]["zh"] and catalog()[link.rule]["remedy"]["en"]


def test_inner_codes_are_those_of_the_receipts_seen() -> None:
    given = {rule: code for rule, code in refusal_codes().items() if code}
    assert given == {**{row["rule"]: row["code"] for row in TABLE["links"] if "code" in row}, "LAW-LIMIT-YEAR": "1313"}


@pytest.mark.parametrize("row", TABLE["silent"], ids=lambda row: next(iter(row["change"])))
def test_what_is_not_given_is_not_compared(row: dict[str, Any]) -> None:
    made = broken(row)
    port = Port()
    port.send(*made.four())
    assert port.case(made).state == "closed"
    assert not port.why()


@pytest.mark.parametrize("row", TABLE["practices"], ids=with_id("what"))
def test_practices(row: dict[str, Any]) -> None:
    made = broken(row)
    port = Port(rows(row["law"]) if "law" in row else None, profile=row.get("profile"))
    port.send(*made.four())
    assert port.case(made).state == row["state"]
    assert all_rules(port.events) == ({row["rule"]} if "rule" in row else set())


def test_the_practice_of_a_place_and_day() -> None:
    """A port that is strict until 2018 refuses then what it only warns of later."""
    strict = {"inventory.consigneeAddress": "西藏自治区拉萨市北京中路一号"}
    for at, state in (("2018-12-31T10:00:00", "refused"), ("2019-01-01T10:00:00", "closed")):
        made = papers(place="shanghai", at=at).with_(strict)
        port = Port(at=at)
        port.send(*made.four())
        assert port.case(made).state == state, at
        assert "MATCH-INVENTORY-ADDRESS" in all_rules(port.events)


def test_all_broken_links_are_told_at_once() -> None:
    made = papers().with_({"payment.payerName": "欧阳测试", "payment.amountPaid": "1", "inventory.freight": "5",
                           "waybill.consignee": "欧阳测试"})
    port = Port()
    port.send(*made.four())
    assert {reason.rule for reason in port.why()} == {
        "MATCH-BUYER-PAYER-NAME", "MATCH-PAID-AMOUNT", "MATCH-FREIGHT", "MATCH-ORDER-FREIGHT",
        "MATCH-CONSIGNEE-NAME"}
    info = head_of(next(r for r in port.receipts if r.status == "100"))["returnInfo"]
    assert info.count("≠") == 4 and "MATCH" not in info and info.startswith("[Code:1327;Desc:")
    assert "CEB621/freight ≠ CEB311/freight" not in info, "a warning refuses nothing and is not told as a reason"


def test_long_refusals_fit_the_receipt() -> None:
    made = papers().with_({"payment.payerName": "欧" * 60, "order.payTransactionId": "N" * 60,
                           "waybill.orderNo": "S" * 60, "inventory.lines": {1: {"name": "名" * 250}},
                           "waybill.consigneeAddress": "址" * 200})
    made = made.with_({f"inventory.{field}": value for field, value in
                       (("buyerName", "阳" * 60), ("freight", "9" * 12), ("insuredFee", "9" * 12))})
    port = Port()
    port.send(*made.four())
    assert port.case(made).state == "refused"
    port.check()
    assert len(head_of(port.receipts[-1])["returnInfo"]) <= 1000


def test_lines_in_another_sequence_are_the_same_goods() -> None:
    made = papers(basket=None, seed=5)
    while len(made.inventory.lines) < 2:
        made = papers(basket=None, seed=made.story.number + 100)
    from msgspec.structs import replace

    turned = made._replace(inventory=replace(made.inventory, lines=made.inventory.lines[::-1]))
    assert not line_differences(turned.order.lines, turned.inventory.lines)
    port = Port()
    port.send(*turned.four())
    assert port.case(made).state == "closed"
    swapped = {1: {"price": str(made.inventory.lines[1].price + 1)}}
    assert line_differences(made.order.lines, changed(turned.inventory, {"lines": swapped}).lines)


def test_one_more_decimal_place_is_the_same_amount() -> None:
    lines = {1: {"qty": "1.0", "price": "300.00"}}
    made = papers().with_({"payment.amountPaid": "327.30000", "inventory.lines": lines})
    port = Port()
    port.send(*made.four())
    assert port.case(made).state == "closed"


def test_a_document_that_is_not_asked_for_is_not_tested() -> None:
    view = Policy.load().at(Port().day, "3118")
    made = papers().with_({"payment.payerName": "欧阳测试", "waybill.consignee": "欧阳测试"})
    practice = view.practice
    assert len(match(made.order, made.payment, made.waybill, made.inventory, practice)) == 2
    assert [r.rule for r in match(made.order, None, made.waybill, made.inventory, practice)] == [
        "MATCH-CONSIGNEE-NAME"]
    assert match(made.order, None, None, made.inventory, practice) == []


def test_persons_meet_across_a_change_of_the_hash_key() -> None:
    """A document from before and one from after a new hash key still meet; strangers never do."""
    old, new = b"o" * 16, b"n" * 16
    before, after = Blind(old, "赵*"), Blind(new, "赵*", old)
    stranger = Blind(b"s" * 16, "钱*", b"t" * 16)
    assert before.same(after) and after.same(before) and after.same(after)
    assert not stranger.same(before) and not stranger.same(after) and not before.same(stranger)
    made = papers()
    from msgspec.structs import replace

    keyed = made._replace(payment=replace(made.payment, payerName=Blind(b"x" * 16, "赵*", made.order.buyerName.hash)))
    port = Port()
    port.send(*keyed.four())
    assert port.case(made).state == "closed"


def test_a_tolerance_is_counted_to_the_fen() -> None:
    law = rows({"practice.money_tolerance_cny": "0.05"})
    made = papers()
    for off, state in (("0.05", "closed"), ("-0.05", "closed"), ("0.06", "refused"), ("-0.06", "refused")):
        port = Port(law)
        one = made.with_({"payment.amountPaid": str(made.payment.amountPaid + Decimal(off))})
        port.send(*one.four())
        assert port.case(one).state == state, off
