"""One contract for both databases: deliver, claim, commit, settle, numbers, books, timers, sending."""

from __future__ import annotations

import hashlib
import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from walks_made import (
    ON,
    Home,
    assert_sound,
    cases,
    children_of,
    four,
    one_story,
    postings,
    put,
    quota,
    receipts_in,
    sent,
    spawn_clear,
    waybills,
    write_trust,
)

from cebport.clearance.parts import Case, Posting, Tally, Waybill
from cebport.faults import ChannelDown, SettingsError, StoreConflict
from cebport.server import timers
from cebport.server.dispatch import dispatch
from cebport.server.run import pipeline_of
from cebport.server.store.engines import engine_of, queries
from cebport.server.store.store import CLAIM_BYTES_MAX, DONE, POISON, Delivered, Route, Store, Writes, encode, upgrade
from cebport.testing.builders import Fees, Item
from cebport.testing.market import market, person

AT = int(ON.timestamp() * 1000)


def arrival(raw: bytes, peer: str = "p", name: str = "a.xml", kind: str = "message") -> Delivered:
    return Delivered(peer, hashlib.sha256(raw).digest(), kind, name, Route(), AT, raw)


def writes(**given: Any) -> Writes:
    return Writes(**{name: given.get(name, {} if name == "states" else []) for name in Writes._fields})


def commit(store: Store, **given: Any) -> None:
    with store.transaction():
        store.commit(writes(**given))


def test_a_store_of_an_older_schema_is_brought_up_to_date(home: Home) -> None:
    """Running totals came with 0002: they are counted from what was there."""
    engine = engine_of(home.url)
    upgrade(engine, "0001")
    assert engine.scalar("SELECT version_num FROM alembic_version") == "0001"
    engine.fill("cases", "key, version, state, blob", [
        (f"O{n}|E", 1, n % 2, encode(Case(f"O{n}", "E"))) for n in range(5)])
    engine.fill("inbox", "id, peer, digest, kind, name, route, received_at, state, worker, note", [
        (1, "p", b"1", "message", "a", encode(Route()), AT, DONE, "", ""),
        (2, "p", b"2", "timer", "b", encode(Route()), AT, DONE, "", "")])
    engine.fill("journal", "position, inbox, at, law, code, documents, blob", [(1, 1, AT, "", "", 7, b"")])
    engine.fill("outbox", "id, inbox, type, receiver, wrap, documents, created_at, state, blob", [
        (1, 1, "312", "d", 0, 9, AT, DONE, b"")])
    engine.close()
    totals = home.open().totals()
    assert {name: totals[name] for name in ("messages", "documents", "parcels", "receipts")} == {
        "messages": 1, "documents": 7, "parcels": 5, "receipts": 9}
    assert sorted(count for count in totals.values() if count in (2, 3)) == [2, 3]


@pytest.mark.parametrize("name", ["claim", "claimers", "release_claims", "open_counts", "aside_inbox", "aside_outbox",
                                  "due_timers", "outbox_open"])
def test_what_is_asked_often_reads_no_whole_table(sqlite_home: Home, name: str) -> None:
    """Every look at what waits goes by an index of what waits, however much is done already."""
    engine = sqlite_home.open().engine
    sql = queries("sqlite")[name]
    plan = engine.connection.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * sql.count("?")).fetchall()
    scans = {row[3] for row in plan if row[3].startswith("SCAN") and "INDEX" not in row[3]}
    assert scans <= {"SCAN CONSTANT ROW"}


# ── the same statements, the same schema ────────────────────────────────────────────────────────────────


def test_both_dialects_name_the_same_statements() -> None:
    assert queries("sqlite").keys() == queries("postgresql").keys()


def test_both_schemas_have_the_same_tables_and_columns(postgres_home: Home, sqlite_home: Home) -> None:
    from cebport.server.backup import TABLES

    one, other = sqlite_home.open(), postgres_home.open()
    held = other.engine.connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'").fetchall()
    there: dict[str, set[str]] = {}
    for table, column in held:
        there.setdefault(table, set()).add(column)
    here = {table: {row[1] for row in one.engine.connection.execute(f"PRAGMA table_info({table})")} for table in there}
    assert here == there
    tables = {**TABLES, "counts": "name, slot, count"}
    assert {table: set(columns.split(", ")) for table, columns in tables.items()} == {
        table: columns for table, columns in there.items() if table != "alembic_version"}


