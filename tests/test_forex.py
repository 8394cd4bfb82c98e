"""Foreign exchange, the pure part: what may be remitted, checks by a table, lists cell by cell, sums by property."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from world import PLAIN, Papers, Port, blind, item, papers, rows

from cebport.clearance import forex, forex_rows
from cebport.clearance.forex import Batch, BatchLine, PaymentRecord, Trade
from cebport.clearance.parts import Case
from cebport.policy import Policy
from cebport.testing.builders import Fees
from cebport.values import BEIJING, ZERO

D = Decimal
ON = date(2026, 11, 24)
LAW = Policy.load()
RATE = D("7.1234")


def laws(policy: Policy = LAW) -> Any:
    return lambda day, place: policy.at(day, place or "CN")


VIEW = LAW.at(ON)


def cleared(mode: str = "9610", *, freight: str = "20", qty: int = 4, **changes: Any) -> tuple[Port, Papers]:
    """A released parcel: so many bags of 100 CNY with freight; ``changes`` to order and payment alike."""
    made = papers(mode=mode, basket=(item(PLAIN, "100", qty),), fees=Fees(int(D(freight) * 100)))
    port = Port()
    port.send(*made.four())
    assert port.case(made).state == "closed"
    return port, made


def record(made: Papers, **changes: Any) -> PaymentRecord:
    """What the institution tells of the parcel's payment."""
    pay = made.payment
    told = PaymentRecord(pay.payCode, pay.payTransactionId, pay.orderNo, pay.ebpCode, "20261124080000", pay.amountPaid,
                         pay.payerName, pay.payerIdNumber, forex.REAL)
    return replace(told, **changes)


def batch(day: str = "2026-11-25", number: str = "FX1", currency: str = "502", rate: Decimal = RATE,
          **changes: Any) -> Batch:
    return replace(Batch("P", number, day, currency, rate, ZERO, ZERO, None, "", "502", "", 0, False), **changes)


def line(cny: str, one: Batch, number: int = 1, payment: str = "") -> BatchLine:
    return BatchLine(number, payment, D(cny), (D(cny) / one.rate).quantize(forex_rows.minor_of(one.currency)))


def codes(found: Any) -> list[str]:
    return [finding.fault.code.removeprefix("CEB-FOREX-") for finding in found]


# ── what may be remitted ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("mode", "freight", "may", "domestic"), [
    ("9610", "20", "420", "0"),
    ("1210", "20", "400", "20"),
    ("1210", "0", "400", "0"),
])
def test_goods_and_foreign_freight_may_go(mode: str, freight: str, may: str, domestic: str) -> None:
    port, made = cleared(mode, freight=freight)
    held = forex.amounts(port.case(made), VIEW)
    assert held is not None
    assert (held.may, held.domestic) == (D(may), D(domestic))
    assert held.tax == made.order.taxTotal > 0
    assert held.paid == held.may + held.refunds + held.tax + held.domestic


@pytest.mark.parametrize(("quantity", "mode", "may", "refunds"), [
    (1, "9610", "320", "100"),
    (3, "1210", "100", "300"),
    (4, "9610", "0", "420"),
    (4, "1210", "0", "400"),
])
def test_what_comes_back_may_not_go(quantity: int, mode: str, may: str, refunds: str) -> None:
    port, made = cleared(mode)
    port.send(port.give_back(made, {1: D(quantity)}))
    held = forex.amounts(port.case(made), VIEW)
    assert held is not None
    assert (held.may, held.refunds) == (D(may), D(refunds))
    before = forex.amounts(port.case(made), VIEW, ON - timedelta(days=1))
    assert before is not None
    assert before.refunds == 0


