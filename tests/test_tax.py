"""Tax: figures worked out by hand (cases/tax.yaml), the check values of the facts, limits, explanations."""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from world import line, papers, rows, table

from cebport.clearance import tax
from cebport.policy import Policy
from cebport.values import fen, spread

TABLE = table("tax")
SHARED = Path(os.environ.get("CEBPORT_SHARED", Path(__file__).resolve().parents[1] / ".." / "shared"))
PLACE = "3118"


def lines_of(row: dict[str, Any]) -> list[Any]:
    return [line(hs, total, gnum=gnum, **(more[0] if more else {}))
            for gnum, (hs, total, *more) in enumerate(row["lines"], 1)]


def assessed(row: dict[str, Any]) -> tax.Assessment:
    freight, insured = (Decimal(fee) for fee in row.get("fees", ("0", "0")))
    return tax.assess(lines_of(row), freight, insured, Policy.load().at(row["day"], PLACE), full=row.get("full", False))


ROWS = [(group, row) for group, found in TABLE.items() for row in found]


@pytest.mark.parametrize(("group", "row"), ROWS, ids=[f"{group}: {row['what']}" for group, row in ROWS])
def test_figures_worked_out_by_hand(group: str, row: dict[str, Any]) -> None:
    made = assessed(row)
    assert (made.duty, made.vat, made.consumption) == tuple(
        Decimal(row.get(name, "0")) for name in ("duty", "vat", "consumption"))
    for name in ("duty", "vat", "consumption"):
        assert sum((getattr(one, name) for one in made.lines), Decimal(0)) == getattr(made, name), "head = sum of lines"
    if "by_line" in row:
        assert [one.duty + one.vat + one.consumption for one in made.lines] == [Decimal(x) for x in row["by_line"]]
    if "dutiable" in row:
        assert [one.dutiable for one in made.lines] == [Decimal(x) for x in row["dutiable"]]
    if "rate" in row:
        value = sum((one.dutiable for one in made.lines), Decimal(0))
        assert abs(made.total / value - Decimal(row["rate"])) < Decimal("0.0001")
    told = [reason.rule for reason in made.reasons if reason.rule not in ("LAW-UNIT", "LAW-RATE-MISSING")]
    assert told == ([row["rule"]] if "rule" in row else [])
    assert list(made.missing) == row.get("missing", [])
    if group != "postal":
        fees = sum((Decimal(fee) for fee in row.get("fees", ())), Decimal(0))
        assert sum((one.dutiable for one in made.lines), Decimal(0)) == sum(
            (one.total for one in lines_of(row)), fees)


CHECK_VALUES = [("0.13", "0", "0.091"), ("0.17", "0", "0.119"), ("0.17", "0.30", "0.47"),
                ("0.17", "0.15", "0.263529"), ("0.13", "0.15", "0.230588"), ("0.13", "0.10", "0.178889"),
                ("0.13", "0.20", "0.288750"), ("0.16", "0", "0.112"), ("0.09", "0", "0.063")]


@pytest.mark.parametrize(("vat", "consumption", "rate"), CHECK_VALUES)
def test_check_values_of_the_composite_rate(vat: str, consumption: str, rate: str) -> None:
    """0.7 x (r + v) / (1 - r), seen in print for some pairs."""
    law = {"vat.standard": vat, "consumption.golf": {"kind": "ad_valorem", "rate": consumption}}
    view = rows(law).at(date(2026, 11, 24), PLACE)
    made = tax.assess([line("9506320000", "1000000")], Decimal(0), Decimal(0), view, full=False)
    assert abs(made.total / 1000000 - Decimal(rate)) < Decimal("0.000001")


def test_the_check_values_are_those_of_the_facts() -> None:
    path = SHARED / "ceb" / "policy.yaml"
    if path.exists():
        facts = yaml.safe_load(path.read_text(encoding="utf-8"))["composite_tax"]["check_values"]
        assert sorted((row["v"], row["r"], row["rate"]) for row in facts) == sorted(CHECK_VALUES)
    assert len(CHECK_VALUES) == 9


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────


