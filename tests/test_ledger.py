"""The tax ledger by itself: the stop, files, entries, days of payment, differences; the books always balance."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cebport.clearance import ledger as books
from cebport.clearance import papers
from cebport.clearance.books import bill_postings
from cebport.clearance.ledger import Filed, Guarantee, Ledger, Payment, Sum, TaxDocument, Told, Window
from cebport.clearance.parts import Bill, BillLine, CaseChange, Event, InventoryPart
from cebport.policy import Policy

DAY = date(2026, 11, 24)
AT = 1_795_500_000_000
DAY_MS = 86_400_000
POLICY = Policy.load()
VIEW = POLICY.at(DAY, "CN")


# ── the stop ────────────────────────────────────────────────────────────────────────────────────────


class Law(dict):
    """A view with some rows of its own."""

    def row(self, topic: str) -> Any:
        return VIEW.row(topic)

    def instrument(self, topic: str) -> Any:
        return VIEW.instrument(topic)

    place, day = "CN", DAY

    def __hash__(self) -> int:
        return id(self)


def law(**rows: Any) -> Law:
    return Law({"collect.guarantee": True, "collect.guarantee_short": "warn", "collect.guarantee_unknown": "accept",
                "collect.guarantee_low_share": "0.90", **{f"collect.{name}": value for name, value in rows.items()}})


@pytest.mark.parametrize(("balance", "occupied", "tax", "rows", "expected"), [
    (100, 50, 50, {}, None),
    (100, 50, 51, {}, ("LAW-GUARANTEE-WARN", "warning", "0.51", "0.50")),
    (100, 50, 51, {"guarantee_short": "hold"}, ("LAW-GUARANTEE-HOLD", "warning", "0.51", "0.50")),
    (100, 50, 51, {"guarantee_short": "refuse"}, ("LAW-GUARANTEE-REFUSE", "error", "0.51", "0.50")),
    (100, 50, 51, {"guarantee_short": "accept"}, None),
    (100, 150, 1, {}, ("LAW-GUARANTEE-WARN", "warning", "0.01", "0.00")),
    (0, 0, 1, {"guarantee_short": "refuse"}, ("LAW-GUARANTEE-REFUSE", "error", "0.01", "0.00")),
    (None, 0, 1, {}, None),
    (None, 0, 1, {"guarantee_unknown": "refuse"}, ("LAW-GUARANTEE-REFUSE", "error", "0.01", "0.00")),
    (0, 0, 0, {"guarantee_short": "refuse"}, None),
    (None, 0, 0, {"guarantee_unknown": "refuse"}, None),
    (0, 0, 5, {"guarantee_short": "refuse", "guarantee": False}, None),
])
def test_a_guarantee_that_runs_short(balance, occupied, tax, rows, expected):
    reason = books.guarantee_stop(balance, occupied, tax, law(**rows))
    said = reason and (reason.rule, reason.severity, reason.found, reason.expected)
    assert said == expected
    if reason is not None:
        assert "collect.guarantee_" in reason.source


def test_the_law_as_it_ships_warns_of_an_account_and_asks_none():
    assert books.guarantee_stop(None, 0, 100, VIEW) is None
    reason = books.guarantee_stop(10, 0, 100, VIEW)
    assert reason is not None and reason.rule == "LAW-GUARANTEE-WARN"
    assert books.guarantee_stop(10, 0, 100, POLICY.at(date(2015, 1, 1), "CN")) is None, "no guarantee was asked then"


@pytest.mark.parametrize(("balance", "taken", "state"), [
    (None, 0, "none"), (None, 9, "none"), (100, 0, "ok"), (100, 89, "ok"), (100, 90, "low"), (100, 100, "low"),
    (100, 101, "short"), (0, 0, "ok"), (0, 1, "short"),
])
def test_how_a_guarantor_stands(balance, taken, state):
    assert books.guarantee_state(balance, taken, VIEW) == state


# ── files ───────────────────────────────────────────────────────────────────────────────────────────

GUARANTEES = ["操作", "担保编号", "担保企业编号", "种类", "金额", "起始日期", "截止日期", "关区代码"]
PAYMENTS = ["serial", "entDutyNo", "assureCode", "port", "paidOn", "duty", "vat", "consumption", "late fee", "act"]


def codes(faults):
    return [fault.code.removeprefix("CEB-LEDGER-") for fault in faults]


def test_a_file_of_guarantees_is_read():
    file = papers.read_guarantees("g", [
        ["担保清单"], GUARANTEES,
        ["", "G1", "3301960A01", "保函", "1,000,000.50", "2026-01-01", "20261231", "3301"],
        ["终止", "G0", "3301960A01", "", "", "", "2026-11-30", ""], ["", "", "", "", "", "", "", ""]])
    assert file.faults == []
    assert file.lodged == [(3, Guarantee("G1", "3301960A01", "letter", "3301", 100_000_050, "2026-01-01",
                                         "2026-12-31"))]
    assert file.ended == [papers.Ending(4, "G0", "3301960A01", "2026-11-30")]


@pytest.mark.parametrize(("row", "expected"), [
    (["", "G1", "C", "", "5", "2026-01-01", "", ""], []),
    (["", "", "C", "", "5", "2026-01-01", "", ""], ["002"]),
    (["", "G1", "", "", "5", "2026-01-01", "", ""], ["002"]),
    (["", "G1", "C", "", "", "2026-01-01", "", ""], ["008"]),
    (["", "G1", "C", "", "0.00", "2026-01-01", "", ""], ["008"]),
    (["", "G1", "C", "", "-5", "2026-01-01", "", ""], ["003"]),
    (["", "G1", "C", "", "5.001", "2026-01-01", "", ""], ["003"]),
    (["", "G1", "C", "", "５", "2026-01-01", "", ""], ["003"]),
    (["", "G1", "C", "", "5e3", "2026-01-01", "", ""], ["003"]),
    (["", "G1", "C", "", "5", "", "", ""], ["002"]),
    (["", "G1", "C", "", "5", "2026-02-30", "", ""], ["004"]),
    (["", "G1", "C", "", "5", "24.11.2026", "", ""], ["004"]),
    (["", "G1", "C", "", "5", "2026-02-02", "2026-02-01", ""], ["007"]),
    (["", "G1", "C", "", "5", "2026-02-02", "2026-02-02", ""], []),
    (["do", "G1", "C", "", "5", "2026-01-01", "", ""], ["005"]),
    (["", "G1", "C", "gold", "5", "2026-01-01", "", ""], ["005"]),
    (["", "G 1", "C", "", "5", "2026-01-01", "", ""], ["009"]),
    (["", "G" * 51, "C", "", "5", "2026-01-01", "", ""], ["009"]),
    (["", "G1", "企业", "", "5", "2026-01-01", "", ""], ["009"]),
    (["end", "G1", "C", "", "", "", "nonsense", ""], ["004"]),
])
def test_a_row_of_guarantees_that_is_wrong(row, expected):
    file = papers.read_guarantees("g", [GUARANTEES, row])
    assert codes(file.faults) == expected
    assert all(fault.path.startswith("g row 2") and fault.message.zh and fault.remedy.en for fault in file.faults)


@pytest.mark.parametrize(("rows", "expected"), [
    ([], ["001"]), ([["a", "b"]], ["001"]), ([["担保编号", "金额"]], ["001"]), ([GUARANTEES], ["012"]),
    ([GUARANTEES, ["", "G1", "C", "", "5", "2026-01-01", "", ""], ["", "G1", "C", "", "6", "2026-01-01", "", ""]],
     ["006"]),
])
def test_a_file_of_guarantees_that_is_wrong(rows, expected):
    assert codes(papers.read_guarantees("g", rows).faults) == expected


def guarantee(number="G0", code="C", amount=100, since="2026-01-01", until="", ended="") -> Guarantee:
    return Guarantee(number, code, "deposit", "3301", amount, since, until, ended)


@pytest.mark.parametrize(("row", "held", "standing", "expected"), [
    (["", "G1", "C", "", "5", "2026-01-01", "", ""], {}, {}, []),
    (["", "G0", "C", "", "5", "2026-01-01", "", ""], {"G0": guarantee()}, {}, ["020"]),
    (["end", "G0", "C", "", "", "", "", ""], {}, {}, ["021"]),
    (["end", "G0", "C", "", "", "", "", ""], {"G0": guarantee()}, {"C": (100, 0)}, []),
    (["end", "G0", "C", "", "", "", "", ""], {"G0": guarantee(ended="2026-10-01")}, {"C": (0, 0)}, ["022"]),
    (["end", "G0", "D", "", "", "", "", ""], {"G0": guarantee()}, {"C": (100, 0)}, ["023"]),
    (["end", "G0", "C", "", "", "", "", ""], {"G0": guarantee()}, {"C": (100, 1)}, ["024"]),
    (["end", "G0", "C", "", "", "", "", ""], {"G0": guarantee()}, {"C": (140, 40)}, []),
    (["end", "G0", "C", "", "", "", "", ""], {"G0": guarantee(until="2026-02-01")}, {"C": (0, 40)}, []),
])
def test_what_the_register_says_against_a_file(row, held, standing, expected):
    file = papers.read_guarantees("g", [GUARANTEES, row])
    assert file.faults == []
    assert codes(papers.refused_guarantees("g", file, held, standing, DAY)) == expected


def test_a_guarantee_may_be_replaced_in_one_file():
    file = papers.read_guarantees("g", [GUARANTEES, ["", "G1", "C", "", "1", "2026-01-01", "", ""],
                                        ["end", "G0", "C", "", "", "", "", ""]])
    assert papers.refused_guarantees("g", file, {"G0": guarantee()}, {"C": (100, 100)}, DAY) == []
    filed, ended = papers.filed_guarantees(file, {"G0": guarantee()}, DAY)
    assert (filed.ended, [one.number for one in ended]) == ((("G0", "2026-11-24"),), ["G0"])


@pytest.mark.parametrize(("one", "day", "expected"), [
    (guarantee(since="2026-11-24"), DAY, True), (guarantee(since="2026-11-25"), DAY, False),
    (guarantee(until="2026-11-24"), DAY, True), (guarantee(until="2026-11-23"), DAY, False),
    (guarantee(ended="2026-11-25"), DAY, True), (guarantee(ended="2026-11-24"), DAY, False),
])
def test_when_a_guarantee_holds(one, day, expected):
    assert papers.holds(one, day) is expected


def paid(*rows):
    return papers.read_payments("p", [PAYMENTS, *rows])


@pytest.mark.parametrize(("row", "expected"), [
    (["S1", "D1", "C", "3301", "2026-11-20", "1", "2.50", "", "", ""], []),
    (["S1", "D1", "C", "", "2026-11-20", "", "", "", "", ""], ["008"]),
    (["", "D1", "C", "", "2026-11-20", "1", "", "", "", ""], ["002"]),
    (["S1", "D1", "C", "", "", "1", "", "", "", ""], ["002"]),
    (["S1", "D1", "C", "", "2026-11-20", "x", "", "", "", ""], ["003"]),
    (["S1", "D1", "C", "", "2026-11-20", "1", "", "", "", "give"], ["005"]),
    (["S1", "D1", "C", "", "2026-11-20", "1", "", "", "2", "refund"], ["035"]),
])
def test_a_row_of_payments_that_is_wrong(row, expected):
    assert codes(paid(row).faults) == expected


DOCUMENT = TaxDocument("D1", "C", "3301", "2026-11-10", "2026-10-10", 1, "")
SUMS = {("D1", "vat"): Sum(1000, 0), ("D1", "duty"): Sum(200, 300)}


@pytest.mark.parametrize(("row", "expected"), [
    (["S1", "D1", "C", "3301", "2026-11-20", "", "10", "", "", ""], []),
    (["S1", "D1", "C", "", "2026-11-20", "", "9.99", "", "3", ""], []),
    (["S1", "D1", "C", "", "2026-11-20", "", "10.01", "", "", ""], ["034"]),
    (["S1", "D1", "C", "", "2026-11-20", "0.01", "", "", "", ""], ["034"]),
    (["S1", "D1", "C", "", "2026-11-20", "1", "", "", "", "退税"], []),
    (["S1", "D1", "C", "", "2026-11-20", "1.01", "", "", "", "退税"], ["035"]),
    (["S1", "D1", "C", "", "2026-11-20", "", "1", "", "", "退税"], ["035"]),
    (["S1", "D2", "C", "", "2026-11-20", "", "1", "", "", ""], ["030"]),
    (["S1", "D1", "X", "3302", "2026-11-20", "", "1", "", "", ""], ["031", "032"]),
    (["S9", "D1", "C", "", "2026-11-20", "", "1", "", "", ""], ["033"]),
    (["S1", "D1", "C", "", "2026-11-09", "", "1", "", "", ""], ["036"]),
    (["S1", "D1", "C", "", "2026-11-25", "", "1", "", "", ""], ["037"]),
])
def test_what_the_ledger_says_against_a_payment(row, expected):
    file = paid(row)
    assert file.faults == []
    booked = {"S9": Payment("S9", "D1", "C", "", "2026-11-11", (("vat", 1),))}
    found = papers.refused_payments("p", file, {"D1": DOCUMENT}, SUMS, booked, DAY)
    assert codes(found) == expected


def test_two_payments_of_one_file_together_are_too_much():
    file = paid(["S1", "D1", "C", "", "2026-11-20", "", "6", "", "", ""],
                ["S2", "D1", "C", "", "2026-11-20", "", "6", "", "", ""])
    (fault,) = papers.refused_payments("p", file, {"D1": DOCUMENT}, SUMS, {}, DAY)
    assert (fault.code, fault.path, fault.found, fault.expected) == ("CEB-LEDGER-034", "p row 3/vat", "6.00", "4.00")


# ── reconciliation ──────────────────────────────────────────────────────────────────────────────────

WINDOW = Window(date(2026, 11, 10), date(2026, 11, 24), Decimal("0.0005"))


def compare(*payments, sums=None, booked=(), today=DAY + timedelta(days=1), window=WINDOW):
    held = papers.Books({"D1": DOCUMENT}, sums or {("D1", "vat"): Sum(1000, 1000)}, {p.serial: p for p in booked},
                        {"D1": window})
    return [(fault.code.removeprefix("CEB-LEDGER-"), fault.found, fault.expected)
            for fault in papers.differences(payments, held, today) if fault.code != "CEB-LEDGER-050"]


def pay(serial="S1", number="D1", code="C", port="3301", day="2026-11-20", back=False, **amounts):
    return Payment(serial, number, code, port, day, tuple((k, v) for k, v in amounts.items()), back)


@pytest.mark.parametrize(("payments", "options", "expected"), [
    ([pay(vat=1000)], {}, []),
    ([pay(vat=600), pay("S2", vat=400)], {}, []),
    ([pay(vat=900)], {}, [("042", "9.00", "10.00")]),
    ([pay(vat=900, duty=100)], {}, [("042", "1.00", "0.00"), ("042", "9.00", "10.00")]),
    ([pay(code="X", vat=1000)], {}, [("043", "X", "C")]),
    ([pay(port="3302", vat=1000)], {}, [("044", "3302", "3301")]),
    ([pay(port="", vat=1000)], {}, []),
    ([pay(vat=1000), pay("S2", vat=1000)], {}, [("045", "20.00", "10.00")]),
    ([pay(vat=1000), pay("S2", vat=1000), pay("S3", vat=1000, back=True)], {}, []),
    ([pay(vat=1000)], {"sums": {("D1", "vat"): Sum(0, 1000)}}, [("046", "10.00", "0.00")]),
    ([pay(day="2026-11-26", vat=1000)], {}, [("052", "2026-11-26", "2026-11-24"), ("047", "0.00", "0.01")]),
    ([pay(day="2026-11-26", vat=1000, late_fee=1)], {}, [("052", "2026-11-26", "2026-11-24")]),
    ([pay(vat=1000, late_fee=7)], {}, [("047", "0.07", "0.00")]),
    ([pay(day="2026-11-09", vat=1000)], {}, [("048", "2026-11-09", "2026-11-10")]),
    ([], {}, [("041", "0.00", "10.00")]),
    ([], {"today": DAY}, []),
    ([pay(number="D9", vat=5)], {"today": DAY}, [("040", "0.05", "")]),
    ([], {"booked": [pay(vat=1000)]}, [("049", "S1", "")]),
    ([pay("S2", vat=1000)], {"booked": [pay(vat=1000)]}, [("049", "S1", "")]),
    ([pay(vat=1000)], {"booked": [pay(vat=1000)]}, []),
    ([pay(vat=1000)], {"booked": [pay(vat=999)]}, [("051", "S1", "D1 2026-11-20 9.99")]),
])
def test_every_difference_has_a_name(payments, options, expected):
    assert compare(*payments, **options) == expected


def test_a_payment_that_agrees_and_is_not_booked_is_told():
    found = papers.differences([pay(vat=1000)], papers.Books(
        {"D1": DOCUMENT}, {("D1", "vat"): Sum(1000, 0)}, {}, {"D1": WINDOW}), DAY)
    assert [(fault.code, fault.severity) for fault in found] == [("CEB-LEDGER-050", "info")]
    assert papers.agrees(found)


def test_every_fault_of_the_ledger_has_words():
    held = papers.catalog()
    assert len(held) > 30
    for code, entry in held.items():
        assert code.startswith("CEB-LEDGER-") and entry["severity"] in ("error", "warning", "info")
        assert entry["source"] and all(entry[part][lang] for part in ("message", "remedy") for lang in ("zh", "en"))


# ── days of payment ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("made", "released", "first", "last"), [
    ("2026-11-10", "2026-10-10", "2026-11-10", "2026-11-24"),
    ("2026-11-01", "2026-10-10", "2026-11-10", "2026-11-24"),
    ("2026-11-16", "2026-10-10", "2026-11-16", "2026-11-24"),
    ("2026-12-01", "2026-10-10", "2026-12-01", "2026-12-01"),
])
def test_the_days_of_payment(made, released, first, last):
    window = books.window_of(TaxDocument("D", "C", "3301", made, released, 1, ""), VIEW)
    assert (str(window.first), str(window.last)) == (first, last)


@pytest.mark.parametrize(("amount", "day", "fee"), [
    (100_000, "2026-11-24", 0), (100_000, "2026-11-25", 50), (100_000, "2026-12-04", 500), (999, "2026-11-25", 0),
    (1_000, "2026-11-25", 1), (0, "2026-12-25", 0),
])
def test_the_late_fee(amount, day, fee):
    assert books.late_fee_fen(amount, WINDOW, date.fromisoformat(day)) == fee


# ── entries ─────────────────────────────────────────────────────────────────────────────────────────


def test_every_entry_moves_accounts_that_there_are():
    held = books.table()
    for name, moves in books.moves().items():
        assert moves and {account for move in moves for account in move} <= set(held["accounts"]), name
    assert set(held["kinds"]) == set(books.KINDS)


def bill_of(number, status="1", vat="10.00", duty="0", consumption="0", ent="", at=AT):
    line = BillLine(1, "1", Decimal(100), Decimal(duty), Decimal(vat), Decimal(consumption))
    return Bill(number, status, line.duty, line.vat, line.consumption, (line,), at, at, ent)


def home(code="C", port="3301"):
    from msgspec import Raw

    nothing = [Raw(b"\xc0")] * 13
    return books.ToldHome(*nothing, code, Raw(b"\xc0"), port)


def told(case, bill, *, code="C", port="3301"):
    return Told(case, books.ToldChange(bill, home(code, port)))


def rows(ledger: Ledger) -> list[tuple[Any, ...]]:
    return [(*place, *sides) for place, sides in ledger.lines.items()]


def proved(ledger: Ledger) -> None:
    """The books balance, and accounts and documents tell the same."""
    lines = rows(ledger)
    assert books.unbalanced(lines) == {}
    open_bills: dict[tuple[str, str, str], int] = defaultdict(int)
    for bill in ledger.bills.values():
        if bill.status == "1":
            for kind, amount in bill.amounts():
                open_bills[(bill.code, bill.port, kind)] += amount
    documents: dict[tuple[str, str, str], tuple[int, int]] = {}
    for (number, kind), one in ledger.sums.items():
        document = ledger.documents[number]
        owner = (document.code, document.port, kind)
        was = documents.get(owner, (0, 0))
        documents[owner] = (was[0] + one.open_fen, was[1] + one.refund_fen)
        assert one.billed_fen >= 0 and one.paid_fen >= 0
    balance = books.balances(lines)
    assert books.uneven(balance, open_bills, documents) == []
    for code in {key[1] for key in balance}:
        lodged, free, occupied = (sum(amount for key, amount in balance.items() if key[:2] == (account, code))
                                  for account in ("lodged", "free", "occupied"))
        assert lodged == -(free + occupied)


def entries(ledger: Ledger) -> dict[str, int]:
    held: dict[str, int] = defaultdict(int)
    for place, (debit, _) in ledger.lines.items():
        if place.account not in ("free", "occupied", "lodged"):
            held[place.entry] += debit
    return dict(held)


def filed(**what: Any) -> Event:
    return books.filed_event("filed", Filed(**what))


def test_a_bill_from_release_to_treasury():
    ledger = Ledger()
    ledger.fold(told("O|E", bill_of("T1")), AT)
    ledger.fold(told("O|E", bill_of("T1", "2", ent="D1")), AT + 31 * DAY_MS)
    assert ledger.documents["D1"] == TaxDocument("D1", "C", "3301", "2026-12-25", "2026-11-24", 1, "")
    ledger.fold(filed(payments=(pay(vat=400),)), AT + 32 * DAY_MS)
    proved(ledger)
    assert ledger.sums[("D1", "vat")] == Sum(1000, 400)
    ledger.fold(filed(payments=(pay("S2", vat=600, late_fee=3, day="2026-12-30"),)), AT + 33 * DAY_MS)
    proved(ledger)
    assert ledger.documents["D1"].paid_on == "2026-12-30"
    assert entries(ledger) == {"bill": 1000, "summary": 1000, "paid": 1000, "late_fee": 3}
    balance = books.balances(rows(ledger))
    assert balance[("treasury", "C", "3301", "vat")] == 1000 and balance[("due", "C", "3301", "vat")] == 0
    assert balance[("treasury", "C", "3301", "late_fee")] == 3


@pytest.mark.parametrize(("summarised", "payment", "void"), [
    (False, 0, {"void": 1000}), (True, 0, {"void_due": 1000}), (True, 400, {"void_due": 600, "void_paid": 400}),
    (True, 1000, {"void_paid": 1000}),
])
def test_a_void_bill_gives_back_what_it_took(summarised, payment, void):
    ledger = Ledger()
    ledger.fold(told("O|E", bill_of("T1")), AT)
    if summarised:
        ledger.fold(told("O|E", bill_of("T1", "2", ent="D1")), AT)
    if payment:
        ledger.fold(filed(payments=(pay(vat=payment),)), AT)
    ledger.fold(told("O|E", bill_of("T1", "3", ent="D1" if summarised else "")), AT)
    proved(ledger)
    said = entries(ledger)
    assert {name: amount for name, amount in said.items() if name.startswith("void")} == void
    assert ledger.refunds["C"] == payment and not ledger.bills
    if payment:
        ledger.fold(filed(payments=(pay("R1", vat=payment, back=True),)), AT)
        proved(ledger)
        assert ledger.refunds["C"] == 0 and ledger.sums[("D1", "vat")] == Sum(0, 0)


def test_a_correction_is_a_void_bill_and_a_smaller_one():
    ledger = Ledger()
    ledger.fold(told("O|E", bill_of("T1")), AT)
    ledger.fold(told("O|E", bill_of("T1", "2", ent="D1")), AT)
    ledger.fold(filed(payments=(pay(vat=1000),)), AT)
    ledger.fold(told("O|E", bill_of("T2", vat="4.00")), AT + DAY_MS)
    proved(ledger)
    assert ledger.ended_bills[0].status == "3" and ledger.bills["O|E"].tax_no == "T2"
    assert ledger.refunds["C"] == 1000
    ledger.fold(told("O|E", bill_of("T2", "2", vat="4.00", ent="D1")), AT + DAY_MS)
    proved(ledger)
    assert entries(ledger)["offset"] == 400, "what is due back in the same document pays for it"
    assert ledger.refunds["C"] == 600 and ledger.sums[("D1", "vat")] == Sum(400, 1000)


def test_a_bill_of_nothing_makes_no_entry_but_a_document():
    ledger = Ledger()
    ledger.fold(told("O|E", bill_of("T1", vat="0")), AT)
    ledger.fold(told("O|E", bill_of("T1", "2", vat="0", ent="D1")), AT)
    assert not ledger.lines and ledger.documents["D1"].bills == 1
    ledger.fold(told("O|E", bill_of("T1", "3", vat="0", ent="D1")), AT)
    assert ledger.documents["D1"].bills == 0


def test_the_same_void_told_again_changes_nothing():
    ledger = Ledger()
    ledger.fold(told("O|E", bill_of("T1")), AT)
    for _ in range(2):
        ledger.fold(told("O|E", bill_of("T1", "3")), AT)
    assert entries(ledger) == {"bill": 1000, "void": 1000}


def test_what_the_ledger_reads_of_an_event_is_what_the_walk_wrote():
    import msgspec

    held: dict[str, Any] = {}
    for name in InventoryPart.__struct_fields__:
        held[name] = {"inbox": 1, "index": 1, "lines": (), "freight": Decimal(0), "insuredFee": Decimal(0),
                      "grossWeight": Decimal(1), "status": 0, "said": 0, "declared_at": 0}.get(name, f"<{name}>")
    hidden = books_blind()
    part = InventoryPart(**{**held, "buyerIdNumber": hidden, "buyerName": hidden, "consigneeAddress": hidden,
                            "reply": books_reply()})
    event = Event("released", case="O|E", set=CaseChange(inventory=part, bill=bill_of("T1")))
    (read,) = books.told_of(msgspec.msgpack.encode([event]))
    assert read.set.inventory.assureCode == "<assureCode>" and read.set.inventory.customsCode == "<customsCode>"
    assert read.set.bill == event.set.bill


def books_blind():
    from cebport.clearance.parts import Blind

    return Blind(b"x", "*")


def books_reply():
    from cebport.clearance.parts import Reply

    return Reply("d")


# ── any history ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class World:
    """A ledger, what was posted, and what may happen next."""

    ledger: Ledger = field(default_factory=Ledger)
    posted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    bills: dict[str, Bill] = field(default_factory=dict)
    owner: dict[str, tuple[str, str]] = field(default_factory=dict)
    number: int = 0

    def post(self, postings: Any) -> None:
        for one in postings:
            if one.account.startswith(("tax/", "paid/")):
                self.posted[one.account.partition("/")[2]] += one.amount_fen

    def fold(self, event: Any, at: int) -> None:
        self.ledger.fold(event, at)


AMOUNT = st.integers(0, 5000)
STEP = st.tuples(st.sampled_from(["bill", "sum", "void", "part", "pay", "refund", "lodge", "fee"]),
                 st.integers(0, 5), AMOUNT, AMOUNT)


def act(world: World, step: tuple[str, int, int, int], at: int) -> None:
    what, which, one, two = step
    case, code, port = f"O{which}|E", "CD"[which % 2], ("3301", "3302")[which % 3 % 2]
    world.number += 1
    held = world.bills.get(case)
    if what == "bill" and held is None:
        made = bill_of(f"T{world.number}", vat=books.yuan(one), duty=books.yuan(two), at=at)
        world.bills[case] = made
        world.post(bill_postings(made, code))
        world.fold(told(case, made, code=code, port=port), at)
    elif what == "sum" and held is not None and held.status == "1":
        number = f"{port}{at // DAY_MS // 7}{code}"
        world.bills[case] = made = bill_of(held.taxNo, "2", str(held.vat), str(held.duty), ent=number,
                                           at=held.made_at)
        world.fold(told(case, made, code=code, port=port), at)
    elif what in ("void", "part") and held is not None:
        world.post(bill_postings(held, code, sign=-1))
        if what == "void":
            del world.bills[case]
            world.fold(told(case, bill_of(held.taxNo, "3", str(held.vat), str(held.duty), ent=held.entDutyNo),
                            code=code, port=port), at)
        else:
            made = bill_of(f"T{world.number}", vat=books.yuan(books.to_fen(held.vat) // 2), at=held.made_at)
            world.bills[case] = made
            world.post(bill_postings(made, code))
            world.fold(told(case, made, code=code, port=port), at)
    elif what in ("pay", "refund", "fee") and world.ledger.documents:
        document = sorted(world.ledger.documents.values())[which % len(world.ledger.documents)]
        sums = world.ledger.sums
        amounts = {kind: min(most, getattr(sums.get((document.number, kind), Sum()),
                                           "refund_fen" if what == "refund" else "open_fen"))
                   for kind, most in (("vat", one), ("duty", two))}
        amounts = {kind: amount for kind, amount in amounts.items() if amount}
        if what == "fee" and one:
            amounts = {"late_fee": one}
        if amounts:
            event = filed(payments=(pay(f"S{world.number}", document.number, document.code, day="2026-11-24",
                                        back=what == "refund", **amounts),))
            world.post(event.postings)
            world.fold(event, at)
    elif what == "lodge" and one:
        world.fold(filed(guarantees=(guarantee(f"G{world.number}", code, one),)), at)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=60))
def test_the_books_balance_whatever_happens(steps):
    world, moment = World(), AT
    for number, step in enumerate(steps):
        moment = AT + number * DAY_MS
        act(world, step, moment)
    proved(world.ledger)
    balance = books.balances(rows(world.ledger))
    for code in "CD":
        taken = -sum(amount for key, amount in balance.items() if key[:2] == ("occupied", code))
        assert taken == world.posted[code] + world.ledger.refunds[code]
        assert world.ledger.refunds[code] == sum(
            one.refund_fen for (number, _), one in world.ledger.sums.items()
            if world.ledger.documents[number].code == code)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=60), st.integers(1, 40))
def test_one_month_closes_where_the_next_opens(steps, length):
    world = World()
    for number, step in enumerate(steps):
        act(world, step, AT + number * DAY_MS)
    lines = rows(world.ledger)
    first, closing = date(2026, 11, 24), {}
    for _ in range(4):
        last = first + timedelta(days=length)
        made = {row[:3]: row for row in books.statement(lines, first, last)}
        for key, row in made.items():
            assert row.opening + row.assessed - row.void - row.paid + row.refunded == row.closing
            assert row.opening == closing.get(key, 0)
        for key, amount in closing.items():
            assert amount == 0 or key in made
        closing = {key: row.closing for key, row in made.items()} | {
            key: amount for key, amount in closing.items() if key not in made}
        first = last + timedelta(days=1)


def test_a_statement_of_one_month():
    ledger = Ledger()
    ledger.fold(told("O1|E", bill_of("T1")), AT)
    ledger.fold(told("O2|E", bill_of("T2", vat="3.00")), AT)
    ledger.fold(told("O1|E", bill_of("T1", "2", ent="D1")), AT + 31 * DAY_MS)
    ledger.fold(filed(payments=(pay(vat=1000, late_fee=5),)), AT + 32 * DAY_MS)
    ledger.fold(told("O2|E", bill_of("T2", "3", vat="3.00")), AT + 33 * DAY_MS)
    november = books.statement(rows(ledger), date(2026, 11, 1), date(2026, 11, 30))
    assert [tuple(row) for row in november] == [("C", "3301", "vat", 0, 1300, 0, 0, 0, 0, 1300)]
    december = books.statement(rows(ledger), date(2026, 12, 1), date(2026, 12, 31))
    assert [tuple(row) for row in december] == [
        ("C", "3301", "late_fee", 0, 5, 0, 0, 5, 0, 0), ("C", "3301", "vat", 1300, 0, 300, 1000, 1000, 0, 0)]
