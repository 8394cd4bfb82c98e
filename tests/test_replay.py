"""What-if: an empty overlay gives every stored decision again, a changed law moves what it must and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
from walks_made import ON, Home, Traffic, cases, four, one_story, put, sent

from cebport.faults import PolicyError
from cebport.server.replay import results
from cebport.server.replay.laws import Plan
from cebport.server.replay.run import Answer, Empty, whatif
from cebport.testing import builders

FRAME = "about: {zh: 假设, en: what if}\nrecorded_at: 2026-11-24\n"
EMPTY = FRAME + "rows: {}\n"
TALLY = "duty.tally: [{value: true, since: 2026-01-01, instrument: cebport-default, confidence: K}]"
CLOSE_LATER = "clearance.close_days: [{value: 3, since: 2026-01-01, instrument: cebport-default, confidence: K}]"


def law(folder: Path, *rows: str, top: str = "", name: str = "supposed.yaml") -> str:
    """An overlay file of these rows."""
    text = FRAME + top + ("rows:\n" + "".join(f"  {row}\n" for row in rows) if rows else "")
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def limit(single: str, year: str = "26000") -> tuple[str, str]:
    """Rows of other limits, today."""
    rest = "since: 2026-01-01, instrument: cebport-default, confidence: K}]"
    return (f'tax.limit_single_cny: [{{value: "{single}", {rest}', f'tax.limit_year_cny: [{{value: "{year}", {rest}')


def ask(home: Home, overlay: str | None = None, report: Path | None = None, **more: Any) -> Answer:
    """A replay of the store."""
    engine = {name: more.pop(name) for name in ("engine", "workers") if name in more}
    return whatif(Plan(home.url, str(home.keys), overlay=overlay, **more), report=report, **engine)


def table(folder: Path, name: str = results.PARCELS) -> list[dict[str, Any]]:
    return pq.read_table(folder / name).to_pylist()


def rows_of(answer: Answer, link: str, metric: str, dimension: str = "all") -> dict[str, tuple[Any, Any]]:
    return {row["key"]: (row["a"], row["b"]) for row in answer.summary["links"][link]
            if (row["metric"], row["dimension"]) == (metric, dimension)}


def lively(home: Home, folder: Path, overlays: Sequence[str] = (), workers: int = 1) -> None:
    """Parcels with everything that can happen to them, over six weeks."""
    stories = [one_story(number, mode="9610" if number % 3 else "1210") for number in range(40, 58)]
    direct = [story for number, story in zip(range(40, 58), stories, strict=True) if number % 3]
    more: dict[str, Any] = {"overlays": tuple(overlays), "workers": workers}
    lone, drafted, twice, gone = stories[:4]
    messages: dict[str, bytes] = {}
    for at, story in enumerate(stories[3:]):
        messages.update({f"{at:02d}-{kind}": raw for kind, raw in four(story).items()})
    messages["20-CEB621"] = sent("CEB621", [lone.inventory])  # waits for papers that never come
    messages["21-CEB621"] = sent("CEB621", [builders.changed(drafted.inventory, appStatus="1")])
    messages["22-CEB311"] = sent("CEB311", [twice.order])
    messages["23-CEB311"] = sent("CEB311", [twice.order], guid="0" * 7 + "1-0000-4000-8000-" + "0" * 12)
    messages["24-CEB513"] = sent("CEB513", [builders.signed_for(Random(5), stories[5], ON)])
    messages["25-CEB411"] = b"<no message"
    messages["26-CEB311"] = sent("CEB311", [builders.changed(stories[6].order, appType="3", appTime="20261124095930")])
    put(folder, **messages)
    home.clear(folder, on=ON, **more)
    later = ON + timedelta(hours=3)
    put(folder, **{"30-CEB621": sent("CEB621", [builders.changed(drafted.inventory, appTime="20261124100500")]),
                   "31-CEB711": sent("CEB711", [builders.tally(Random(1), direct[3:9], later)]),
                   "32-CEB411": sent("CEB411", [drafted.payment]), "33-CEB511": sent("CEB511", [drafted.waybill])})
    home.clear(folder, on=later, **more)
    numbered = {case.orderNo: case.inventory.invtNo for case in cases(home.open()).values()
                if case.inventory is not None and case.inventory.invtNo}
    home.close()
    requests = {"40-CEB623": sent("CEB623", [builders.cancel(
        Random(2), gone, numbered.get(gone.order.head.orderNo, "310520263100000001"), later)])}
    for at, story in enumerate(stories[8:12]):
        number = numbered.get(story.order.head.orderNo)
        if number:
            requests[f"41-{at}-CEB625"] = sent("CEB625", [builders.refund(Random(at), story, number, later)])
    put(folder, **requests)
    home.clear(folder, on=ON + timedelta(days=2), **more)
    put(folder, **{"50-CEB511": sent("CEB511", [twice.waybill]), "51-CEB621": sent("CEB621", [twice.inventory]),
                   "52-CEB411": sent("CEB411", [twice.payment])})
    home.clear(folder, on=ON + timedelta(days=4), **more)
    home.clear(folder, [], on=ON + timedelta(days=45), **more)


def assert_exact(answer: Answer) -> None:
    counts = answer.counts
    assert answer.summary["not_reproduced"] == []
    assert counts["decisions"] == counts["same"] == counts["reproduced"] > 0
    assert (counts["different"], counts["not_reproduced"], counts["changed"], counts["added"]) == (0, 0, 0, 0)


# ── exact ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("workers", [1, 2])
def test_an_empty_overlay_gives_every_decision_again(
        home: Home, faulty_traffic: Traffic, tmp_path: Path, workers: int) -> None:
    totals = home.clear(faulty_traffic.folder, workers=workers).totals
    empty = tmp_path / "empty.yaml"
    empty.write_text(EMPTY, encoding="utf-8")
    answer = ask(home, str(empty), tmp_path / "report")
    assert_exact(answer)
    assert answer.counts["parcels"] == totals["parcels"]
    for state in ("refused", "waiting"):
        assert rows_of(answer, "customs", state)[""] == (totals[state], totals[state])
    assert rows_of(answer, "customs", "released")[""][0] == totals["closed"] + totals["released"]
    assert table(tmp_path / "report", results.DIFFERENCES) == []


@pytest.mark.parametrize(("rows", "workers"), [((), 1), ((TALLY,), 1), ((TALLY, CLOSE_LATER), 2)],
                         ids=["plain", "tally", "tally and days"])
def test_cancels_returns_tallies_stashes_and_timers_come_out_again(
        home: Home, tmp_path: Path, rows: tuple[str, ...], workers: int) -> None:
    overlays = (law(tmp_path, *rows),) if rows else ()
    lively(home, tmp_path / "in", overlays, workers)
    answer = ask(home, None, tmp_path / "report", overlays=overlays)
    assert_exact(answer)
    states = {row["state_a"] for row in table(tmp_path / "report")}
    assert states >= ({"cancelled"} if rows else set()) | {"closed", "returned", "waiting"}


def test_the_world_that_was_is_only_reproduced_under_its_own_law(sqlite_home: Home, tmp_path: Path) -> None:
    """Today's tables without the window's own overlay are another law: said, decision by decision."""
    overlays = (law(tmp_path, TALLY),)
    lively(sqlite_home, tmp_path / "in", overlays)
    answer = ask(sqlite_home)
    assert answer.counts["not_reproduced"] > 0
    told = answer.summary["not_reproduced"][0]
    assert told["position"] > 0 and told["key"] and told["stored"] != told["again"]
    again = ask(sqlite_home, overlays[0])
    assert again.counts["different"] < answer.counts["different"], "under the overlay it is nearly the stored world"


def test_a_stretch_of_days_begins_from_what_stood(sqlite_home: Home, tmp_path: Path) -> None:
    lively(sqlite_home, tmp_path / "in")
    whole = ask(sqlite_home)
    since = int((ON + timedelta(days=1)).timestamp() * 1000)
    part = ask(sqlite_home, since=since)
    assert_exact(part)
    assert 0 < part.counts["decisions"] < whole.counts["decisions"]
    first = ask(sqlite_home, until=since)
    assert_exact(first)
    assert first.counts["decisions"] + part.counts["decisions"] == whole.counts["decisions"]
    with pytest.raises(Empty):
        ask(sqlite_home, since=int((ON + timedelta(days=400)).timestamp() * 1000))


def test_an_empty_store_has_nothing_to_replay(sqlite_home: Home) -> None:
    sqlite_home.open()
    with pytest.raises(Empty):
        ask(sqlite_home)


# ── what moves ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_lower_limit_refuses_what_is_over_it_and_nothing_else(
        sqlite_home: Home, traffic: Traffic, tmp_path: Path) -> None:
    sqlite_home.clear(traffic.folder)
    report = tmp_path / "report"
    answer = ask(sqlite_home, law(tmp_path, *limit("300")), report)
    rows = table(report)
    assert answer.counts["not_reproduced"] == 0
    moved = [row for row in rows if row["changed"]]
    assert moved and len(moved) < len(rows)
    for row in rows:
        over = row["value_cny"] is not None and row["value_cny"] > 300
        if row["state_a"] != "closed":
            assert not row["changed"]
        elif row["changed"] and row["state_b"] == "refused":
            assert over and row["rules_b"] == ["LAW-LIMIT-SINGLE"] and row["vat_b"] == row["hold_b"] == 0
        elif row["changed"]:
            assert over and "LAW-FULL-TAX" in row["notes_b"] and row["duty_b"] + row["vat_b"] > row["vat_a"]
        else:
            assert not over
    said = {row["order_no"]: row for row in table(report, results.DIFFERENCES)}
    assert said.keys() == {row["order_no"] for row in moved}
    refused = next(said[row["order_no"]] for row in moved if row["state_b"] == "refused")
    assert "622 800" in refused["receipts_a"] and refused["receipts_b"][-1] == "622 100"
    assert any("300" in text for text in refused["why_b_en"]) and any("300" in text for text in refused["why_b_zh"])
    count = sum(1 for row in rows if row["state_b"] == "refused" and row["changed"])
    assert rows_of(answer, "customs", "refused", "reason")["LAW-LIMIT-SINGLE"] == (0, count)
    vat = [sum((row[f"vat_{world}"] for row in rows), Decimal(0)) for world in "ab"]
    assert rows_of(answer, "taxation", "vat")[""] == (str(vat[0]), str(vat[1]))
    by_goods = rows_of(answer, "taxation", "vat", "goods")
    assert sum(Decimal(b) for _, b in by_goods.values()) == vat[1]
    accounts = {row["account"]: row for row in table(report, results.ACCOUNTS)}
    assert sum(row["end_a"] for row in accounts.values()) == vat[0] + sum(
        row["duty_a"] + row["consumption_a"] for row in rows)


def test_a_buyer_who_is_at_the_limit_of_the_year_is_counted_once(sqlite_home: Home, tmp_path: Path) -> None:
    """Three parcels of one buyer; the supposed year holds one of them."""
    stories = [one_story(number) for number in (61, 62, 63)]
    first = stories[0]
    same = {"buyerIdNumber": first.order.head.buyerIdNumber, "buyerName": first.order.head.buyerName}
    messages: dict[str, bytes] = {}
    for at, story in enumerate(stories):
        head = {**same, "consignee": same["buyerName"]}
        mine = story._replace(
            order=builders.changed(story.order, **head), inventory=builders.changed(story.inventory, **same),
            payment=builders.changed(story.payment, payerName=same["buyerName"], payerIdNumber=same["buyerIdNumber"]),
            waybill=builders.changed(story.waybill, consignee=same["buyerName"]))
        messages.update({f"{at}-{kind}": raw for kind, raw in four(mine).items()})
    put(tmp_path / "in", **messages)
    sqlite_home.clear(tmp_path / "in")
    worth = [case.hold.amount_fen for case in cases(sqlite_home.open()).values()]
    answer = ask(sqlite_home, law(tmp_path, *limit("5000", str(Decimal(worth[0] + 1) / 100))), tmp_path / "report")
    assert rows_of(answer, "customs", "buyers")[""] == (1, 1)
    assert rows_of(answer, "customs", "buyers_at_limit")[""] == (0, 1)
    (buyer,) = table(tmp_path / "report", results.BUYERS)
    assert buyer["held_a"] == Decimal(sum(worth)) / 100 and buyer["held_b"] < buyer["held_a"]
    assert buyer["over_b"] == sum(1 for row in table(tmp_path / "report") if row["changed"])


def test_a_request_finds_its_inventory_also_where_the_numbers_differ(sqlite_home: Home, tmp_path: Path) -> None:
    """What only the supposed world numbers gets a number above all; what both number gets the journal's."""
    high = law(tmp_path, *limit("300"), name="high.yaml")
    lively(sqlite_home, tmp_path / "in", (high,))
    report = tmp_path / "report"
    answer = ask(sqlite_home, law(tmp_path, *limit("5000")), report, overlays=(high,))
    assert answer.counts["not_reproduced"] == 0
    states = {(row["state_a"], row["state_b"]) for row in table(report)}
    assert ("refused", "closed") in states, states


