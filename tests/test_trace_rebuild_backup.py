"""Telling a parcel's life, proving the projections, snapshots of a store that can be trusted."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from walks_made import (
    ON,
    Home,
    Traffic,
    assert_sound,
    canonical,
    cases,
    events,
    four,
    one_story,
    put,
    sent,
    spawn_clear,
)

from cebport.faults import SettingsError
from cebport.server import backup as backing
from cebport.server.backup import TABLES, backup, read_backup, restore
from cebport.server.rebuild import check
from cebport.server.store.engines import engine_of
from cebport.server.store.store import Store, encode, upgrade
from cebport.server.trace import trace

# ── trace ───────────────────────────────────────────────────────────────────────────────────────────────


def test_every_number_leads_to_the_parcel(home: Home, tmp_path: Path) -> None:
    story = one_story(61)
    put(tmp_path / "in", **four(story))
    home.clear(tmp_path / "in")
    store = home.open()
    (case,) = cases(store).values()
    assert case.inventory is not None and case.bill is not None
    numbers = [story.order.head.orderNo, story.waybill.head.logisticsNo, case.inventory.invtNo,
               story.inventory.head.copNo, story.payment.head.payTransactionId]
    told = [[each.as_dict() for each in trace(store, number)] for number in numbers]
    assert all(one == told[0] for one in told)
    ((life,),) = [told[0]] if len(told[0]) == 1 else [()]
    assert (life["orderNo"], life["state"], life["invtNo"]) == (numbers[0], "closed", numbers[2])
    assert [d["type"] for d in life["documents"]] == ["CEB311", "CEB411", "CEB511", "CEB621"]
    assert [(r["type"], r["status"]) for r in life["receipts"]].count(("CEB622", "800")) == 1
    assert {r["type"] for r in life["receipts"]} == {"CEB312", "CEB412", "CEB512", "CEB622", "CEB816"}
    assert sum(p["amount_fen"] for p in life["postings"] if p["account"].startswith("tax/")) == int(
        case.bill.total * 100)
    assert life["tax"]["taxNo"] == case.bill.taxNo
    assert trace(store, "no such number") == []
    assert trace(store, story.order.head.orderNo[:-1]) == []  # a beginning is no number


def test_a_refusal_tells_rule_values_source_and_remedy(home: Home, tmp_path: Path) -> None:
    from msgspec.structs import replace

    from cebport.messages.documents import Document

    story, other = one_story(62), one_story(63)
    wrong = Document(replace(story.payment.head, payerName=other.payment.head.payerName), story.payment.lines)
    messages = four(story)
    messages["CEB411"] = sent("CEB411", [wrong])
    put(tmp_path / "in", **messages)
    assert home.clear(tmp_path / "in").totals["refused"] == 1
    (life,) = trace(home.open(), story.order.head.orderNo)
    faults = [why for decision in life.as_dict()["decisions"] for why in decision["why"] if why["severity"] == "error"]
    assert [fault["code"] for fault in faults] == ["MATCH-BUYER-PAYER-NAME"]
    (fault,) = faults
    name, payer = story.buyer.name, other.buyer.name
    assert {fault["found"], fault["expected"]} == {name[0] + "*" * (len(name) - 1), payer[0] + "*" * (len(payer) - 1)}
    assert fault["source"] and fault["remedy"]["zh"] and fault["remedy"]["en"] and fault["message"]["en"]
    assert name not in str(life.as_dict()) and story.buyer.id_number not in str(life.as_dict())


def test_what_was_refused_at_the_window_can_be_traced(home: Home, tmp_path: Path) -> None:
    story = one_story(64)
    put(tmp_path / "in", order=sent("CEB311", [story.order]).replace(b"<ceb:note>", b"<ceb:note >").replace(
        b"<ceb:buyerRegNo>", b"<ceb:buyerRegNo>x", 1))
    assert home.clear(tmp_path / "in").totals["parcels"] == 0
    (life,) = trace(home.open(), story.order.head.orderNo)
    told = life.as_dict()
    assert [r["status"] for r in told["receipts"]] == ["-301020"] or told["decisions"][0]["receipts"] == [
        ["312", "-301020"]]
    assert told["decisions"][0]["why"][0]["code"].startswith("CEB-SIGN-")


def test_every_parcel_of_a_morning_can_be_told(home: Home, faulty_traffic: Traffic) -> None:
    home.clear(faulty_traffic.folder)
    store = home.open()
    for case in cases(store).values():
        (life,) = trace(store, case.orderNo)
        told = life.as_dict()
        assert told["state"] == case.state
        assert told["decisions"]
        if case.state == "refused":
            assert any(why["severity"] == "error" for decision in told["decisions"] for why in decision["why"])
        for decision in told["decisions"]:
            assert decision["edition"] and decision["code"] and decision["event"]
    for entry in faulty_traffic.expected["faults"]:
        rules = {refusal["rule"] for refusal in entry["refused"]
                 if refusal["rule"].startswith(("MATCH-", "LAW-", "KEY-", "CEB-FILING-"))}
        whys = [why for order_no, _ in entry["orders"] for life in trace(store, order_no)
                for decision in life.as_dict()["decisions"] for why in decision["why"]]
        assert rules <= {why["code"] for why in whys}, entry["fault"]
        if entry["refused"] and not entry["refused"][0]["rule"].startswith("CEB900"):
            assert any(why["severity"] == "error" for why in whys), entry["fault"]


# ── rebuild ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def settled(home: Home, faulty_traffic: Traffic) -> Home:
    home.clear(faulty_traffic.folder, workers=2)
    return home


def test_the_fold_of_the_journal_is_what_stands(settled: Home) -> None:
    store = settled.open()
    report = check(store)
    assert report.differences == []
    assert report.messages == store.totals()["messages"]
    assert report.events == len(events(store))
    assert report.records["cases"] == store.totals()["parcels"] > 100
    assert set(report.digests) == set(report.records) >= {"cases", "waybills", "tallies", "keys", "quota", "postings"}
    assert report.as_dict()["equal"] is True
    assert check(store).digests == report.digests


def one(store: Store, statement: str) -> Any:
    return store.engine.connection.execute(statement).fetchone()


TAMPERED: dict[str, tuple[str, str]] = {
    "a case's bytes": ("UPDATE cases SET blob = (SELECT blob FROM cases WHERE key <> '{case}' LIMIT 1) "
                       "WHERE key = '{case}'", "cases {case}"),
    "a case's state": ("UPDATE cases SET state = 5 - state WHERE key = '{case}'", "cases {case}"),
    "a case's version": ("UPDATE cases SET version = version + 1 WHERE key = '{case}'", "cases {case}"),
    "a case gone": ("DELETE FROM cases WHERE key = '{case}'", "cases {case}: in the journal, not stored"),
    "a case too many": ("INSERT INTO cases SELECT 'SOX|E', version, state, blob FROM cases WHERE key = '{case}'",
                        "cases SOX|E: stored, not in the journal"),
    "a waybill gone": ("DELETE FROM waybills WHERE key = (SELECT min(key) FROM waybills)", "waybills "),
    "a key led elsewhere": ("UPDATE keys SET case_key = 'x' WHERE key = (SELECT min(key) FROM keys)", "keys "),
    "a buyer's year": ("UPDATE quota SET held_fen = held_fen + 1 "
                       "WHERE buyer = (SELECT buyer FROM quota WHERE held_fen > 0 LIMIT 1)", "quota "),
    "a posting's amount": ("UPDATE postings SET amount_fen = amount_fen - 1 WHERE kind = 'vat' AND line = 1 AND "
                           "document = (SELECT min(document) FROM postings WHERE kind = 'vat')", "postings"),
    "a posting gone": ("DELETE FROM postings WHERE document = (SELECT max(document) FROM postings)", "postings"),
    "a journal row gone": ("DELETE FROM journal WHERE position = 9", "inbox "),
    "a journal row's bytes": ("UPDATE journal SET blob = (SELECT blob FROM cases WHERE key = '{case}') "
                              "WHERE position = 3", "journal 3"),
    "a timer gone": ("DELETE FROM timers WHERE id = (SELECT max(id) FROM timers)", "timers "),
    "a timer's day": ("UPDATE timers SET due_at = due_at + 1 WHERE id = 1", "timers "),
    "a timer's cases": ("UPDATE timers SET blob = x'90' WHERE id = 1", "timers "),
    "a timer that never rang": ("UPDATE timers SET state = 2 WHERE id = (SELECT max(id) FROM timers)", "timers "),
    "a receipt gone": ("DELETE FROM outbox WHERE id = (SELECT max(id) FROM outbox WHERE type = '816')", "outbox "),
    "a receipt twice": ("INSERT INTO outbox (inbox, type, receiver, wrap, documents, created_at, state, blob) SELECT "
                        "inbox, type, receiver, wrap, documents, created_at, state, blob FROM outbox WHERE id = 2",
                        "outbox "),
    "a message's bytes gone": ("DELETE FROM archive WHERE inbox = 5", "archive 5: in the inbox, not in the archive"),
    "a message gone": ("DELETE FROM inbox WHERE id = 5", "inbox 5: in the journal, not done"),
    "a message no longer done": ("UPDATE inbox SET state = 3 WHERE id = 6", "inbox 6: in the journal, not done"),
    "a refusal gone": ("DELETE FROM refusals WHERE key = (SELECT min(key) FROM refusals)", "refusals "),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_tampered_row_is_found(sqlite_settled: Path, tmp_path: Path, what: str) -> None:
    home = copied(sqlite_settled, tmp_path)
    store = home.open()
    statement, named = TAMPERED[what]
    (case,) = one(store, "SELECT min(key) FROM cases WHERE state = 5")
    with store.transaction():
        changed = store.engine.connection.execute(statement.format(case=case))
        assert changed.rowcount >= 1
    report = check(store)
    home.close()
    assert report.differences, what
    assert report.as_dict()["equal"] is False
    assert any(difference.startswith(named.format(case=case)) for difference in report.differences), report.differences


def test_tampered_rows_are_found_on_postgresql(postgres_home: Home, traffic: Traffic) -> None:
    postgres_home.clear(traffic.folder)
    store = postgres_home.open()
    for what in ("a case's state", "a buyer's year", "a posting's amount", "a key led elsewhere"):
        statement, named = TAMPERED[what]
        (case,) = one(store, "SELECT min(key) FROM cases WHERE state = 5")
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.engine.connection.execute(statement.format(case=case))
            report = check(store)
            assert any(difference.startswith(named.format(case=case)) for difference in report.differences), what
            raise ZeroDivisionError  # undo
    assert check(store).differences == []


def test_a_store_in_use_is_proved_as_of_one_moment(home: Home, traffic: Traffic) -> None:
    home.open()
    home.close()
    run = spawn_clear(home, traffic.folder, [traffic.messages], workers=2)
    store, seen = home.open(), set()
    while run.poll() is None:
        report = check(store)
        assert report.differences == []
        seen.add(report.messages)
    assert run.wait() == 0
    run.communicate()
    assert len(seen) > 1
    assert check(store).messages == len(traffic.files)


def copied(source: Path, folder: Path) -> Home:
    shutil.copy(source / "store.db", folder / "store.db")
    shutil.copy(source / "store.keys", folder / "store.keys")
    return Home("sqlite", f"sqlite:///{folder / 'store.db'}", folder)


@pytest.fixture(scope="module")
def sqlite_settled(tmp_path_factory: pytest.TempPathFactory, faulty_traffic: Traffic) -> Path:
    """A settled store on SQLite, to be copied."""
    folder = tmp_path_factory.mktemp("settled")
    home = Home("sqlite", f"sqlite:///{folder / 'store.db'}", folder)
    home.clear(faulty_traffic.folder)
    store = home.open()
    store.engine.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    home.close()
    return folder


# ── backup and restore ──────────────────────────────────────────────────────────────────────────────────


def rows_of(store: Store) -> dict[str, list[Any]]:
    return {table: sorted(repr([bytes(v) if isinstance(v, memoryview) else v for v in row])
                          for row in store.engine.connection.execute(f"SELECT {columns} FROM {table}").fetchall())
            for table, columns in TABLES.items()}


@pytest.fixture(params=["sqlite", "postgresql"])
def other_home(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Where it is restored: either kind."""
    folder = tmp_path / "other"
    folder.mkdir()
    url = (f"sqlite:///{folder / 'store.db'}" if request.param == "sqlite"
           else request.getfixturevalue("postgres").fresh())
    made = Home(request.param, url, folder)
    yield made
    made.close()


