"""Test traffic: the same seed gives the same bytes, good parcels are good, sown faults are what they claim."""

import hashlib
import json
import random
import re
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from stdnum.cn import uscc

from cebport.clearance.parts import Line, case_key
from cebport.clearance.tax import assess, order_value, treatment
from cebport.faults import ERROR, INFO
from cebport.messages import codes, rules, wire
from cebport.messages.signature import sign, verify
from cebport.messages.trust import TrustStore
from cebport.policy import Policy
from cebport.server.run import clear
from cebport.server.settings import Settings
from cebport.server.store.store import Store
from cebport.testing import builders, market, sown
from cebport.testing.traffic import KINDS, card_of, generate, message, sign_written, signed
from cebport.values import BEIJING, ZERO, fen, parse_time

ON = parse_time("2026-11-24T09:00:00")
DAY = ON.date()


def files(folder: Path) -> list[Path]:
    return sorted((folder / "messages").iterdir())


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def report(folder: Path) -> dict:
    return json.loads((folder / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """Fault-free traffic of two cities, both modes, both algorithms."""
    out = tmp_path_factory.mktemp("good")
    generate(out, parcels=240, seed=5, on=ON, place=["ningbo", "zhengzhou"])
    return out


@pytest.fixture(scope="module")
def faulty(tmp_path_factory) -> Path:
    """Traffic in which every kind of fault stands at least once."""
    out = tmp_path_factory.mktemp("faulty")
    generate(out, parcels=300, seed=3, on=ON, place="hangzhou", faults=0.5)
    return out


# ── determinism ─────────────────────────────────────────────────────────────────────────────────────────


def test_same_arguments_same_bytes(tmp_path):
    asked = {"parcels": 60, "seed": 11, "on": ON, "place": "fuzhou", "faults": 0.3}
    first = generate(tmp_path / "a", **asked)
    second = generate(tmp_path / "b", **asked)
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    assert first.as_dict() | {"out": ""} == second.as_dict() | {"out": ""}


def test_another_seed_or_day_shares_no_business_number(tmp_path):
    generate(tmp_path / "a", parcels=20, seed=1, on=ON, place="fuzhou")
    generate(tmp_path / "b", parcels=20, seed=2, on=ON, place="fuzhou")
    generate(tmp_path / "c", parcels=20, seed=1, on=ON + timedelta(days=1), place="fuzhou")
    numbers = [{d.head.orderNo for _, m, _ in read(tmp_path / name) for d in m.documents} for name in "abc"]
    assert all(len(each) == 20 for each in numbers)
    assert not (numbers[0] & numbers[1] or numbers[0] & numbers[2] or numbers[1] & numbers[2])
    assert (tmp_path / "a/trust.yaml").read_bytes() == (tmp_path / "b/trust.yaml").read_bytes()


def test_a_new_run_replaces_the_messages_of_the_old(tmp_path):
    generate(tmp_path, parcels=40, on=ON, place="ningbo", documents_per_message=10)
    own = tmp_path / "messages" / "mine.xml"
    own.write_text("<mine/>")
    generate(tmp_path, parcels=10, on=ON, place="ningbo")
    assert own.exists()
    own.unlink()
    assert len(files(tmp_path)) == 4


# ── good traffic ────────────────────────────────────────────────────────────────────────────────────────


def read(folder: Path):
    """(path, message, tree) of every file; a file that does not fit the schema fails the test."""
    for path in files(folder):
        raw = path.read_bytes()
        found, faults = wire.parse(raw)
        assert not faults, (path.name, faults[0].as_dict())
        yield path, found, wire.parse_tree(raw)


def declarant(found) -> str:
    head = found.documents[0].head
    names = {"CEB311": "ebpCode", "CEB411": "payCode", "CEB511": "logisticsCode", "CEB621": "agentCode"}
    return getattr(head, names[found.type[:6]])


def test_every_good_message_fits_and_is_signed_by_its_declarant(good):
    trust = TrustStore.load(good / "trust.yaml")
    algorithms, kinds = set(), Counter()
    for path, found, tree in read(good):
        verdict = verify(tree, trust, ON)
        assert (verdict.verdict, verdict.strict, verdict.faults) == ("strict", True, ()), path.name
        assert trust.owners(verdict.certificate, ON) == {declarant(found)}
        assert found.transfer.copCode == declarant(found)
        assert path.name[7:] == f"{found.type[:6]}.xml"
        algorithms.add(verdict.algorithm)
        kinds[found.type[:6]] += len(found.documents)
    assert algorithms == {"rsa-sha1", "sm2-sm3"}
    assert kinds == dict.fromkeys(KINDS, 240)


def test_no_rule_speaks_of_good_traffic(good):
    practice = Policy.load().at(DAY, "CN").practice
    for path, found, _ in read(good):
        loud = [fault for fault in rules.check(found, practice, DAY, ON) if fault.severity != INFO]
        assert not loud, (path.name, loud[0].as_dict())


def test_files_sort_as_they_arrive_and_arrival_is_not_strict(tmp_path):
    generate(tmp_path, parcels=600, on=ON, place="ningbo", algorithm="sm2", documents_per_message=20)
    names = [path.name for path in files(tmp_path)]
    assert [int(name[:6]) for name in names] == list(range(1, len(names) + 1))
    kinds = [name[7:13] for name in names]
    assert Counter(kinds) == dict.fromkeys(KINDS, 30)
    inventories = [at for at, kind in enumerate(kinds) if kind == "CEB621"]
    orders = [at for at, kind in enumerate(kinds) if kind == "CEB311"]
    assert any(order > inventory for order, inventory in zip(orders, inventories, strict=True))


def test_parcels_agree_in_everything_that_is_matched():
    rng = random.Random(8)
    for number in range(400):
        city = market.pilot_cities()[number % 10]
        mode = ("9610", "1210")[number % 2]
        one = builders.story(rng, city, number, ON, mode=mode)
        order, payment, waybill, inventory = (
            paper.head for paper in (one.order, one.payment, one.waybill, one.inventory)
        )
        goods = sum((line.totalPrice for line in one.order.lines), ZERO)
        assert order.goodsValue == goods
        assert order.acturalPaid == goods + order.freight + order.taxTotal - order.discount == payment.amountPaid
        assert (order.buyerName, order.buyerIdNumber) == (payment.payerName, payment.payerIdNumber)
        assert (order.buyerName, order.buyerIdNumber) == (inventory.buyerName, inventory.buyerIdNumber)
        assert (order.payCode, order.payTransactionId) == (payment.payCode, payment.payTransactionId)
        for field in ("consignee", "consigneeTelephone", "consigneeAddress"):
            assert getattr(order, field) == getattr(waybill, field)
        assert (waybill.freight, waybill.insuredFee) == (inventory.freight, inventory.insuredFee)
        assert order.freight == inventory.freight
        assert order.orderNo == payment.orderNo == waybill.orderNo == inventory.orderNo
        assert (waybill.logisticsNo, waybill.billNo) == (inventory.logisticsNo, inventory.billNo)
        assert waybill.weight == inventory.grossWeight > inventory.netWeight > 0
        lines = zip(one.order.lines, one.inventory.lines, strict=True)
        same = ("gnum", "itemNo", "itemName", "unit", "qty", "price", "totalPrice", "country")
        assert all(getattr(a, field) == getattr(b, field) for a, b in lines for field in same)
        assert one.value == goods + inventory.freight + inventory.insuredFee <= 5000
        assert inventory.customsCode == city.site(mode).customs
        assert order.appTime < payment.appTime < waybill.appTime < inventory.appTime == "20261124090000"
        assert len(inventory.copNo) <= 20


def line_of(line) -> Line:
    return Line(line.gnum, line.itemName, line.unit, line.qty, line.price, line.totalPrice, line.country,
                line.gcode, line.qty1, line.unit1, line.qty2, line.unit2 or "")  # fmt: skip


@pytest.mark.parametrize(
    "day", [date(2017, 3, 1), date(2018, 6, 1), date(2019, 2, 1), date(2020, 2, 1), date(2026, 11, 24)]
)
def test_the_seller_collects_what_customs_assesses(day):
    """Two reckonings that share no code or table come to the same fen."""
    view = Policy.load().at(day, "CN")
    rng = random.Random(day.toordinal())
    at = datetime(day.year, day.month, day.day, 9, tzinfo=BEIJING)
    taxed = 0
    for number in range(300):
        one = builders.story(rng, market.city("ningbo"), number, at, mode="9610")
        head, lines = one.inventory.head, [line_of(line) for line in one.inventory.lines]
        assert treatment(lines, order_value(lines, head.freight, head.insuredFee), 0, view).action == "inside"
        made = assess(lines, head.freight, head.insuredFee, view, full=False)
        assert made.total == one.tax
        taxed += bool(made.consumption)
    assert 20 < taxed < 280


def test_a_dear_single_item_is_taxed_in_full():
    view = Policy.load().at(DAY, "CN")
    rng = random.Random(4)
    for article in market.market().alone:
        basket = [builders.Item(article, 1, article.prices[3])]
        one = builders.story(rng, market.city("tianjin"), 1, ON, mode="1210", basket=basket, full=True)
        head, lines = one.inventory.head, [line_of(line) for line in one.inventory.lines]
        assert treatment(lines, one.value, 0, view).action == "full_tax"
        made = assess(lines, head.freight, head.insuredFee, view, full=True)
        assert made.duty > 0
        assert made.total == one.tax


def test_most_buyers_are_unique_and_nobody_real(good):
    orders = [d.head for _, m, _ in read(good) if m.type == "CEB311Message" for d in m.documents]
    times = Counter(head.buyerIdNumber for head in orders)
    assert max(times.values()) == 2
    assert len(times) > 0.9 * len(orders)
    for head in orders:
        assert codes.identity_problems(head.buyerIdNumber) == ()
        assert head.buyerIdNumber[14:17] == market.NEVER_GIVEN
        assert len(head.buyerTelephone) == 11
        assert head.consigneeDistrict == head.buyerIdNumber[:6]


def test_persons_differ_by_number():
    numbers = {market.person(number).id_number for number in range(20_000)}
    numbers |= {market.person(sown.STRANGER + number).id_number for number in range(20_000)}
    assert len(numbers) == 40_000


def test_companies_have_valid_invented_codes_and_are_filed(good):
    filed = {row["code"]: row for row in yaml.safe_load((good / "filings.yaml").read_text())["enterprises"]}
    for city in market.cities().values():
        for company in city.companies:
            if len(company.code) == 18:
                uscc.validate(company.code)
                assert company.code[8:12] == "CEBX"
            else:
                assert codes.registration_problem(company.code) == ""
            assert filed[company.code]["roles"] == [company.role]
            assert "样例" in company.name
            assert len(company.dxp_id) == 16
    assert len({row.companies[0].code for row in market.cities().values()}) == len(market.cities())


def test_places_are_those_of_the_law():
    places = Policy.load()
    for place, row in market.cities().items():
        for mode in ("9610", "1210"):
            view = places.at(DAY, row.site(mode).customs)
            assert view.place == place
            assert view.mode(mode) is not None
            assert codes.known("customsDistrict", row.site(mode).customs, DAY)
            assert codes.known("customsDistrict", row.site(mode).port, DAY)


# ── what is asked for ───────────────────────────────────────────────────────────────────────────────────


def test_place_mode_and_algorithm_are_kept(tmp_path):
    summary = generate(tmp_path, parcels=30, on=ON, place=["2216"], mode="9610", algorithm="sm2")
    assert summary.states == {"closed": 30, "refused": 0, "waiting": 0}
    for _, found, tree in read(tmp_path):
        assert verify(tree).algorithm == "sm2-sm3"
        for document in found.documents:
            if found.type == "CEB621Message":
                assert (document.head.customsCode, document.head.tradeMode) == ("2244", "9610")


def test_by_default_all_ten_pilot_cities_take_part(tmp_path):
    done: list[int] = []
    generate(tmp_path, parcels=40, on=ON, algorithm="sm2", progress=done.append)
    assert done == list(range(4, 41, 4))
    places = report(tmp_path)["places"]
    assert places == {row.place: {"parcels": 4, "closed": 4} for row in market.pilot_cities()}


def test_documents_per_message(tmp_path):
    generate(tmp_path, parcels=7, on=ON, place="ningbo", algorithm="sm2", documents_per_message=3)
    counts = Counter((found.type[:6], len(found.documents)) for _, found, _ in read(tmp_path))
    assert counts == {(kind, count): times for kind in KINDS for count, times in ((3, 2), (1, 1))}


def test_nothing_is_dated_after_the_moment_even_just_after_midnight(tmp_path):
    on = parse_time("2026-11-24T00:00:20")
    generate(tmp_path, parcels=20, on=on, place="ningbo", algorithm="sm2")
    for _, found, _ in read(tmp_path):
        assert {document.head.appTime[:8] for document in found.documents} == {"20261124"}
        assert max(document.head.appTime for document in found.documents) <= "20261124000020"
        assert not [fault for fault in rules.check(found, {}, DAY, on) if fault.severity == ERROR]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"parcels": 0}, "parcels"),
        ({"mode": "1239"}, "mode"),
        ({"algorithm": "dsa"}, "algorithm"),
        ({"faults": 1.5}, "faults"),
        ({"documents_per_message": 101}, "documents_per_message"),
        ({"place": "atlantis"}, "atlantis"),
        ({"on": parse_time("2014-02-09")}, "2014-02-10"),
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_written(tmp_path, wrong, named):
    with pytest.raises(ValueError, match=named):
        generate(tmp_path / "out", **{"parcels": 5, "on": ON, **wrong})
    assert not (tmp_path / "out").exists()