# ── assumptions and timers ──────────────────────────────────────────────────────────────────────────────


ASSUME = ('assume.{}: [{{value: {{outcome: {}, days: {}}}, since: 2026-01-01, instrument: cebport-default, '
          'confidence: K}}]')


@pytest.mark.parametrize(("outcome", "state"), [("approved", "closed"), ("refused", "refused")])
def test_a_tally_that_the_journal_lacks_is_assumed_and_shown_apart(
        sqlite_home: Home, tmp_path: Path, outcome: str, state: str) -> None:
    lively(sqlite_home, tmp_path / "in")
    report = tmp_path / "report"
    answer = ask(sqlite_home, law(tmp_path, TALLY, ASSUME.format("tally", outcome, 2)), report)
    rows = {row["order_no"]: row for row in table(report)}
    assumed = [row for row in rows.values() if row["assumed"]]
    assert 0 < answer.counts["assumed"] == len(assumed) < len(rows)
    for row in assumed:
        assert (row["mode"], row["state_b"]) == ("9610", state)
        if state == "closed":
            assert 48 <= row["hours_b"] < 49 and row["hours_a"] < 1
    arrived = [row for row in rows.values() if row["mode"] == "9610" and not row["assumed"] and row["hours_b"] and
               row["hours_b"] > 2]
    assert arrived, "parcels whose tally is in the journal go on when it came"


