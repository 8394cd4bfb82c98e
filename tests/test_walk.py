"""The main job end to end: a folder of signed messages in, receipts out; both stores, one and two workers."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from walks_made import (
    ON,
    Home,
    Traffic,
    assert_sound,
    canonical,
    cards,
    cases,
    events,
    four,
    one_story,
    put,
    receipts_in,
    sent,
)

from cebport.clearance.parts import case_key
from cebport.messages import envelope, wire
from cebport.server.rebuild import check
from cebport.server.store.store import Store
from cebport.server.trace import trace
from cebport.testing import builders
from cebport.testing.market import city
from cebport.values import parse_time

TOTALS = ("messages", "documents", "parcels", "released", "refused", "waiting", "cancelled", "returned", "closed",
          "receipts")


def expected_totals(traffic: Traffic) -> dict[str, Any]:
    told = traffic.expected
    return {"messages": told["messages"], "documents": told["documents"], "parcels": told["parcels"], **told["states"]}


def wrapped(traffic: Traffic, folder: Path, copy: int = 1) -> Path:
    """The same messages in DXP envelopes, with trust and filings beside them."""
    (folder / "messages").mkdir(parents=True)
    shutil.copytree(traffic.folder / "cards", folder / "cards")
    for name in ("trust.yaml", "filings.yaml"):
        shutil.copy(traffic.folder / name, folder / name)
    for path in traffic.files:
        raw = path.read_bytes()
        kind = path.stem.split("-")[1] + "Message"
        sender = wire.parse_tree(raw).root.findtext("{*}BaseTransfer/{*}dxpId")
        (folder / "messages" / path.name).write_bytes(envelope.wrap(
            raw, message_type=kind, sender=sender, receivers=["DXPEDCCEB0000002"],
            cop_msg_id=f"{copy:08d}-0000-4000-8000-{abs(hash(path.name)) % 10**12:012d}", created_at=ON))
    return folder


# ── totals, receipts ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("workers", [1, 2])
def test_totals_are_those_that_the_traffic_promises(home: Home, faulty_traffic: Traffic, workers: int) -> None:
    ran = home.clear(faulty_traffic.folder, workers=workers)
    told = expected_totals(faulty_traffic)
    assert {name: ran.totals[name] for name in told} == told
    assert set(TOTALS) == set(ran.totals)
    store = home.open()
    assert_sound(store)
    by_status = Counter()
    for _, event in events(store):
        for kind, status in event.receipts:
            by_status[f"CEB{int(kind) - 1} {status}"] += 1
    wanted = {name: count for name, count in faulty_traffic.expected["refusals"].items() if not name.endswith(" -1")}
    assert {name: by_status[name] for name in wanted} == wanted
    assert ran.totals["parcels"] == sum(
        ran.totals[s] for s in ("released", "refused", "waiting", "cancelled", "returned", "closed"))


def test_again_changes_nothing(home: Home, faulty_traffic: Traffic) -> None:
    first = home.clear(faulty_traffic.folder)
    before, files = canonical(home.open()), receipts_in(home.receipts)
    home.close()
    again = home.clear(faulty_traffic.folder)
    assert again.totals == first.totals
    assert again.parcels_before == first.totals["parcels"]
    assert canonical(home.open()) == before
    assert receipts_in(home.receipts) == files
    assert_sound(home.open())


def test_two_workers_do_what_one_does(home: Home, faulty_traffic: Traffic, tmp_path: Path) -> None:
    home.clear(faulty_traffic.folder, workers=2)
    alone = Home("sqlite", f"sqlite:///{tmp_path / 'alone.db'}", tmp_path / "alone")
    alone.clear(faulty_traffic.folder, workers=1)
    try:
        one, two = canonical(alone.open()), canonical(home.open())
        for made in (one, two):  # the buyers' hashes are keyed by each store's own key
            made["quota"] = Counter(made["quota"].values())
            made["books"] = Counter((kind, fen) for kind, account, fen in made["books"].elements())
        assert two == one
    finally:
        alone.close()


def test_receipts_are_valid_messages_to_the_senders(home: Home, faulty_traffic: Traffic) -> None:
    ran = home.clear(faulty_traffic.folder, workers=2)
    counted = 0
    for name, raw in receipts_in(home.receipts).items():
        receiver, file = name.split("/")
        assert receiver.startswith("DXPENT")
        tree = wire.parse_tree(raw)
        assert file.startswith(tree.type + "_")
        assert wire.schema_faults(tree) == [], name
        assert len(tree.root) <= 100
        counted += len(wire.message_of(tree).documents)
    assert counted == ran.totals["receipts"]
    assert list((home.receipts / ".part").iterdir()) == []


def test_envelopes_give_what_bare_messages_give(home: Home, faulty_traffic: Traffic, tmp_path: Path) -> None:
    folder = wrapped(faulty_traffic, tmp_path / "dxp")
    ran = home.clear(folder)
    told = expected_totals(faulty_traffic)
    assert {name: ran.totals[name] for name in told} == told
    for raw in receipts_in(home.receipts).values():
        opened = envelope.unwrap(raw)
        assert (opened.kind, opened.faults) == ("DxpMsg", ())
        assert wire.schema_faults(wire.parse_tree(opened.payload)) == []
    assert_sound(home.open())


def test_an_old_message_in_a_new_envelope_is_a_repeat(home: Home, traffic: Traffic, tmp_path: Path) -> None:
    first = home.clear(wrapped(traffic, tmp_path / "first", 1))
    files = receipts_in(home.receipts)
    shutil.rmtree(home.receipts)
    again = home.clear(wrapped(traffic, tmp_path / "second", 2))
    assert again.totals == first.totals
    assert receipts_in(home.receipts) == files  # every receipt comes again, under its old name


# ── sent again ──────────────────────────────────────────────────────────────────────────────────────────


def statuses(folder: Path, kind: str) -> list[str]:
    """returnStatus of every receipt document of a kind that lies in the folder."""
    found = []
    for name, raw in receipts_in(folder).items():
        if kind in name:
            found += [document.head.returnStatus for document in wire.message_of(wire.parse_tree(raw)).documents]
    return sorted(found)


def test_a_repeat_gets_its_receipts_again_also_those_of_later_messages(home: Home, tmp_path: Path) -> None:
    made = [one_story(number) for number in (1, 2)]
    paths = put(tmp_path / "in", **{
        "1-order-one": sent("CEB311", [made[0].order]), "2-order-two": sent("CEB311", [made[1].order]),
        "3-payments": sent("CEB411", [s.payment for s in made]), "4-bills": sent("CEB511", [s.waybill for s in made]),
        "5-inventories": sent("CEB621", [s.inventory for s in made])})
    first = home.clear(tmp_path / "in")
    assert first.totals["closed"] == 2
    assert statuses(home.receipts, "CEB312") == ["120", "120", "2", "2", "3", "3"]
    shutil.rmtree(home.receipts)
    again = home.clear(tmp_path / "in", [paths[0]])
    assert again.totals == first.totals
    # only what the first message is about: not the other order, payments or inventories
    assert statuses(home.receipts, "CEB312") == ["120", "2", "3"]
    assert {name.split("/")[1][:6] for name in receipts_in(home.receipts)} == {"CEB312"}
    shutil.rmtree(home.receipts)
    home.clear(tmp_path / "in", [paths[4]])
    assert statuses(home.receipts, "CEB622") == sorted(["2", "3", "120", "800", "899"] * 2)
    assert len([name for name in receipts_in(home.receipts) if "CEB816" in name]) == 1


def test_the_same_key_with_other_bytes_gets_the_official_code(home: Home, tmp_path: Path) -> None:
    story = one_story(7)
    put(tmp_path / "in", **{"1": sent("CEB311", [story.order]),
                            "2": sent("CEB311", [story.order], guid="00000000-0000-4000-8000-00000000AAAA")})
    home.clear(tmp_path / "in")
    assert statuses(home.receipts, "CEB312") == ["-301010", "2", "3"]


def test_nothing_unverified_occupies_a_business_key(home: Home, tmp_path: Path) -> None:
    """A forged order under somebody's number is refused; the real one that comes later is taken."""
    story = one_story(8)
    forged = sent("CEB311", [story.order]).replace(b"<ceb:buyerRegNo>", b"<ceb:buyerRegNo>x", 1)
    put(tmp_path / "in", **{"1-forged": forged, **{f"2-{kind}": raw for kind, raw in four(story).items()}})
    ran = home.clear(tmp_path / "in")
    assert (ran.totals["closed"], ran.totals["parcels"]) == (1, 1)
    assert statuses(home.receipts, "CEB312") == ["-301020", "120", "2", "3"]


