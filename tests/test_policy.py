"""The law: what the tables say on which day and place, and everything that is refused when they are loaded."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cebport.faults import PolicyError
from cebport.policy import lists, loading, reader, schema
from cebport.policy.engine import VIEWS_MAX, Policy
from cebport.policy.overlay import diff

SHARED = Path(os.environ.get("CEBPORT_SHARED", Path(__file__).resolve().parents[1] / ".." / "shared"))
D = date.fromisoformat


@pytest.fixture(scope="module")
def law() -> Policy:
    return Policy.load()


# ------------------------------------------------------------------------------------- what holds, and when

VALUES = [
    # topic, place, day, value
    ("tax.regime", "CN", "2016-04-07", "postal"),
    ("tax.regime", "CN", "2016-04-08", "composite"),
    ("tax.limit_single_cny", "CN", "2016-04-07", None),
    ("tax.limit_single_cny", "CN", "2016-04-08", Decimal(2000)),
    ("tax.limit_single_cny", "CN", "2018-12-31", Decimal(2000)),
    ("tax.limit_single_cny", "CN", "2019-01-01", Decimal(5000)),
    ("tax.limit_year_cny", "CN", "2018-12-31", Decimal(20000)),
    ("tax.limit_year_cny", "CN", "2019-01-01", Decimal(26000)),
    ("tax.limit_base", "CN", "2020-01-01", "goods_freight_insurance"),
    ("tax.duty_share_within", "CN", "2016-04-08", Decimal(0)),
    ("tax.share_within", "CN", "2016-04-08", Decimal("0.70")),
    ("tax.share_over", "CN", "2026-01-01", Decimal("1.00")),
    ("tax.small_tax_waiver_cny", "CN", "2016-04-08", Decimal(0)),
    ("tax.rounding", "CN", "2013-07-01", {"unit": Decimal("0.01"), "mode": "half_up", "level": "line"}),
    ("tax.freight_split", "CN", "2026-01-01", {"by": "total_price", "fees": "each", "remainder": "largest"}),
    ("tax.over_limit", "CN", "2018-12-31",
     {"single_one_item": "full_tax", "single_other": "full_tax", "year": "full_tax", "counts_in_year": False}),
    ("tax.over_limit", "CN", "2019-01-01",
     {"single_one_item": "full_tax", "single_other": "refuse", "year": "refuse", "counts_in_year": True}),
    ("tax.rate_day", "CN", "2024-11-30", "accepted"),
    ("tax.rate_day", "CN", "2024-12-01", "declared"),
    ("postal.limit_order_cny", "CN", "2016-04-07", Decimal(1000)),
    ("postal.limit_order_cny", "CN", "2016-04-08", None),
    ("postal.limit_year_cny", "CN", "2014-03-01", Decimal(20000)),
    ("postal.waiver_cny", "CN", "2015-01-01", Decimal(50)),
    ("postal.bands", "CN", "2016-04-07",
     {"A": Decimal("0.10"), "B": Decimal("0.20"), "C": Decimal("0.30"), "D": Decimal("0.50")}),
    ("postal.bands", "CN", "2018-10-31", {"A": Decimal("0.15"), "B": Decimal("0.30"), "C": Decimal("0.60")}),
    ("postal.bands", "CN", "2019-04-09", {"A": Decimal("0.13"), "B": Decimal("0.20"), "C": Decimal("0.50")}),
    ("vat.standard", "CN", "2018-04-30", Decimal("0.17")),
    ("vat.standard", "CN", "2018-05-01", Decimal("0.16")),
    ("vat.standard", "CN", "2019-03-31", Decimal("0.16")),
    ("vat.standard", "CN", "2019-04-01", Decimal("0.13")),
    ("vat.reduced", "CN", "2017-06-30", Decimal("0.13")),
    ("vat.reduced", "CN", "2017-07-01", Decimal("0.11")),
    ("vat.reduced", "CN", "2018-05-01", Decimal("0.10")),
    ("vat.reduced", "CN", "2019-04-01", Decimal("0.09")),
    ("consumption.cosmetics", "CN", "2016-09-30", {"kind": "ad_valorem", "rate": Decimal("0.30")}),
    ("consumption.cosmetics", "CN", "2016-10-01",
     {"kind": "ad_valorem", "rate": Decimal("0.15"), "threshold_per_ml_or_g": Decimal(10),
      "threshold_per_piece": Decimal(15)}),
    ("consumption.skin_care", "CN", "2016-09-30", {"kind": "none"}),
    ("consumption.spirits", "CN", "2026-01-01",
     {"kind": "compound", "rate": Decimal("0.20"), "amount": Decimal("0.912"), "unit": "095"}),
    ("consumption.beer", "CN", "2026-01-01",
     {"kind": "specific", "amount_low": Decimal("0.2227"), "amount_high": Decimal("0.253"),
      "split_price": Decimal("2.6576767"), "unit": "095"}),
    ("consumption.watch", "CN", "2026-01-01",
     {"kind": "ad_valorem", "rate": Decimal("0.20"), "threshold_per_piece": Decimal(10000)}),
    ("consumption.e_cigarette", "CN", "2022-10-31", {"kind": "none"}),
    ("consumption.e_cigarette", "CN", "2022-11-01", {"kind": "ad_valorem", "rate": Decimal("0.36")}),
    ("consumption.gold_silver_platinum_diamond_jewellery", "CN", "2026-01-01", {"kind": "none"}),
    ("positive_list.required", "CN", "2016-04-07", False),
    ("positive_list.required", "CN", "2016-04-08", True),
    ("duty.documents.9610", "CN", "2014-03-01", ("order", "payment", "waybill")),
    ("duty.documents.1210", "CN", "2026-01-01", ("order", "payment", "waybill")),
    ("duty.signing.311", "CN", "2018-09-29", False),
    ("duty.signing.311", "CN", "2018-09-30", True),
    ("duty.signing.621", "CN", "2016-10-12", True),
    ("duty.signing.711", "CN", "2026-01-01", True),
    ("duty.tally", "CN", "2026-01-01", False),
    ("first_line.clearance_form", "hangzhou", "2016-05-10", True),
    ("first_line.clearance_form", "hangzhou", "2016-05-11", False),
    ("first_line.clearance_form", "hefei", "2017-12-31", True),
    ("first_line.clearance_form", "hefei", "2018-01-01", False),
    ("first_line.first_import_licence.1239", "weifang", "2019-06-01", True),
    ("window.return_apply_days", "CN", "2016-04-07", None),
    ("window.return_apply_days", "CN", "2016-04-08", 30),
    ("window.return_back_days", "CN", "2020-03-27", 30),
    ("window.return_back_days", "CN", "2020-03-28", 45),
    ("window.return_places", "CN", "2021-09-09", ("original_site",)),
    ("window.return_places", "CN", "2021-09-10", ("original_site", "return_centre")),
    ("window.cancel_until", "CN", "2026-01-01", "release"),
    ("collect.wait_days", "CN", "2026-01-01", 30),
    ("collect.pay_from_day", "CN", "2026-01-01", 31),
    ("collect.pay_to_day", "CN", "2026-01-01", 45),
    ("collect.summary", "CN", "2026-01-01", "daily"),
    ("collect.summary", "2992", "2026-01-01", "half_month"),
    ("clearance.close_days", "CN", "2026-01-01", 0),
    ("clearance.match_wait_days", "CN", "2026-01-01", None),
    ("clearance.law_day", "CN", "2026-01-01", "accepted"),
    ("clearance.place_from", "CN", "2026-01-01", ("customsCode",)),
    ("clearance.future_document", "CN", "2026-01-01", "refuse"),
    ("quota.consume_at", "CN", "2026-01-01", "stored"),
    ("quota.restore_on", "CN", "2026-01-01", ("refused", "cancelled", "returned")),
    ("tariff.unknown_vat", "CN", "2026-01-01", "s"),
    ("forex.limit_trade_usd", "2244", "2015-01-28", {"goods": Decimal(10000), "services": Decimal(50000)}),
    ("forex.limit_trade_usd", "2244", "2015-01-29", {"goods": Decimal(50000), "services": Decimal(50000)}),
    ("forex.limit_trade_usd", "4303", "2015-01-28", None),
]


@pytest.mark.parametrize(("topic", "place", "day", "value"), VALUES)
def test_value_on_a_day(law: Policy, topic: str, place: str, day: str, value: object) -> None:
    assert law.at(D(day), place)[topic] == value


MODES = [
    # mode, place, last day on which it is closed (or None), first day on which it is open
    ("9610", "CN", "2014-02-09", "2014-02-10"),
    ("9610", "4321", "2014-02-09", "2014-02-10"),
    ("1210", "2244", "2014-07-31", "2014-08-01"),
    ("1210", "2900", "2014-07-31", "2014-08-01"),
    ("1210", "3105", "2014-07-31", "2014-08-01"),
    ("1210", "4611", "2014-07-31", "2014-08-01"),
    ("1210", "8012", "2014-07-31", "2014-08-01"),
    ("1210", "5165", "2014-07-31", "2014-08-01"),
    ("1210", "5349", "2014-07-31", "2014-08-01"),
    ("1210", "3516", "2014-07-31", "2014-08-01"),
    ("1210", "0213", "2015-08-31", "2015-09-01"),
    ("1210", "3505", "2015-12-31", "2016-01-01"),
    ("1210", "hefei", "2017-12-31", "2018-01-01"),
    ("1210", "0129", "2018-12-31", "2019-01-01"),
    ("1210", "4722", "2018-12-31", "2019-01-01"),
    ("1210", "4303", "2020-01-16", "2020-01-17"),
    ("1210", "4312", "2020-01-16", "2020-01-17"),
    ("1210", "6402", "2020-01-16", "2020-01-17"),
    ("1210", "4321", "2021-03-17", "2021-03-18"),
    ("1210", "4381", "2021-03-17", "2021-03-18"),
    ("1210", "4300", "2021-03-17", "2021-03-18"),
    ("1210", "CN", "2021-03-17", "2021-03-18"),
    ("1239", "4312", "2016-11-30", "2016-12-01"),
]


@pytest.mark.parametrize(("mode", "place", "closed", "opened"), MODES)
def test_mode_opens(law: Policy, mode: str, place: str, closed: str, opened: str) -> None:
    assert law.at(D(closed), place).mode(mode) is None
    row = law.at(D(opened), place).mode(mode)
    assert row is not None
    assert row.since == D(opened)


@pytest.mark.parametrize(("mode", "place", "day"), [
    ("1239", "2900", "2017-01-01"), ("1239", "hefei", "2018-01-01"), ("1239", "4303", "2020-01-17"),
    ("0110", "2900", "2026-01-01"), ("1210", "2924", "2020-12-31"),
])
def test_mode_closed(law: Policy, mode: str, place: str, day: str) -> None:
    assert law.at(D(day), place).mode(mode) is None


def test_the_ten_the_fifteen_and_the_thirty_seven(law: Policy) -> None:
    def cities(day: str) -> set[str]:
        return {place.id for place in law.places.values()
                if place.level == "zone" and law.at(D(day), place.id).mode("1210")}

    assert len(cities("2016-05-11")) == 10
    assert len(cities("2018-01-01")) == 15
    assert len(cities("2019-01-01")) == 37
    assert {"jinan", "weifang", "yantai", "rizhao", "linyi"} <= cities("2020-01-17") - cities("2020-01-16")
    assert cities("2021-03-18") == {place.id for place in law.places.values() if place.level == "zone"}


COMPOSITE_RATES = [
    # day, consumption class, VAT kind, 0.7 x (r + v) / (1 - r) to six digits
    ("2016-04-08", None, "standard", "0.119000"),
    ("2016-04-08", "cosmetics", "standard", "0.470000"),
    ("2016-10-01", "cosmetics", "standard", "0.263529"),
    ("2018-05-01", None, "standard", "0.112000"),
    ("2019-04-01", None, "standard", "0.091000"),
    ("2019-04-01", None, "reduced", "0.063000"),
    ("2019-04-01", "cosmetics", "standard", "0.230588"),
    ("2019-04-01", "wine", "standard", "0.178889"),
    ("2019-04-01", "watch", "standard", "0.288750"),
]


@pytest.mark.parametrize(("day", "kind", "vat", "rate"), COMPOSITE_RATES)
def test_composite_rate(law: Policy, day: str, kind: str | None, vat: str, rate: str) -> None:
    view = law.at(D(day))
    v, r = view[f"vat.{vat}"], view[f"consumption.{kind}"]["rate"] if kind else Decimal(0)
    assert round(view["tax.share_within"] * (r + v) / (1 - r), 6) == Decimal(rate)


# ------------------------------------------------------------------------------------------- places


def test_nearest_place_wins_then_what_is_above(law: Policy) -> None:
    view = law.at(D("2020-02-01"), "4312")
    assert view.path == ("weifang-bonded-zone", "weifang", "43", "CN")
    assert view.place == "weifang-bonded-zone"
    assert view.place_note is None
    assert view.row("mode.1210").place == "weifang"
    assert view.row("mode.9610").place == "CN"


@pytest.mark.parametrize(("code", "path", "noted"), [
    ("4300", ("43", "CN"), False),
    ("4381", ("binzhou-logistics-centre", "binzhou", "43", "CN"), False),
    ("2900", ("hangzhou", "29", "CN"), False),
    ("2924", ("29", "CN"), True),
    ("2299", ("shanghai", "22", "CN"), True),
    ("9998", ("CN",), True),
    ("ZZ99", ("CN",), True),
    ("z 海!", ("CN",), True),
])
def test_customs_codes(law: Policy, code: str, path: tuple[str, ...], noted: bool) -> None:
    view = law.at(D("2026-01-01"), code)
    assert view.path == path
    assert (view.place_note is not None) == noted
    if noted:
        assert code in view.place_note.en
        assert code in view.place_note.zh


@pytest.mark.parametrize("name", ["atlantis", "290", "29000", "", "hangzhuo"])
def test_no_such_place(law: Policy, name: str) -> None:
    with pytest.raises(KeyError, match="neither a place nor a customs code"):
        law.at(D("2026-01-01"), name)


def test_a_place_that_no_longer_stands_gives_the_word_to_the_one_above(law: Policy) -> None:
    assert law.at(D("2019-01-08"), "laiwu").place == "laiwu"
    view = law.at(D("2019-01-09"), "4390")
    assert view.place == "43"
    assert "does not exist" in view.place_note.en
    assert law.at(D("2013-12-31"), "4300").path == ("CN",)


def test_the_ten_pilots_and_the_four_parks_are_rows(law: Policy) -> None:
    view = law.at(D("2026-01-01"))
    assert view.path == ("CN",)
    for code in ("4303", "4312", "4321", "4381"):
        place = law.places[law.at(D("2026-01-01"), code).place]
        assert place.level == "park"
        assert law.at(D("2026-01-01"), code).path[2:] == ("43", "CN")
    for city in ("shanghai", "chongqing", "hangzhou", "ningbo", "zhengzhou", "guangzhou", "shenzhen", "pingtan",
                 "tianjin", "fuzhou"):
        assert law.places[city].level == "zone"


# ---------------------------------------------------------------------------------- profiles, trust, practice


@pytest.mark.parametrize(("place", "day", "profile", "tolerance"), [
    ("CN", "2015-01-01", "national", "0"),
    ("2244", "2018-12-31", "strict-port", "0"),
    ("2244", "2019-01-01", "national", "0"),
    ("4612", "2018-12-31", "flexible-port", "1.00"),
    ("4612", "2019-01-01", "national", "0"),
])
def test_the_profile_of_a_place(law: Policy, place: str, day: str, profile: str, tolerance: str) -> None:
    view = law.at(D(day), place)
    assert view.profile == profile
    assert view.practice["money_tolerance_cny"] == Decimal(tolerance)


def test_a_practice_follows_the_one_it_is_built_on(law: Policy) -> None:
    national, flexible, strict = (
        law.at(D("2026-01-01"), profile=name).practice for name in ("national", "flexible-port", "strict-port"))
    assert (national["name"], flexible["name"], strict["name"]) == ("national", "flexible", "strict")
    assert national["MATCH-LINES"] == flexible["MATCH-LINES"] == "error"
    assert (national["MATCH-CONSIGNEE-PHONE"], flexible["MATCH-CONSIGNEE-PHONE"]) == ("error", "warning")
    assert (national["MATCH-INVENTORY-ADDRESS"], strict["MATCH-INVENTORY-ADDRESS"]) == ("warning", "error")
    assert national["emit_status_3"] is True
    assert national["emit_399"] is False


def test_every_link_of_the_match_is_weighed(law: Policy) -> None:
    practice = law.at(D("2026-01-01")).practice
    warned = {rule for rule, severity in practice.items() if severity == "warning"}
    assert sum(key.startswith("MATCH-") for key in practice) == 22
    assert warned == {"MATCH-INVENTORY-ADDRESS", "MATCH-ORDER-FREIGHT", "MATCH-GROSS-WEIGHT", "MATCH-BILL-NO",
                      "MATCH-TAX-TOTAL"}


def test_one_practice_object_for_equal_practices(law: Policy) -> None:
    first = law.at(D("2026-01-01"), "2900").practice
    assert law.at(D("2025-01-01"), "4312").practice is first


@pytest.mark.parametrize(("profile", "message", "day", "verdict", "action"), [
    ("national", "CEB621Message", "2026-01-01", "strict", "accept"),
    ("national", "CEB621Message", "2026-01-01", "repaired", "refuse"),
    ("national", "CEB621Message", "2026-01-01", "unsigned", "refuse"),
    ("national", "CEB311Message", "2026-01-01", "unsigned", "refuse"),
    ("national", "CEB311Message", "2018-09-29", "unsigned", "accept"),
    ("national", "513", "2018-09-29", "unsigned", "accept"),
    ("national", "CEB621Message", "2018-09-29", "unsigned", "refuse"),
    ("national", "CEB622Message", "2026-01-01", "unsigned", "accept"),
    ("national", "CEB411Message", "2026-01-01", "attested", "accept"),
    ("national", "CEB411Message", "2026-01-01", "expired", "refuse"),
    ("national", "CEB411Message", "2026-01-01", "never heard of", "refuse"),
    ("sandbox", "CEB621Message", "2026-01-01", "repaired", "warn"),
    ("sandbox", "CEB621Message", "2026-01-01", "untrusted", "refuse"),
])
def test_verdicts(law: Policy, profile: str, message: str, day: str, verdict: str, action: str) -> None:
    assert law.at(D(day), profile=profile).verdict_action(message, verdict) == action


def test_trust_and_dialect(law: Policy) -> None:
    national = law.at(D("2026-01-01"))
    sandbox = law.at(D("2026-01-01"), profile="sandbox")
    assert (national.trust["files_unknown"], national.trust["any_declarant"]) == (False, False)
    assert (sandbox.trust["files_unknown"], sandbox.trust["any_declarant"]) == (True, True)
    assert sandbox.practice is national.practice
    assert national.dialect == {
        "name": "national", "prefix": "ceb", "receipt_prefix": "", "schema": "2022-05", "encoding": "UTF-8",
        "declaration": True, "indent": False, "empty_elements": False}
    old = law.at(D("2026-01-01"), profile="national-2016-08").dialect
    assert (old["schema"], old["prefix"]) == ("2016-08", "ceb")


def test_no_such_profile(law: Policy) -> None:
    with pytest.raises(KeyError, match="no such profile"):
        law.at(D("2026-01-01"), profile="lenient")


# ---------------------------------------------------------------------------------------------- the view


def test_the_same_question_gets_the_same_view(law: Policy) -> None:
    assert law.at(D("2026-01-01"), "2900") is law.at(D("2026-01-01"), "2900")
    assert law.at(D("2026-01-01"), "2900") is not law.at(D("2026-01-02"), "2900")


def test_views_are_bounded() -> None:
    law = Policy.load(reader.TABLES)
    for ordinal in range(D("2016-01-01").toordinal(), D("2016-01-01").toordinal() + VIEWS_MAX + 50):
        law.at(date.fromordinal(ordinal))
    assert len(law._views) == VIEWS_MAX
    assert len(law._resolved) < 40
    assert law.at(D("2016-01-01"))["tax.regime"] == "postal"


def test_a_view_cannot_be_changed(law: Policy) -> None:
    view = law.at(D("2026-01-01"))
    for change in (
        lambda: view.__setitem__("tax.regime", "postal"),
        lambda: view.pop("tax.regime"),
        lambda: view.update({"tax.regime": "postal"}),
        lambda: setattr(view, "day", D("2016-01-01")),
        lambda: view["tax.over_limit"].clear(),
        lambda: view.practice.setdefault("MATCH-LINES", "off"),
    ):
        with pytest.raises(TypeError):
            change()
    assert view["tax.regime"] == "composite"


def test_unknown_topic_and_topic_without_a_row(law: Policy) -> None:
    view = law.at(D("2015-01-01"))
    with pytest.raises(KeyError, match="no such topic"):
        view["tax.limit_singel_cny"]
    with pytest.raises(KeyError, match="no such topic"):
        view.row("tax.limit_singel_cny")
    assert view["tax.limit_single_cny"] is None
    assert view.row("tax.limit_single_cny") is None
    assert view.get("tax.limit_single_cny", Decimal(7)) == Decimal(7)
    assert view.source("tax.limit_single_cny") == ""
    assert view.instrument("tax.limit_single_cny") is None


def test_a_row_says_where_it_comes_from(law: Policy) -> None:
    view = law.at(D("2018-12-31"))
    row = view.row("tax.limit_single_cny")
    assert (row.since, row.until, row.place, row.instrument, row.confidence) == (
        D("2016-04-08"), D("2018-12-31"), "CN", "caiguanshui-2016-18", "V")
    file, line = row.where.split(":")
    assert '"2000"' in (reader.TABLES / file).read_text().splitlines()[int(line) - 1]
    assert view.source("tax.limit_single_cny") == "Caiguanshui 2016-18 [V, 2016-04-08]"
    assert view.source("tax.limit_single_cny", "zh") == "财关税〔2016〕18号 [V, 2016-04-08]"
    assert row.seen
    guess = law.at(D("2020-01-01")).row("clearance.close_days")
    assert not guess.seen
    assert view.source("clearance.close_days", "zh") == "本项目约定 [K 未见原文]"
    assert json.loads(json.dumps(row.as_dict()))["value"] == "2000"


def test_moments_are_no_days(law: Policy) -> None:
    with pytest.raises(TypeError, match="a day, not a moment"):
        law.at(datetime(2026, 1, 1))


def test_records_travel_between_processes(law: Policy) -> None:
    over = law.at(D("2026-01-01"))["tax.over_limit"]
    assert pickle.loads(pickle.dumps(over)) == over
    with pytest.raises(TypeError, match="belongs to its policy"):
        pickle.dumps(law.at(D("2026-01-01")))


def test_history(law: Policy) -> None:
    rows = law.history("tax.limit_year_cny", "4312", known=D("2026-11-24"))
    assert [(row.value, row.since, row.until) for row in rows] == [
        (Decimal(20000), D("2016-04-08"), D("2018-12-31")), (Decimal(26000), D("2019-01-01"), None)]
    modes = law.history("mode.1210", "4312")
    assert [(row.value, row.place, row.since) for row in modes] == [
        (False, "CN", D("2014-08-01")), (True, "weifang", D("2020-01-17"))]
    assert modes[0].until == D("2020-01-16")
    assert [row.value for row in law.history("practice.money_tolerance_cny", "flexible")] == [Decimal("1.00")]
    with pytest.raises(KeyError, match="no such topic"):
        law.history("tax.nothing")


# ----------------------------------------------------------------------------------------- lists and tariff


def test_sample_of_the_positive_list(law: Policy) -> None:
    view = law.at(D("2026-01-01"))
    butter = view.listed("0405100000", "9610")
    assert (butter.state, butter.complete, butter.edition, butter.row.confidence) == ("listed", False, "2022", "V")
    honey = view.listed("0410004100", "1210")
    assert (honey.state, honey.remark_kind) == ("listed", "exclude")
    assert honey.remark
    absent = view.listed("9999999999", "9610")
    assert (absent.state, absent.complete, absent.row) == ("absent", False, None)
    assert view.listed("3304990029", "9610").row.confidence == "M"
    assert view.listed("0405100000", "9610") is butter


@pytest.mark.parametrize(("day", "edition", "lines", "butter"), [
    ("2016-04-07", "", 0, "not_required"),
    ("2016-04-08", "2016-1", 1142, "absent"),
    ("2016-04-16", "2016-1+2", 1293, "listed"),
    ("2018-12-31", "2016-1+2", 1293, "listed"),
    ("2019-01-01", "2018", 1321, "listed"),
    ("2020-01-01", "2019", 1413, "listed"),
    ("2022-02-28", "2019", 1413, "listed"),
    ("2022-03-01", "2022", 1476, "listed"),
])
def test_list_editions(law: Policy, day: str, edition: str, lines: int, butter: str) -> None:
    view = law.at(D(day))
    found = view.listed("0405100000", "9610")
    assert (found.state, found.edition) == (butter, edition)
    assert (view["positive_list.edition"] or {"lines": 0})["lines"] == lines


def test_tariff_sample(law: Policy) -> None:
    view = law.at(D("2026-01-01"))
    formula = view.tariff("1901101090")
    assert (formula.mfn, formula.provisional, formula.vat, formula.consumption, formula.unit1, formula.unit2) == (
        Decimal("0.15"), Decimal("0.05"), "s", None, "035", "")
    assert view.tariff("0409000000").vat == "r"
    assert view.tariff("2208300000").consumption == "spirits"
    assert view.tariff("9102110000").edition == "2024-sample"
    assert view.tariff("0000000000") is None


def test_sizes_of_the_samples(law: Policy) -> None:
    tariff = next(iter(law._loaded.tariffs.values()))
    real = lists.read_list("list", (reader.TABLES / "positive_list" / "2016-2-sample.csv").read_bytes(), pytest.fail)
    assert (len(tariff), len(real)) == (66, 24)
    assert all(row.name and row.name_en for row in (*tariff.values(), *real.values()))


# ------------------------------------------------------------------------------------------ sources, words


def test_every_row_cites_an_instrument_and_a_mark(law: Policy) -> None:
    rows = law.rows()
    assert len(rows) > 250
    for row in rows:
        assert row.instrument in law.instruments, row.where
        assert row.confidence in schema.CONFIDENCE, row.where
        assert row.recorded_at >= D("2026-11-24"), row.where
    assert {row.instrument for row in rows if row.confidence in ("V", "S", "R")} - {"cebport-default"}
    assert all(row.confidence in ("K", "M") for row in rows if row.instrument == "cebport-default")


def test_every_topic_is_described_and_has_a_row(law: Policy) -> None:
    used = {row.topic for row in law.rows()}
    for topic in law.topics.values():
        assert topic.zh, topic.name
        assert topic.en, topic.name
        assert topic.name in used or topic.name.startswith("trust.verdicts."), topic.name


def test_edition_is_the_hash_of_every_byte(law: Policy, tmp_path: Path) -> None:
    copy = tables(tmp_path)
    assert Policy.load(copy).edition == law.edition
    assert len(law.edition) == 64
    path = copy / "tariff" / "2024-sample.csv"
    path.write_bytes(path.read_bytes().replace(b"Juicer", b"Juice press"))
    assert Policy.load(copy).edition != law.edition


def test_import_stays_light() -> None:
    code = "import cebport.policy.engine, sys; print([m for m in ('yaml', 'csv', 'cryptography') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------------------------ what is refused at load


def tables(tmp_path: Path) -> Path:
    """A copy of the shipped tables that a test may spoil."""
    copy = tmp_path / "tables"
    shutil.copytree(reader.TABLES, copy)
    return copy


EXTRA = "about: {zh: 试, en: trial}\nrecorded_at: 2026-01-01\nrows:\n"
ROW = "instrument: cebport-default, confidence: K"

REFUSED = [
    # what, rows of an extra table (its first row stands on line 4), code, line, what the words name
    ("gap", "  tax.regime:\n"
     f"  - {{value: postal, since: 1990-01-01, until: 1990-12-31, places: [hefei], {ROW}}}\n"
     f"  - {{value: postal, since: 1992-01-01, places: [hefei], {ROW}}}\n",
     "CEB-LAW-011", 6, "1991-01-01 – 1991-12-31"),
    ("overlap by until", "  tax.regime:\n"
     f"  - {{value: postal, since: 1990-01-01, until: 1992-01-01, places: [hefei], {ROW}}}\n"
     f"  - {{value: postal, since: 1992-01-01, places: [hefei], {ROW}}}\n",
     "CEB-LAW-012", 6, "1992-01-01"),
    ("overlap by since", "  vat.standard:\n"
     f'  - {{value: "0.13", since: 2019-04-01, {ROW}}}\n', "CEB-LAW-012", 5, "vat.standard"),
    ("until before since", "  tax.regime:\n"
     f"  - {{value: postal, since: 1990-01-01, until: 1989-01-01, places: [hefei], {ROW}}}\n",
     "CEB-LAW-010", 5, "1989-01-01"),
    ("unknown topic", f"  tax.limit_singel_cny:\n  - {{value: \"1\", since: null, {ROW}}}\n",
     "CEB-LAW-004", 4, "tax.limit_singel_cny"),
    ("unknown class", f"  consumption.perfume:\n  - {{value: {{kind: none}}, since: null, {ROW}}}\n",
     "CEB-LAW-004", 4, "consumption.perfume"),
    ("unknown key of a row", f"  duty.tally:\n  - {{value: true, from: null, since: null, {ROW}}}\n",
     "CEB-LAW-003", 5, "from"),
    ("unknown key of a record", "  tax.rounding:\n"
     f'  - {{value: {{unit: "0.01", mode: half_up, level: line, way: up}}, since: null, {ROW}}}\n',
     "CEB-LAW-003", 5, "way"),
    ("missing key of a record", f"  tax.rounding:\n  - {{value: {{mode: half_up, level: line}}, since: null, {ROW}}}\n",
     "CEB-LAW-013", 5, "unit"),
    ("amount that the kind needs", "  consumption.golf:\n"
     f'  - {{value: {{kind: compound, rate: "0.1"}}, since: 2030-01-01, {ROW}}}\n', "CEB-LAW-013", 5, "amount"),
    ("unknown place", f"  duty.tally:\n  - {{value: true, since: null, places: [atlantis], {ROW}}}\n",
     "CEB-LAW-005", 5, "atlantis"),
    ("no place at all", f"  duty.tally:\n  - {{value: true, since: null, places: [], {ROW}}}\n",
     "CEB-LAW-005", 5, "unknown place"),
    ("the same place twice", f"  duty.tally:\n  - {{value: true, since: null, places: [n10, tianjin], {ROW}}}\n",
     "CEB-LAW-005", 5, "tianjin"),
    ("unknown practice", f"  practice.emit_399:\n  - {{value: true, since: null, practices: [lax], {ROW}}}\n",
     "CEB-LAW-005", 5, "lax"),
    ("unknown profile", f"  place.profile:\n  - {{value: lax, since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-005", 5, "lax"),
    ("a place where a practice belongs",
     f"  practice.emit_399:\n  - {{value: true, since: null, places: [hefei], {ROW}}}\n", "CEB-LAW-003", 5, "places"),
    ("practice without a name", f"  practice.emit_399:\n  - {{value: true, since: null, {ROW}}}\n",
     "CEB-LAW-013", 5, "practices"),
    ("missing instrument", "  duty.tally:\n  - {value: true, since: null, confidence: K}\n",
     "CEB-LAW-006", 5, "duty.tally"),
    ("unknown instrument", "  duty.tally:\n  - {value: true, since: null, instrument: gacc-1999-1, confidence: K}\n",
     "CEB-LAW-007", 5, "gacc-1999-1"),
    ("unknown mark", "  duty.tally:\n  - {value: true, since: null, instrument: cebport-default, confidence: X}\n",
     "CEB-LAW-020", 5, "X"),
    ("missing mark", "  duty.tally:\n  - {value: true, since: null, instrument: cebport-default}\n",
     "CEB-LAW-013", 5, "confidence"),
    ("missing since", f"  duty.tally:\n  - {{value: true, {ROW}}}\n", "CEB-LAW-013", 5, "since"),
    ("missing value", f"  duty.tally:\n  - {{since: null, {ROW}}}\n", "CEB-LAW-013", 5, "value"),
    ("value and inherit", f"  duty.tally:\n  - {{value: true, inherit: true, since: null, {ROW}}}\n",
     "CEB-LAW-013", 5, "value"),
    ("duplicate key in a row", f"  duty.tally:\n  - {{value: true, value: false, since: null, {ROW}}}\n",
     "CEB-LAW-002", 5, "value"),
    ("duplicate topic in a file", f"  duty.tally:\n  - {{value: true, since: 2030-01-01, {ROW}}}\n  duty.tally: []\n",
     "CEB-LAW-002", 6, "duty.tally"),
    ("wrong type: text for a number", f"  collect.wait_days:\n  - {{value: thirty, since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-008", 5, "thirty"),
    ("wrong type: negative days", f"  collect.wait_days:\n  - {{value: -1, since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-008", 5, "-1"),
    ("wrong type: text for a bool", f"  duty.tally:\n  - {{value: yes, since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-008", 5, "yes"),
    ("wrong type: no such choice", f"  tax.regime:\n  - {{value: flat, since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-008", 5, "flat"),
    ("wrong type: number without quotes", f"  tax.limit_year_cny:\n  - {{value: 26000, since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-008", 5, "26000"),
    ("wrong type: null where none may be", f"  tax.limit_year_cny:\n  - {{value: null, since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-008", 5, "null"),
    ("wrong type: list for one value", f"  tax.regime:\n  - {{value: [postal], since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-008", 5, "a list"),
    ("wrong type: a percentage as a rate", f'  vat.standard:\n  - {{value: "13", since: 2030-01-01, {ROW}}}\n',
     "CEB-LAW-008", 5, "13"),
    ("rate as float", f"  vat.standard:\n  - {{value: 0.13, since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-009", 5, "0.13"),
    ("rate as float with an exponent", f"  vat.standard:\n  - {{value: 13e-2, since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-009", 5, "13e-2"),
    ("code without quotes", f"  positive_list.bonded_modes:\n  - {{value: [0200], since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-009", 5, "0200"),
    ("no such day", f"  duty.tally:\n  - {{value: true, since: 2030-02-30, {ROW}}}\n",
     "CEB-LAW-010", 5, "2030-02-30"),
    ("another writing of a day", f"  duty.tally:\n  - {{value: true, since: 1.2.2030, {ROW}}}\n",
     "CEB-LAW-010", 5, "1.2.2030"),
    ("the end of days", f"  duty.tally:\n  - {{value: true, since: 2030-01-01, until: 9999-12-31, {ROW}}}\n",
     "CEB-LAW-010", 5, "9999-12-31"),
    ("withdrawn before recorded",
     f"  duty.tally:\n  - {{value: true, since: 2030-01-01, withdrawn_at: 2025-01-01, {ROW}}}\n",
     "CEB-LAW-010", 5, "2025-01-01"),
    ("alias", f"  duty.tally:\n  - &a {{value: true, since: 2030-01-01, {ROW}}}\n  - *a\n",
     "CEB-LAW-019", 5, "alias"),
    ("broken YAML", f"  duty.tally:\n  - {{value: true, since: 2030-01-01, {ROW}\n",
     "CEB-LAW-001", 6, "cannot be read"),
    ("no such list", "  tariff.edition:\n"
     f"  - {{value: {{edition: x, complete: true, files: [tariff/x.csv]}}, since: 2030-01-01, {ROW}}}\n",
     "CEB-LAW-014", 5, "tariff/x.csv"),
    ("one code in two files of an edition", "  tariff.edition:\n"
     "  - {value: {edition: x, complete: true, files: [tariff/2024-sample.csv, tariff/2024-sample.csv]}, "
     f"since: 2030-01-01, {ROW}}}\n", "CEB-LAW-002", 5, "0401200000"),
]


def refusals(directory: Path, *overlays: Path) -> list[tuple[str, str, str]]:
    """(code, file:line, the words) of every mistake that stops the load."""
    with pytest.raises(PolicyError) as caught:
        Policy.load(directory, overlays)
    return [(fault.code, fault.path, fault.message.en + " " + fault.remedy.en) for fault in caught.value.faults]


@pytest.mark.parametrize(("what", "rows", "code", "line", "named"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused_row(tmp_path: Path, what: str, rows: str, code: str, line: int, named: str) -> None:
    copy = tables(tmp_path)
    (copy / "trial.yaml").write_text(EXTRA + rows, encoding="utf-8")
    found = refusals(copy)
    assert [(fault[0], fault[1]) for fault in found] == [(code, f"trial.yaml:{line}")], found
    assert named in found[0][2]
    assert_chinese(copy, code)


def assert_chinese(directory: Path, code: str) -> None:
    """The Chinese words of what stops the load hold no English ones (the parser of YAML speaks English only)."""
    with pytest.raises(PolicyError) as caught:
        Policy.load(directory)
    for fault in caught.value.faults:
        if code != "CEB-LAW-001":
            assert not ENGLISH.search(fault.message.zh + fault.remedy.zh), fault
        assert fault.message.zh != fault.message.en
        assert fault.message.en.isascii() or any(part in fault.message.en for part in ("–", fault.found))


ENGLISH = re.compile(r"\b(a|an|the|of|in|not|one|each|with|and|only|digits|cells|after|before|quotes)\b")


SPOILT = [
    # what, file, old text, new text, code, text of the line that is named
    ("instrument without a title", "instruments.yaml", "    title: {zh: 提高交易限值, en: higher limits}\n", "",
     "CEB-LAW-013", "    no: {zh: 财关税〔2018〕49号, en: Caiguanshui 2018-49}"),
    ("instrument twice", "instruments.yaml", "  gacc-2020-45:\n", "  gacc-2018-194:\n",
     "CEB-LAW-002", "  gacc-2018-194:"),
    ("place twice", "places.yaml", "- {id: hefei, level: zone", "- {id: suzhou, level: zone", "CEB-LAW-002",
     "- {id: suzhou, level: zone, parent: '23'"),
    ("place below nothing", "places.yaml", "parent: '33', zh: 合肥", "parent: '34', zh: 合肥", "CEB-LAW-005",
     "- {id: hefei"),
    ("place below its like", "places.yaml", "parent: '33', zh: 合肥", "parent: wuhan, zh: 合肥", "CEB-LAW-015",
     "- {id: hefei"),
    ("code of two places", "places.yaml", "codes: ['4303']", "codes: ['4312']",
     "CEB-LAW-016", "- {id: weifang-bonded-zone"),
    ("ill-formed code", "places.yaml", "codes: ['4303']", "codes: ['43030']",
     "CEB-LAW-008", "- {id: jinan-bonded-zone"),
    ("unknown level", "places.yaml", "{id: pingtan, level: zone", "{id: pingtan, level: island",
     "CEB-LAW-008",
     "- {id: pingtan"),
    ("set with a stranger", "places.yaml", "fuzhou, pingtan]", "fuzhou, atlantis]", "CEB-LAW-005", "  n10:"),
    ("topic of no type", "topics.yaml", "  duty.tally: {type: bool,", "  duty.tally: {type: boolean,",
     "CEB-LAW-008",
     "  duty.tally:"),
    ("topic without a meaning", "topics.yaml", "en: whether a direct parcel waits for its tally}", "unit: x}",
     "CEB-LAW-013", "  duty.tally:"),
    ("profile of an unknown practice", "profiles.yaml", "practice: strict,", "practice: harsh,",
     "CEB-LAW-005",
     "  strict-port:"),
    ("tariff: a word as a rate", "tariff/2024-sample.csv", "Juicer,0.07", "Juicer,seven",
     "CEB-LAW-017", "8509401000"),
    ("tariff: unknown class", "tariff/2024-sample.csv", "s,golf,", "s,sport,", "CEB-LAW-017", "9506320000"),
    ("tariff: nine digits", "tariff/2024-sample.csv", "9506320000", "950632000", "CEB-LAW-017", "950632000,"),
    ("tariff: code twice", "tariff/2024-sample.csv", "8510300000", "8509401000",
     "CEB-LAW-002", "8509401000,电动脱毛器"),
    ("tariff: a cell too many", "tariff/2024-sample.csv", "Golf balls,", "Golf, balls,",
     "CEB-LAW-017", "9506320000"),
    ("list: unknown remark", "positive_list/2016-2-sample.csv", "Bird nests,,", "Bird nests,maybe,",
     "CEB-LAW-017",
     "04100010"),
    ("list: quantity without its remark", "positive_list/2016-2-sample.csv", "Bird nests,,,,,", "Bird nests,,,,2,035",
     "CEB-LAW-017", "04100010"),
    ("list: unknown mark", "positive_list/2016-2-sample.csv", "Bird nests,,,,,,V", "Bird nests,,,,,,Z",
     "CEB-LAW-020",
     "04100010"),
]


@pytest.mark.parametrize(("what", "file", "old", "new", "code", "at"), SPOILT, ids=[case[0] for case in SPOILT])
def test_refused_table(tmp_path: Path, what: str, file: str, old: str, new: str, code: str, at: str) -> None:
    path = tables(tmp_path) / file
    before = path.read_text(encoding="utf-8")
    after = before.replace(old, new, 1)
    assert after != before, "the test spoils nothing"
    path.write_text(after, encoding="utf-8")
    lines = after.splitlines()
    line = max(number for number, text in enumerate(lines, 1) if text.startswith(at))
    found = refusals(tmp_path / "tables")
    assert_chinese(tmp_path / "tables", code)
    assert (code, f"{file}:{line}") in [(fault[0], fault[1]) for fault in found], found


@pytest.mark.parametrize("file", ["topics.yaml", "instruments.yaml", "places.yaml", "profiles.yaml"])
def test_a_missing_table(tmp_path: Path, file: str) -> None:
    copy = tables(tmp_path)
    (copy / file).unlink()
    assert refusals(copy)[0][:2] == ("CEB-LAW-014", f"{file}:0")


def test_no_tables_at_all(tmp_path: Path) -> None:
    assert refusals(tmp_path / "nowhere")[0][0] == "CEB-LAW-014"


def test_a_table_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "FILE_BYTES_MAX", 1000)
    assert refusals(tables(tmp_path))[0][0] == "CEB-LAW-018"


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", b"", b"- 1\n", b"rows: [" * 5000])
def test_bytes_that_are_no_table(tmp_path: Path, raw: bytes) -> None:
    copy = tables(tmp_path)
    (copy / "trial.yaml").write_bytes(raw)
    assert refusals(copy)[0][:2] == ("CEB-LAW-001", "trial.yaml:1")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    copy = tables(tmp_path)
    (copy / "trial.yaml").write_text(
        EXTRA + "  duty.tally:\n"
        f"  - {{value: maybe, since: 2030-01-01, {ROW}}}\n"
        f"  - {{value: true, since: 2031-13-01, {ROW}}}\n"
        "  no.topic: []\n", encoding="utf-8")
    assert [(code, path) for code, path, _ in refusals(copy)] == [
        ("CEB-LAW-008", "trial.yaml:5"), ("CEB-LAW-010", "trial.yaml:6"), ("CEB-LAW-004", "trial.yaml:7")]


def test_mistakes_are_told_up_to_a_number(tmp_path: Path) -> None:
    copy = tables(tmp_path)
    path = copy / "positive_list" / "memory-sample.csv"
    path.write_text(path.read_text() + "x,,,,,,,,M,,\n" * (reader.FAULTS_MAX + 1), encoding="utf-8")
    assert len(refusals(copy)) == reader.FAULTS_MAX


def test_words_of_every_fault() -> None:
    used = {case[2] for case in REFUSED} | {case[4] for case in SPOILT} | {"CEB-LAW-014", "CEB-LAW-018", "CEB-LAW-021"}
    used |= {"CEB-LAW-022", "CEB-LAW-023"}  # test_policy_held.py
    assert used == set(reader.catalog())
    for code, entry in reader.catalog().items():
        for words in (entry["message"], entry["remedy"]):
            assert words["zh"], code
            assert words["en"], code


# --------------------------------------------------------------------------------- what was known, overlays


def written(tmp_path: Path, rows: str, name: str = "overlay.yaml", head: str = EXTRA) -> Path:
    path = tmp_path / name
    path.write_text(head + rows, encoding="utf-8")
    return path


def test_what_was_known(tmp_path: Path) -> None:
    copy = tables(tmp_path)
    rows = ("  forex.record_years:\n"
            f"  - {{value: 7, since: 2015-01-29, places: [hefei], recorded_at: 2020-01-01, "
            f"withdrawn_at: 2022-01-01, {ROW}}}\n"
            f"  - {{value: 8, since: 2015-03-01, places: [hefei], recorded_at: 2022-01-01, {ROW}}}\n")
    (copy / "trial.yaml").write_text(EXTRA + rows, encoding="utf-8")
    law = Policy.load(copy)

    def years(day: str, known: str | None) -> object:
        return law.at(D(day), "hefei", known=D(known) if known else None).get("forex.record_years")

    assert years("2015-02-01", "2019-12-31") is None
    assert years("2015-02-01", "2020-01-01") == 7
    assert years("2015-02-01", "2021-12-31") == 7
    assert years("2015-02-01", "2022-01-01") is None
    assert years("2015-03-01", "2022-01-01") == 8
    assert years("2015-03-01", "2026-11-23") == 8
    assert years("2015-02-01", None) == 5
    assert years("2015-02-01", "2026-11-24") == 5
    assert law.at(D("2015-03-01"), "hefei", known=D("2021-06-01")).row("forex.record_years").until is None
    assert len(law._compiled) == 5


def test_nothing_was_known_before_the_tables_were_written(law: Policy) -> None:
    view = law.at(D("2020-01-01"), known=D("2020-01-01"))
    assert len(view) == 0
    assert view["tax.limit_single_cny"] is None
    assert view.profile == "national"
    assert view.mode("9610") is None
    assert view.tariff("2203000000") is None
    assert view.listed("2203000000", "9610").state == "not_required"


def test_a_correction_must_fit_at_every_epoch(tmp_path: Path) -> None:
    copy = tables(tmp_path)
    rows = ("  forex.record_years:\n"
            f"  - {{value: 7, since: 2015-01-29, places: [hefei], recorded_at: 2020-01-01, "
            f"withdrawn_at: 2023-01-01, {ROW}}}\n"
            f"  - {{value: 8, since: 2015-01-29, places: [hefei], recorded_at: 2022-01-01, {ROW}}}\n")
    (copy / "trial.yaml").write_text(EXTRA + rows, encoding="utf-8")
    assert [(code, path) for code, path, _ in refusals(copy)] == [("CEB-LAW-012", "trial.yaml:6")]


def test_overlay_until_the_next_row(law: Policy, tmp_path: Path) -> None:
    path = written(tmp_path, f'  tax.limit_single_cny:\n  - {{value: "3000", since: 2017-01-01, {ROW}}}\n')
    other = Policy.load(overlays=[path])
    limits = [(day, other.at(D(day))["tax.limit_single_cny"]) for day in
              ("2016-12-31", "2017-01-01", "2018-12-31", "2019-01-01")]
    assert limits == [("2016-12-31", Decimal(2000)), ("2017-01-01", Decimal(3000)), ("2018-12-31", Decimal(3000)),
                      ("2019-01-01", Decimal(5000))]
    assert other.edition != law.edition
    assert law.at(D("2017-01-01"))["tax.limit_single_cny"] == Decimal(2000)


def test_overlay_for_just_some_days(tmp_path: Path) -> None:
    path = written(tmp_path, "  tax.limit_single_cny:\n"
                   f'  - {{value: "9000", since: 2018-06-01, until: 2019-06-30, {ROW}}}\n')
    law = Policy.load(overlays=[path])
    rows = [(str(row.value), str(row.since), str(row.until)) for row in law.history("tax.limit_single_cny")]
    assert rows == [("2000", "2016-04-08", "2018-05-31"), ("9000", "2018-06-01", "2019-06-30"),
                    ("5000", "2019-07-01", "None")]


def test_overlay_in_place_of_a_row_and_on_top_of_another(tmp_path: Path) -> None:
    first = written(tmp_path, f'  tax.limit_year_cny:\n  - {{value: "50000", since: 2019-01-01, {ROW}}}\n', "a.yaml")
    second = written(tmp_path, f'  tax.limit_year_cny:\n  - {{value: "60000", since: 2020-01-01, {ROW}}}\n', "b.yaml")
    law = Policy.load(overlays=[first, second])
    assert [str(row.value) for row in law.history("tax.limit_year_cny")][:3] == ["20000", "50000", "60000"]
    assert law.at(D("2020-01-01")).row("tax.limit_year_cny").where == "b.yaml:5"


def test_overlay_gives_the_word_back_to_the_nation(tmp_path: Path) -> None:
    path = written(tmp_path, "  collect.summary:\n"
                   f"  - {{inherit: true, since: 2020-01-01, places: [hangzhou], {ROW}}}\n")
    law = Policy.load(overlays=[path])
    assert law.at(D("2019-12-31"), "hangzhou")["collect.summary"] == "half_month"
    assert law.at(D("2020-01-01"), "hangzhou")["collect.summary"] == "daily"


def test_overlay_with_its_own_instrument_place_and_practice(tmp_path: Path) -> None:
    head = ("recorded_at: 2026-01-01\ninstruments:\n  study-1:\n    no: {zh: 研究一, en: Study 1}\n"
            "    title: {zh: 设想, en: an idea}\n    issued: null\n    from: null\n    confidence: K\n"
            "places:\n- {id: harbour, level: park, parent: qingdao, zh: 港区, en: harbour, codes: ['4298']}\n"
            "rows:\n")
    path = written(tmp_path, "  duty.tally:\n"
                   "  - {value: true, since: null, places: [harbour], instrument: study-1, confidence: K}\n"
                   "  practice.RULE-GUID-UUID:\n"
                   "  - {value: 'off', since: null, practices: [national], instrument: study-1, confidence: K}\n",
                   head=head)
    law = Policy.load(overlays=[path])
    view = law.at(D("2026-01-01"), "4298")
    assert view.path == ("harbour", "qingdao", "42", "CN")
    assert view["duty.tally"] is True
    assert view.source("duty.tally") == "Study 1 [K text not seen]"
    assert view.practice["RULE-GUID-UUID"] == "off"
    assert view["practice.RULE-GUID-UUID"] == "off"
    assert law.at(D("2026-01-01"), "4200")["duty.tally"] is False


def test_overlay_brings_a_full_list(tmp_path: Path) -> None:
    (tmp_path / "full.csv").write_text(
        ",".join(lists.LIST_COLUMNS) + "\n"
        "03061790,冻虾,Shrimps,bonded_only,仅限网购保税,bonded only,,,V,trial,\n"
        "17019910,砂糖,Sugar,person_year_quantity,每人每年,a person and year,2,035,V,trial,\n", encoding="utf-8")
    path = written(tmp_path, "  positive_list.edition:\n"
                   "  - {value: {edition: full, lines: 2, complete: true, files: [full.csv]}, since: 2025-01-01, "
                   f"{ROW}}}\n")
    view = Policy.load(overlays=[path]).at(D("2026-01-01"))
    shrimps = view.listed("0306179000", "9610")
    assert (shrimps.state, shrimps.remark_kind, shrimps.complete) == ("excluded", "bonded_only", True)
    assert view.listed("0306179000", "1210").state == "listed"
    sugar = view.listed("1701991000", "1210")
    assert (sugar.state, sugar.row.quantity, sugar.row.unit) == ("listed", Decimal(2), "035")
    absent = view.listed("0405100000", "1210")
    assert (absent.state, absent.complete) == ("absent", True)


@pytest.mark.parametrize(("rows", "code", "line"), [
    (f'  tax.limit_single_cny:\n  - {{value: "1", since: 2020-01-01, {ROW}}}\n'
     f'  - {{value: "2", since: 2020-01-01, {ROW}}}\n', "CEB-LAW-012", 6),
    (f"  tax.limit_single_cny:\n  - {{value: 1.5, since: 2020-01-01, {ROW}}}\n", "CEB-LAW-009", 5),
    (f"  no.topic:\n  - {{value: 1, since: 2020-01-01, {ROW}}}\n", "CEB-LAW-004", 4),
])
def test_refused_overlay(tmp_path: Path, rows: str, code: str, line: int) -> None:
    found = refusals(reader.TABLES, written(tmp_path, rows))
    assert [(fault[0], fault[1]) for fault in found] == [(code, f"overlay.yaml:{line}")]


def test_a_missing_overlay(tmp_path: Path) -> None:
    assert refusals(reader.TABLES, tmp_path / "none.yaml")[0][:2] == ("CEB-LAW-014", "none.yaml:0")


def test_overlay_rows_may_leave_days_to_the_base(tmp_path: Path) -> None:
    path = written(tmp_path, "  tax.limit_single_cny:\n"
                   f'  - {{value: "1", since: 2020-01-01, until: 2020-01-31, {ROW}}}\n'
                   f'  - {{value: "2", since: 2021-01-01, until: 2021-01-31, {ROW}}}\n')
    law = Policy.load(overlays=[path])
    days = ("2020-01-31", "2020-02-01", "2021-01-01", "2021-02-01")
    assert [str(law.at(D(day))["tax.limit_single_cny"]) for day in days] == ["1", "5000", "2", "5000"]


def test_diff_of_two_days(law: Policy) -> None:
    found = {d.topic: d for d in diff(law.at(D("2018-12-31")), law.at(D("2019-01-01")))}
    assert found["tax.limit_single_cny"].a == Decimal(2000)
    assert found["tax.limit_single_cny"].b == Decimal(5000)
    assert (found["tax.limit_single_cny"].source_a, found["tax.limit_single_cny"].source_b) == (
        "caiguanshui-2016-18", "caiguanshui-2018-49")
    assert "vat.standard" not in found
    assert "duty.documents.9610" not in found, "another text that says the same is no difference"
    assert json.loads(json.dumps(found["tax.over_limit"].as_dict()))["b"]["single_other"] == "refuse"


def test_diff_of_places_profiles_and_nothing(law: Policy) -> None:
    here = law.at(D("2020-02-01"), "4312")
    assert diff(here, here) == []
    between = {d.topic for d in diff(here, law.at(D("2020-02-01"), "4321"))}
    assert between == {"mode.1210", "mode.1239"}
    profiles = {d.topic for d in diff(here, law.at(D("2020-02-01"), "4312", profile="sandbox"))}
    assert profiles == {"trust.verdicts.all", "trust.files_unknown", "trust.any_declarant"}
    first = next(d for d in diff(law.at(D("2015-01-01")), law.at(D("2017-01-01"))) if d.topic == "tax.share_within")
    assert (first.a, first.source_a, first.row_a) == (None, "", None)


# ------------------------------------------------------------------------- conformance with the shared facts


if SHARED.is_dir():
    import yaml

    FACTS = yaml.safe_load((SHARED / "ceb" / "policy.yaml").read_text(encoding="utf-8"))
    CODES = yaml.safe_load((SHARED / "ceb" / "codes.yaml").read_text(encoding="utf-8"))
    DATED = [
        ("tax.regime", FACTS["tax_regime"]), ("vat.standard", FACTS["vat"]["standard"]),
        ("vat.reduced", FACTS["vat"]["reduced"]), ("postal.bands", FACTS["postal_tax"]["bands"]),
        ("postal.limit_order_cny", FACTS["postal_tax"]["pilot_order_limit"]),
        ("postal.limit_year_cny", FACTS["postal_tax"]["pilot_year_limit"]),
        ("postal.waiver_cny", FACTS["postal_tax"]["exemption_tax_at_or_below"]),
        ("tax.limit_single_cny", FACTS["composite_tax"]["single_limit"]),
        ("tax.limit_year_cny", FACTS["composite_tax"]["year_limit"]),
        ("tax.duty_share_within", FACTS["composite_tax"]["duty_rate_within"]),
        ("tax.share_within", FACTS["composite_tax"]["vat_ct_share_within"]),
        ("tax.small_tax_waiver_cny", FACTS["composite_tax"]["exemption_small_tax"]),
        ("positive_list.required", FACTS["positive_list"]["required"]),
        ("window.return_apply_days", FACTS["returns"]["apply_within_days_of_release"]),
        ("window.return_back_days", FACTS["returns"]["goods_back_within_days_of_release"]),
        ("forex.record_years", FACTS["forex"]["record_years"]),
    ]

    def as_value(fact: object) -> object:
        if isinstance(fact, dict):
            return {key: as_value(value) for key, value in fact.items()}
        if isinstance(fact, str) and fact[:1].isdigit() and len(fact) < 8:
            return Decimal(fact)
        return fact

    @pytest.mark.parametrize(("topic", "facts"), DATED, ids=[topic for topic, _ in DATED])
    def test_rows_follow_the_facts(law: Policy, topic: str, facts: dict) -> None:
        for fact in facts["values"]:
            row = law.at(fact["from"] or date(1950, 1, 1)).row(topic)
            assert row.value == as_value(fact["value"])
            assert row.confidence == fact["confidence"]
            if fact["from"] and topic != "window.return_back_days":
                assert law.at(date.fromordinal(fact["from"].toordinal() - 1)).row(topic) != row

    def test_check_values_of_the_composite_rate(law: Policy) -> None:
        share = law.at(D("2016-04-08"))["tax.share_within"]
        for fact in FACTS["composite_tax"]["check_values"]:
            v, r = Decimal(fact["v"]), Decimal(fact["r"])
            assert round(share * (r + v) / (1 - r), 6) == Decimal(fact["rate"])

    def test_every_goods_code_of_the_facts_is_in_the_tariff(law: Policy) -> None:
        view = law.at(D("2026-01-01"))
        assert len(FACTS["hs_sample"]) == 66
        for fact in FACTS["hs_sample"]:
            row = view.tariff(fact["hs"])
            assert row.mfn == Decimal(str(fact["mfn"])) / 100
            assert row.provisional == (Decimal(str(fact["prov"])) / 100 if "prov" in fact else None)
            assert (row.vat, row.unit1, row.unit2) == (fact["vat"], fact["u1"], fact.get("u2", ""))
            assert {"skin_care": "cosmetics"}.get(row.consumption, row.consumption) == fact["ct"]
            assert row.confidence == fact["conf"]
            assert view.listed(fact["hs"], "1210").state == "listed"

    def test_every_list_row_of_the_facts_is_loaded(law: Policy) -> None:
        view = law.at(D("2017-01-01"))
        assert len(FACTS["positive_list"]["sample_rows"]) == 24
        for fact in FACTS["positive_list"]["sample_rows"]:
            found = view.listed(fact["hs8"] + "00", "9610")
            assert (found.state, found.remark_kind) == ("listed", "exclude" if "remark" in fact else "")
            assert found.row.confidence == "V"

    def test_editions_of_the_facts(law: Policy) -> None:
        for fact in FACTS["positive_list"]["editions"]:
            row = law.at(fact["from"]).row("positive_list.edition")
            assert row.since == fact["from"]
            assert row.value["lines"] == fact["lines"] + (1142 if fact["edition"] == "2016-2" else 0)

    def test_pilot_cities_of_the_facts(law: Policy) -> None:
        for city, codes in CODES["customsDistrict"]["pilot_cities"].items():
            for code in codes:
                assert law.at(D("2026-01-01"), code).place == city.lower(), code
        for number, name in (("n10", "cities"), ("n37", "cities")):
            fact = FACTS["pilot_sets"][number]
            for city in fact[name]:
                place = city.lower().replace("'", "")
                assert law.at(fact["from"], place).mode("1210") is not None, city
        for city in FACTS["pilot_sets"]["n15"]["adds"]:
            assert law.at(D("2017-12-31"), city.lower()).mode("1210") is None
            assert law.at(D("2018-01-01"), city.lower()).mode("1210") is not None

    def test_customs_codes_of_the_facts(law: Policy) -> None:
        import csv

        with (SHARED / "ceb" / "codes" / "customs_districts.csv").open(encoding="utf-8") as file:
            real = {row["code"] for row in csv.DictReader(file)}
        for place in law.places.values():
            assert set(place.codes) <= real, place.id
        for code in CODES["customsDistrict"]["jinan"]:
            assert "43" in law.at(D("2018-01-01"), code).path
        prefixes = {code[:2] for code in real if code.endswith("00")} - {"00", "50", "98", "99", "A1"}
        assert prefixes == {place.id for place in law.places.values() if place.level == "district"}

    def test_instruments_of_the_facts(law: Policy) -> None:
        numbers = {instrument.no.en.replace("MOF and others", "MOF etc"): instrument
                   for instrument in law.instruments.values()}
        compared = 0
        for fact in FACTS["announcements"]:
            found = numbers.get(fact.get("no", fact.get(False)))  # YAML 1.1 takes the bare key for false
            if found is None:
                continue
            compared += 1
            assert found.issued in (fact.get("issued"), None), found.id
            assert "from" not in fact or found.since == fact["from"], found.id
        assert compared == 25