def test_early_days_have_their_own_limits(tmp_path):
    on = parse_time("2018-03-01T09:00:00")
    generate(tmp_path, parcels=50, on=on, place="ningbo", algorithm="sm2", faults=0.9)
    kinds = report(tmp_path)["sown"]
    assert "over-single-one" not in kinds
    assert "unsigned-order" not in kinds
    group = next(entry for entry in report(tmp_path)["faults"] if entry["fault"] == "over-year")
    assert len(group["orders"]) == 20_000 // 1_800 + 1


# ── sown faults ─────────────────────────────────────────────────────────────────────────────────────────


def test_every_kind_is_sown_and_the_totals_are_their_sum(faulty):
    expected = report(faulty)
    entries = expected["faults"]
    assert {entry["fault"] for entry in entries} == {row.fault for row in sown.rows()}
    assert Counter(entry["fault"] for entry in entries) == expected["sown"]
    states = Counter(entry["parcel"] for entry in entries)
    assert expected["states"]["refused"] == states["refused"]
    assert expected["states"]["waiting"] == states["waiting"]
    assert sum(expected["states"].values()) == expected["parcels"] == 300
    refused = Counter(f"{r['document']} {r['status']}" for entry in entries for r in entry["refused"])
    assert refused == expected["refusals"]
    rules_named = Counter(r["rule"] for entry in entries for r in entry["refused"])
    assert rules_named == expected["rules"]
    assert expected["places"] == {"hangzhou": {"parcels": 300, **expected["states"]}}
    assert expected["files"] == len(files(faulty))
    orders = [tuple(order) for entry in entries for order in entry["orders"]]
    assert len(set(orders)) == len(orders)


