"""Every leaf of the gathered facts is carried by a row, a place, an instrument, a list or the code, or says why not.

The facts are a file beside the repository; without it there is nothing to compare and the tests find no cases.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from cebport.policy import lists
from cebport.policy.engine import Policy
from cebport.policy.schema import jsonable

SHARED = Path(os.environ.get("CEBPORT_SHARED", Path(__file__).resolve().parents[1] / ".." / "shared"))
FILE = SHARED / "ceb" / "policy.yaml"
Leaf = tuple[str, Any]


class Carrier(NamedTuple):
    """What carries a fact. kind: row (names are topics), place, instrument, list, tariff, code (a file), none."""

    kind: str
    names: tuple[str, ...]


def row(*topics: str) -> Carrier:
    return Carrier("row", topics)


def none(reason: str) -> Carrier:
    return Carrier("none", (reason,))


def code(file: str) -> Carrier:
    return Carrier("code", (file,))


PLACE, INSTRUMENT, LIST, TARIFF = (Carrier(kind, ()) for kind in ("place", "instrument", "list", "tariff"))
READ = none("where a fact was read; a row cites the instrument it rests on, and its own note says what was seen")
MARK = none("the mark of a whole entry: rows carry their own, compared with the dated entries below")
WORDS = none("words about the entry")

COVER: list[tuple[str, Carrier]] = [
    # a pattern of paths (numbers of list entries stand as *), what carries it; the first that fits holds
    ("meta/*", none("how to read the facts file")),
    ("sources/*", READ),
    ("*/source", READ), ("*/source2", READ), ("*/src", READ), ("*/source/*", READ), ("*/formula_source/*", READ),
    ("*/description", WORDS), ("*/note", WORDS),
    ("announcements/*", INSTRUMENT),
    ("hs_sample/*/en", TARIFF), ("hs_sample/*", TARIFF),
    # 1 taxes
    ("tax_regime/*", row("tax.regime")),
    ("rate_date_rule/*", row("tax.rate_day")),
    ("postal_tax/bands/*", row("postal.bands")),
    ("postal_tax/band_of_goods/*", row("postal.band_of_goods")),
    ("postal_tax/exemption_tax_at_or_below/*", row("postal.waiver_cny")),
    ("postal_tax/parcel_limit/*", row("postal.parcel_limit_cny")),
    ("postal_tax/pilot_order_limit/*", row("postal.limit_order_cny")),
    ("postal_tax/pilot_year_limit/*", row("postal.limit_year_cny")),
    ("postal_tax/formula", row("postal.value_rule")),
    ("composite_tax/single_limit/*", row("tax.limit_single_cny")),
    ("composite_tax/year_limit/*", row("tax.limit_year_cny")),
    ("composite_tax/year_limit_period/*", row("tax.limit_year_period")),
    ("composite_tax/limit_base/*", row("tax.limit_base")),
    ("composite_tax/over_limit/*", row("tax.over_limit")),
    ("composite_tax/duty_rate_within/*", row("tax.duty_share_within")),
    ("composite_tax/vat_ct_share_within/*", row("tax.share_within")),
    ("composite_tax/share_over/*", row("tax.share_over")),
    ("composite_tax/exemption_small_tax/*", row("tax.small_tax_waiver_cny")),
    ("composite_tax/taxpayer/*", row("tax.taxpayer")),
    ("composite_tax/withholding_agent/*", row("tax.withholding_agents")),
    ("composite_tax/formula/*", code("clearance/tax.py")),
    ("composite_tax/check_values/*", none("figures to test the formula with: test_policy, test_tax, the cases")),
    ("composite_tax/rounding/dutiable_value/*", row("tax.value_rounding")),
    ("composite_tax/rounding/duty_waiver_general_trade/*", row("general_trade.duty_waiver_below_cny")),
    ("composite_tax/rounding/*", row("tax.rounding")),
    ("composite_tax/freight_share/*", row("tax.freight_split")),
    ("composite_tax/promotions/*", row("tax.discounts")),
    ("vat/standard/*", row("vat.standard")), ("vat/reduced/*", row("vat.reduced")),
    # 2 consumption tax
    ("consumption_tax/cosmetics/*", row("consumption.cosmetics", "consumption.skin_care")),
    *((f"consumption_tax/{name}/*", row(f"consumption.{name}")) for name in (
        "wine", "spirits", "beer", "yellow_rice_wine", "watch", "gold_silver_platinum_diamond_jewellery",
        "other_jewellery", "golf", "e_cigarette", "cigar")),
    ("specific_rate_base_for_threshold/*", row("tax.consumption_threshold_base")),
    # 3 positive list
    ("positive_list/required/*", row("positive_list.required")),
    ("positive_list/editions/*/added", none("the difference of the counts of two editions")),
    ("positive_list/editions/*/issued", INSTRUMENT), ("positive_list/editions/*/doc", INSTRUMENT),
    ("positive_list/editions/*", row("positive_list.edition")),
    ("positive_list/row_fields/*", code("policy/lists.py")),
    ("positive_list/remark_kinds/*", LIST), ("positive_list/common_note_formula/*", LIST),
    ("positive_list/licence_note", row("positive_list.import_licence")),
    ("positive_list/sample_rows/*", LIST),
    # 4 modes, pilots
    ("modes/9610/*", row("mode.9610")), ("modes/1210/*", row("mode.1210")), ("modes/1239/*", row("mode.1239")),
    ("modes/before_codes/*", row("mode.declared_by")),
    ("pilot_cities/*/city", PLACE),
    ("pilot_cities/*/start", row("pilot.named_on")), ("pilot_cities/*/import_live", row("pilot.import_live_on")),
    ("pilot_cities/*/modes/*", row("pilot.forms")), ("pilot_cities/*/platform", row("pilot.platform")),
    ("pilot_cities/*/conf/*", MARK),
    ("pilot_sets/*/from", row("pilot.city_count")), ("pilot_sets/n86/adds_total", PLACE),
    ("pilot_sets/*/confidence", MARK), ("pilot_sets/*", PLACE),
    ("practice_notes/*", row("port.notes")),
    ("transition_first_line/end_dates_announced/*", row("first_line.transition_until")),
    ("transition_first_line/values/*/value/exceptions/*", row("first_line.barred_goods")),
    ("transition_first_line/values/*", row(
        "first_line.clearance_form", "first_line.first_import_licence.9610", "first_line.first_import_licence.1210",
        "first_line.first_import_licence.1239")),
    # 5 Jinan
    ("jinan/customs_district/founded", none("a day before the district stood on its own; its row says since when")),
    ("jinan/customs_district/*", PLACE),
    ("jinan/cities/*", PLACE), ("jinan/parks_2014/*", PLACE),
    ("jinan/one_district_multi_park/*", row("district.many_parks")),
    ("jinan/bonded_1210_from/*", row("mode.1210")),
    ("jinan/cbec_zone_dates/*/city", PLACE), ("jinan/cbec_zone_dates/*", row("zone.ecommerce")),
    ("cbec_zone_batches/*/who", PLACE), ("cbec_zone_batches/*", row("zone.ecommerce_count")),
    # 6 returns, collection
    ("returns/apply_within_days_of_release/*", row("window.return_apply_days")),
    ("returns/goods_back_within_days_of_release/*", row("window.return_back_days")),
    ("returns/place/*", row("window.return_places", "window.return_other_customs")),
    ("returns/scope/*", row("window.return_scope")),
    ("returns/effect/*", row("window.return_effects", "quota.restore_on", "collect.wait_days")),
    ("returns/zone_goods/*", row("zone.unsaleable_goods")),
    ("cancel/window/*", row("window.cancel_until")),
    ("quota/consume_at/*", row("quota.consume_at")), ("quota/restore_on/*", row("quota.restore_on")),
    ("collection/guarantee/*", row("collect.guarantee", "collect.electronic_guarantee")),
    ("collection/tax_collected_day_after_release/*",
     row("collect.wait_days", "collect.pay_from_day", "collect.pay_to_day")),
    ("collection/summary_period/*", row("collect.summary")),
    ("collection/electronic_payment/*", row("collect.electronic_payment")),
    ("collection/late_fee/*", row("collect.late_fee_rate")),
    # 7 inspection
    ("inspection/authority/*", row("inspection.authority")),
    ("inspection/enterprise_filing/*", row("inspection.enterprise_filing", "duty.registration")),
    ("inspection/goods_filing/*", row("inspection.goods_filing")),
    ("inspection/negative_list/*", row("inspection.negative_list")),
    ("inspection/pilot_2014/*", row("inspection.store_check")),
    ("inspection/bonded/*", row("inspection.bonded")), ("inspection/direct/*", row("inspection.direct")),
    ("inspection/clearance_form_share/*", row("inspection.statutory_share")),
    ("inspection/after_2019/*", row("inspection.after_sale")),
    ("inspection/form_abolished/*", row("first_line.clearance_form")),
    # 8 foreign exchange, 9 national taxation
    ("forex/single_limit_usd/*", row("forex.limit_trade_usd")), ("forex/institution/*", row("forex.institution")),
    ("forex/record_years/*", row("forex.record_years")), ("forex/real_name/*", row("forex.real_name")),
    ("forex/bulk_purchase/*", row("forex.bulk_restorable")), ("forex/bop_code/*", row("forex.bop_codes")),
    ("forex/data_to_give/*", row("forex.data_to_give")), ("forex/data_to_give_conf", row("forex.data_to_give")),
    ("forex/reconcile/*", row("forex.reconcile")),
    ("national_tax/gets/*", row("taxation.gets")), ("national_tax/deduction/*", row("taxation.input_vat_deductible")),
    ("national_tax/invoice/*", row("taxation.seller_invoice", "taxation.service_fees_taxed")),
    ("national_tax/export_line/*", row("taxation.export_deemed_profit")),
    # 11 risk
    ("risk/basis/*", row("risk.basis.platform_duty", "risk.basis.penalties", "risk.basis.smuggling_forms",
                         "risk.basis.fake_platform", "risk.basis.pushed_orders", "risk.basis.red_lines",
                         "risk.basis.borrowed_identity")),
    ("risk/indicators/*", row(*(f"risk.indicator.R{number:02}" for number in range(1, 18)))),
    ("risk/actions/*", row("risk.actions")),
]

NOT_A_VALUE = {"from", "confidence", "conf"}
"""Keys of an entry that rows carry as since and mark: compared in test_entries_have_their_rows."""

DIFFERS = {
    "composite_tax/withholding_agent/values/1": "the three are seen for 2024; that they hold from 2019 is from memory",
    "modes/1210/values/1": "the number of cities is seen, their names are from memory: the rows name cities",
}
"""Entries whose mark the rows do not carry, and why."""


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, "no" if key is False else str(key)))  # YAML 1.1 takes "no" for false
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from leaves(value, (*path, str(number)))
    else:
        yield "/".join(path), node


@cache
def facts() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}


LEAVES = dict(leaves(facts()))


def carrier_of(path: str) -> Carrier | None:
    return next((carrier for pattern, carrier in COVER if fnmatchcase(path, pattern)), None)


@pytest.fixture(scope="module")
def law() -> Policy:
    return Policy.load()


def test_every_leaf_is_carried() -> None:
    assert [path for path in LEAVES if carrier_of(path) is None] == []


def test_a_new_leaf_would_be_told() -> None:
    assert carrier_of("composite_tax/dutiable_luck/values/0/value") is None
    assert carrier_of("customs_moods/values/0/value") is None


@pytest.mark.parametrize(("pattern", "carrier"), COVER, ids=[pattern for pattern, _ in COVER])
def test_every_line_of_the_table_is_used(law: Policy, pattern: str, carrier: Carrier) -> None:
    topics = {found.topic for found in law.rows()}
    if carrier.kind == "row":
        assert set(carrier.names) <= topics
    elif carrier.kind == "code":
        assert (Path(lists.__file__).parents[1] / carrier.names[0]).is_file()
    elif carrier.kind == "none":
        assert carrier.names[0], "a reason"
    if LEAVES:
        assert any(fnmatchcase(path, pattern) for path in LEAVES), "no fact fits this pattern"


# ------------------------------------------------------------------------ numbers and days stand in the rows


NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def numbers_of(value: Any) -> set[Decimal]:
    """Every number of a fact or of a row's value or note, percentages and thousands as written."""
    if value is None or isinstance(value, bool):
        return set()
    if isinstance(value, date):
        return set()
    if isinstance(value, int | float | Decimal):
        return {Decimal(str(value)).normalize()}
    if isinstance(value, dict):
        return set().union(*(numbers_of(item) for item in value.values()), *(numbers_of(key) for key in value), set())
    if isinstance(value, list | tuple):
        return set().union(*(numbers_of(item) for item in value), set())
    text = re.sub(r"(?<=\d)[, ](?=\d{3}\b)", "", str(value))
    return {Decimal(found).normalize() for found in NUMBER.findall(text)}


