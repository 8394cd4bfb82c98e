"""Taking bytes in (接收): limits, unwrap far enough to know the payload, archive, dedupe, acknowledge.

What ``take`` returns from is on disk. A payload that the same peer sent before gives no new work: its
receipts are sent again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cebport.faults import Malformed, is_valid
from cebport.messages import envelope, wire
from cebport.messages.catalog import fault
from cebport.server.store.store import Delivered, Route, Store, encode

log = logging.getLogger("cebport")
MESSAGES_A_BATCH = 32
BYTES_A_BATCH = 16 * 1024 * 1024
HEAD_BYTES = 64 * 1024
"""So much of an oversized file is kept: the start, for the CEB900 that answers it."""


class Taken(NamedTuple):
    """What a batch was: inbox ids of new messages, and how many were repeats."""

    inboxes: list[int]
    repeats: int


def delivered(raw: bytes, *, peer: str, name: str, now: datetime) -> Delivered:
    """One message as it came, with the digest of its payload: a new envelope around old bytes is a repeat.

    An envelope that is refused counts as a whole, so that its payload may come again in a better one.
    """
    route, payload = Route(), raw
    if envelope.is_envelope(raw[:2048]):
        try:
            opened = envelope.unwrap(raw)
            route = Route(opened.kind, opened.cop_msg_id, opened.sender)
            if is_valid(opened.faults):
                payload = opened.payload
        except Malformed:
            route = _heading(raw)
    at = int(now.timestamp() * 1000)
    return Delivered(peer, hashlib.sha256(payload).digest(), "message", name, route, at, raw)


_DATA = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?Data)\b[^<>]*>")


def _heading(raw: bytes) -> Route:
    """Who sent an envelope whose payload cannot be had, as far as it says: the answer then finds its sender."""
    data = _DATA.search(raw)
    end = raw.rfind(b"</" + data[1], data.end()) if data is not None else -1
    if data is None or end < 0:
        return Route("DxpMsg")
    try:
        opened = envelope.unwrap(raw[: data.end()] + b"AAAA" + raw[end:])
    except Malformed:
        return Route("DxpMsg")
    return Route(opened.kind, opened.cop_msg_id, opened.sender)


def oversized(path: Path, *, peer: str, now: datetime) -> Delivered:
    """A file over the size limit: read in constant memory, answered like any unreadable message."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as source:
        head = source.read(HEAD_BYTES)
        block = head
        while block:
            digest.update(block)
            size += len(block)
            block = source.read(1 << 20)
    found = wire.scan(path)
    too_large = fault(wire.TOO_LARGE, found=size, expected=wire.LIMITS.bytes_max)
    faults = [each.as_dict() for each in (too_large, *found.faults) if each is too_large or each.code != too_large.code]
    raw = encode([faults, found.type or "", head])
    return Delivered(peer, digest.digest(), "oversize", _name(path), Route(), int(now.timestamp() * 1000), raw)


def _name(path: Path) -> str:
    """The file's name as text that a database takes, whatever bytes it has."""
    return os.fsencode(path.name).decode("utf-8", "replace")


def _read(path: Path, *, peer: str, now: datetime) -> Delivered:
    """One file; no more of it than the limit is ever in memory, also while it still grows. Raises OSError."""
    with path.open("rb") as source:
        size = min(os.fstat(source.fileno()).st_size, wire.LIMITS.bytes_max) + 1
        raw = source.read(size)
        if len(raw) == size:
            raw += source.read(wire.LIMITS.bytes_max + 1 - size)
    if len(raw) > wire.LIMITS.bytes_max:
        return oversized(path, peer=peer, now=now)
    return delivered(raw, peer=peer, name=_name(path), now=now)


def read_files(paths: Iterable[Path], *, peer: str, clock: Callable[[], datetime],
               unread: list[str] | None = None) -> Iterator[list[Delivered]]:
    """Files as batches for ``take``: bounded in number and in bytes.

    A file that cannot be read (gone meanwhile, no permission) is left where it is and told in ``unread``.
    """
    batch: list[Delivered] = []
    held_bytes = 0
    for path in paths:
        try:
            arrival = _read(path, peer=peer, now=clock())
        except OSError as wrong:
            log.warning("%s is left: %s", path, wrong.strerror)
            if unread is not None:
                unread.append(f"{path}: {wrong.strerror}")
            continue
        batch.append(arrival)
        held_bytes += len(arrival.raw)
        if len(batch) >= MESSAGES_A_BATCH or held_bytes >= BYTES_A_BATCH:
            yield batch
            batch, held_bytes = [], 0
    if batch:
        yield batch


def take(store: Store, arrivals: Sequence[Delivered]) -> Taken:
    """Archive and acknowledge a batch. Durable on return; raises ChannelDown when it could not be."""
    given = store.deliver(arrivals)
    return Taken([inbox for inbox, is_new in given if is_new], sum(1 for _, is_new in given if not is_new))