def older(record: Any, inventory: Any, hold: Any) -> None:
    """Cut what a program before did not write: the inventory's last field, the hold's last two."""
    if record.get(inventory) if isinstance(record, dict) else record[inventory]:
        record[inventory] = record[inventory][:-1]
    if record.get(hold) if isinstance(record, dict) else record[hold]:
        record[hold] = record[hold][:3]


def test_records_and_journal_written_before_their_last_fields_are_equal(settled: Home) -> None:
    store = settled.open()
    run, mark = store.engine.connection.execute, "?" if store.engine.dialect == "sqlite" else "%s"
    with store.transaction():
        for key, blob in run("SELECT key, blob FROM cases").fetchall():
            record = msgspec.msgpack.decode(bytes(blob))
            older(record, 6, 7)
            run(f"UPDATE cases SET blob = {mark} WHERE key = {mark}", (encode(record), key))
        for position, blob in run("SELECT position, blob FROM journal").fetchall():
            events = msgspec.msgpack.decode(store.vault.stretch(bytes(blob)))
            for event in events:
                if event.get("set"):
                    older(event["set"], "inventory", "hold")
            run(f"UPDATE journal SET blob = {mark} WHERE position = {mark}",
                (store.vault.squeeze(encode(events)), position))
    assert check(store).differences == []