def treated(value: str, spent: str, day: date, lines: int = 1, qty: str = "1") -> tax.Treatment:
    made = [line("4202119090", value, gnum=n, qty=qty) for n in range(1, lines + 1)]
    return tax.treatment(made, Decimal(value), int(Decimal(spent) * 100), Policy.load().at(day, PLACE))


NOW, THEN, POSTAL = date(2026, 11, 24), date(2018, 6, 1), date(2015, 6, 1)
TREATMENTS = [
    # day, value, spent, lines, qty, action, rule
    (NOW, "5000", "0", 1, "2", "inside", ""),
    (NOW, "5000.01", "0", 1, "2", "refuse", "LAW-LIMIT-SINGLE"),
    (NOW, "5000.01", "0", 2, "1", "refuse", "LAW-LIMIT-SINGLE"),
    (NOW, "5000.01", "0", 1, "1", "full_tax", "LAW-LIMIT-SINGLE"),
    (NOW, "5000.01", "20999.99", 1, "1", "full_tax", "LAW-LIMIT-SINGLE"),
    (NOW, "5000.01", "21000", 1, "1", "refuse", "LAW-LIMIT-YEAR"),
    (NOW, "1", "25999", 1, "1", "inside", ""),
    (NOW, "1.01", "25999", 1, "1", "refuse", "LAW-LIMIT-YEAR"),
    (NOW, "0", "26000", 1, "1", "inside", ""),
    (THEN, "2000", "18000", 1, "1", "inside", ""),
    (THEN, "2000.01", "0", 2, "2", "full_tax", "LAW-LIMIT-SINGLE"),
    (THEN, "2000", "18000.01", 1, "1", "full_tax", "LAW-LIMIT-YEAR"),
    (POSTAL, "1000", "19000", 1, "2", "inside", ""),
    (POSTAL, "1000.01", "0", 1, "2", "refuse", "LAW-LIMIT-SINGLE"),
    (POSTAL, "1000.01", "0", 1, "1", "inside", ""),
    (POSTAL, "1000", "19000.01", 1, "2", "refuse", "LAW-LIMIT-YEAR"),
]


@pytest.mark.parametrize(("day", "value", "spent", "lines", "qty", "action", "rule"), TREATMENTS)
def test_limits_of_the_days(day: date, value: str, spent: str, lines: int, qty: str, action: str, rule: str) -> None:
    found = treated(value, spent, day, lines, qty)
    assert (found.action, found.rule) == (action, rule)
    assert (found.value, found.spent) == (Decimal(value), Decimal(spent))


def test_before_the_pilots_had_a_yearly_cap() -> None:
    """From 2014-03-01 on only; the order's cap since the middle of 2013."""
    assert treated("900", "50000", date(2014, 2, 28)).action == "inside"
    assert treated("900", "50000", date(2014, 3, 1)).action == "refuse"
    assert treated("1001", "0", date(2014, 2, 28), qty="2").action == "refuse"
    view = Policy.load().at(date(2016, 4, 7), PLACE)
    assert view["tax.limit_single_cny"] is None and view["tax.over_limit"] is None


def test_what_the_limits_compare() -> None:
    lines = [line("4202119090", "100"), line("4202119090", "50", gnum=2)]
    freight, insured = Decimal("5.5"), Decimal("0.25")
    law = Policy.load()
    assert tax.limit_value(lines, freight, insured, law.at(NOW, PLACE)) == Decimal("155.75")
    assert tax.limit_value(lines, freight, insured, law.at(POSTAL, PLACE)) == Decimal("150.00")
    with_tax = rows({"tax.limit_base": "with_tax"}).at(NOW, PLACE)
    assert tax.limit_value(lines, freight, insured, with_tax) == Decimal("155.75") + Decimal("14.17")


