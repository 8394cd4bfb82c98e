"""Which goods, which road: the goods file, the answers, the limits, coming days, and the command."""

from __future__ import annotations

import io
import json
import sys
import unicodedata
import zipfile
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import openpyxl
import pytest
import referencing
from hypothesis import given, settings
from hypothesis import strategies as st
from world import rows as law_with

from cebport import cli
from cebport.clearance import alike, costing, goods, route, tax
from cebport.clearance.goods import Item, read_goods
from cebport.clearance.route import Answer, Road
from cebport.doors import route as door
from cebport.policy import Policy, lists, sheets

REPO = Path(__file__).resolve().parents[1]
SAMPLE = REPO / "docs" / "how-to" / "goods.csv"
SCHEMAS = {name: json.loads((REPO / "docs" / "reference" / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
           for name in ("route", "fault")}
NOW, THEN, PILOT = date(2024, 6, 1), date(2018, 12, 1), date(2015, 6, 1)
MILK, MASK, PERFUME, WATCH, WHISKY = "1901101090", "3304990049", "3303000020", "9102210090", "2208300000"
D = Decimal


def item(gcode: str, price: str | None = "100", **more: Any) -> Item:
    """Goods of a file, amounts as text."""
    amounts = {name: D(value) if isinstance(value, str) and name not in ("name", "unit", "currency", "sent_from")
               else value for name, value in more.items()}
    return Item(2, "x", gcode, None if price is None else D(price), **amounts)


def answered(one: Item, day: date = NOW, places: Sequence[str] = ("hangzhou",), policy: Policy | None = None) -> Answer:
    return route.answer(one, route.ask(policy or Policy.load(), day, places))


def road(answer: Answer, name: str, place: str | None = None) -> Road:
    (found,) = [each for each in answer.roads if each.road == name and (place is None or place in each.places)]
    return found


def english(parts: Sequence[Any]) -> str:
    return " | ".join(part.en if hasattr(part, "en") else part.text.en for part in parts)


# ── the goods file ──────────────────────────────────────────────────────────────────────────────────


CELLS = [
    # heads, cells, field -> value
    (["HS编码", "净重(g)"], ["1901.1010.90", "900"], {"gcode": MILK, "weight_kg": D("0.9")}),
    (["hs code", "Net weight"], ["1901101090", "900 g"], {"weight_kg": D("0.9")}),
    (["gcode", "weight_kg"], ["1901101090", "0.9"], {"weight_kg": D("0.9")}),
    (["商品编码", "净重"], ["19011010", "1.5公斤"], {"gcode": "19011010", "weight_kg": D("1.5")}),
    (["税号", "容量（ml）"], ["22083000", "700"], {"volume_l": D("0.7")}),
    (["HS", "volume"], ["22083000", "0.7 L"], {"volume_l": D("0.7")}),
    (["HS", "volume"], ["22083000", "0.7"], {"volume_l": D("0.7")}),
    (["HS编码", "单价", "数量"], ["1901101090", "¥1,234.50", "12件"], {"price": D("1234.50"), "quantity": D(12)}),
    (["HS编码", "单价", "数量"], ["1901101090", "19.80元", ""], {"price": D("19.80"), "quantity": D(1)}),
    (["HS编码", "售价", "币制"], ["1901101090", "100", "RMB"], {"price": D(100), "currency": ""}),
    (["HS编码", "售价", "币制"], ["1901101090", "100", "USD"], {"price": None, "currency": "USD"}),
    (["HS编码", "售价", "运费", "币制", "汇率"], ["1901101090", "100", "10", "USD", "7.1"],
     {"price": D(710), "freight": D(71), "currency": ""}),
    (["HS编码", "原产国", "发货地"], ["1901101090", "日本", "HKG"], {"origin": "116", "sent_from": "110"}),
    (["HS编码", "单位"], ["1901101090", "片"], {"unit": "020"}),
    (["HS编码", "进口单价", "保费", "片数"], ["1901101090", "80", "1.5", "10"],
     {"import_price": D(80), "insured_fee": D("1.5"), "sheets": D(10)}),
    (["HS编码", "单价"], ["402100000", ""], {"gcode": "0402100000", "price": None}),
    (["HS编码", "单价"], ["4021000", ""], {"gcode": "04021000"}),
]


@pytest.mark.parametrize(("heads", "cells", "fields"), CELLS, ids=[" ".join(case[1]) for case in CELLS])
def test_cells_are_read(heads: list[str], cells: list[str], fields: dict[str, Any]) -> None:
    made = read_goods("f", [heads, cells])
    assert [fault for fault in made.faults if fault.severity == "error"] == []
    assert {name: getattr(made.items[0], name) for name in fields} == fields


WRONG = [
    ("HS编码", "190110", "CEB-GOODS-002"), ("HS编码", "", "CEB-GOODS-002"), ("HS编码", "1.9E+9", "CEB-GOODS-002"),
    ("HS编码", "１９０１１０１０９０", "CEB-GOODS-002"), ("单价", "abc", "CEB-GOODS-003"),
    ("单价", "-5", "CEB-GOODS-003"),
    ("单价", "0", "CEB-GOODS-003"), ("单价", "1e5", "CEB-GOODS-003"), ("单价", "NaN", "CEB-GOODS-003"),
    ("单价", "9" * 40, "CEB-GOODS-003"), ("数量", "1.5", "CEB-GOODS-003"), ("数量", "0", "CEB-GOODS-003"),
    ("净重", "heavy", "CEB-GOODS-003"), ("净重", "3 furlongs", "CEB-GOODS-003"), ("净重", "0", "CEB-GOODS-003"),
    ("汇率", "0", "CEB-GOODS-003"), ("运费", "-1", "CEB-GOODS-003"),
]


@pytest.mark.parametrize(("column", "cell", "code"), WRONG, ids=[f"{case[0]} {case[1]:.12}" for case in WRONG])
def test_a_bad_cell_is_told_with_row_and_column_and_the_others_are_read(column: str, cell: str, code: str) -> None:
    heads = ["HS编码", "单价", "数量", "净重", "汇率", "运费"]
    good = [MILK, "1", "1", "1", "1", "1"]
    bad = [cell if head == column else value for head, value in zip(heads, good, strict=True)]
    made = read_goods("goods.csv", [heads, good, bad, good])
    assert [one.row for one in made.items] == [2, 4]
    (fault,) = made.faults
    assert (fault.code, fault.severity, fault.path) == (code, "error", f"goods.csv:3 {column}")
    assert fault.remedy.zh and fault.remedy.en


def test_warnings_keep_the_row() -> None:
    made = read_goods("f", [["HS编码", "原产国", "单位", "颜色"], [MILK, "Atlantis", "furlong", "red"],
                            ["402100000", "日本", "", ""]])
    assert [(fault.code, fault.severity) for fault in made.faults] == [
        ("CEB-GOODS-004", "info"), ("CEB-GOODS-007", "warning"), ("CEB-GOODS-008", "warning"),
        ("CEB-GOODS-006", "warning")]
    assert [one.gcode for one in made.items] == [MILK, "0402100000"]


@pytest.mark.parametrize(("table", "code"), [
    ([], "CEB-GOODS-001"), ([["a", "b"], ["1", "2"]], "CEB-GOODS-001"), ([["HS编码", "单价"]], "CEB-GOODS-010"),
    ([["HS编码", "税号"], [MILK, MILK]], "CEB-GOODS-005"),
])
def test_bad_tables(table: list[list[str]], code: str) -> None:
    assert code in [fault.code for fault in read_goods("f", table).faults]


def test_titles_above_the_heads_are_passed_over() -> None:
    made = read_goods("f", [["2024 选品表"], [""], ["名称", "HS编码"], ["奶粉", MILK], ["", ""]])
    assert [(one.row, one.name) for one in made.items] == [(4, "奶粉")]


def test_no_head_names_two_columns() -> None:
    heads = [(goods._plain(head), column) for column, held in goods.columns().items() for head in held]
    assert len({head for head, _ in heads}) == len(heads)


@given(st.lists(st.lists(st.text(max_size=12), max_size=6), max_size=6))
def test_no_table_breaks_it(table: list[list[str]]) -> None:
    made = read_goods("f", [["HS编码", "单价", "净重", "数量", "原产国", "单位"], *table])
    assert all(len(one.gcode) in (8, 10) for one in made.items)


# ── may it come ─────────────────────────────────────────────────────────────────────────────────────


MAY = [
    # day, place, mode, may
    (NOW, "hangzhou", "9610", "yes"), (NOW, "hangzhou", "1210", "yes"), (NOW, "hangzhou", "1239", "no"),
    (THEN, "hangzhou", "1210", "yes"), (THEN, "jinan", "1210", "no"), (THEN, "jinan", "1239", "yes"),
    (THEN, "weifang-bonded-zone", "1239", "yes"), (PILOT, "hangzhou", "1210", "yes"), (PILOT, "jinan", "1210", "no"),
    (date(2013, 1, 1), "hangzhou", "9610", "no"), (date(2020, 1, 16), "jinan", "1210", "no"),
    (date(2020, 1, 17), "jinan", "1210", "yes"), (date(2020, 1, 17), "4341", "1210", "yes"),
]


@pytest.mark.parametrize(("day", "place", "mode", "may"), MAY)
def test_the_mode_of_the_day_and_place(day: date, place: str, mode: str, may: str) -> None:
    found = road(answered(item(MILK), day, [place]), mode)
    assert found.may == may
    row = Policy.load().at(day, place).row(f"mode.{mode}")
    assert (found.opened[0].why.row, found.opened[0].places) == ("" if row is None else row.where, (place,))


def full_list(tmp_path: Path) -> Policy:
    """A whole positive list of four lines, one of each kind of remark."""
    (tmp_path / "full.csv").write_text(
        ",".join(lists.LIST_COLUMNS) + "\n"
        "03061790,冻虾,Shrimps,bonded_only,仅限网购保税,bonded only,,,V,trial,\n"
        "17019910,砂糖,Sugar,person_year_quantity,每人每年,a person and year,2,035,V,trial,\n"
        "04079090,禽蛋,Eggs,exclude,野生的除外,not of wild birds,,,V,trial,\n"
        "20081130,花生酱,Peanut butter,only_goods,仅限花生酱,peanut butter only,,,V,trial,\n", encoding="utf-8")
    overlay = tmp_path / "full.yaml"
    overlay.write_text(
        "about: {zh: 试, en: trial}\nrecorded_at: 2026-11-24\nrows:\n  positive_list.edition:\n"
        "  - {value: {edition: full, lines: 4, complete: true, files: [full.csv]}, since: 2023-01-01, "
        "instrument: cebport-default, confidence: K}\n", encoding="utf-8")
    return Policy.load(overlays=[overlay])


def test_the_four_remarks_and_absence(tmp_path: Path) -> None:
    policy = full_list(tmp_path)

    def of(gcode: str, mode: str, **more: Any) -> Road:
        return road(answered(item(gcode, "20", **more), policy=policy), mode)

    assert (of("0306179000", "9610").may, of("0306179000", "1210").may) == ("no", "yes")
    assert "bonded modes only" in english(of("0306179000", "1210").conditions)
    assert "not of wild birds" in english(of("0407909000", "9610").conditions)
    assert "only the goods named: peanut butter only" in english(of("2008113000", "9610").conditions)
    sugar = of("1701991000", "1210", weight_kg="0.4")
    assert "2 kilogram a person and year" in english(sugar.conditions)
    assert sugar.limits is not None and sugar.limits.person_year_pieces == 5
    assert "at most 5 pieces a person and year" in english(sugar.conditions)
    assert [of("1701991000", "1210", weight_kg=weight, quantity=pieces).may for weight, pieces in (
        ("0.4", "5"), ("0.4", "6"), ("2.5", "1"))] == ["yes", "fewer", "no"]
    unweighed = of("1701991000", "1210")
    assert unweighed.limits is not None and unweighed.limits.person_year_pieces is None
    assert "nothing says how many kilogram" in english(unweighed.missing)
    absent = of(MILK, "1210")
    assert absent.may == "no" and "the whole list is loaded" in english(absent.why)
    assert absent.why[-1].topic == "positive_list.edition" and absent.why[-1].row


def test_absence_from_a_sample_is_unclear_and_named() -> None:
    found = answered(item("8703234190"))
    assert found.may == "unclear"
    assert "only a sample" in english(road(found, "9610").why) and "sample" in english(road(found, "9610").missing)


def test_a_listed_line_names_its_row() -> None:
    why = road(answered(item(MILK)), "1210").why[-1]
    assert "19011010" in why.text.en and why.row.startswith("positive_list/")


def test_before_the_list_none_is_asked_for() -> None:
    assert "no positive list" in english(road(answered(item("8703234190"), PILOT), "9610").why)


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────


FIGURES = [
    # day, goods, road, tax
    (NOW, item(MILK, "1000"), "1210", "91.00"),
    (NOW, item(MILK, "1000"), "postal", "130.00"),
    (NOW, item(MILK, "1000"), "general", "186.50"),          # 5 % provisional, 13 % VAT
    (NOW, item(MILK, "1000", import_price="500"), "general", "93.25"),
    (NOW, item("0401200000", "1000"), "general", "253.50"),  # 15 % MFN, 9 % VAT
    (NOW, item("0401200000", "1000"), "9610", "63.00"),
    (NOW, item(MILK, "300", quantity="2", freight="50"), "9610", "59.15"),
    (NOW, item(MILK, "380"), "postal", "0"),                 # 49.40 is waived
    (NOW, item(MILK, "385"), "postal", "50.05"),
    (NOW, item(PERFUME, "1000", volume_l="0.05"), "1210", "230.59"),
    (NOW, item(PERFUME, "499.99", volume_l="0.05"), "1210", "45.50"),
    (NOW, item(PERFUME, "500", volume_l="0.05"), "postal", "250"),
    (NOW, item(PERFUME, "499.99", volume_l="0.05"), "postal", "100.00"),
    (NOW, item(MASK, "150", weight_kg="0.25", sheets="10"), "1210", "34.59"),
    (NOW, item(MASK, "149.90", weight_kg="0.25", sheets="10"), "1210", "13.64"),
    (NOW, item(WATCH, "12000"), "9610", "6814.50"),          # over the single limit: all of it in full
    (NOW, item(WATCH, "12000"), "general", "6814.50"),
    (NOW, item(WHISKY, "500", volume_l="0.7"), "9610", "145.01"),
    (THEN, item(MILK, "1000"), "1210", "112.00"),
    (PILOT, item(MILK, "900"), "1210", "90.00"),             # postal tax of the pilots, 10 %
    (PILOT, item(MILK, "500"), "1210", "0"),
    (PILOT, item(MILK, "1000"), "general", "228.50"),        # 5 % and 17 % although the regime of the day is postal
]


@pytest.mark.parametrize(("day", "one", "name", "amount"), FIGURES)
def test_figures_worked_out_by_hand(day: date, one: Item, name: str, amount: str) -> None:
    cost = road(answered(one, day), name).cost
    assert cost.tax == D(amount)
    parts = [part for part in (cost.duty, cost.consumption, cost.vat, cost.postal) if part is not None]
    assert sum(parts, D(0)) == cost.tax


def test_each_step_of_a_sum_names_its_row() -> None:
    found = answered(item(PERFUME, "1000", volume_l="0.05"))
    topics = {name: [step.topic for step in road(found, name).cost.steps] for name in ("1210", "postal", "general")}
    assert topics == {
        "1210": ["", "tax.duty_share_within", "consumption.cosmetics", "vat.standard"],
        "postal": ["", "postal.bands"],
        "general": ["", "tariff.edition", "consumption.cosmetics", "vat.standard"]}
    assert all(step.row and step.source.zh and step.confidence for name in topics
               for step in road(found, name).cost.steps[1:])


def test_roads_stand_by_cost_and_the_barred_last() -> None:
    made = answered(item(MILK, "1000"), places=["hangzhou"]).roads
    assert [(each.road, each.may) for each in made] == [
        ("9610", "yes"), ("1210", "yes"), ("postal", "yes"), ("general", "yes"), ("1239", "no")]


@pytest.mark.parametrize(("one", "name", "said"), [
    (item(MILK, None), "9610", "no price"),
    (item(MILK, None, currency="USD"), "9610", "in USD"),
    (item(MILK), "9610", "no freight"),
    (item(MILK), "9610", "of the tariff only a sample is loaded (2024"),
    (item(MILK), "general", "no import price"),
    (item(MILK), "postal", "where the parcel is sent from"),
    (item(MILK), "postal", "official price table"),
    (item("8703234190"), "9610", "no row for 8703234190"),
    (item("8703234190"), "postal", "do not have 8703234190"),
    (item(WHISKY), "9610", "no volume in litres"),
    (item(PERFUME, "600"), "9610", "no weight, volume"),
    (item("33030000"), "9610", "3303000010, 3303000020 are taxed alike"),
    (item("61091000"), "9610", "the one row of the tariff is taken: 6109100010"),
    (item("17019910"), "9610", "no row of the loaded tariff begins with it"),
    (item("19011010"), "9610", "the tariff has 1901101010, 1901101090"),
])
def test_what_is_missing_is_named(one: Item, name: str, said: str) -> None:
    found = answered(one)
    assert said in english([*found.missing, *road(found, name).missing])


@pytest.mark.parametrize(("gcode", "name"), [("8703234190", "general"), (WHISKY, "9610"), (WHISKY, "general")])
def test_an_unknown_tax_is_not_told_as_a_figure(gcode: str, name: str) -> None:
    cost = road(answered(item(gcode)), name).cost
    assert cost.tax is None and cost.missing


@settings(max_examples=60, deadline=None)
@given(price=st.decimals("1", "4000", places=2), grams=st.integers(1, 5000),
       name=st.sampled_from(["9610", "postal", "general"]))
def test_the_two_ends_hold_the_tax_of_every_weight(price: Decimal, grams: int, name: str) -> None:
    unweighed = road(answered(item(PERFUME, str(price))), name).cost
    weighed = road(answered(item(PERFUME, str(price), weight_kg=str(D(grams) / 1000))), name).cost
    assert weighed.tax is not None
    if unweighed.tax is None:
        assert weighed.tax in (unweighed.low, unweighed.high) and not unweighed.sure
    else:
        assert weighed.tax == unweighed.tax


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────


LIMITS = [
    # day, goods, may, action, pieces an order, orders a year
    (NOW, item(MILK, "200"), "yes", "inside", 25, 130),
    (NOW, item(MILK, "200", freight="1"), "yes", "inside", 24, 129),
    (NOW, item(MILK, "200", quantity="26"), "fewer", "refuse", 25, 5),
    (NOW, item(MILK, "5000"), "yes", "inside", 1, 5),
    (NOW, item(MILK, "5000.01"), "yes", "full_tax", 0, 5),
    (NOW, item(MILK, "5000.01", quantity="2"), "no", "refuse", 0, 2),
    (NOW, item(MILK, "26000.01"), "no", "refuse", 0, 0),
    (THEN, item(MILK, "200", quantity="11"), "yes", "full_tax", 10, 9),
    (THEN, item(MILK, "20000.01"), "yes", "full_tax", 0, 0),
    (PILOT, item(MILK, "200", quantity="6"), "fewer", "refuse", 5, 16),
]


@pytest.mark.parametrize(("day", "one", "may", "action", "pieces", "orders"), LIMITS)
def test_what_the_limits_make_of_an_order(day: date, one: Item, may: str, action: str, pieces: int,
                                          orders: int) -> None:
    found = road(answered(one, day), "1210")
    assert found.limits is not None
    limits = found.limits
    assert (found.may, limits.action, limits.pieces_an_order, limits.orders_a_year) == (may, action, pieces, orders)
    assert limits.pieces_a_year == orders * int(one.quantity)
    assert bool(limits.over) == (action != "inside") and all(why.row for why in (*limits.over, *limits.why))


@settings(max_examples=80, deadline=None)
@given(price=st.decimals("0.5", "6000", places=2), freight=st.decimals("0", "300", places=2),
       day=st.sampled_from([NOW, THEN, PILOT]))
def test_the_most_pieces_are_exact(price: Decimal, freight: Decimal, day: date) -> None:
    one = item(MILK, str(price), freight=str(freight))
    limits = road(answered(one, day), "1210").limits
    assert limits is not None and limits.pieces_an_order is not None
    view = Policy.load().at(day, "hangzhou")

    def action(pieces: int) -> str:
        line = (costing.line_of(one, MILK, view, D(pieces), price),)
        return tax.treatment(line, tax.limit_value(line, freight, D(0), view), 0, view).action

    most = limits.pieces_an_order
    assert most == 0 or action(most) == "inside"
    assert action(most + 1) != "inside"


PARCELS = [
    ("1000", "1", "", "yes"), ("500.01", "2", "", "fewer"), ("1000.01", "1", "", "yes"), ("900", "1", "110", "yes"),
    ("400.01", "2", "110", "fewer"), ("400.01", "2", "116", "yes"), ("1200", "2", "", "fewer"),
]


@pytest.mark.parametrize(("price", "quantity", "sent_from", "may"), PARCELS)
def test_the_limit_of_a_postal_parcel(price: str, quantity: str, sent_from: str, may: str) -> None:
    found = road(answered(item(MILK, price, quantity=quantity, sent_from=sent_from)), "postal")
    assert found.may == may and found.why[0].topic == "postal.parcel_limit_cny"


def test_the_basket_of_a_file() -> None:
    asked = route.ask(Policy.load(), NOW)
    inside, over = ([item(MILK, price, freight="10"), item(MASK, "100"), item(WATCH, None)]
                    for price in ("100", "9000"))
    (basket,) = route.baskets(inside, asked)
    assert (basket.value, basket.action, basket.orders, basket.baskets_a_year) == (D(210), "inside", 1, 123)
    assert basket.items == 2 and len(basket.places) > 100
    (basket,) = route.baskets(over, asked)
    assert (basket.value, basket.action, basket.orders, basket.rule) == (D(9110), "refuse", 2, "LAW-LIMIT-SINGLE")
    assert route.baskets([item(WATCH, None)], asked) == []


# ── documents ───────────────────────────────────────────────────────────────────────────────────────


NEEDS = [
    (NOW, "1210", "order (311, signed) | payment (411, signed) | waybill (511, signed) | inventory (621, signed)",
     True),
    (PILOT, "1210", "order (311) | payment (411) | waybill (511) | inventory (621, signed)", True),
    (NOW, "1210", "payment data to customs", True), (THEN, "1210", "payment data to customs", False),
    (NOW, "9610", "goods filed with inspection", False), (PILOT, "9610", "goods filed with inspection", True),
    (THEN, "1210", "first-import licence", False), (NOW, "1210", "first-import licence", False),
    (NOW, "9610", "tally", False),
]


@pytest.mark.parametrize(("day", "mode", "text", "there"), NEEDS)
def test_documents_and_filings(day: date, mode: str, text: str, there: bool) -> None:
    assert (text in english(road(answered(item(MILK), day), mode).needs)) == there


def test_the_inspection_form_is_for_bonded_goods_only() -> None:
    found = answered(item(MILK), date(2016, 4, 20))
    assert "inspection form when the goods enter" in english(road(found, "1210").needs)
    assert "inspection form" not in english(road(found, "9610").needs)
    assert "inspection form" not in english(road(answered(item(MILK), date(2016, 5, 11)), "1210").needs)


def test_a_line_has_the_measure_that_decides() -> None:
    view = Policy.load().at(NOW, "hangzhou")

    def measures(gcode: str, **more: str) -> list[tuple[str, Decimal | None]]:
        line = costing.line_of(item(gcode, **more), gcode, view, D(2), D(100))
        return [(line.unit1, line.qty1), (line.unit2, line.qty2)]

    every = {"weight_kg": "0.25", "volume_l": "0.3", "sheets": "10"}
    assert measures(MASK, **every) == [("035", D("0.50")), ("020", D(20))]
    assert measures("8703234190", **every) == [("", None), ("020", D(20))]
    assert measures(WHISKY, volume_l="0.7", weight_kg="1") == [("095", D("1.4")), ("035", D(2))]
    assert measures(WATCH) == [("008", D(2)), ("", None)]
    assert measures(WHISKY) == [("095", None), ("", None)]


def test_a_first_import_licence_where_1239_is_open_and_a_tally_where_a_row_asks_for_it() -> None:
    assert "first-import licence" in english(road(answered(item(MILK), THEN, ["jinan"]), "1239").needs)
    tally = law_with({"duty.tally": True})
    found = answered(item(MILK), policy=tally)
    assert "tally" in english(road(found, "9610").needs) and "tally" not in english(road(found, "1210").needs)


# ── places and coming days ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("day", [PILOT, THEN, NOW])
def test_places_of_one_group_have_the_same_answers_as_alone(day: date) -> None:
    policy = Policy.load()
    topics = costing.table()["topics"]
    for group in alike.alike(policy, day, alike.standing(policy, day), topics):
        for kin in group.kin:
            for place in (kin.places[0], kin.places[-1]):
                alone = policy.at(day, place)
                assert alike.law_text(alone, topics) == kin.now.law
                assert {topic: row.where for topic, row in alone.rows().items() if topic.startswith("mode.")} == {
                    topic: row.where for topic, row in kin.view.rows().items() if topic.startswith("mode.")}


def test_every_place_is_asked_once() -> None:
    policy = Policy.load()
    asked = route.ask(policy, NOW)
    places = [place for group in asked.groups for place in group.places]
    assert sorted(places) == sorted(alike.standing(policy, NOW)) and "CN" in places
    answer = route.answer(item(MILK), asked)
    for mode in asked.modes:
        of_mode = [place for each in answer.roads if each.road == mode for place in each.places]
        assert sorted(of_mode) == sorted(places)
        opened = [place for each in answer.roads if each.road == mode for row in each.opened for place in row.places]
        assert sorted(opened) == sorted(places)


CHANGES = [
    # place, day, what, road, before, after
    ("hangzhou", date(2019, 1, 1), "limits", "1210", "single 2000", "single 5000"),
    ("hangzhou", date(2019, 4, 1), "tax", "9610", "112 (11.2 %)", "91 (9.1 %)"),
    ("hangzhou", date(2019, 4, 9), "tax", "postal", "150 (15 %)", "130 (13 %)"),
    ("hangzhou", date(2019, 1, 1), "needs", "9610", "goods filed with inspection", "payment data to customs"),
    ("jinan", date(2020, 1, 17), "may", "1210", "no", "yes"),
    ("jinan", date(2020, 1, 17), "may", "1239", "yes", "no"),
    ("zibo", date(2021, 3, 18), "may", "1210", "no", "yes"),
]


@pytest.mark.parametrize(("place", "day", "what", "name", "before", "after"), CHANGES)
def test_what_a_coming_day_changes(place: str, day: date, what: str, name: str, before: str, after: str) -> None:
    found = [change for change in answered(item(MILK, "1000"), THEN, [place]).changes
             if change.day == day and change.what == what and name in change.roads]
    (change,) = found
    assert before in change.before.en and after in change.after.en and change.places == (place,)
    assert change.sources and all(why.row for why in change.sources if why.source.en)


def test_changes_are_told_in_order_and_never_twice() -> None:
    made = answered(item(MILK, "1000"), PILOT, places=()).changes
    assert [change.day for change in made] == sorted(change.day for change in made)
    assert all(change.day > PILOT and change.before != change.after for change in made)
    told = [(change.day, change.what, name, place) for change in made for name in change.roads
            for place in change.places]
    assert len(told) == len(set(told))


def test_a_row_that_ends_is_a_coming_change(tmp_path: Path) -> None:
    overlay = tmp_path / "ends.yaml"
    overlay.write_text(
        "about: {zh: 试, en: trial}\nrecorded_at: 2026-11-24\nrows:\n  vat.standard:\n"
        '  - {value: "0.12", since: 2030-01-01, until: 2030-06-30, instrument: cebport-default, confidence: K}\n',
        encoding="utf-8")
    policy = Policy.load(overlays=[overlay])
    days = [change.day for change in answered(item(MILK, "1000"), date(2029, 1, 1), policy=policy).changes]
    assert sorted(set(days)) == [date(2030, 1, 1), date(2030, 7, 1)]


def test_a_row_to_come_in_an_overlay_is_told(tmp_path: Path) -> None:
    overlay = tmp_path / "coming.yaml"
    overlay.write_text(
        "about: {zh: 试, en: trial}\nrecorded_at: 2026-11-24\nrows:\n  vat.standard:\n"
        '  - {value: "0.12", since: 2031-01-01, instrument: cebport-default, confidence: K}\n', encoding="utf-8")
    policy = Policy.load(overlays=[overlay])
    found = answered(item(MILK, "1000"), date(2030, 1, 1), policy=policy).changes
    assert [(change.day, change.what, change.roads) for change in found] == [
        (date(2031, 1, 1), "tax", ("9610", "1210", "1239")), (date(2031, 1, 1), "tax", ("general",))]
    assert found[0].sources[0].row.startswith("coming.yaml") and "84" in found[0].after.en
    assert answered(item(MILK, "1000"), date(2030, 1, 1)).changes == ()


# ── words ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_tables_are_whole() -> None:
    held = costing.table()
    policy = Policy.load()
    topics = policy.topics
    assert all(any(topic.startswith(prefix) for topic in topics) for prefix in held["topics"])
    for need in (*held["needs"], *held["conditions"]):
        assert need["topic"].format(mode="9610") in topics
    for topic, names in (("duty.registration", "items"), ("first_line.barred_goods", "items")):
        said = {name for row in policy.rows() if row.topic == topic for name in row.value}
        assert said <= set(held[names])
    classes = {name for row in policy.rows() if row.topic == "postal.band_of_goods" for name in row.value}
    assert classes == set(held["classes"])
    assert {topic.removeprefix("consumption.") for topic in topics if topic.startswith("consumption.")} == set(
        held["consumption"])
    for key, pair in held["phrases"].items():
        assert set(pair) == {"zh", "en"} and pair["zh"] and pair["en"], key
        fields = [sorted(part.split("}")[0] for part in text.split("{")[1:]) for text in (pair["zh"], pair["en"])]
        assert fields[0] == fields[1], key


# ── the command ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def call(capfd, monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object, columns: int = 100) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        capfd.readouterr()
        code = cli.run(["route", *map(str, arguments)])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


def answers_of(out: str) -> list[dict[str, Any]]:
    registry = referencing.Registry().with_resources(
        (f"{name}.json", referencing.Resource.from_contents(schema)) for name, schema in SCHEMAS.items())
    validator = jsonschema.Draft202012Validator(SCHEMAS["route"], registry=registry)
    made = [json.loads(line) for line in out.splitlines()]
    for answer in made:
        validator.validate(answer)
    return made


def columns_of(text: str) -> int:
    return max(sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
               for line in text.splitlines())


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("more", [(), ("--place", "hangzhou", "--place", "jinan"), ("--brief",)])
def test_the_page_fits_the_terminal(call, lang, columns, more):
    code, out, err = call(SAMPLE, "--on", THEN, "--lang", lang, *more, columns=columns)
    assert (code, err) == (0, "")
    assert columns_of(out) <= columns
    assert out.count("31.25") >= 1 and "婴儿配方奶粉 900 克"[:5] in out
    held = "将来的变化" if lang == "zh" else "Coming changes"
    assert (held in out) == ("--brief" not in more)


def test_the_page_says_why(call):
    code, out, _ = call(SAMPLE, "--on", NOW, "--place", "hangzhou", columns=120)
    assert code == 0
    for text in ("VAT at 13 %, 70 % of it due: 37.86", "provisional rate 5 % = 20.8 (MFN 15 %)", "limits.yaml:",
                 "no volume in litres", "single limit 5000", "All 8 goods in one order", "[V] seen in a source",
                 "at most 4 pieces a person and year"):
        assert text in out
    numbers = [line.split()[0] for line in out.splitlines()[4:12]]
    assert sorted(numbers) == list("23456789") and numbers[-1] == "5", "the dearest comes last"


def test_json_has_every_cell(call):
    code, out, _ = call(SAMPLE, "--on", THEN, "--json")
    made = answers_of(out)
    assert code == 0 and [answer["kind"] for answer in made] == ["item"] * 8 + ["basket", "file"]
    milk = made[0]
    assert milk["item"]["gcode"] == MILK and milk["roads"][0]["cost"]["tax"] == "46.59"
    assert {each["road"] for each in milk["roads"]} == {"9610", "1210", "1239", "postal", "general"}
    assert milk["changes"][0]["day"] == "2019-01-01"


def workbook(path: Path, *sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    for at, cells in enumerate(sheets):
        sheet = book.active if at == 0 else book.create_sheet()
        for row in cells:
            sheet.append(row)
    book.save(path)
    return path


def test_a_workbook_reads_like_text(call, tmp_path):
    path = workbook(tmp_path / "g.xlsx", [["about", "this"], ["x", 1]],
                    [["选品表"], ["品名", "HS编码", "单价", "净重(g)"], ["奶粉", 1901101090, 198.5, 900],
                     ["奶", 402100000, 0.1 + 0.2, None]])
    code, out, _ = call(path, "--on", NOW, "--json")
    first, second, *_, last = answers_of(out)
    assert code == 0 and (first["item"]["price"], first["item"]["weight_kg"]) == ("198.5", "0.9")
    assert (second["item"]["gcode"], second["item"]["price"]) == ("0402100000", "0.3")
    assert [fault["code"] for fault in last["faults"]] == ["CEB-GOODS-006"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_text_in_every_usual_encoding(tmp_path, encoding, delimiter):
    path = tmp_path / "g.csv"
    path.write_bytes(delimiter.join(["品名", "HS编码"]).encode(encoding) + delimiter.join(["\n奶粉", MILK]).encode(
        encoding.replace("utf-16", "utf-16-le").replace("-sig", "")))
    assert [(one.name, one.gcode) for one in door.read_file(path).items] == [("奶粉", MILK)]


def bomb() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed, packed.open("xl/worksheets/sheet1.xml", "w",
                                                                             force_zip64=True) as inner:
        inner.write(b"\0" * 2_000_000)
    return made.getvalue()


@pytest.mark.parametrize(("name", "raw", "code"), [
    ("empty.csv", b"", "CEB-GOODS-001"), ("binary.csv", b"\x7fELF\0\0\0", "CEB-GOODS-009"),
    ("old.xls", b"\xd0\xcf\x11\xe0x", "CEB-GOODS-009"),
    ("broken.xlsx", b"PK\3\4 not a zip", "CEB-GOODS-009"), ("odd.csv", b"\xff\xff\xff\xff", "CEB-GOODS-009"),
    ("prose.csv", b"dear sir\nplease tell", "CEB-GOODS-001"), ("bomb.xlsx", bomb(), "CEB-GOODS-009"),
    ("heads.csv", "HS编码,单价\n".encode(), "CEB-GOODS-010"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_bad_files_are_told(call, tmp_path, monkeypatch, name, raw, code):
    monkeypatch.setattr(sheets, "UNPACKED_BYTES_MAX", 1_000_000)
    path = tmp_path / name
    path.write_bytes(raw)
    status, out, _ = call(path, "--on", NOW)
    assert status == 1 and code in out
    status, out, _ = call(path, "--on", NOW, "--json")
    assert status == 1 and [fault["code"] for fault in answers_of(out)[-1]["faults"]] == [code]


def test_a_file_too_large_and_a_package_that_is_not_there_are_told(call, tmp_path, monkeypatch):
    path = workbook(tmp_path / "g.xlsx", [["HS编码"], [MILK]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    code, out, err = call(path, "--on", NOW)
    assert (code, out) == (3, "") and "openpyxl" in err and "cebport[tables]" in err
    monkeypatch.setattr(door, "FILE_BYTES_MAX", 100)
    code, out, _ = call(path, "--on", NOW)
    assert code == 1 and "<= 100 bytes" in out


def test_too_many_rows_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(goods, "ITEMS_MAX", 3)
    made = read_goods("f", [["HS编码"], *[[MILK]] * 5])
    assert len(made.items) == 3 and [fault.code for fault in made.faults] == ["CEB-GOODS-009"]


def test_exit_codes(call, tmp_path):
    path = tmp_path / "g.csv"
    path.write_text(f"HS,price\n{MILK},100\n", encoding="utf-8")
    assert call(path, "--on", NOW)[0] == 0
    path.write_text(f"HS,price\n{MILK},100\n{MILK},30000\n", encoding="utf-8")
    assert call(path, "--on", NOW)[0] == 1, "over the year: it may not come"
    path.write_text(f"HS,price\n{MILK},100\n{MILK},x\n", encoding="utf-8")
    code, out, _ = call(path, "--on", NOW)
    assert code == 1 and "CEB-GOODS-003" in out and "9.10" in out, "the good row is answered all the same"


@pytest.mark.parametrize("wrong", [
    (), ("--on", "yesterday"), ("--on", "2024-06-01", "--place", "atlantis"),
    ("--on", "2024-06-01", "--overlay", "none.yaml"),
])
def test_wrong_use(call, wrong):
    code, out, err = call(SAMPLE, *wrong)
    assert (code, out) == (2, "") and err


def test_a_missing_file_is_wrong_use(call, tmp_path):
    assert call(tmp_path / "none.csv", "--on", NOW)[0] == 2
    assert call(tmp_path, "--on", NOW)[0] == 2


# ── what is not known is not called cheapest; the basket ────────────────────────────────────────────


@pytest.mark.parametrize(("one", "cheapest"), [
    (item(MILK, "198", quantity="2", weight_kg="0.9"), "9610"), (item(WHISKY, "500"), None),
    (item(MILK, None, currency="USD"), None),
    (item("9999999999"), None), (item(MILK, "6000", quantity="2"), "postal"),
])  # fmt: skip
def test_no_cheapest_where_a_road_that_may_be_open_has_no_figure(one: Item, cheapest: str | None) -> None:
    assert answered(one).cheapest == cheapest


def test_brief_says_why_a_figure_is_missing(call, tmp_path):
    out = call(SAMPLE, "--on", NOW, "--brief")[1]
    (whisky,) = [line for line in out.splitlines() if "威士忌" in line]
    assert whisky.split()[-1] == "?" and "no volume in litres" in out
    path = tmp_path / "usd.csv"
    path.write_text(f"HS,price,currency\n{MILK},30,USD\n{MILK},30,CNY\n9999999999,30,CNY\n", encoding="utf-8")
    out = call(path, "--on", NOW, "--brief", columns=120)[1]
    assert "no column gives a rate" in out and "only a sample of the positive list" in out


def test_a_basket_counts_what_comes_alone_and_packs_the_rest(call):
    items = door.read_file(SAMPLE).items
    (basket,) = route.baskets(items, route.ask(Policy.load(), NOW))
    assert (basket.value, basket.orders, basket.baskets_a_year) == (D(14287), 2, None)
    (whole,) = route.baskets(items, route.ask(Policy.load(), THEN, ["hangzhou"]))
    assert (whole.action, whole.orders, whole.baskets_a_year) == ("full_tax", 1, 1)
    dear = [item(MILK, "30000"), item(MILK, "10")]
    assert route.baskets(dear, route.ask(Policy.load(), NOW))[0].orders is None
    out = call(SAMPLE, "--on", NOW, columns=120)[1]
    assert "it takes at least 2 orders" in out and "baskets a year" not in out and "at most 0 pieces" not in out
    assert "one, alone in its order, may come, taxed in full" in out


@pytest.mark.parametrize(("lang", "said"), [("zh", "写成数字，例如 12.50"), ("en", "write a number, e.g. 12.50")])
def test_a_price_in_words_is_told_to_be_a_number(call, tmp_path, lang, said):
    path = tmp_path / "words.csv"
    path.write_text(f"HS,price\n{MILK},一百\n", encoding="utf-8")
    out = call(path, "--on", NOW, "--lang", lang)[1]
    assert said in out and "应为 12.50" not in out


def test_an_imported_sample_is_not_called_published(call, tmp_path):
    source = tmp_path / "list.csv"
    source.write_text("税则号列,货品名称,备注\n0405.10.00,黄油,\n", encoding="utf-8")
    assert cli.run(["policy", "import-list", str(source), "--edition", "mine", "--since", "2024-01-01",
                    "--instrument", "mof-2022-7", "-o", str(tmp_path / "lists")]) == 0
    (overlay,) = (tmp_path / "lists").rglob("*.yaml")
    out = call(SAMPLE, "--on", NOW, "--overlay", overlay, columns=120)[1]
    assert "1 rows are loaded" in out and "lines published" not in out


def test_a_day_before_the_first_rates_is_told(call):
    code, out, err = call(Path(__file__).parents[1] / "docs" / "how-to" / "goods.csv", "--on", "2010-01-01")
    assert code == 1 and out == "" and "CEB-QUOTE-006" in err and "2011-01-27" in err