def test_an_answer_that_the_journal_lacks_is_assumed(sqlite_home: Home, tmp_path: Path) -> None:
    """Full taxation where the tariff has no rate waits for an officer (300)."""
    put(tmp_path / "in", **four(one_story(70)))
    sqlite_home.clear(tmp_path / "in")
    full = ('tax.over_limit: [{value: {single_one_item: full_tax, single_other: full_tax, year: full_tax, '
            'counts_in_year: true}, since: 2026-01-01, instrument: cebport-default, confidence: K}]')
    unknown = ('tariff.edition: [{value: {edition: none, files: [none.csv], complete: false}, since: 2026-01-01, '
               'instrument: cebport-default, confidence: K}]')
    (tmp_path / "none.csv").write_text(
        "gcode,name_zh,name_en,mfn,provisional,vat,consumption,unit1,unit2,confidence,source,note\n", encoding="utf-8")
    rows = (*limit("1"), full, unknown)
    report = tmp_path / "report"
    answer = ask(sqlite_home, law(tmp_path, *rows, ASSUME.format("review", "approved", 1)), report)
    (row,) = table(report)
    assert (row["state_a"], row["state_b"], row["assumed"], answer.counts["assumed"]) == ("closed", "closed", True, 1)
    assert "LAW-RATE-MISSING" in row["notes_b"] and row["hours_b"] >= 24
    ask(sqlite_home, law(tmp_path, *rows, ASSUME.format("review", "refused", 3)), report)
    (row,) = table(report)
    assert (row["state_b"], row["assumed"], row["hold_b"]) == ("refused", True, 0)