def test_a_key_whose_document_is_gone_is_free_for_another_order(home: Home, tmp_path: Path) -> None:
    """A payment that was deleted and an inventory that customs refused: their numbers may go into another order,
    then belong to it, and the first order gets them back only when the second has let go."""
    one, two = one_story(21), one_story(22)
    number, cop_no = one.payment.head.payTransactionId, one.inventory.head.copNo

    def head(document: Any, **changes: Any) -> Any:
        return replace(document, head=replace(document.head, **changes))

    wrong = head(one.inventory, buyerIdNumber=two.order.head.buyerIdNumber, buyerName=two.order.head.buyerName)
    moved = head(two.payment, payTransactionId=number, payCode=one.payment.head.payCode)
    steps = {
        "01": sent("CEB411", [one.payment]), "02": sent("CEB411", [moved], guid="00000000-0000-4000-8000-0000000000A2"),
        "03": sent("CEB411", [head(one.payment, appType="3", appTime="20261124095000")]),
        "04": sent("CEB411", [head(moved, appTime="20261124095100")]),
        "05": sent("CEB411", [head(one.payment, appTime="20261124095200")]),
    }
    put(tmp_path / "in", **steps)
    home.clear(tmp_path / "in")
    assert statuses(home.receipts, "CEB412") == ["-401007", "-401007", "2", "2", "2", "3", "3", "3"]
    second = {
        "11": sent("CEB311", [head(one.order, payTransactionId=None, payCode=None, payName=None)]),
        "12": sent("CEB511", [one.waybill]), "13": sent("CEB621", [wrong]),
        "14": sent("CEB411", [head(one.payment, payTransactionId=f"{number}B")]),
        "15": sent("CEB621", [head(two.inventory, copNo=cop_no, appTime="20261124095300")]),
        "16": sent("CEB621", [head(one.inventory, appTime="20261124095400")]),
    }
    put(tmp_path / "more", **second)
    home.clear(tmp_path / "more")
    assert statuses(home.receipts, "CEB622") == ["-621004", "100", "2", "2", "3", "3"]
    store = home.open()
    owners = store.owners([f"P|{number}|{one.payment.head.payCode}", f"I|{cop_no}|{one.inventory.head.agentCode}"])
    assert set(owners.values()) == {case_key(two.order.head.orderNo, two.order.head.ebpCode)}
    assert check(store).differences == []
    traced = {story.case.orderNo for story in trace(store, cop_no)}
    assert traced == {one.order.head.orderNo, two.order.head.orderNo}, "who had the number before is found as well"
    gone = sent("CEB411", [head(one.payment, appType="3", appTime="20261124095900")])
    put(tmp_path / "last", CEB411=gone)
    home.clear(tmp_path / "last")