def test_the_share_of_faults_is_exact(tmp_path):
    summary = generate(tmp_path, parcels=200, on=ON, place="ningbo", algorithm="sm2", faults=0.05)
    assert sum(summary.faults.values()) == 10


def test_field_rules_refuse_and_warn_what_the_table_says(faulty):
    """Every RULE- row is found by the rules, in the document it names, and nothing else is an error."""
    practice = Policy.load().at(DAY, "CN").practice
    by_order: dict[str, set[tuple[str, str, str]]] = {}
    for path in files(faulty):
        found, _ = wire.parse(path.read_bytes())
        for fault in rules.check(found, practice, DAY, ON) if found is not None else ():
            if fault.severity != INFO:
                order = found.documents[fault.document - 1].head.orderNo
                status = rules.receipt_code(found.type, [fault])
                by_order.setdefault(order, set()).add((found.type[:6], fault.severity, status))
    for entry in report(faulty)["faults"]:
        told = set()
        for order, _ in entry["orders"]:
            told |= by_order.pop(order, set())
        errors = {(r["document"], ERROR, r["status"]) for r in entry["refused"] if r["rule"].startswith("RULE-")}
        assert {each for each in told if each[1] == ERROR} == errors, entry
        warned = any(rule.startswith("RULE-") for rule in entry["warned"])
        assert bool({each for each in told if each[1] != ERROR}) == warned, entry
    assert not by_order