# ── baton 1 ─────────────────────────────────────────────────────────────────────────────────────────────


def test_deliver_is_durable_once_and_dedupes_by_peer_and_payload(home: Home) -> None:
    store = home.open()
    given = store.deliver([arrival(b"one"), arrival(b"two"), arrival(b"one"), arrival(b"one", peer="q")])
    assert [is_new for _, is_new in given] == [True, True, False, True]
    assert given[0][0] == given[2][0] != given[3][0]
    other = home.open()
    assert other.archived([given[0][0]]) == {given[0][0]: b"one"}
    assert other.deliver([arrival(b"two")]) == [(given[1][0], False)]
    assert other.inbox_row(given[1][0]).digest == hashlib.sha256(b"two").digest()
    with pytest.raises(KeyError):
        other.inbox_row(999_999)


def test_claims_are_disjoint_in_order_and_of_one_worker(home: Home) -> None:
    first, second = home.open(), home.open()
    inboxes = [inbox for inbox, _ in first.deliver([arrival(f"m{n}".encode()) for n in range(7)])]
    mine = first.claim(3)
    yours = second.claim(9)
    assert [row.inbox for row in mine] == inboxes[:3]
    assert [row.inbox for row in yours] == inboxes[3:]
    assert [row.raw for row in yours] == [b"m3", b"m4", b"m5", b"m6"]
    assert first.claim(5) == second.claim(5) == []
    with pytest.raises(StoreConflict):  # what a worker does not hold it cannot settle
        commit(first, settled=[(DONE, "", inboxes[5])])
    commit(first, settled=[(DONE, "", row.inbox) for row in mine])
    second.release()
    assert [row.inbox for row in first.claim(9)] == inboxes[3:]
    assert first.open_counts() == (4, 0)


def test_only_dead_workers_lose_their_claims(home: Home) -> None:
    first, second = home.open(), home.open()
    inboxes = [inbox for inbox, _ in first.deliver([arrival(b"a"), arrival(b"b")])]
    first.claim(1)
    second.claim(1)
    assert home.open().release_dead() == 0
    first.close()
    home.opened.remove(first)
    third = home.open()
    assert third.release_dead() == 1
    assert [row.inbox for row in third.claim(5)] == inboxes[:1]
    with pytest.raises(StoreConflict):
        commit(third, settled=[(DONE, "", inboxes[1])])


def _claim_and_die(url: str, keys: str, ready: Any) -> None:
    store = Store.open(url, Path(keys), migrate=False)
    ready.send(len(store.claim(4)))
    threading.Event().wait()


def test_a_killed_process_loses_its_claims(home: Home) -> None:
    store = home.open()
    store.deliver([arrival(b"a"), arrival(b"b")])
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_claim_and_die, args=(home.url, str(home.keys), there), daemon=True)
    process.start()
    assert here.recv() == 2
    assert (store.release_dead(), store.claim(4)) == (0, [])
    process.kill()
    process.join()
    for _ in range(200):  # the server needs a moment to see that a session is gone
        if store.release_dead():
            break
        threading.Event().wait(0.02)
    assert len(store.claim(4)) == 2


def test_killed_workers_leave_nothing_behind(sqlite_home: Home) -> None:
    lives = Path(sqlite_home.url.removeprefix("sqlite:///") + ".workers")
    first = sqlite_home.open()
    first.claim(1)
    (lives / "host:1:killed").write_bytes(b"")
    second = sqlite_home.open()
    second.claim(1)
    assert sorted(path.name for path in lives.iterdir()) == sorted([first.worker, second.worker])
    sqlite_home.close()
    assert list(lives.iterdir()) == []


def test_a_claim_whose_answer_was_lost_is_given_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    store = home.open()
    store.deliver([arrival(b"a")])
    with monkeypatch.context() as broken:
        broken.setattr(store.engine, "select", lambda *_: (_ for _ in ()).throw(ChannelDown(note="lost")))
        with pytest.raises(ChannelDown):
            store.claim(4)
    assert [row.raw for row in store.claim(4)] == [b"a"]