def test_a_backup_goes_into_an_empty_store_of_another_schema(settled: Home, other_home: Home, tmp_path: Path) -> None:
    """Opened before by a newer program, or made by an older one: it is restored, and counted."""
    file = tmp_path / "snapshot"
    backup(settled.url, file)
    shutil.copy(settled.keys, other_home.keys)
    engine = engine_of(other_home.url)
    upgrade(engine, "0001")
    engine.close()
    restore(file, other_home.url, other_home.keys, verify=True)
    assert other_home.open().totals() == settled.open().totals()


def test_restored_elsewhere_it_is_the_same_store(
        settled: Home, other_home: Home, faulty_traffic: Traffic, tmp_path: Path) -> None:
    """Between all four pairs of databases: same rows, proved, and work goes on where it stood."""
    store = settled.open()
    file = tmp_path / "snapshot"
    told = backup(settled.url, file)
    before = rows_of(store)
    assert {table: count for table, count in told["rows"].items() if count} == {
        table: len(rows) for table, rows in before.items() if rows}
    shutil.copy(settled.keys, other_home.keys)
    answer = restore(file, other_home.url, other_home.keys, verify=True)
    assert answer["verified"] is True
    again = other_home.open()
    assert rows_of(again) == before
    assert canonical(again) == canonical(store)
    assert other_home.clear(faulty_traffic.folder).totals == store.totals()
    story = one_story(71)  # fresh rows and numbers come after the restored ones
    put(tmp_path / "more", **four(story))
    ran = other_home.clear(tmp_path / "more")
    assert ran.totals["closed"] == store.totals()["closed"] + 1
    assert_sound(again)