def test_spoilt_messages_are_spoilt_as_the_table_says(faulty):
    trust = TrustStore.load(faulty / "trust.yaml")
    seen = Counter()
    by_file = {row.fault: row.file for row in sown.rows()}
    special: set[str] = set()
    for entry in report(faulty)["faults"]:
        what = by_file[entry["fault"]]
        if not what:
            continue
        seen[what] += 1
        special.update(entry["files"])
        raws = [(faulty / "messages" / name).read_bytes() for name in entry["files"]]
        found, faults = wire.parse(raws[0])
        verdict = verify(raws[0], trust, ON)
        if what == "misfit":
            assert found is None and faults
            continue
        assert not faults
        assert [document.head.orderNo for document in found.documents] == [entry["orders"][0][0]]
        if what == "altered":
            assert verdict.verdict == "invalid"
        elif what == "unsigned":
            assert verdict.verdict == "unsigned"
        else:
            assert verdict.verdict == "strict"
            owners = trust.owners(verdict.certificate, ON)
            assert (declarant(found) in owners) == (what != "foreign")
        if what == "twice":
            assert raws[0] == raws[1]
        if what == "again":
            again, _ = wire.parse(raws[1])
            assert raws[0] != raws[1]
            assert again.documents[0].head.orderNo == found.documents[0].head.orderNo
            assert verify(raws[1], trust, ON).verdict == "strict"
    assert set(seen) == set(sown.FILES)
    for path in files(faulty):
        if path.name not in special:
            assert verify(path.read_bytes(), trust, ON).verdict == "strict", path.name