def test_a_claim_is_bounded_in_bytes(home: Home) -> None:
    store = home.open()
    big = b"x" * (CLAIM_BYTES_MAX * 2 // 3)
    inboxes = [inbox for inbox, _ in store.deliver([arrival(big + bytes([n])) for n in range(3)])]
    for inbox in inboxes:
        (row,) = store.claim(8)
        assert (row.inbox, len(row.raw)) == (inbox, len(big) + 1)
        commit(store, settled=[(DONE, "", inbox)])


def test_a_damaged_archive_row_is_set_aside(home: Home) -> None:
    store = home.open()
    inboxes = [inbox for inbox, _ in store.deliver([arrival(b"sound"), arrival(b"damaged")])]
    mark = "?" if home.kind == "sqlite" else "%s"
    with store.transaction():
        store.engine.connection.execute(f"UPDATE archive SET blob = {mark} WHERE inbox = {inboxes[1]}", (b"x" * 60,))
    assert [row.raw for row in store.claim(8)] == [b"sound"]
    row = store.inbox_row(inboxes[1])
    assert (row.state, row.note) == (POISON, "the archived message is damaged: its seal does not fit")


# ── records, versions, conflicts ────────────────────────────────────────────────────────────────────────


def test_records_come_back_as_they_went(home: Home) -> None:
    store = home.open()
    (inbox, _), = store.deliver([arrival(b"a")])
    store.claim(1)
    case, waybill, tally = Case("O1", "E1", version=1), Waybill("W1", "L1", version=1), Tally("T1", "P1", version=1)
    commit(store, cases=[(case, 0)], waybills=[(waybill, 0)], tallies=[(tally, 0)], keys=[("P|1|2", "O1|E1", None)],
           quota=[(b"b" * 16, 2026, 500, None)], journal=[(inbox, AT, "law", "code", 3, b"blob")],
           refusals=[("O1|E1", inbox)], settled=[(DONE, "", inbox)],
           filings=[("C1", "name", "agent", "", "")], timers=[("close", AT + 1, inbox, ["O1|E1"])])
    other = home.open()
    assert other.cases(["O1|E1", "O2|E1"]) == {"O1|E1": case}
    assert other.waybills(["W1|L1"]) == {"W1|L1": waybill}
    assert other.tallies(["T1|P1"]) == {"T1|P1": tally}
    assert other.owners(["P|1|2", "P|9|9"]) == {"P|1|2": "O1|E1"}
    assert other.quota([b"b" * 16]) == {(b"b" * 16, 2026): 500}
    assert other.is_done(inbox) and other.open_counts() == (0, 0)
    assert other.totals()["documents"] == 3
    assert other.waybills_of("W1") == [waybill]
    assert [key for key, _ in other.prefixed("case_prefix", "O1|")] == ["O1|E1"]
    assert list(other.prefixed("refusals", "O1|")) == [("O1|E1", inbox)]


def _one_done(store: Store, raw: bytes) -> int:
    ((inbox, _),) = store.deliver([arrival(raw)])
    assert [row.inbox for row in store.claim(1)] == [inbox]
    return inbox


@pytest.mark.parametrize("table,first,second", [
    ("cases", (Case("O", "E", version=1), 0), (Case("O", "E", version=1, state="closed"), 0)),
    ("waybills", (Waybill("W", "L", version=1), 0), (Waybill("W", "L", version=1, case="x"), 0)),
    ("tallies", (Tally("T", "P", version=1), 0), (Tally("T", "P", version=1), 0)),
    ("keys", ("P|1|2", "O|E", None), ("P|1|2", "O2|E", None)),
    ("keys", ("P|1|2", "O|E", None), ("P|1|2", "O2|E", "O3|E")),
    ("quota", (b"q" * 16, 2026, 5, None), (b"q" * 16, 2026, 7, None)),
    ("postings", (Posting("D", 1, "duty", "a", 5), 1), (Posting("D", 1, "duty", "a", 6), 1)),
])
def test_whoever_is_second_under_a_key_must_look_again(home: Home, table: str, first: Any, second: Any) -> None:
    one, other = home.open(), home.open()
    commit(one, **{table: [first]})
    mine = _one_done(other, b"mine")
    with pytest.raises(StoreConflict):
        commit(other, **{table: [second]}, settled=[(DONE, "", mine)], journal=[(mine, AT, "", "", 1, b"")])
    # nothing of the loser is there
    assert not other.is_done(mine)
    assert other.totals()["documents"] == 0


@pytest.mark.parametrize("table,first,winner,loser", [
    ("cases", (Case("O", "E", version=1), 0), (Case("O", "E", version=2), 1), (Case("O", "E", version=2), 1)),
    ("waybills", (Waybill("W", "L", version=1), 0), (Waybill("W", "L", version=2), 1),
     (Waybill("W", "L", version=2), 1)),
    ("quota", (b"q" * 16, 2026, 5, None), (b"q" * 16, 2026, 7, 5), (b"q" * 16, 2026, 9, 5)),
])
def test_whoever_is_second_to_change_must_look_again(
        home: Home, table: str, first: Any, winner: Any, loser: Any) -> None:
    one, other = home.open(), home.open()
    commit(one, **{table: [first]})
    commit(one, **{table: [winner]})
    with pytest.raises(StoreConflict):
        commit(other, **{table: [loser]})


def test_the_books_refuse_what_must_not_be(home: Home) -> None:
    """CHECK (held_fen >= 0) and one posting a (document, line, kind): no retry makes these good."""
    store = home.open()
    with pytest.raises(Exception, match=r"(?i)check") as raised:
        commit(store, quota=[(b"q" * 16, 2026, -1, None)])
    assert not isinstance(raised.value, (StoreConflict, ChannelDown))
    commit(store, quota=[(b"q" * 16, 2026, 10, None)])
    with pytest.raises(Exception, match=r"(?i)check"):
        commit(store, quota=[(b"q" * 16, 2026, -5, 10)])
    assert store.quota([b"q" * 16]) == {(b"q" * 16, 2026): 10}
    commit(store, postings=[(Posting("D", 1, "duty", "a", 5), 1), (Posting("D", 1, "vat", "a", 5), 1)])
    with pytest.raises(StoreConflict):
        commit(store, postings=[(Posting("D", 1, "duty", "a", 5), 1)])
    with pytest.raises(StoreConflict):  # one journal row a message
        commit(store, journal=[(1, AT, "", "", 1, b""), (1, AT, "", "", 1, b"")])


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────


def test_numbers_never_come_twice(home: Home) -> None:
    stores = [home.open() for _ in range(3)]
    given: list[int] = []
    for turn in range(900):
        store = stores[turn % 3]
        with store.transaction():
            given.append(store.next("invt/3118/2026"))
            if turn == 7:
                assert store.next("another series") == 1
    assert len(set(given)) == len(given)
    assert min(given) == 1


def test_an_undone_transaction_repeats_no_number(home: Home) -> None:
    store, other = home.open(), home.open()

    class Undone(Exception):
        pass

    with pytest.raises(Undone), store.transaction():
        first = store.next("s")
        raise Undone
    store.forget_leases()
    with other.transaction():
        theirs = [other.next("s") for _ in range(5)]
    with store.transaction():
        mine = [store.next("s") for _ in range(5)]
    assert set(mine).isdisjoint(theirs)
    assert first >= 1


# ── timers and sending ──────────────────────────────────────────────────────────────────────────────────


def test_a_timer_rings_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    store = home.open()
    commit(store, timers=[("close", AT, 1, ["O|E"]), ("collect", AT + 1000, 1, ["O|E"])])
    assert timers.ring(store, ON - timedelta(seconds=1)) == 0
    with monkeypatch.context() as killed:  # killed between the inbox row and the end of the timer
        killed.setattr(store, "end_timers", lambda _: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError):
            timers.ring(store, ON)
    assert timers.is_due(store, ON)
    assert timers.ring(store, ON) == 1
    assert timers.ring(home.open(), ON) == 0
    (row,) = store.claim(9)
    assert (row.kind, row.raw.decode().split("\n")) == ("timer", ["close", "O|E"])
    assert not timers.is_due(store, ON) and timers.is_due(store, ON + timedelta(seconds=1))


class Recording:
    """A channel that keeps what it is given and fails where it is told to."""

    def __init__(self, fail_on: str = "") -> None:
        self.sent: list[tuple[str, str]] = []
        self.fail_on, self.flushed = fail_on, 0

    def send(self, receiver: str, name: str, data: bytes) -> None:
        if self.fail_on and self.fail_on in name:
            raise ChannelDown(note="no")
        self.sent.append((receiver, name))

    def flush(self) -> None:
        self.flushed += 1


def test_sending_is_at_least_once(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "in", **four(one_story(1)))
    home.clear(tmp_path / "in")
    store = home.open()
    mark = "inbox > 0"
    with store.transaction():
        store.engine.connection.execute(f"UPDATE outbox SET state = 0 WHERE {mark}")
    waiting = store.open_counts()[1]
    with monkeypatch.context() as killed:  # killed after the flush and before the note of it
        killed.setattr(store, "mark_sent", lambda _: (_ for _ in ()).throw(RuntimeError("killed")))
        out = Recording()
        with pytest.raises(RuntimeError):
            dispatch(store, out)
        assert (len(out.sent), out.flushed) == (waiting, 1)
    again = Recording()
    assert dispatch(home.open(), again) == waiting
    assert again.sent == out.sent  # the same names: a receiver can tell a repeat
    assert dispatch(store, Recording()) == 0
    with store.transaction():
        store.engine.connection.execute(f"UPDATE outbox SET state = 0 WHERE {mark}")
    with pytest.raises(ChannelDown):
        dispatch(store, Recording(fail_on="CEB816"))
    assert store.open_counts()[1] == waiting  # all of them wait
    assert dispatch(store, Recording()) == waiting


# ── two writers at once ─────────────────────────────────────────────────────────────────────────────────


@contextmanager
def started_together(*works: Any) -> Iterator[None]:
    """Threads that wait for each other and then run; their errors are raised here."""
    gate, wrong = threading.Barrier(len(works)), []

    def run(work: Any) -> None:
        try:
            gate.wait()
            work()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(timeout=60)
    assert wrong == []


def pipelines(home: Home, folder: Path, count: int) -> list[Any]:
    from cebport.server.filings import file_enterprises, read_filings

    write_trust(folder)
    settings = home.settings(folder)
    stores = [home.open() for _ in range(count)]
    file_enterprises(stores[0], read_filings(folder / "filings.yaml"))
    return [pipeline_of(store, settings, ON) for store in stores]


def bring(store: Store, *messages: bytes) -> None:
    from cebport.server.intake import delivered, take

    take(store, [delivered(raw, peer="folder", name=f"{n}.xml", now=ON) for n, raw in enumerate(messages)])


def test_documents_of_one_parcel_that_come_at_once_meet(home: Home, tmp_path: Path) -> None:
    walks = pipelines(home, tmp_path / "in", 4)
    parcels = 6
    for number in range(parcels):
        bring(walks[0].store, *four(one_story(100 + number)).values())
        held = [(walk, walk.store.claim(1)) for walk in walks]
        with started_together(*(lambda walk=walk, rows=rows: walk.receive(rows) for walk, rows in held)):
            pass
    store = walks[0].store
    assert [case.state for case in cases(store).values()] == ["closed"] * parcels
    assert all(waybill.case for waybill in waybills(store).values())
    while dispatch(store, Recording()):
        pass
    assert_sound(store)


def test_messages_of_one_buyer_near_the_limit_of_the_year(home: Home, tmp_path: Path) -> None:
    """Twelve parcels of 4,000 yuan at once: six fit into 26,000, whoever is first; nothing is over-drawn."""
    article = max(market().articles, key=lambda each: each.prices[-1])
    basket = [Item(article, 2, 200_000)]
    buyer = person(77)
    stories = [one_story(200 + n, mode="1210", buyer=buyer, basket=basket, fees=Fees()) for n in range(12)]
    walks = pipelines(home, tmp_path / "in", 4)
    bring(walks[0].store, sent("CEB311", [s.order for s in stories]), sent("CEB411", [s.payment for s in stories]),
          sent("CEB511", [s.waybill for s in stories]))
    walks[0].receive(walks[0].store.claim(8))
    bring(walks[0].store, *(sent("CEB621", [s.inventory]) for s in stories))
    for _ in range(3):
        held = [(walk, walk.store.claim(1)) for walk in walks]
        with started_together(*(lambda walk=walk, rows=rows: walk.receive(rows) for walk, rows in held)):
            pass
    store = walks[0].store
    states = sorted(case.state for case in cases(store).values())
    assert states == ["closed"] * 6 + ["refused"] * 6
    assert list(quota(store).values()) == [2_400_000]
    assert sum(fen for _, _, kind, _, fen in postings(store) if kind == "quota") == 2_400_000
    while dispatch(store, Recording()):
        pass
    assert_sound(store)


def test_a_message_that_is_no_longer_this_worker_s_is_left_alone(home: Home, tmp_path: Path) -> None:
    """Claims given away while a worker was slow: the message is settled once."""
    walk, other = pipelines(home, tmp_path / "in", 2)
    bring(walk.store, sent("CEB311", [one_story(300).order]))
    slow = walk.store.claim(1)
    other.store.release(walk.store.worker)
    other.receive(other.store.claim(1))
    with pytest.raises(StoreConflict):
        walk.receive(slow)
    assert len(cases(walk.store)) == 1
    assert walk.store.totals()["documents"] == 1


# ── the database goes away ──────────────────────────────────────────────────────────────────────────────


def test_a_lost_connection_is_met_again(postgres_home: Home, tmp_path: Path, postgres: Any) -> None:
    store = postgres_home.open()
    store.deliver([arrival(b"a"), arrival(b"b")])
    assert len(store.claim(1)) == 1
    database = postgres_home.url.split("/")[3].split("?")[0]
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    for attempt in (lambda: store.open_counts(), lambda: store.claim(1), lambda: store.cases(["x"]),
                    lambda: store.deliver([arrival(b"c")]), lambda: store.totals()):
        postgres.run(ended)
        with pytest.raises(ChannelDown, match="store /"):
            attempt()
        attempt()
    assert postgres_home.open().release_dead() == 0  # the new connection holds the worker as the old one did


def test_a_run_outlives_lost_connections(postgres_home: Home, tmp_path: Path, postgres: Any, traffic: Any) -> None:
    database = postgres_home.url.split("/")[3].split("?")[0]
    postgres_home.open()
    run = spawn_clear(postgres_home, traffic.folder, [traffic.messages], workers=2)
    while run.poll() is None and postgres.run("SELECT count(*) FROM inbox", database) == [(0,)]:
        threading.Event().wait(0.01)
    for _ in range(12):
        threading.Event().wait(0.25)
        postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                     f"AND datname = '{database}'")
        if run.poll() is not None:
            break
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert children_of(run.pid) == []
    store = postgres_home.open()
    assert store.totals()["closed"] == traffic.expected["parcels"]
    assert_sound(store)
    assert f'"closed": {traffic.expected["parcels"]}' in out


