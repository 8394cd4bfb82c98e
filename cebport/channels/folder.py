"""Send and receive folders (收发文件夹), as the official client has them.

A writer makes a file beside the receivers' folders and renames it into its place, so a reader never sees half
a file; a reader takes only whole names (``*.xml``), and moves a file to ``done`` once it is acknowledged, or to
``poison`` with a ``.reason.txt`` beside it when nothing can be made of it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from cebport.faults import ChannelDown

SUFFIX = ".xml"
NOBODY = "_unknown"
NAME_CHARS_MAX = 120
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def files_below(paths: Iterable[Path], suffixes: Iterable[str] = (SUFFIX,)) -> Iterator[Path]:
    """Every file named, and every ``*.xml`` (or other suffixes) below a folder, in the order of their names."""
    for path in paths:
        if path.is_dir():
            found = (p for suffix in suffixes for p in path.rglob("*" + suffix))
            yield from sorted(p for p in found if p.is_file() and not p.name.startswith("."))
        else:
            yield path


def safe_name(name: str) -> str:
    """A receiver or file name that stays inside its folder, and that every file system can hold."""
    cleaned = _UNSAFE.sub("_", name[:NAME_CHARS_MAX]).strip(".")
    return cleaned or NOBODY


HALVES = ".part"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LEFT_SECONDS = 3600
"""A half file that nobody touched for so long was left by a writer that was killed."""


class FolderOut:
    """The folder from which receivers fetch: one subfolder a receiver. Several writers may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._halves = folder, folder / HALVES
        self._mark, self._swept = os.urandom(6).hex(), False
        self._made: set[Path] = set()
        self._written: dict[Path, Path] = {}

    def probe(self) -> None:
        """Make the folder and write into it. Raises ChannelDown: final, except where a disk is only full."""
        try:
            self._sweep()
            probe = self._halves / f"{self._mark}-probe.part"
            probe.write_bytes(b"cebport")
            probe.unlink()
        except OSError as wrong:
            if wrong.errno not in FULL:
                raise ChannelDown(note=f"folder {self.folder}: {wrong}", is_final=True) from wrong

    def send(self, receiver: str, name: str, data: bytes) -> None:
        """Write one file; it appears, whole and on disk, at the next ``flush``. Raises ChannelDown."""
        target = self.folder / safe_name(receiver)
        try:
            if not self._swept:
                self._sweep()
            if target not in self._made:
                target.mkdir(parents=True, exist_ok=True)
                self._made.add(target)
            stem = blake2b(f"{target.name}/{safe_name(name)}".encode(), digest_size=12).hexdigest()
            half = self._halves / f"{self._mark}-{stem}.part"
            descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                _write_all(descriptor, data)
                if _syncfs is None:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as wrong:
            self._look_again()
            raise ChannelDown(note=f"folder {target}: {wrong}") from wrong
        self._written[half] = target / safe_name(name)

    def _sweep(self) -> None:
        """Make the place for half files, and clear it of what killed writers left."""
        self._halves.mkdir(parents=True, exist_ok=True)
        for half in self._halves.iterdir():
            with suppress(FileNotFoundError):
                if half.stat().st_mtime < time.time() - LEFT_SECONDS:
                    half.unlink()
        self._swept = True

    def flush(self) -> None:
        """Put what was written on disk, then give it its names, then put the names on disk."""
        if not self._written:
            return
        try:
            folders = {final.parent for final in self._written.values()}
            if _syncfs is not None:
                _sync(next(iter(folders)), _syncfs)
            while self._written:
                half = next(iter(self._written))
                os.replace(half, self._written[half])
                del self._written[half]
            for folder in folders:
                _sync(folder, os.fsync)
        except OSError as wrong:
            self._look_again()
            raise ChannelDown(note=f"folder {self.folder}: {wrong}") from wrong

    def _look_again(self) -> None:
        """The folders may be gone: next time they are made."""
        self._made.clear()
        self._swept = False


def _find_syncfs() -> Callable[[int], None] | None:
    """One call that puts every file of a file system on disk, where the C library has it: a batch of receipts
    then costs one journal commit instead of one a file."""
    try:
        call = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError, TypeError):
        return None

    def sync(descriptor: int) -> None:
        if call(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return sync


_syncfs = _find_syncfs()


def _sync(folder: Path, how: Callable[[int], None]) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        how(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view):]


class FolderIn:
    """The folder into which a company puts its messages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done, self.poison = folder / "done", folder / "poison"
        for needed in (folder, self.done, self.poison):
            needed.mkdir(parents=True, exist_ok=True)

    def waiting(self) -> list[Path]:
        """Whole files that wait, oldest name first."""
        return sorted(p for p in self.folder.glob("*" + SUFFIX) if p.is_file() and not p.name.startswith("."))

    def acknowledge(self, path: Path) -> None:
        """The message is safe with us: move its file to ``done``."""
        os.replace(path, _free(self.done / path.name))

    def set_aside(self, path: Path, reason: str) -> Path:
        """Nothing can be made of the file: move it to ``poison``, after the reason that lies beside it."""
        target = _free(self.poison / path.name)
        target.with_name(target.name + ".reason.txt").write_text(reason + "\n", encoding="utf-8")
        os.replace(path, target)
        return target


def _free(path: Path) -> Path:
    """The path, or one with a number, so that no earlier file of the same name is lost."""
    number, candidate = 1, path
    while candidate.exists():
        candidate = path.with_name(f"{path.stem}.{number}{path.suffix}")
        number += 1
    return candidate