def test_a_year_group_is_one_order_too_many(faulty):
    entry = next(entry for entry in report(faulty)["faults"] if entry["fault"] == "over-year")
    wanted = {order for order, _ in entry["orders"]}
    orders = [d.head for path in files(faulty) if "CEB311" in path.name
              for d in wire.parse(path.read_bytes())[0].documents if d.head.orderNo in wanted]  # fmt: skip
    values = [head.goodsValue + head.freight for head in orders]
    assert len({head.buyerIdNumber for head in orders}) == 1
    assert sum(values) > 26000 >= sum(values) - min(values)
    assert len(set(values)) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_makes_of_it_what_is_expected(faulty, tmp_path, workers):
    """Every file through the whole walk: states of all parcels, every refusal and its official code."""
    settings = Settings(
        store=f"sqlite:///{tmp_path}/port.db", trust=(str(faulty / "trust.yaml"),),
        filings=str(faulty / "filings.yaml"), receipts=str(tmp_path / "receipts"), workers=workers,
    )  # fmt: skip
    totals = clear([faulty], settings, ON).totals
    expected = report(faulty)
    assert {state: totals[state] for state in expected["states"]} == expected["states"]
    for name in ("parcels", "messages", "documents"):
        assert totals[name] == expected[name], name
    assert totals["released"] == totals["cancelled"] == totals["returned"] == 0
    refusals, codes_said = Counter(), Counter()
    for path in (tmp_path / "receipts").rglob("*.xml"):
        found, _ = wire.parse(path.read_bytes())
        for document in found.documents:
            status = getattr(document.head, "returnStatus", "")
            if status == "100" or status.startswith("-"):
                kind = "CEB621" if found.type == "CEB900Message" else f"CEB{int(found.type[3:6]) - 1}"
                refusals[f"{kind} {status}"] += 1
                codes_said.update(re.findall(r"Code:(\d+)", document.head.returnInfo))
    assert refusals == expected["refusals"]
    assert codes_said == Counter(r["code"] for e in expected["faults"] for r in e["refused"] if "code" in r)
    store = Store.open(settings.store)
    try:
        for entry in expected["faults"]:
            cases = store.cases([case_key(*order) for order in entry["orders"]])
            states = Counter(case.state for case in cases.values())
            assert states == Counter({"closed": len(entry["orders"]) - 1}) + Counter([entry["parcel"]]), entry
    finally:
        store.close()