def test_timers_that_only_the_supposed_law_has_ring_when_they_are_due(sqlite_home: Home, tmp_path: Path) -> None:
    lively(sqlite_home, tmp_path / "in")
    report = tmp_path / "report"
    answer = ask(sqlite_home, law(tmp_path, CLOSE_LATER), report)
    assert answer.counts["not_reproduced"] == 0
    assert answer.counts["added"] > 0
    assert {row["state_b"] for row in table(report)} >= {"closed"}
    until = int((ON + timedelta(days=2)).timestamp() * 1000)
    ask(sqlite_home, law(tmp_path, CLOSE_LATER), report, until=until)
    assert "released" in {row["state_b"] for row in table(report)}, "three days are not over yet"


# ── deep, and whole other laws ──────────────────────────────────────────────────────────────────────────


def test_other_weights_of_field_rules_read_the_archive(
        sqlite_home: Home, faulty_traffic: Traffic, tmp_path: Path) -> None:
    sqlite_home.clear(faulty_traffic.folder)
    stricter = ("practice.RULE-ID-DISTRICT: [{value: error, since: 2026-01-01, practices: [national], "
                "instrument: cebport-default, confidence: K}]")
    answer = ask(sqlite_home, law(tmp_path, stricter))
    assert answer.summary["meta"]["deep"] == "rules"
    assert answer.counts["not_reproduced"] == 0
    milder = ("practice.RULE-REGISTRATION: [{value: warning, since: 2026-01-01, practices: [national], "
              "instrument: cebport-default, confidence: K}]")
    mild = ask(sqlite_home, law(tmp_path, milder), tmp_path / "report")
    assert mild.summary["meta"]["deep"] == "rules" and mild.counts["not_reproduced"] == 0