@cache
def rows_of(topic: str) -> list[Any]:
    return [found for found in Policy.load().rows() if found.topic == topic]


@cache
def held(topics: tuple[str, ...]) -> set[Decimal]:
    made: set[Decimal] = set()
    for found in (found for topic in topics for found in rows_of(topic)):
        made |= numbers_of(jsonable(found.value)) | numbers_of(found.note)
    return made


@cache
def days(topics: tuple[str, ...]) -> set[date]:
    made: set[date] = set()
    for found in (found for topic in topics for found in rows_of(topic)):
        made |= {found.since, found.until} - {None}
        for text in [found.note, *map(str, leaves_of_value(found.value))]:
            made |= {date.fromisoformat(day) for day in re.findall(r"\d{4}-\d{2}-\d{2}", text)}
    return made


def leaves_of_value(value: Any) -> Iterable[Any]:
    return [leaf for _, leaf in leaves(jsonable(value))]


CHECKED = [(path, value) for path, value in LEAVES.items()
           if (found := carrier_of(path)) is not None and found.kind == "row"
           and path.rpartition("/")[2] not in NOT_A_VALUE]
FIGURES = [(path, value) for path, value in CHECKED
           if (isinstance(value, int | float) and not isinstance(value, bool))
           or (isinstance(value, str) and NUMBER.fullmatch(value))]