def test_rows_say_whose_freight_and_whether_it_comes_back() -> None:
    port, made = cleared("1210")
    port.send(port.give_back(made))
    kept = rows({"forex.remittable": {"foreign_freight_modes": ["1210"], "refund_freight": "never"}})
    held = forex.amounts(port.case(made), kept.at(ON))
    assert held is not None
    assert (held.may, held.refunds) == (D(20), D(400))
    free = rows({"forex.reconcile": {
        "payment_in_one_batch": True, "payment_after_batch": False, "payer_is_buyer": True, "tolerance_cny": "0.01",
        "never_remitted": [], "inventory_states": ["800", "899"], "release_within_days": 30}})
    all_of_it = forex.amounts(port.case(made), free.at(ON), ON - timedelta(days=1))
    assert all_of_it is not None
    assert all_of_it.may == made.order.acturalPaid


@settings(max_examples=200, deadline=None)
@given(goods=st.integers(0, 10**7), freight=st.integers(0, 10**5), tax=st.integers(0, 10**6),
       paid=st.integers(1, 2 * 10**7), mode=st.sampled_from(["9610", "1210", "1239"]),
       back=st.integers(0, 4), discount=st.booleans())
def test_every_fen_that_was_paid_is_somewhere(goods: int, freight: int, tax: int, paid: int, mode: str, back: int,
                                              discount: bool) -> None:
    """paid = may + refunds + tax + domestic, none below zero, whatever the order says."""
    port, made = _PARCEL
    case = port.case(made)
    assert case.order is not None and case.inventory is not None
    total = min(paid, goods + freight + tax) if discount else paid
    order = replace(case.order, goodsValue=D(goods).scaleb(-2), freight=D(freight).scaleb(-2),
                    taxTotal=D(tax).scaleb(-2), acturalPaid=D(total).scaleb(-2))
    case = replace(case, order=order, inventory=replace(case.inventory, tradeMode=mode))
    if back:
        request = port.give_back(made, {1: D(back)}, status=399, said=port.now)
        case = replace(case, returns=(request,))
    held = forex.amounts(case, VIEW)
    assert held is not None
    assert held.paid == held.may + held.refunds + held.tax + held.domestic
    assert min(held.may, held.refunds, held.tax, held.domestic) >= 0
    assert held.may <= order.goodsValue + order.freight
    if back == 4:
        assert held.may == 0


_PARCEL = cleared()


@settings(max_examples=200, deadline=None)
@given(weights=st.lists(st.integers(1, 10**7), min_size=1, max_size=40), rate=st.integers(1, 10**6),
       minor=st.sampled_from([D(1), D("0.01")]))
def test_a_lump_of_currency_is_split_to_the_last_coin(weights: list[int], rate: int, minor: Decimal) -> None:
    cny = [D(weight).scaleb(-2) for weight in weights]
    total = (sum(cny) / D(rate).scaleb(-4)).quantize(minor)
    shares = forex.split(total, cny, minor)
    assert sum(shares) == total
    assert all(share >= 0 and share == share.quantize(minor) for share in shares)
    exact = [total * weight / sum(cny) for weight in cny]
    assert all(abs(share - one) < minor for share, one in zip(shares, exact, strict=True))


# ── the checks ──────────────────────────────────────────────────────────────────────────────────────────


def found(port: Port, made: Papers, *remitted: tuple[Batch, BatchLine], today: date = ON + timedelta(days=2),
          told: PaymentRecord | None = None, policy: Policy = LAW) -> list[str]:
    trade = Trade(told or record(made), port.case(made), remitted)
    return codes(forex.check(trade, laws(policy), today))


