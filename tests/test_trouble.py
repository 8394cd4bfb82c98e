"""What stops a run or a look: messages set aside, damaged or strange stores, folders that cannot be, missing keys."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from walks_made import ON, Home, Traffic, assert_sound, four, one_story, put, receipts_in, sent

from cebport import cli
from cebport.channels.folder import FolderOut
from cebport.faults import ChannelDown, SettingsError
from cebport.messages import envelope, wire
from cebport.server import run as running
from cebport.server.backup import backup, restore
from cebport.server.pipeline import Pipeline
from cebport.server.rebuild import check
from cebport.server.store.store import Store, upgrade
from cebport.server.vault import Vault

AT_ONCE_SECONDS = 10
"""Far less than the patience of a run: what waiting does not mend is told at once."""


# ── messages set aside ──────────────────────────────────────────────────────────────────────────────────


def break_on(broken: pytest.MonkeyPatch, words: bytes) -> None:
    """A pipeline with a mistake: it fails on every message that holds these bytes."""
    plain = Pipeline.receive

    def receive(self: Pipeline, claimed: Any) -> int:
        if any(words in row.raw for row in claimed):
            raise ArithmeticError("a mistake of ours")
        return plain(self, claimed)

    broken.setattr(Pipeline, "receive", receive)


def test_a_message_that_breaks_the_code_is_told_every_time_and_comes_back(
        home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    good, bad = one_story(701), one_story(702)
    put(tmp_path / "in", **{f"good-{kind}": raw for kind, raw in four(good).items()},
        **{f"bad-{kind}": raw for kind, raw in four(bad).items()})
    with monkeypatch.context() as broken:
        break_on(broken, bad.payment.head.guid.encode())
        for _ in range(2):  # the second time nothing is new, and it is still told
            caplog.clear()
            with pytest.raises(ChannelDown, match=r"1 messages are set aside: message \d+ \(bad-CEB411\.xml\): Arithm"):
                home.clear(tmp_path / "in")
            assert "set aside: message" in caplog.text and "ArithmeticError at" in caplog.text
            store = home.open()
            assert (store.totals()["closed"], store.totals()["waiting"]) == (1, 1)  # all else came to rest
            assert store.open_counts() == (0, 0)
            home.close()
    caplog.clear()
    ran = home.clear(tmp_path / "in", [])  # the mended program needs no file again
    assert (ran.totals["closed"], ran.totals["waiting"]) == (2, 0)
    assert "set aside" not in caplog.text
    assert home.open().aside() == []
    assert_sound(home.open())


def test_receipts_that_cannot_be_written_are_told_and_come_back(
        home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "in", **four(one_story(703)))
    from cebport.server import dispatch

    plain = dispatch.write_receipts

    def broken_for_816(kind: str, *rest: Any, **more: Any) -> bytes:
        if kind == "816":
            raise ArithmeticError("a mistake of ours")
        return plain(kind, *rest, **more)

    with monkeypatch.context() as broken:
        broken.setattr(dispatch, "write_receipts", broken_for_816)
        with pytest.raises(ChannelDown, match=r"receipts \d+ \(816\) of message \d+: cannot be written"):
            home.clear(tmp_path / "in")
    assert not any("CEB816" in name for name in receipts_in(home.receipts))
    home.clear(tmp_path / "in", [])
    assert any("CEB816" in name for name in receipts_in(home.receipts))


def test_at_the_door_it_ends_with_three(sqlite_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        capfd: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "in", **four(one_story(704)))
    arguments = ["clear", str(tmp_path / "in" / "messages"), "--store", sqlite_home.url, "--receipts",
                 str(sqlite_home.receipts), "--trust", str(tmp_path / "in" / "trust.yaml"), "--filings",
                 str(tmp_path / "in" / "filings.yaml"), "--on", "2026-11-24T10:00:00", "--json", "--lang"]
    with monkeypatch.context() as broken:
        break_on(broken, b"CEB621Message")
        assert cli.run([*arguments, "en"]) == 3
        assert "1 messages are set aside: message 4 (CEB621.xml)" in capfd.readouterr().err
        assert cli.run([*arguments, "zh"]) == 3
        assert "有 1 个报文搁置" in capfd.readouterr().err
    assert cli.run([*arguments, "en"]) == 0
    assert '"closed":1' in capfd.readouterr().out
    assert cli.run([*arguments, "en"]) == 0  # again: the same totals
    assert '"closed":1' in capfd.readouterr().out


@pytest.mark.parametrize("on", ["0001-01-01T00:00:00", "2009-12-31T23:59:59", "9999-12-31T00:00:00"])
def test_a_clock_that_no_run_has_is_a_usage_error(tmp_path: Path, on: str, capfd: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    assert cli.run(["clear", str(tmp_path), "--store", url, "--receipts", str(tmp_path / "r"), "--on", on]) == 2
    assert "2010" in capfd.readouterr().err
    assert not (tmp_path / "store.db").exists()


# ── a damaged store ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory, faulty_traffic: Traffic) -> Path:
    """A settled SQLite store as one file, to be damaged."""
    folder = tmp_path_factory.mktemp("settled")
    home = Home("sqlite", f"sqlite:///{folder / 'store.db'}", folder)
    home.clear(faulty_traffic.folder)
    home.open().engine.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    home.close()
    return folder


def damaged(raw: bytes, seed: int) -> bytes:
    """Some pages overwritten: by noise, by zeros, or in part."""
    rng, made = Random(seed), bytearray(raw)
    for _ in range(1 + seed % 4):
        page = rng.randrange(1, len(raw) // 4096) * 4096
        if seed % 3 == 0:
            made[page: page + 4096] = rng.randbytes(4096)
        elif seed % 3 == 1:
            at = page + rng.randrange(4096 - 40)
            made[at: at + 40] = rng.randbytes(40)
        else:
            made[page: page + 4096] = bytes(4096)
    return bytes(made)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "header": lambda raw: os.urandom(100) + raw[100:],
    "schema": lambda raw: raw[:100] + Random(1).randbytes(3996) + raw[4096:],
    "text": lambda raw: b"no database at all " * 999,
    "cut": lambda raw: raw[: len(raw) // 3],
    **{f"pages-{seed}": lambda raw, seed=seed: damaged(raw, seed) for seed in (3, 7, 8, 16, 22, 26)},
    "name": lambda raw: raw.replace(b"CREATE TABLE inbox", b"CREATE TABLE \xb4\xb4\xb4\xb4\xb4", 1),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_told_at_once_and_never_with_a_traceback(
        settled: Path, tmp_path: Path, faulty_traffic: Traffic, damage: str, capfd: pytest.CaptureFixture[str]) -> None:
    raw = DAMAGES[damage]((settled / "store.db").read_bytes())
    keys = tmp_path / "store.keys"
    shutil.copy(settled / "store.keys", keys)
    sure = not damage.startswith("pages")
    common = ["--lang", "en", "--store", f"sqlite:///{tmp_path / 'store.db'}"]
    (order_no,) = _first_order(settled)
    for command in (["trace", order_no, "--keys", str(keys)], ["rebuild", "--check", "--keys", str(keys)],
                    ["backup", "-o", str(tmp_path / "backup")],
                    ["clear", str(faulty_traffic.messages), "--keys", str(keys), "--receipts", str(tmp_path / "r"),
                     "--trust", str(faulty_traffic.folder / "trust.yaml"), "--on", "2026-11-24T10:00:00"]):
        for left in tmp_path.glob("store.db*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        (tmp_path / "store.db").write_bytes(raw)
        started = time.monotonic()
        code = cli.run([*command, *common])
        said = capfd.readouterr().err
        assert time.monotonic() - started < AT_ONCE_SECONDS, said
        assert "Traceback" not in said
        assert code == 3 if sure else code in (0, 1, 3), (command, said)
        assert "restore a backup" in said or not sure
    if sure:
        assert not (tmp_path / "backup").exists()


def _first_order(folder: Path) -> tuple[str]:
    connection = sqlite3.connect(folder / "store.db")
    (key,) = connection.execute("SELECT min(key) FROM cases").fetchone()
    connection.close()
    return (key.partition("|")[0],)


def test_what_cannot_be_decoded_is_damage(home: Home, tmp_path: Path) -> None:
    put(tmp_path / "in", **four(one_story(705)))
    home.clear(tmp_path / "in")
    store = home.open()
    with store.transaction():
        store.engine.connection.execute("UPDATE cases SET blob = (SELECT blob FROM journal WHERE position = 1)")
    (key,) = store.engine.connection.execute("SELECT key FROM cases").fetchone()
    with pytest.raises(ChannelDown, match="damaged: restore a backup") as told:
        store.cases([key])
    assert told.value.is_final
    assert any(difference.startswith(f"cases {key}") for difference in check(store).differences)


def test_workers_say_why_they_end(settled: Path, tmp_path: Path, faulty_traffic: Traffic,
                                  capfd: pytest.CaptureFixture[str]) -> None:
    """The table that only workers read is gone: they end in words, and the run with them."""
    shutil.copy(settled / "store.db", tmp_path / "store.db")
    shutil.copy(settled / "store.keys", tmp_path / "store.keys")
    connection = sqlite3.connect(tmp_path / "store.db")
    connection.execute("DROP TABLE tallies")
    connection.execute("DROP TABLE waybills")
    connection.execute("DELETE FROM inbox WHERE id = 1")
    connection.commit()
    connection.close()
    home = Home("sqlite", f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    with pytest.raises(ChannelDown, match="every worker has ended"):
        home.clear(faulty_traffic.folder, workers=2)
    said = capfd.readouterr().err
    assert "a worker ends: store" in said and "no such table" in said and "Traceback" not in said


def test_a_store_that_may_only_be_read(settled: Path, tmp_path: Path, faulty_traffic: Traffic,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    from cebport.server.store import engines

    shutil.copy(settled / "store.db", tmp_path / "store.db")
    shutil.copy(settled / "store.keys", tmp_path / "store.keys")
    plain = engines.SqliteEngine._set_up

    def read_only(self: Any) -> None:
        plain(self)
        self.connection.execute("PRAGMA query_only = ON")

    monkeypatch.setattr(engines.SqliteEngine, "_set_up", read_only)
    home = Home("sqlite", f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    started = time.monotonic()
    with pytest.raises(ChannelDown, match="readonly"):
        home.clear(faulty_traffic.folder)
    assert time.monotonic() - started < AT_ONCE_SECONDS


# ── another program's database, no URL at all ───────────────────────────────────────────────────────────


def test_another_programs_sqlite_file_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "theirs.db"
    connection = sqlite3.connect(file)
    connection.executescript("CREATE TABLE customers (id INTEGER, name TEXT); INSERT INTO customers VALUES (1, 'x');")
    connection.close()
    before = file.read_bytes()
    url = f"sqlite:///{file}"
    with pytest.raises(SettingsError, match="another program's tables"):
        Store.open(url, tmp_path / "keys")
    for command in (["trace", "1"], ["rebuild", "--check"], ["backup", "-o", str(tmp_path / "b")]):
        assert cli.run([*command, "--store", url]) == 1
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theirs.db"]


def test_another_programs_postgresql_database_stays_as_it_is(postgres_home: Home, postgres: Any) -> None:
    database = postgres_home.url.split("/")[3].split("?")[0]
    postgres.run("CREATE TABLE customers (id int)", database)
    with pytest.raises(SettingsError, match="another program's tables"):
        postgres_home.open()
    assert postgres.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", database) == [("customers",)]


def test_another_schema_is_not_ours(home: Home) -> None:
    store = home.open()
    with store.transaction():
        store.engine.connection.execute("UPDATE alembic_version SET version_num = 'abc'")
    with pytest.raises(SettingsError, match="not this program's"):
        home.open()


def test_a_schema_is_made_whole_or_not_at_all(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import command

    plain = command.upgrade

    def killed(*given: Any) -> None:
        plain(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(command, "upgrade", killed)
        with pytest.raises(KeyboardInterrupt):
            home.open()
    store = home.open()
    assert store.totals()["messages"] == 0
    upgrade(store.engine)  # nothing to do


@pytest.mark.parametrize("url", ["postgresql://%%%bad", "postgresql://[::1", "postgres://u@h/d?nonsense=1"])
def test_a_malformed_url_has_words(tmp_path: Path, url: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError, match="expected postgresql"):
        Store.open(url, tmp_path / "keys")
    assert cli.run(["trace", "1", "--store", url, "--lang", "en"]) == 2
    assert "postgresql://USER@HOST/DATABASE is needed" in capfd.readouterr().err


# ── folders, settings ───────────────────────────────────────────────────────────────────────────────────


def test_a_receipts_folder_that_cannot_be_is_told_at_once(sqlite_home: Home, tmp_path: Path) -> None:
    put(tmp_path / "in", **four(one_story(706)))
    (tmp_path / "file").write_bytes(b"in the way")
    for folder in (tmp_path / "file" / "receipts", Path("/proc/receipts")):
        started = time.monotonic()
        with pytest.raises(ChannelDown, match="folder "):
            sqlite_home.clear(tmp_path / "in", receipts=str(folder))
        assert time.monotonic() - started < AT_ONCE_SECONDS
        assert sqlite_home.open().totals()["messages"] == 0  # nothing was taken


def test_a_full_receipts_folder_is_no_reason_not_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    FolderOut(tmp_path / "r").probe()
    assert (tmp_path / "r").is_dir()


def test_settings_that_refuse_everything_are_warned_of(
        sqlite_home: Home, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "in", **four(one_story(707)))
    taken: list[str] = []
    plain = running._run
    monkeypatch.setattr(running, "_run", lambda *given: (taken.append(caplog.text), plain(*given))[1])

    def warned(**more: Any) -> tuple[bool, bool]:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            sqlite_home.clear(tmp_path / "in", [], **more)
        assert taken[-1] == caplog.text  # before anything is taken
        return "no certificate is trusted" in caplog.text, "no enterprise is filed" in caplog.text

    assert warned(trust=(), filings=None) == (True, True)
    assert warned(trust=(), filings=None, profile="sandbox") == (True, False)
    assert warned(filings=None) == (False, True)
    assert warned() == (False, False)
    assert warned(filings=None) == (False, False)  # what was filed before stays filed


# ── an envelope whose data is broken ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("data", [b"!!not base64!!", b"", b"<a>x</a>", b"PGE+", b"QQ=", b"&#33;"])
def test_a_broken_envelope_is_answered_to_its_sender(sqlite_home: Home, tmp_path: Path, data: bytes) -> None:
    raw = envelope.wrap(sent("CEB311", [one_story(708).order]), message_type="CEB311Message",
                        sender="DXPENT0000000077", receivers=["DXPEDCCEB0000002"], cop_msg_id="an-id", created_at=ON)
    head, tail = raw.split(b"Data>")[0], raw.split(b"Data>")[-1]
    closing = raw.split(b"Data>")[1].rpartition(b"<")[2]
    put(tmp_path / "in", envelope=head + b"Data>" + data + b"<" + closing + b"Data>" + tail)
    sqlite_home.clear(tmp_path / "in")
    ((name, answer),) = receipts_in(sqlite_home.receipts).items()
    assert name.startswith("DXPENT0000000077/CEB900")
    opened = envelope.unwrap(answer)
    assert opened.receivers == ("DXPENT0000000077",)
    (document,) = wire.message_of(wire.parse_tree(opened.payload)).documents
    if data != b"PGE+":  # that is base64 of something that is no message
        assert document.head.oriCopMsgId == "an-id"


def test_a_heading_is_looked_for_in_little_time() -> None:
    from cebport.server.intake import delivered

    started = time.monotonic()
    for filling in (b"<Data>", b"<Data", b"</Data", b"<a:Data>", b"<" * 6):
        raw = b"<DxpMsg>" + filling * (4_000_000 // len(filling))
        assert delivered(raw, peer="p", name="n", now=ON).route.sender == ""
    assert time.monotonic() - started < AT_ONCE_SECONDS


# ── keys of a restored store ────────────────────────────────────────────────────────────────────────────


def test_restore_tries_the_keys_before_it_writes(settled: Path, tmp_path: Path) -> None:
    snapshot, target, keys = tmp_path / "snapshot", tmp_path / "new.db", tmp_path / "keys"
    backup(f"sqlite:///{settled / 'store.db'}", snapshot)
    url = f"sqlite:///{target}"
    with pytest.raises(SettingsError, match="is missing"):
        restore(snapshot, url, keys, verify=True)
    with pytest.raises(SettingsError, match="is missing"):
        restore(snapshot, url, verify=True)  # the file beside the store
    assert not keys.exists() and not target.exists() and not Path(f"{target}.keys").exists()
    Vault.open(keys)
    with pytest.raises(SettingsError, match="not the key of this store"):
        restore(snapshot, url, keys, verify=True)
    assert not target.exists()
    shutil.copy(settled / "store.keys", keys)
    assert restore(snapshot, url, keys, verify=True)["verified"] is True
