"""Send and receive folders: whole files only, names that stay inside, poison with its reason, disks that fill."""

from __future__ import annotations

import os
import re
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cebport.channels import folder as channel
from cebport.channels.folder import FolderIn, FolderOut, files_below, safe_name
from cebport.faults import ChannelDown


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    out, seen = FolderOut(tmp_path), []
    body = b"<a>" + b"x" * 300_000 + b"</a>"
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.extend(path.read_bytes() for path in tmp_path.rglob("*.xml"))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        out.send("R1", f"{number % 7}.xml", body)
        if number % 3 == 0:
            out.flush()
    out.flush()
    stop.set()
    reader.join()
    assert seen and set(seen) == {body}
    assert sorted(p.name for p in (tmp_path / "R1").iterdir()) == [f"{n}.xml" for n in range(7)]


def test_nothing_appears_before_the_flush(tmp_path: Path) -> None:
    out = FolderOut(tmp_path)
    out.send("R1", "a.xml", b"1")
    out.send("R2", "b.xml", b"2")
    assert list(files_below([tmp_path])) == []
    out.flush()
    assert [p.relative_to(tmp_path).as_posix() for p in files_below([tmp_path])] == ["R1/a.xml", "R2/b.xml"]
    out.flush()  # nothing more to do


def test_a_file_of_the_same_name_is_replaced_whole(tmp_path: Path) -> None:
    out = FolderOut(tmp_path)
    for body in (b"long " * 100, b"short"):
        out.send("R", "a.xml", body)
        out.flush()
    assert (tmp_path / "R" / "a.xml").read_bytes() == b"short"


NAMES = ["../../etc/passwd", "..", ".", "", "/etc/passwd", "a/../../b", "..\\..\\b", "C:\\x", "a\0b", "\n", "～/收件",
         ".hidden", "x" * 5000, "a" * 119 + "/..", "CON", "%2e%2e%2f", "a;rm -rf b", "$(id)", "-rf"]


def test_writers_that_share_a_folder_do_not_meet(tmp_path: Path) -> None:
    """Two runs that send the same receipt at once: both write, the name always holds a whole file."""
    one, other = FolderOut(tmp_path), FolderOut(tmp_path)
    one.send("R", "a.xml", b"whole" * 1000)
    other.send("R", "a.xml", b"whole" * 1000)
    one.flush()
    assert (tmp_path / "R" / "a.xml").read_bytes() == b"whole" * 1000
    other.flush()
    assert (tmp_path / "R" / "a.xml").read_bytes() == b"whole" * 1000
    assert list((tmp_path / ".part").iterdir()) == []


def test_what_killed_writers_left_is_swept(tmp_path: Path) -> None:
    killed, fresh = FolderOut(tmp_path), FolderOut(tmp_path)
    killed.send("R", "a.xml", b"half")
    fresh.send("R", "b.xml", b"x")
    (left, _) = sorted((tmp_path / ".part").iterdir(), key=lambda path: path.read_bytes() != b"half")
    os.utime(left, (1, 1))
    FolderOut(tmp_path).send("R", "c.xml", b"y")
    assert not left.exists()
    fresh.flush()  # what is being written stays
    assert [p.name for p in (tmp_path / "R").iterdir()] == ["b.xml"]


@pytest.mark.parametrize("name", NAMES)
def test_names_stay_inside(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "receipts"
    out = FolderOut(inside)
    out.send(name, name, b"x")
    out.flush()
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) == 1
    assert files[0].resolve().parent.parent == inside.resolve()


@given(st.text(max_size=400))
@example("." * 130)
@example("." * 60 + "a" + "." * 100)
def test_a_safe_name_is_one_plain_name(name: str) -> None:
    safe = safe_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}", safe)
    assert Path(safe).name == safe