ONE = batch()
CASES: list[tuple[str, dict[str, Any], list[tuple[Batch, str]], list[str]]] = [
    ("paid, released, not remitted yet", {}, [], []),
    ("remitted as it may", {}, [(ONE, "420")], []),
    ("less than may go", {}, [(ONE, "400")], []),
    ("tax remitted too", {}, [(ONE, "430")], ["108"]),
    ("twice", {}, [(ONE, "420"), (batch("2026-11-26", "FX2"), "420")], ["104"]),
    ("twice, and the first too much", {}, [(ONE, "421"), (batch("2026-11-26", "FX2"), "1")], ["104", "108"]),
    ("amount differs", {"amount": D("1.00")}, [], ["103", "103"]),
    ("within the tolerance", {"amount": None}, [], []),
    ("another payer", {"payerIdNumber": blind("somebody"), "payerName": blind("else")}, [], ["107"]),
    ("no name", {"real": forex.MISSING}, [], ["114"]),
    ("a number that is none", {"real": forex.BAD}, [(ONE, "420")], ["114"]),
    ("a person whom the register does not know", {"real": forex.UNKNOWN}, [], ["114"]),
    ("another order's number", {"orderNo": "OTHER"}, [], ["118"]),
    ("another waybill", {"logisticsNo": "OTHER"}, [], ["118"]),
    ("another merchant", {"ebcCode": "OTHER"}, [], ["118"]),
    ("paid after the batch", {"paid_at": "20261126080000"}, [(ONE, "420")], ["109"]),
    ("the rate does not fit", {}, [(batch(rate=RATE, number="BAD"), "420*2")], ["117"]),
    ("before the release", {}, [(batch("2026-11-23"), "420")], ["109", "113"]),
    ("over the limit", {}, [(batch(rate=D("0.0042")), "420")], ["106"]),
    ("no dollar rate", {}, [(batch(currency="116", rate=D("0.0468")), "420")], ["116"]),
    ("dollar rate given", {}, [(batch(currency="116", rate=D("0.0468"), usd_rate=D("7.1")), "420")], []),
]