@pytest.mark.parametrize("draft_first", [True, False])
def test_a_draft_under_the_wrong_order_does_not_block_the_real_request(
        home: Home, tmp_path: Path, draft_first: bool) -> None:
    """A stashed cancel with somebody's own number and inventory but another order: the real one goes through."""
    law = tmp_path / "law.yaml"
    law.write_text("about: {zh: 试, en: trial}\nrecorded_at: 2026-11-24\nrows:\n  duty.tally:\n"
                   "  - {value: true, since: 2013-01-01, until: 2099-12-31, instrument: cebport-default, "
                   "confidence: K}\n")
    one, two = one_story(31), one_story(32)
    put(tmp_path / "1", **{f"{n}-{kind}": raw for n, story in enumerate((one, two))
                           for kind, raw in four(story).items()})
    home.clear(tmp_path / "1", overlays=(str(law),))
    store = home.open()
    (first,) = [case for case in cases(store).values() if case.orderNo == one.order.head.orderNo]
    real = builders.cancel(Random(1), one, first.inventory.invtNo, ON)
    draft = builders.changed(real, orderNo=two.order.head.orderNo, appStatus="1")
    both = [sent("CEB623", [draft], guid="00000000-0000-4000-8000-0000000000C1"), sent("CEB623", [real])]
    for number, raw in enumerate(both if draft_first else reversed(both)):
        put(tmp_path / f"2{number}", CEB623=raw)
        home.clear(tmp_path / f"2{number}", overlays=(str(law),))
    assert home.open().totals()["cancelled"] == 1
    assert_sound(home.open())