# ── the rest ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_waiver_of_small_sums_is_a_row() -> None:
    """What if the fifty yuan of the postal tax had stayed?"""
    view = rows({"tax.small_tax_waiver_cny": "50"}).at(NOW, PLACE)
    for total, due in (("549.45", "0"), ("549.46", "50.00"), ("549.51", "50.01"), ("0", "0")):
        made = tax.assess([line("4202119090", total)], Decimal(0), Decimal(0), view, full=False)
        if total == "549.46":
            assert made.total == 0 and [r.rule for r in made.reasons] == ["LAW-TAX-WAIVED"]
        else:
            assert made.total == Decimal(due)
    assert Policy.load().at(NOW, PLACE)["tax.small_tax_waiver_cny"] == 0


def test_the_seller_and_customs_reckon_the_same() -> None:
    """The builders' own simple reckoning and ours agree on many baskets, both modes, all goods on sale."""
    seen = set()
    for seed in range(1, 120):
        made = papers(seed, basket=None, fees=None, seed=seed, mode="1210" if seed % 2 else "9610")
        part = made.inventory
        view = Policy.load().at(NOW, PLACE)
        assert tax.assess(part.lines, part.freight, part.insuredFee, view, full=False).total == made.story.tax
        seen.update(one.gcode for one in part.lines)
    assert len(seen) > 40


def test_postal_classes_of_later_days() -> None:
    """What if the postal tax still held: the schedule of 2019 has other classes and bands."""
    view = rows({"tax.regime": "postal"}).at(NOW, PLACE)
    rates = {
        "4202119090": ("other", "0.20"), "1901900090": ("food_drink", "0.13"), "2204210000": ("alcohol", "0.50"),
        "6109100010": ("textile", "0.20"), "9503006000": ("toys", "0.13"), "7113191100": ("jewellery", "0.50"),
        "9506320000": ("golf", "0.50"), "8510300000": ("appliances", "0.20"), "3305100090": ("other", "0.20"),
        "4901990000": ("books", "0.13"), "8712000000": ("bicycle", "0.20"), "9403609990": ("furniture", "0.13"),
    }
    for hs, (name, rate) in rates.items():
        one = line(hs, "1000")
        assert tax.postal_class(one, Decimal(1000), view) == (name, True), hs
        made = tax.assess([one], Decimal(0), Decimal(0), view, full=False)
        assert made.duty == fen(1000 * Decimal(rate)) and made.vat == made.consumption == 0
    dear = line("3303000020", "500", qty1="0.05", unit1="035")
    assert tax.postal_class(dear, Decimal(500), view) == ("high_end_cosmetics", True)
    cheap = line("3303000020", "499", qty1="0.05", unit1="035")
    assert tax.postal_class(cheap, Decimal(499), view) == ("other", True)
    assert tax.postal_class(line("9999999999", "1"), Decimal(1), view) == ("other", False)


def test_every_postal_class_of_ours_is_one_of_a_schedule() -> None:
    law = Policy.load()
    known = set(law.at(POSTAL)["postal.band_of_goods"]) | set(law.at(NOW)["postal.band_of_goods"])
    classes, default = tax._postal_table()
    named = {name for row in classes for name in (*row["classes"], *row.get("dear", ()))} | set(default)
    assert named <= known and known - named == set()
    codes = [code for row in classes for code in row["hs"]]
    assert len(codes) == len(set(codes))
    for day in (POSTAL, NOW):
        assert set(default) & set(law.at(day)["postal.band_of_goods"])