@pytest.mark.parametrize("rule", ["RULE-ORDER-TOTAL", "RULE-ID-CHECK"])
def test_what_a_field_rule_refused_gets_in_where_the_rule_only_warns(
        sqlite_home: Home, faulty_traffic: Traffic, tmp_path: Path, rule: str) -> None:
    """The supposed world comes out as a run under that law does."""
    sqlite_home.clear(faulty_traffic.folder)
    milder = law(tmp_path, f"practice.{rule}: [{{value: warning, since: 2026-01-01, practices: [national], "
                           "instrument: cebport-default, confidence: K}]")
    answer = ask(sqlite_home, milder)
    (tmp_path / "real").mkdir()
    real = Home("sqlite", f"sqlite:///{tmp_path / 'real' / 'store.db'}", tmp_path / "real")
    totals = real.clear(faulty_traffic.folder, overlays=(milder,)).totals
    real.close()
    assert answer.counts["not_reproduced"] == 0
    assert answer.counts["different"] > 0, "what was refused at the window is decided again"
    for state in ("refused", "waiting"):
        assert rows_of(answer, "customs", state)[""][1] == totals[state]


def test_figures_of_a_stretch_are_of_what_was_decided_in_it(sqlite_home: Home, tmp_path: Path) -> None:
    lively(sqlite_home, tmp_path / "in")
    whole = ask(sqlite_home)
    stretch = ask(sqlite_home, since=int((ON + timedelta(hours=1)).timestamp() * 1000),
                  until=int((ON + timedelta(hours=5)).timestamp() * 1000))
    assert stretch.counts["not_reproduced"] == 0
    assert 0 < stretch.counts["parcels"] < whole.counts["parcels"]