def test_a_store_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, but long enough to be looked at as one " * 40)
    with pytest.raises(ChannelDown, match="damaged: restore a backup"):
        Store.open(f"sqlite:///{tmp_path / 'text.db'}", tmp_path / "keys")
    with pytest.raises(SettingsError, match="expected sqlite"):
        Store.open("mysql://host/name", tmp_path / "keys")
    with pytest.raises(ChannelDown):
        Store.open(f"postgresql://nobody@/none?host={tmp_path}", tmp_path / "keys")
    with pytest.raises(ChannelDown):
        Store.open(f"sqlite:///{tmp_path}", tmp_path / "keys")


def _open_at_once(url: str, keys: str, done: Any) -> None:
    store = Store.open(url, Path(keys))
    done.send([store.vault.hash_key, store.totals()["messages"]])
    store.close()


def test_a_new_store_may_be_opened_by_several_at_once(home: Home) -> None:
    context = multiprocessing.get_context("spawn")
    answers, running = [], []
    for _ in range(3):
        here, there = context.Pipe()
        process = context.Process(target=_open_at_once, args=(home.url, str(home.keys), there), daemon=True)
        process.start()
        there.close()
        running.append((process, here))
    for process, here in running:
        answers.append(here.recv())
        process.join()
    assert answers == [[answers[0][0], 0]] * 3
    assert [path.name for path in home.folder.iterdir() if ".new" in path.name] == []


def test_amounts_are_whole_fen() -> None:
    from cebport.clearance.books import to_fen

    assert to_fen(Decimal("40.00")) == 4000
    with pytest.raises(AssertionError):
        to_fen(Decimal("0.001"))


def test_receipts_lie_where_their_receivers_look(home: Home, tmp_path: Path) -> None:
    put(tmp_path / "in", **four(one_story(400)))
    home.clear(tmp_path / "in")
    assert {name.split("/")[0][:6] for name in receipts_in(home.receipts)} == {"DXPENT"}