def test_the_trail_says_how_each_line_was_reckoned() -> None:
    law = Policy.load()
    lines = [line("4202119090", "1000"), line("2208300000", "200", gnum=2, qty1="0.7", unit1="095")]
    trail: list[tax.Worked] = []
    tax.assess(lines, Decimal(12), Decimal(6), law.at(NOW, PLACE), full=True, trail=trail)
    bag, whisky = trail
    assert (bag.value, bag.freight, bag.insured_fee) == (Decimal("1015"), Decimal("10"), Decimal("5"))
    assert (bag.mfn, bag.vat, bag.rate) == (Decimal("0.06"), Decimal("0.13"), 0)
    assert (bag.vat_topic, bag.rule) == ("vat.standard", "")
    assert bag.taxes == (Decimal("60.90"), Decimal("139.867"), 0)
    assert (whisky.value, whisky.rate, whisky.by_quantity) == (Decimal("203"), Decimal("0.20"), Decimal("0.6384"))
    assert (whisky.rule, whisky.taxes[0]) == ("spirits", Decimal("20.3"))
    trail.clear()
    tax.assess(lines[:1], Decimal(0), Decimal(0), law.at(POSTAL, PLACE), full=False, trail=trail)
    assert [(one.band, one.goods_class, one.taxes[0]) for one in trail] == [("A", "shoes_bags", Decimal(100))]


HOW = {"unit": "0.01", "mode": "half_up", "level": "line"}
SPLIT = {"by": "total_price", "fees": "each", "remainder": "largest"}


def test_apportionment_and_rounding_are_rows() -> None:
    """Three lines of 3.33 at 9.1 %: 0.30303 each, 0.90909 together. Fees of 0.02 and 0.02 over three equal lines."""
    lines = [line("4202119090", "3.33", gnum=n) for n in (1, 2, 3)]

    def made(fee: str = "0", **law: Any) -> tax.Assessment:
        view = rows({f"tax.{name}": value for name, value in law.items()}).at(NOW, PLACE)
        return tax.assess(lines, Decimal(fee), Decimal(fee), view, full=False)

    assert [one.vat for one in made().lines] == [Decimal("0.30")] * 3 and made().vat == Decimal("0.90")
    head = made(rounding={**HOW, "level": "head"})
    assert [one.vat for one in head.lines] == [Decimal("0.31"), Decimal("0.30"), Decimal("0.30")]
    assert head.vat == Decimal("0.91") and head.duty == head.consumption == 0
    whole = made(rounding={**HOW, "unit": "1", "level": "head"})
    assert [one.vat for one in whole.lines] == [1, 0, 0]
    for split, shares in (({}, ("3.33", "3.35", "3.35")), ({"remainder": "last"}, ("3.35", "3.35", "3.33")),
                          ({"fees": "together"}, ("3.35", "3.34", "3.34"))):
        found = made("0.02", freight_split={**SPLIT, **split})
        assert [one.dutiable for one in found.lines] == [Decimal(share) for share in shares], split


def test_rates_given_with_a_line_go_before_the_tables() -> None:
    view = Policy.load().at(NOW, PLACE)
    whisky = line("2208300000", "200", qty1="0.7", unit1="095")

    def made(one: Any = whisky, *, full: bool = False, **rates: str) -> tax.Assessment:
        own = tax.Rates(**{name: Decimal(rate) for name, rate in rates.items()})
        return tax.assess([one], Decimal(0), Decimal(0), view, full=full, given=[own])

    assert made().total == Decimal("58.38"), "nothing given: as the tables say"
    assert made(vat="0.17", consumption="0").total == Decimal("23.80")
    found = made(consumption_specific="2")
    assert (found.consumption, found.vat) == (Decimal("0.98"), Decimal("18.33"))
    found = made(consumption="0.20", consumption_specific="0.912")
    assert (found.consumption, found.vat) == (Decimal("35.56"), Decimal("22.82"))
    assert made(mfn="0.5", consumption="0", full=True).duty == Decimal("100.00")
    by_piece = line("9999999999", "200", qty="3", unit="011")
    found = made(by_piece, vat="0.13", consumption_specific="2")
    assert (found.consumption, found.reasons) == (Decimal("4.20"), ())
    by_first_unit = line("9999999999", "200", qty="3", unit="011", qty1="5", unit1="035")
    assert made(by_first_unit, vat="0.13", consumption_specific="2").consumption == Decimal("7.00")
    assert [reason.rule for reason in made(by_piece, mfn="0.1").reasons] == ["LAW-TARIFF-UNKNOWN"]
    assert made(by_piece, vat="0.13", consumption="0", full=True).missing == ("9999999999",)