def test_the_law_of_another_day(sqlite_home: Home, traffic: Traffic, tmp_path: Path) -> None:
    """Before April 2016 there was the postal tax: told as duty, small sums waived, and no composite VAT."""
    sqlite_home.clear(traffic.folder)
    answer = ask(sqlite_home, law(tmp_path, top="law_of: 2016-04-07\n"), tmp_path / "report")
    assert answer.counts["not_reproduced"] == 0
    rows = table(tmp_path / "report")
    assert all(row["vat_b"] == 0 for row in rows)
    assert answer.summary["meta"]["law_of"] == "2016-04-07"
    assert answer.counts["different"] > 0


def test_tables_that_are_wrong_are_refused_before_anything_is_read(sqlite_home: Home, tmp_path: Path) -> None:
    sqlite_home.open()
    for text in ("rows: [", "law_of: tomorrow\n", "profile: nowhere\n", FRAME + "rows: {no.topic: []}"):
        (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(PolicyError):
            ask(sqlite_home, str(tmp_path / "bad.yaml"))


# ── the same whoever works ──────────────────────────────────────────────────────────────────────────────


def assert_same_answer(one: Path, other: Path) -> None:
    for name in results.FIELDS:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    left, right = results.read_summary(one), results.read_summary(other)
    for summary in (left, right):
        for name in ("engine", "workers"):
            del summary["meta"][name]
    assert left == right


def test_two_workers_and_any_shards_give_the_same_bytes(
        sqlite_home: Home, faulty_traffic: Traffic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_home.clear(faulty_traffic.folder)
    overlay = law(tmp_path, *limit("300"))
    ask(sqlite_home, overlay, tmp_path / "one")
    ask(sqlite_home, overlay, tmp_path / "two", workers=2)
    assert_same_answer(tmp_path / "one", tmp_path / "two")
    monkeypatch.setattr("cebport.server.replay.run.DOCUMENTS_A_SHARD", 40)
    monkeypatch.setattr("cebport.server.replay.run.POSITIONS_A_STRETCH", 7)
    ask(sqlite_home, overlay, tmp_path / "small", workers=2)
    big, small = table(tmp_path / "one"), table(tmp_path / "small")
    assert sorted(big, key=_by_order) == sorted(small, key=_by_order)
    left, right = (results.read_summary(tmp_path / name) for name in ("one", "small"))
    assert (left["counts"], left["links"]) == (right["counts"], right["links"])
    assert table(tmp_path / "one", results.ACCOUNTS) == table(tmp_path / "small", results.ACCOUNTS)


def test_a_ray_cluster_of_two_workers_gives_the_same_bytes(
        sqlite_home: Home, faulty_traffic: Traffic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cebport.server.replay.run.DOCUMENTS_A_SHARD", 60)
    sqlite_home.clear(faulty_traffic.folder)
    for name, overlay in (("limit", law(tmp_path, *limit("300"))), ("then", law(tmp_path, top="law_of: 2016-04-07\n"))):
        ask(sqlite_home, overlay, tmp_path / f"{name}-local")
        answer = ask(sqlite_home, overlay, tmp_path / f"{name}-ray", engine="ray", workers=2)
        assert answer.summary["meta"]["engine"] == "ray" and answer.counts["changed"] > 0
        assert_same_answer(tmp_path / f"{name}-local", tmp_path / f"{name}-ray")


def _by_order(row: dict[str, Any]) -> str:
    return str(row["order_no"])