# ── subscriptions, days, requests ───────────────────────────────────────────────────────────────────────


def test_subscribers_get_their_copies(home: Home, tmp_path: Path) -> None:
    from cebport.messages.documents import BaseSubscribe

    story = one_story(9)
    subscribes = [BaseSubscribe(what, "DXP", f"DXPENTSUBSCRIBER{at}", "") for at, what in ((1, "RET"), (2, "DATA"))]
    raw = sent("CEB311", [story.order], subscribes=subscribes)
    put(tmp_path / "in", order=raw)
    home.clear(tmp_path / "in")
    files = receipts_in(home.receipts)
    own, returns, data = ({name.split("/")[1]: raw for name, raw in files.items() if name.startswith(receiver)}
                          for receiver in (city("ningbo").platform.dxp_id, "DXPENTSUBSCRIBER1", "DXPENTSUBSCRIBER2"))
    assert [name[:6] for name in own] == [name[:6] for name in returns] == ["CEB312"]
    assert list(data.values()) == [raw]
    # a repeat brings the receipts again, not the copy of the documents
    shutil.rmtree(home.receipts)
    home.clear(tmp_path / "in")
    assert {name.split("/")[0] for name in receipts_in(home.receipts)} == {
        city("ningbo").platform.dxp_id, "DXPENTSUBSCRIBER1"}


def test_the_summary_comes_on_day_31_and_once(home: Home, tmp_path: Path) -> None:
    put(tmp_path / "in", **four(one_story(10, mode="1210")))
    home.clear(tmp_path / "in", on=ON)
    summarised = parse_time("2026-12-25T10:00:00")
    for on, count in ((ON + timedelta(days=30), 0), (summarised, 1), (summarised + timedelta(days=9), 1)):
        ran = home.clear(tmp_path / "in", [], on=on)
        found = [raw for name, raw in receipts_in(home.receipts).items() if "CEB818" in name]
        assert len(found) == count, on
    assert ran.totals["messages"] == 4  # a day that falls due is no message
    (case,) = cases(home.open()).values()
    assert case.bill is not None and case.bill.status == "2"
    assert b"<returnTime>20261225" in found[0] or b"returnTime>20261225" in found[0]
    assert_sound(home.open())