def test_a_full_disk_is_waited_for_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing, syncing and naming fail one after the other; each time all is done again and the names are right."""
    out = FolderOut(tmp_path)

    def batch() -> None:
        for number in range(3):
            out.send("R", f"{number}.xml", b"body %d" % number)
        out.flush()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(channel, "_write_all", full)
        with pytest.raises(ChannelDown, match="No space left"):
            batch()
    with monkeypatch.context() as broken:
        broken.setattr(channel, "_sync", full)
        with pytest.raises(ChannelDown, match="No space left"):
            batch()
    names = iter(range(9))
    replace = os.replace
    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", lambda *given: full() if next(names) == 1 else replace(*given))
        with pytest.raises(ChannelDown, match="No space left"):
            batch()
    batch()
    assert {p.name: p.read_bytes() for p in (tmp_path / "R").iterdir()} == {
        f"{number}.xml": b"body %d" % number for number in range(3)}


def test_folders_that_vanish_are_made_again(tmp_path: Path) -> None:
    out = FolderOut(tmp_path / "receipts")
    out.send("R", "a.xml", b"1")
    shutil.rmtree(tmp_path / "receipts")
    with pytest.raises(ChannelDown):
        out.flush()
    out.send("R", "a.xml", b"1")
    out.flush()
    assert (tmp_path / "receipts" / "R" / "a.xml").read_bytes() == b"1"


def test_without_syncfs_every_file_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(channel, "_syncfs", None)
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), fsync(descriptor))[1])
    out = FolderOut(tmp_path)
    out.send("R", "a.xml", b"1")
    out.send("R", "b.xml", b"2")
    assert len(synced) == 2
    out.flush()
    assert len(synced) == 3  # the folder that holds the names


def test_a_receiver_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "R").write_bytes(b"a file in the way")
    with pytest.raises(ChannelDown):
        FolderOut(tmp_path).send("R", "a.xml", b"1")


# ── incoming ────────────────────────────────────────────────────────────────────────────────────────────


def test_only_whole_names_wait_in_their_order(tmp_path: Path) -> None:
    inbox = FolderIn(tmp_path / "send")
    for name in ("b.xml", "a.xml", ".c.xml", "d.xml.part", "e.tmp", "f.XML"):
        (inbox.folder / name).write_bytes(b"x")
    (inbox.folder / "g.xml").mkdir()
    assert [p.name for p in inbox.waiting()] == ["a.xml", "b.xml"]


def test_acknowledged_files_are_kept_also_under_the_same_name(tmp_path: Path) -> None:
    inbox = FolderIn(tmp_path / "send")
    for body in (b"1", b"2", b"3"):
        (inbox.folder / "a.xml").write_bytes(body)
        inbox.acknowledge(inbox.folder / "a.xml")
    assert inbox.waiting() == []
    assert {p.name: p.read_bytes() for p in inbox.done.iterdir()} == {"a.xml": b"1", "a.1.xml": b"2", "a.2.xml": b"3"}


def test_poison_lies_aside_with_its_reason(tmp_path: Path) -> None:
    inbox = FolderIn(tmp_path / "send")
    for body, reason in ((b"1", "文件无法读取 / cannot be read"), (b"2", "second")):
        (inbox.folder / "a.xml").write_bytes(body)
        kept = inbox.set_aside(inbox.folder / "a.xml", reason)
        assert kept.read_bytes() == body
        assert kept.with_name(kept.name + ".reason.txt").read_text(encoding="utf-8") == reason + "\n"
    assert sorted(p.name for p in inbox.poison.iterdir()) == [
        "a.1.xml", "a.1.xml.reason.txt", "a.xml", "a.xml.reason.txt"]
    assert inbox.waiting() == []


def test_files_below_takes_folders_and_files(tmp_path: Path) -> None:
    for name in ("b/2.xml", "b/1.xml", "b/c/3.xml", "b/.x.xml", "b/4.txt", "5.bin"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = files_below([tmp_path / "b", tmp_path / "5.bin"])
    assert [p.relative_to(tmp_path).as_posix() for p in found] == ["b/1.xml", "b/2.xml", "b/c/3.xml", "5.bin"]