# ── one message, and what follows a parcel ──────────────────────────────────────────────────────────────


def test_the_short_way_of_signing_gives_the_same_bytes():
    city = market.city("ningbo")
    one = builders.story(random.Random(2), city, 7, ON, mode="9610")
    awkward = builders.changed(one.order, note="R&D <样> 100% ok!\r")
    for algorithm in ("rsa", "sm2"):
        card = card_of(city.platform, algorithm)
        for document in (one.order, awkward):
            raw = wire.write(message("CEB311", [document], city.platform))
            assert sign_written(raw, card) == sign(raw, card)
            assert verify(sign_written(raw, card)).verdict == "strict"


def test_papers_that_follow_fit_schema_and_rules():
    city = market.city("shenzhen")
    rng = random.Random(6)
    stories = [builders.story(rng, city, number, ON, mode="9610") for number in range(5)]
    later = ON + timedelta(days=3)
    one, number = stories[0], "534620261I00000001"[:18]
    first = one.inventory.lines[0]
    papers = {
        "CEB513": ([builders.signed_for(rng, each, later) for each in stories], city.logistics),
        "CEB623": ([builders.cancel(rng, one, number, later)], city.agent),
        "CEB625": ([builders.refund(rng, one, number, later)], city.agent),
        "CEB711": ([builders.tally(rng, stories, later)], city.operator),
    }
    for kind, (documents, sender) in papers.items():
        raw = signed(message(kind, documents, sender), card_of(sender, "sm2"))
        found, faults = wire.parse(raw)
        assert not faults
        assert verify(raw).verdict == "strict"
        loud = [fault for fault in rules.check(found, {}, later.date(), later) if fault.severity != INFO]
        assert not loud, loud[0].as_dict()
    assert papers["CEB625"][0][0].lines[0].qty == first.qty
    part = builders.refund(rng, one, number, later, quantities={first.gnum: Decimal(1)})
    assert [(line.gnum, line.qty) for line in part.lines] == [(first.gnum, Decimal(1))]
    with pytest.raises(ValueError, match="no inventory"):
        builders.cancel(rng, one._replace(inventory=None), number, later)


def test_message_guid_follows_from_its_documents():
    city = market.city("ningbo")
    one = builders.story(random.Random(2), city, 7, ON, mode="9610")
    made = message("CEB621Message", [one.inventory], city.agent)
    assert made.guid == message("CEB621", [one.inventory], city.agent).guid
    assert made.guid != message("CEB621", [one.inventory], city.operator).guid
    assert fen(one.tax) == one.tax