def test_close_days_by_overlay(home: Home, tmp_path: Path) -> None:
    overlay = tmp_path / "later.yaml"
    overlay.write_text("""about: {zh: 假设, en: what if}
recorded_at: 2026-11-24
rows:
  clearance.close_days:
  - {value: 3, since: 2026-01-01, instrument: cebport-default, confidence: K}
""", encoding="utf-8")
    put(tmp_path / "in", **four(one_story(11)))
    more = {"overlays": (str(overlay),)}
    assert home.clear(tmp_path / "in", **more).totals["released"] == 1
    assert home.clear(tmp_path / "in", [], on=ON + timedelta(days=2), **more).totals["released"] == 1
    ran = home.clear(tmp_path / "in", [], on=ON + timedelta(days=3, minutes=1), workers=2, **more)
    assert (ran.totals["released"], ran.totals["closed"]) == (0, 1)
    assert statuses(home.receipts, "CEB622") == ["120", "2", "3", "800", "899"]
    assert_sound(home.open())


def number_of(store: Store, order_no: str) -> str:
    (inventory,) = [case.inventory for case in cases(store).values() if case.orderNo == order_no]
    assert inventory is not None
    return inventory.invtNo


def test_cancel_return_and_delivery(home: Home, tmp_path: Path) -> None:
    """A cancel before release, a return after it, the waybill's state: quota comes back, each message once."""
    from random import Random

    overlay = tmp_path / "tally.yaml"
    overlay.write_text("""about: {zh: 假设, en: what if}
recorded_at: 2026-11-24
rows:
  duty.tally:
  - {value: true, since: 2026-01-01, instrument: cebport-default, confidence: K}
""", encoding="utf-8")
    held, gone, back = (one_story(number) for number in (21, 22, 23))
    folder, more = tmp_path / "in", {"overlays": (str(overlay),)}
    put(folder, **{f"{at}-{kind}": raw for at, story in enumerate((held, gone, back)) for kind, raw in
                   four(story).items()})
    assert home.clear(folder, **more).totals["waiting"] == 3  # numbered (120), waiting for their tally
    put(folder, tally=sent("CEB711", [builders.tally(Random(1), [gone, back], ON)]))
    assert home.clear(folder, [folder / "messages" / "tally.xml"], **more).totals["closed"] == 2
    store = home.open()
    held_no, back_no = (number_of(store, s.order.head.orderNo) for s in (held, back))
    put(folder, cancel=sent("CEB623", [builders.cancel(Random(2), held, held_no, ON)]),
        refund=sent("CEB625", [builders.refund(Random(3), back, back_no, ON)]),
        signed=sent("CEB513", [builders.signed_for(Random(4), gone, ON)]))
    for _ in range(2):
        ran = home.clear(folder, on=ON + timedelta(hours=2), workers=2, **more)
        assert {name: ran.totals[name] for name in ("cancelled", "returned", "closed", "waiting")} == {
            "cancelled": 1, "returned": 1, "closed": 1, "waiting": 0}
    assert_sound(store)
    assert statuses(home.receipts, "CEB624")[-1] == statuses(home.receipts, "CEB626")[-1] == "399"
    assert statuses(home.receipts, "CEB514") == ["120", "2", "3"]


def test_sandbox_files_enterprises_by_itself(home: Home, tmp_path: Path) -> None:
    story = one_story(31)
    put(tmp_path / "in", **four(story))
    refused = home.clear(tmp_path / "in", filings=None)
    assert refused.totals["parcels"] == 0
    put(tmp_path / "other", **four(one_story(32)))
    ran = home.clear(tmp_path / "other", filings=None, profile="sandbox", workers=2)
    assert ran.totals["closed"] == 1
    filed = {row[0] for row in home.open().engine.rows("filings")}
    assert story.order.head.ebpCode in filed


def test_the_sandbox_lets_any_trusted_card_sign(home: Home, tmp_path: Path) -> None:
    story = one_story(33)
    other = {kind: sent(kind, [document], card=cards()["operator"]) for kind, document in (
        ("CEB311", story.order), ("CEB411", story.payment), ("CEB511", story.waybill), ("CEB621", story.inventory))}
    put(tmp_path / "in", **other)
    assert home.clear(tmp_path / "in", profile="sandbox").totals["closed"] == 1
    assert_sound(home.open())