@pytest.mark.parametrize(("name", "changes", "sent", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_trade_by_its_case(name: str, changes: dict[str, Any], sent: list[tuple[Batch, str]],
                             expected: list[str]) -> None:
    port, made = cleared()
    if "amount" in changes and changes["amount"] is None:
        changes = {"amount": made.payment.amountPaid + D("0.01")}
    remitted = []
    for one, cny in sent:
        amount, _, times = cny.partition("*")
        own = line(amount, one)
        remitted.append((one, replace(own, foreign=own.foreign * int(times or 1))))
    assert found(port, made, *remitted, told=record(made, **changes)) == expected


def test_paid_but_not_released_after_the_days_of_the_row() -> None:
    made = papers()
    port = Port()
    port.send(made.order, made.payment)
    assert found(port, made, today=ON + timedelta(days=30)) == []
    assert found(port, made, today=ON + timedelta(days=31)) == ["101"]
    trade = Trade(record(made), port.case(made), ((ONE, line("300", ONE)),))
    assert codes(forex.check(trade, laws(), ON + timedelta(days=2))) == ["113"]


def test_a_payment_that_customs_never_got() -> None:
    made = papers()
    trade = Trade(record(made), None)
    assert codes(forex.check(trade, laws(), ON)) == ["111"]
    nobody = Trade(None, None, ((ONE, line("10", ONE)),))
    assert codes(forex.check(nobody, laws(), ON)) == ["112"]


def test_returned_after_remittance_tells_what_must_come_back() -> None:
    port, made = cleared()
    port.now += 2 * 86_400_000
    port.send(port.give_back(made, {1: D(1)}))
    trade = Trade(record(made), port.case(made), ((ONE, line("420", ONE)),))
    (finding,) = forex.check(trade, laws(), ON + timedelta(days=3))
    assert (finding.fault.code, finding.amount) == ("CEB-FOREX-105", D(100))
    assert finding.fault.found == "2026-11-26" and "2026-11-25" in finding.fault.message.en
    late = replace(ONE, day="2026-11-27")
    assert codes(forex.check(Trade(record(made), port.case(made), ((late, line("320", late)),)), laws(), ON)) == []
    assert codes(forex.check(Trade(record(made), port.case(made), ((late, line("420", late)),)), laws(), ON)) == ["108"]


def test_released_but_not_paid() -> None:
    port, made = cleared()
    finding = forex.not_paid(port.case(made), VIEW, ON)
    assert finding is not None
    assert (finding.fault.code, finding.amount) == ("CEB-FOREX-102", made.order.acturalPaid)
    assert forex.not_paid(Case("A", "B"), VIEW, ON) is None


@pytest.mark.parametrize(("day", "place", "usd", "expected"), [
    ("2013-01-31", "shanghai", "1", ["115"]), ("2013-02-01", "shanghai", "10000", []),
    ("2015-01-28", "shanghai", "10000.01", ["106"]), ("2015-01-28", "", "1", ["115"]),
    ("2015-01-29", "", "50000", []), ("2019-04-29", "", "50000.01", ["106"]),
])
def test_the_limit_of_the_day_and_place(day: str, place: str, usd: str, expected: list[str]) -> None:
    one = batch(day, rate=D(7), place=place)
    view = laws()(date.fromisoformat(day), place)
    assert codes(forex.limit_faults(one, D(usd) * 7, view, forex.About("P"))) == expected


def test_a_batch_is_the_sum_of_its_lines() -> None:
    own = [line("100", ONE), line("50.5", ONE, 2)]
    whole = replace(ONE, cny=D("150.50"), foreign=sum((one.foreign for one in own), ZERO))
    assert forex.check_batch(whole, own, laws()) == []
    (off,) = forex.check_batch(replace(whole, cny=D("160.50")), own, laws())
    assert (off.fault.code, off.amount) == ("CEB-FOREX-110", D(10))
    assert codes(forex.check_batch(replace(whole, foreign=D(1)), own, laws())) == ["110"]


# ── making a batch ──────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_takes_what_may_go_and_tells_the_rest() -> None:
    port, good = cleared()
    other = papers(2)
    port.send(other.order, other.payment)
    back = papers(3)
    port.send(*back.four())
    port.send(port.give_back(back))
    wrong = papers(4)
    port.send(*wrong.four())
    trades = [Trade(record(good), port.case(good)), Trade(record(other), port.case(other)),
              Trade(record(back), port.case(back)), Trade(record(wrong, real=forex.BAD), port.case(wrong)),
              Trade(record(good), port.case(good), ((ONE, line("420", ONE)),))]
    made = forex.plan(batch("2026-11-24", "NEW"), trades, laws(), 100)
    assert [(one.payment, one.cny) for one in made.lines] == [(good.payment.payTransactionId, D(420))]
    assert codes(made.refused) == ["114", "104"]
    assert (made.waiting, made.nothing) == (1, 1)
    assert (made.batch.lines, made.batch.cny) == (1, D(420))
    assert made.batch.foreign == (D(420) / RATE).quantize(D("0.01"))
    again = Trade(record(good), port.case(good), tuple((made.batch, one) for one in made.lines))
    assert codes(forex.check(again, laws(), ON)) == []
    assert forex.check_batch(made.batch, made.lines, laws()) == []
    assert forex.plan(batch(), trades, laws(), 0).lines == ()


def test_statistics_by_period_code_and_currency() -> None:
    port, direct = cleared()
    bonded = papers(7, mode="1210")
    port.send(*bonded.four())
    yen = batch("2027-01-05", "FX9", "116", D("0.05"))
    told = [(ONE, line("420", ONE), port.case(direct)), (ONE, line("71.23", ONE, 2), port.case(bonded)),
            (yen, line("5", yen), port.case(direct)), (ONE, line("1", ONE, 3), None)]
    flows = forex.flows(told, laws(), "quarter")
    assert [(flow.period, flow.code, flow.currency, flow.trades, flow.cny, flow.usd) for flow in flows] == [
        ("2026-Q4", "", "502", 1, D(1), D("0.14")), ("2026-Q4", "121030", "502", 1, D("71.23"), D("10.00")),
        ("2026-Q4", "122030", "502", 1, D(420), D("58.96")), ("2027-Q1", "122030", "116", 1, D(5), None)]
    assert [flow.period for flow in forex.flows(told, laws(), "year")][-1] == "2027"


@pytest.mark.parametrize(("day", "until"), [("2026-11-24", "2031-11-24"), ("2024-02-29", "2029-03-01")])
def test_records_are_kept_five_years(day: str, until: str) -> None:
    assert str(forex.kept_until(date.fromisoformat(day), VIEW)) == until
    assert forex.kept_until(date.fromisoformat(day), LAW.at(date(2014, 1, 1))) is None


def test_where_a_trade_stands() -> None:
    port, made = cleared()
    case = port.case(made)
    assert forex.state_of(Trade(None, case), VIEW) == forex.UNPAID
    assert forex.state_of(Trade(record(made), None), VIEW) == forex.PAID
    assert forex.state_of(Trade(record(made), case), VIEW) == forex.OPEN
    assert forex.state_of(Trade(record(made), case, ((ONE, line("420", ONE)),)), VIEW) == forex.REMITTED
    port.send(port.give_back(made))
    assert forex.state_of(Trade(record(made), port.case(made)), VIEW) == forex.RETURNED


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────

PAY = ["支付企业代码", "支付交易编号", "订单号", "平台代码", "支付时间", "支付金额", "支付人", "证件号码"]
ROW = ["PAY1", "T1", "O1", "EBP1", "2026-11-24 10:00:00", "1,108.50", "王小明", "110101199003074514"]
FX = ["批次号", "支付企业代码", "业务日期", "支付交易编号", "人民币金额", "外币金额", "币种", "汇率", "批次人民币总额"]
FXROW = ["FX1", "PAY1", "2026-11-25", "T1", "71.23", "10.00", "USD", "7.1234", ""]


def read(*table: list[str], institution: str = "") -> forex_rows.ForexList:
    return forex_rows.read_list("list.csv", list(table), institution)


def test_a_list_of_payments() -> None:
    made = read(["某支付机构支付清单"], PAY, ROW)
    assert made.faults == ()
    assert made.payments == (forex_rows.PaymentRow(3, "PAY1", "T1", "O1", "EBP1", "20261124100000", D("1108.50"),
                                                   "王小明", "110101199003074514"),)
    english = read(["payTransactionId", "orderNo", "platform", "paid at", "amount (CNY)", "payer", "payer id", "goods"],
                   ["T1", "O1", "EBP1", "20261124", "5", "", "", "tea"], institution="PAY9")
    assert english.faults == () and english.payments[0].payCode == "PAY9" and english.payments[0].name == ""


def test_a_list_of_batches() -> None:
    made = read(FX, FXROW, [*FXROW[:3], "T2", "0.71", "0.10", "美元", "7.1234", ""])
    assert made.kind == "batches" and made.faults == ()
    assert [(row.number, row.cny, row.foreign, row.currency, row.total) for row in made.batches] == [
        ("T1", D("71.23"), D("10.00"), "502", None), ("T2", D("0.71"), D("0.10"), "502", None)]


def without(column: str) -> tuple[list[str], list[str]]:
    at = PAY.index(column)
    return PAY[:at] + PAY[at + 1:], ROW[:at] + ROW[at + 1:]


def put(column: str, value: str, head: list[str] = PAY, row: list[str] = ROW) -> list[str]:
    at = head.index(column)
    return [*row[:at], value, *row[at + 1:]]


@pytest.mark.parametrize(("table", "code", "where", "said"), [
    ([["a", "b"], ["1", "2"]], "001", "list.csv", "2"),
    ([[]], "001", "list.csv", "0"),
    (list(without("平台代码")), "002", "list.csv:1", "ebpCode"),
    ([PAY, put("订单号", "")], "003", "list.csv:2 订单号", "-"),
    ([PAY, put("支付金额", "十元")], "003", "list.csv:2 支付金额", "十元"),
    ([PAY, put("支付金额", "0")], "003", "list.csv:2 支付金额", "0"),
    ([PAY, put("支付金额", "-5")], "003", "list.csv:2 支付金额", "-5"),
    ([PAY, put("支付金额", "1.005")], "003", "list.csv:2 支付金额", "1.005"),
    ([PAY, put("支付金额", "1e9")], "003", "list.csv:2 支付金额", "1e9"),
    ([PAY, put("支付时间", "2026-02-30")], "003", "list.csv:2 支付时间", "2026-02-30"),
    ([PAY, put("支付交易编号", "T|1")], "003", "list.csv:2 支付交易编号", "T|1"),
    ([PAY, put("支付交易编号", "T" * 61)], "003", "list.csv:2 支付交易编号", "T" * 61),
    ([[*PAY, "币种"], [*ROW, "USD"]], "003", "list.csv:2 币种", "USD"),
    ([[*PAY, "备注"], [*ROW, "x"]], "004", "list.csv:1", "备注"),
    ([[*PAY, "流水号"], [*ROW, "x"]], "005", "list.csv:1", "支付交易编号, 流水号"),
    ([PAY], "010", "list.csv", ""),
    ([FX, FXROW, put("汇率", "7.2", FX, put("支付交易编号", "T2", FX, FXROW))], "011", "list.csv:3 rate", "7.2"),
    ([PAY, ROW, ROW], "012", "list.csv:3", "T1"),
    ([FX, FXROW, FXROW], "012", "list.csv:3", "T1"),
    ([FX, put("币种", "shells", FX, FXROW)], "003", "list.csv:2 币种", "shells"),
    ([FX, put("汇率", "0", FX, FXROW)], "003", "list.csv:2 汇率", "0"),
], ids=str)
def test_what_cannot_be_read_is_told(table: list[list[str]], code: str, where: str, said: str) -> None:
    (fault,) = read(*table).faults
    assert (fault.code, fault.path, said in fault.found) == (f"CEB-FOREX-{code}", where, True)
    assert fault.message.zh and fault.message.en and fault.remedy.zh and fault.remedy.en


def test_another_institution_and_personal_values() -> None:
    (fault,) = read(PAY, ROW, institution="PAY2").faults
    assert (fault.code, fault.found, fault.expected) == ("CEB-FOREX-013", "PAY1", "PAY2")
    (fault,) = read(PAY, put("支付人", "王" * 61)).faults
    assert fault.found.startswith("王*") and "王王" not in fault.found
    assert "王" * 2 not in fault.message.zh


def test_every_row_counts_against_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forex_rows, "ROWS_MAX", 2)
    made = read(PAY, *[put("支付交易编号", f"T{number}") for number in range(4)])
    assert [fault.code for fault in made.faults] == ["CEB-FOREX-009"]


def test_a_file_full_of_faults_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forex_rows, "FAULTS_MAX", 5)
    broken = [put("支付金额", "x", PAY, put("支付交易编号", f"T{number}")) for number in range(99)]
    assert len(read(PAY, *broken).faults) == 5
    assert len(read(PAY, *[ROW] * 99).faults) == 5


def test_what_binary_numbers_leave_is_cut_off() -> None:
    assert read(PAY, put("支付金额", "0.30000000000000004")).payments[0].amount == D("0.30")
    assert read(FX, put("汇率", "7.123400000000001", FX, FXROW)).batches[0].rate == RATE


def test_every_currency_is_known_by_its_three_names() -> None:
    for code, row in forex_rows.table()["currencies"].items():
        assert {forex_rows.currency(name) for name in (code, row["iso"], row["iso"].lower(), row["zh"], row["en"])} == {
            code}
        assert forex_rows.iso_of(code) == row["iso"]
    assert forex_rows.minor_of("116") == 1 and forex_rows.minor_of("502") == D("0.01")
    with pytest.raises(ValueError):
        forex_rows.currency("shells")
    assert forex_rows.country("JPN") == forex_rows.country("日本") == "116"


def test_moments_are_beijing() -> None:
    at = datetime(2026, 11, 24, 10, 0, tzinfo=BEIJING)
    for text in ("2026-11-24 10:00:00", "2026/11/24 10:00", "20261124100000", "2026-11-24T02:00:00+00:00"):
        assert read(PAY, put("支付时间", text)).payments[0].paid_at == at.strftime("%Y%m%d%H%M%S")