DATES = [(path, value) for path, value in CHECKED if isinstance(value, date)]


def topics_of(path: str) -> tuple[str, ...]:
    carrier = carrier_of(path)
    return carrier.names if carrier is not None and carrier.kind == "row" else ()


def test_every_figure_stands_in_its_rows() -> None:
    assert [(path, value) for path, value in FIGURES if not numbers_of(value) <= held(topics_of(path))] == []


def test_every_day_stands_in_its_rows() -> None:
    assert [(path, value) for path, value in DATES if value not in days(topics_of(path))] == []


def test_another_figure_would_be_told() -> None:
    assert not numbers_of(2001) <= held(("tax.limit_single_cny",))
    assert numbers_of("2,000 and 5.50 %") == {Decimal(2000), Decimal("5.5")}
    assert date(2016, 4, 9) not in days(("tax.limit_single_cny",))


# --------------------------------------------------------------------- days and marks of the dated entries


def entries(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every entry with a first day that rows carry."""
    if isinstance(node, dict):
        if "from" in node:
            yield "/".join(path), node
        for key, value in node.items():
            yield from entries(value, (*path, str(key)))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from entries(value, (*path, str(number)))


DATED = [(path, entry, carrier) for path, entry in entries(facts())
         if (carrier := carrier_of(path + "/value")) is not None and carrier.kind == "row"]


def test_every_dated_entry_has_its_row_with_its_mark() -> None:
    wrong = []
    for path, entry, carrier in DATED:
        found = [one for topic in carrier.names for one in rows_of(topic) if one.since == entry["from"]]
        marks = {one.confidence for one in found}
        if not found or (entry.get("confidence") in marks) == (path in DIFFERS):
            wrong.append((path, entry["from"], marks))
    assert wrong == []


def test_there_is_something_to_compare() -> None:
    if LEAVES:
        assert len(LEAVES) > 2000
        assert len(DATED) > 70
        assert len(FIGURES) > 90
        assert len(DATES) > 30
        assert len(ANNOUNCEMENTS) == 29
        assert set(DIFFERS) <= {path for path, _, _ in DATED}


# ------------------------------------------------------------------------------ places, lists, instruments


def place_id(name: str) -> str:
    return name.lower().replace("'", "").replace(" ", "-")


NUMBERS = {
    # the number of an announcement in the facts -> instruments that carry it
    "MOF etc 2016-40 and 2016-47": ("mof-2016-40", "mof-2016-47"),
    "GACC office 2016-29": ("gacc-office-2016-29",),
    "Shangcaifa 2020-15 and 2021-39": ("shangcaifa-2020-15", "shangcaifa-2021-39"),
    "E-Port notice 2022-05-17": ("eport-2022-05-17",),
    "GACC Order 272": ("gacc-order-272",),
    "GACC (number unknown)": ("gacc-2026-export-returns",),
}
ANNOUNCEMENTS = [(str(fact.get("no", fact.get(False))), fact) for fact in facts().get("announcements", [])]


def test_every_announcement_is_an_instrument(law: Policy) -> None:
    for number, fact in ANNOUNCEMENTS:
        names = NUMBERS.get(number, (number.lower().replace(" ", "-"),))
        for name in names:
            found = law.instruments[name]
            assert found.title.zh, name
            assert found.title.en, name
            if len(names) == 1:
                assert found.issued == fact.get("issued", found.issued), name
                assert found.since == fact.get("from", found.since), name
                assert found.confidence == fact["conf"], name


def test_ten_pilots(law: Policy) -> None:
    for fact in facts().get("pilot_cities", []):
        view = law.at(date(2026, 1, 1), place_id(fact["city"]))
        assert view["pilot.named_on"] == fact["start"]
        assert view["pilot.import_live_on"] == fact["import_live"]
        assert view["pilot.forms"] == tuple(fact["modes"])
        assert fact["platform"] is None or view["pilot.platform"]["zh"].split("（")[0] in fact["platform"] or (
            view["pilot.platform"]["en"].split()[0] in fact["platform"])
        for key, topic in (("start", "pilot.named_on"), ("import_live", "pilot.import_live_on")):
            if key in fact["conf"]:
                assert view.row(topic).confidence == fact["conf"][key]


def cities(law: Policy, day: date) -> set[str]:
    """Cities (not the parks in them, not the island of Hainan as a whole) where 1210 is open by a row of their own."""
    return {place.id for place in law.places.values()
            if place.level == "zone" and (found := law.at(day, place.id).mode("1210")) and found.place == place.id}


@pytest.mark.parametrize(("day", "count"), [
    (date(2016, 5, 11), 10), (date(2018, 1, 1), 15), (date(2019, 1, 1), 37), (date(2020, 1, 17), 87)])
def test_the_growth_of_the_cities(law: Policy, day: date, count: int) -> None:
    """87: the 86 are counted without Haikou, which is on Hainan."""
    assert len(cities(law, day)) == count
    told = law.at(day)["pilot.city_count"]
    assert told == (86 if count == 87 else count)


def test_every_zone_has_the_mode_since_2021(law: Policy) -> None:
    day = date(2021, 3, 18)
    assert law.at(day)["pilot.city_count"] is None
    for place in law.places.values():
        if place.level in ("zone", "park") and place.stands(day):
            assert law.at(day, place.id).mode("1210"), place.id


def test_the_sets_of_the_facts(law: Policy) -> None:
    sets = facts().get("pilot_sets", {})
    for name, day in (("n10", date(2016, 5, 11)), ("n37", date(2019, 1, 1))):
        if sets:
            assert {place_id(city) for city in sets[name]["cities"]} == cities(law, day)
    if sets:
        assert {place_id(city) for city in sets["n15"]["adds"]} == cities(law, date(2018, 1, 1)) - cities(
            law, date(2017, 12, 31))
        added = cities(law, date(2020, 1, 17)) - cities(law, date(2020, 1, 16))
        assert {place_id(city) for city in sets["n86"]["adds_shandong"]} <= added
        assert len(added) == sets["n86"]["adds_total"]


def test_zones_batch_by_batch(law: Policy) -> None:
    held_by = {place.id: law.at(date(2026, 1, 1), place.id) for place in law.places.values() if place.level == "zone"}
    batches: dict[int, set[str]] = {}
    for name, view in held_by.items():
        if view["zone.ecommerce"] is not None:
            batches.setdefault(view["zone.ecommerce"]["batch"], set()).add(name)
    total = 0
    for fact in facts().get("cbec_zone_batches", []):
        total += fact["n"]
        counted = law.at(fact["date"])["zone.ecommerce_count"]
        assert counted == {"batch": fact["batch"], "added": fact["n"], "total": total}
        assert len(batches[fact["batch"]]) == fact["n"]
        if "who" in fact:
            assert {place_id(city) for city in fact["who"].split()} == batches[fact["batch"]]
    for fact in facts().get("jinan", {}).get("cbec_zone_dates", []):
        zone = held_by[place_id(fact["city"])]["zone.ecommerce"]
        assert (zone["batch"], zone["approved_on"]) == (fact["batch"], fact["approved"])
        assert zone.get("published_on") == fact.get("published")


def test_one_district_and_its_parks(law: Policy) -> None:
    for fact in facts().get("jinan", {}).get("cities", {}).get("values", []):
        stand = {place.id for place in law.places.values()
                 if place.level == "zone" and place.parent == "43" and place.stands(fact["from"])}
        assert stand == {place_id(city) for city in fact["value"]}
    for text in facts().get("jinan", {}).get("parks_2014", {}).get("value", []):
        words, _, customs = text.rpartition(" ")
        place = law.places[law.at(date(2026, 1, 1), customs).place]
        assert (place.level, place.en) == ("park", words.strip())
    district = facts().get("jinan", {}).get("customs_district")
    if district:
        assert law.at(date(2026, 1, 1), district["code"]).path == ("43", "CN")
        assert law.places["43"].since == district["independent_from"]
        assert district["was_under"].split()[0] in law.places["43"].note


def test_kinds_of_remark_have_a_line(law: Policy) -> None:
    view = law.at(date(2026, 1, 1))
    edition = next(found for found in law._loaded.lists if found[0] == view["positive_list.edition"]["edition"])
    rows = law._loaded.lists[edition]
    assert {found.remark_kind for found in rows.values()} == set(lists.REMARK_KINDS)
    told = facts().get("positive_list", {}).get("remark_kinds", [])
    assert {fact["code"] for fact in told} <= set(lists.REMARK_KINDS)
    counted = {found.name: (found.quantity, found.unit) for found in rows.values() if found.quantity}
    assert counted == {"砂糖": (Decimal(2), "035"), "长粒米精米": (Decimal(20), "035")}
    formula = rows["19011010"]
    assert "Food Safety Law" in formula.note


def test_indicators_have_thresholds_and_words(law: Policy) -> None:
    view = law.at(date(2026, 1, 1))
    names = [name for name in law.topics if name.startswith("risk.indicator.")]
    assert len(names) == 17
    for name in names:
        indicator = view[name]
        assert indicator["start"], name
        assert indicator["measure_zh"], name
        assert all(amount >= 0 for amount in indicator["start"].values())
    for fact in facts().get("risk", {}).get("indicators", []):
        indicator = view[f"risk.indicator.{fact['id']}"]
        assert fact["name"].split()[-1] in indicator["en"], fact["id"]
        shares = re.sub(r"([0-9]+) ?%", lambda found: str(Decimal(found[1]) / 100), fact["start"])
        wanted = numbers_of(shares)
        assert wanted - held((f"risk.indicator.{fact['id']}",)) == set(), fact["id"]