def test_a_snapshot_of_a_store_in_use_is_of_one_moment(home: Home, traffic: Traffic, tmp_path: Path) -> None:
    home.open()
    home.close()
    run = spawn_clear(home, traffic.folder, [traffic.messages], workers=2)
    snapshots = 0
    while run.poll() is None:
        file = tmp_path / f"snapshot{snapshots}"
        backup(home.url, file)
        snapshots += 1
        threading.Event().wait(0.1)
    assert run.wait() == 0, run.stderr.read() if run.stderr else ""
    run.communicate()
    assert snapshots > 1
    for number in {0, snapshots // 2, snapshots - 1}:
        folder = tmp_path / f"of{number}"
        folder.mkdir()
        shutil.copy(home.keys, folder / "store.keys")
        restored = Home("sqlite", f"sqlite:///{folder / 'store.db'}", folder)
        assert restore(tmp_path / f"snapshot{number}", restored.url, restored.keys, verify=True)["verified"]
        ran = restored.clear(traffic.folder)  # what was claimed then is claimed anew
        assert ran.totals["closed"] == traffic.expected["parcels"]
        assert_sound(restored.open())
        restored.close()


@pytest.fixture
def snapshot(sqlite_settled: Path, tmp_path: Path) -> Path:
    file = tmp_path / "snapshot"
    backup(f"sqlite:///{sqlite_settled / 'store.db'}", file)
    return file


def damaged(raw: bytes) -> dict[str, bytes]:
    rng = Random(7)
    made = {"empty": b"", "half": raw[: len(raw) // 2], "last-byte-gone": raw[:-1], "head-gone": raw[9:],
            "text": b"not a backup at all", "zeros": bytes(5000), "twice": raw + raw}
    for number in range(12):
        changed = bytearray(raw)
        changed[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        made[f"bit-{number}"] = bytes(changed)
    return made


def test_damaged_snapshots_are_refused(snapshot: Path, tmp_path: Path) -> None:
    for name, raw in damaged(snapshot.read_bytes()).items():
        bad = tmp_path / f"bad-{name}"
        bad.write_bytes(raw)
        url = f"sqlite:///{tmp_path / name}.db"
        with pytest.raises(SettingsError, match="backup "):
            restore(bad, url)
        assert not (tmp_path / f"{name}.db").exists(), name


def test_a_snapshot_goes_only_into_an_empty_store(snapshot: Path, sqlite_settled: Path, tmp_path: Path) -> None:
    home = copied(sqlite_settled, tmp_path)
    before = home.open().totals()
    with pytest.raises(SettingsError, match="not empty"):
        restore(snapshot, home.url, home.keys)
    assert home.open().totals() == before
    home.close()


def test_without_its_keys_a_restored_store_is_not_opened(snapshot: Path, sqlite_settled: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="key"):
        restore(snapshot, f"sqlite:///{tmp_path / 'a.db'}", tmp_path / "a.keys", verify=True)
    assert not (tmp_path / "a.keys").exists()
    from cebport.server.vault import Vault

    Vault.open(tmp_path / "strange.keys")
    with pytest.raises(SettingsError, match="not the key of this store"):
        restore(snapshot, f"sqlite:///{tmp_path / 'b.db'}", tmp_path / "strange.keys", verify=True)
    assert sqlite_settled.joinpath("store.keys").read_bytes() not in snapshot.read_bytes()


def test_verify_finds_what_differs(snapshot: Path, sqlite_settled: Path, tmp_path: Path,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(sqlite_settled / "store.keys", tmp_path / "keys")

    def meddling(change: Callable[[str, list[Any]], list[Any]]) -> Any:
        def items(source: Path) -> Any:
            for item in read_backup(source):
                yield item if item[0] == backing.MAGIC else [item[0], change(*item)]
        return items

    for number, change in enumerate((
            lambda table, rows: rows[1:] if table == "postings" else rows,
            lambda table, rows: [[*row[:2], row[2] + 1] for row in rows] if table == "quota" else rows)):
        monkeypatch.setattr(backing, "read_backup", meddling(change))
        with pytest.raises(SettingsError, match=r"postings|quota"):
            restore(snapshot, f"sqlite:///{tmp_path / str(number)}.db", tmp_path / "keys", verify=True)


def test_a_backup_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no cebport store"):
        backup(f"sqlite:///{tmp_path / 'none.db'}", tmp_path / "snapshot")
    assert not (tmp_path / "snapshot").exists() and not (tmp_path / "snapshot.part").exists()


def test_large_messages_make_no_large_memory(sqlite_home: Home, tmp_path: Path) -> None:
    """Thirty messages of 4 MB that do not compress: backup and restore hold a few at a time."""
    import os
    import tracemalloc

    from cebport.server.store.store import Delivered, Route

    store = sqlite_home.open()
    for number in range(30):
        raw = os.urandom(4 << 20)
        store.deliver([Delivered("p", bytes([number]) * 32, "message", "x", Route(), int(ON.timestamp()), raw)])
    sqlite_home.close()
    tracemalloc.start()
    backup(sqlite_home.url, tmp_path / "snapshot")
    restore(tmp_path / "snapshot", f"sqlite:///{tmp_path / 'again.db'}", sqlite_home.keys)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 << 20