@pytest.mark.parametrize("cents", [5, 15, 35, 85, 1235])
def test_half_a_fen_is_met_exactly(cents: int) -> None:
    """30 % inside the price, 70 % of it due: V x 0.30 exactly, so 0.05 is half a fen above 0.01 and rounds up."""
    view = rows({"consumption.golf": {"kind": "ad_valorem", "rate": "0.30"}}).at(NOW, PLACE)
    made = tax.assess([line("9506320000", str(Decimal(cents) / 100))], Decimal(0), Decimal(0), view, full=False)
    assert made.consumption == Decimal((cents * 3 + 5) // 10) / 100


def test_spread_by_hand() -> None:
    amounts = [Decimal(x) for x in ("1", "1", "1")]
    assert spread(Decimal("0.02"), amounts) == [0, Decimal("0.01"), Decimal("0.01")]
    assert spread(Decimal("0.05"), amounts) == [Decimal("0.01"), Decimal("0.02"), Decimal("0.02")]
    assert spread(Decimal("10"), [Decimal("0"), Decimal("5"), Decimal("5")]) == [0, Decimal("5.00"), Decimal("5.00")]
    assert spread(Decimal("10"), []) == [] and spread(Decimal(0), amounts) == [0, 0, 0]


def test_a_unit_that_is_not_the_tariffs_is_told() -> None:
    view = Policy.load().at(date(2026, 11, 24), PLACE)
    one = line("2203000000", "100", qty1="10", unit1="035", qty2="5", unit2="095")
    made = tax.assess([one], Decimal(0), Decimal(0), view, full=False)
    assert [reason.rule for reason in made.reasons] == ["LAW-UNIT"] and made.missing == ()
    assert made.consumption > 0


def test_goods_taxed_by_the_litre_need_litres() -> None:
    view = Policy.load().at(date(2026, 11, 24), PLACE)
    one = line("2203000000", "100", qty1="10", unit1="035")
    made = tax.assess([one], Decimal(0), Decimal(0), view, full=False)
    assert made.missing == ("2203000000",)
    assert [reason.rule for reason in made.reasons] == ["LAW-UNIT", "LAW-QUANTITY-MISSING"]


@pytest.mark.parametrize(("unit", "value", "vat"), [("0.01", "100.60", "9.15"), ("0.1", "100.6", "9.15"),
                                                    ("1", "101", "9.19")])
def test_a_row_says_how_the_dutiable_value_is_rounded(unit: str, value: str, vat: str) -> None:
    view = rows({"tax.value_rounding": {"unit": unit, "mode": "half_up"}}).at(NOW, PLACE)
    made = tax.assess([line("8509401000", "100.60")], Decimal(0), Decimal(0), view, full=False)
    assert (made.lines[0].dutiable, made.vat) == (Decimal(value), Decimal(vat))


def test_a_row_says_how_the_value_of_the_postal_tax_is_rounded() -> None:
    view = rows({"tax.regime": "postal", "tax.value_rounding": {"unit": "1", "mode": "half_up"}}).at(NOW, PLACE)
    made = tax.assess([line("8509401000", "1000.60")], Decimal(0), Decimal(0), view, full=False)
    assert made.lines[0].dutiable == 1001


def test_a_row_says_from_which_price_a_watch_is_a_dear_one() -> None:
    watch = line("9101110000", "9000")
    for least, name in (("10000", "other"), ("9000", "high_end_watch"), (None, "other")):
        view = rows({"tax.regime": "postal", "postal.dear_watch_cny": least}).at(NOW, PLACE)
        assert tax.postal_class(watch, Decimal(9000), view)[0] == name, least
