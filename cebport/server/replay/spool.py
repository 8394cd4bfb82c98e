"""What passes between the steps of a replay: items, and the files that hold them on disk (溢出文件).

An item is one decision of the journal with what is needed to take it again. Items are written in blocks; a file of
blocks is read back a block at a time, so that no step holds more than a block.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from cebport.clearance.parts import (
    CancelPart,
    Event,
    InventoryPart,
    OrderPart,
    PaymentPart,
    Reason,
    ReturnPart,
    SignedForPart,
    TallyPart,
    WaybillPart,
    case_key,
    waybill_key,
)
from cebport.server.work import inventory_key, payment_key

DOCUMENT, TICK, TALLY, ARRIVAL, CARRIED, BEFORE = range(6)
"""What an item is: a document of one parcel; a timer; a tally itself; one waybill that a tally says arrived; a decision
that is not taken again (unreadable messages, signatures that fail); one from before the days that are asked for."""
ITEMS_A_BLOCK = 1000
PARTS: tuple[type, ...] = (OrderPart, PaymentPart, WaybillPart, SignedForPart, InventoryPart, CancelPart, ReturnPart,
                           TallyPart)
encode = msgspec.msgpack.Encoder().encode
decode_event = msgspec.msgpack.Decoder(Event).decode
split_events = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_part_decoders: list[Any] = [msgspec.msgpack.Decoder(kind).decode for kind in PARTS]
_kinds = {kind: number for number, kind in enumerate(PARTS)}


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the window says of a document before it is decided: ``code`` "" = it gets in, ``why`` are warnings."""

    code: str = ""
    why: tuple[Reason, ...] = ()


class Looked(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the archive says of a document: kind and bytes of its part, and what both windows say (None = as stored)."""

    kind: int
    part: bytes
    a: Verdict | None
    b: Verdict | None

    def document(self) -> Any:
        """The part."""
        return _part_decoders[self.kind](self.part)


class Item(msgspec.Struct, array_like=True, gc=False):
    """One decision of the journal. keys: numbers of everything that it touches, () once it is spooled.

    raw: the stored event as it stands, b"" where only the archive knows of it. name: the kind of a tick, the number
    of the tally of an arrival. place: of an arrival.
    """

    keys: tuple[int, ...]
    position: int
    order: int
    inbox: int
    at: int
    what: int
    raw: bytes
    name: str = ""
    place: str = ""
    looked: Looked | None = None


def looked(part: Any, a: Verdict | None, b: Verdict | None) -> Looked:
    """What the archive says, ready to be written."""
    return Looked(_kinds[type(part)], encode(part), a, b)


def number_of(key: str | bytes) -> int:
    """A key as a number of 63 bits. Two keys of one number only join what could have been apart."""
    data = key.encode() if isinstance(key, str) else key
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big") >> 1


def keys_touched(event: Event, part: Any) -> tuple[int, ...]:
    """Everything that decides together: the case, its waybill, its buyer, the business keys of its documents."""
    keys: dict[str | bytes, None] = {}
    if event.case:
        keys["C" + event.case] = None
    if event.waybill:
        keys["W" + event.waybill] = None
    kind = type(part)
    if kind is InventoryPart:
        keys["C" + case_key(part.orderNo, part.ebpCode)] = None
        keys["W" + waybill_key(part.logisticsNo, part.logisticsCode)] = None
        keys[inventory_key(part.copNo, part.agentCode)] = None
        keys[part.buyerIdNumber.hash] = None
        for older in part.buyerIdNumber.hashes[1:]:
            keys[older] = None
    elif kind is PaymentPart:
        keys["C" + case_key(part.orderNo, part.ebpCode)] = None
        keys[payment_key(part.payTransactionId, part.payCode)] = None
    elif kind is TallyPart:
        keys["T" + waybill_key(part.copNo, part.operatorCode)] = None
    elif kind is WaybillPart or kind is SignedForPart:
        keys["W" + waybill_key(part.logisticsNo, part.logisticsCode)] = None
    elif kind is not type(None):
        keys["C" + case_key(part.orderNo, part.ebpCode)] = None
    return tuple([number_of(key) for key in keys])


# ── files of blocks ─────────────────────────────────────────────────────────────────────────────────────

_head = struct.Struct("<I")
_block = msgspec.msgpack.Decoder(tuple[list[int], list[msgspec.Raw]])
_groups = msgspec.msgpack.Decoder(list[list[int]])


class Groups:
    """The keys of a stretch of the journal, gathered into groups of what was seen in common."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def add(self, keys: tuple[int, ...]) -> None:
        """These keys belong together."""
        parent = self._parent
        top = self._find(keys[0])
        for key in keys[1:]:
            other = self._find(key)
            if other < top:
                parent[top] = other
                top = other
            elif other != top:
                parent[other] = top

    def _find(self, key: int) -> int:
        parent = self._parent
        top = parent.setdefault(key, key)
        while (above := parent[top]) != top:
            top = above
        if parent[key] != top:
            parent[key] = top
        return top

    def lists(self) -> list[list[int]]:
        """Every group as a list of its keys."""
        made: dict[int, list[int]] = {}
        for key in self._parent:
            made.setdefault(self._find(key), []).append(key)
        return list(made.values())


class Spool:
    """The items of a stretch in blocks, and beside them its groups of keys."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._squeeze = zstandard.ZstdCompressor(level=1)
        self._keys: list[int] = []
        self._held: list[Item] = []
        self._groups = Groups()

    def add(self, item: Item) -> None:
        """One more item."""
        keys, item.keys = item.keys, ()
        self._groups.add(keys)
        self._keys.append(keys[0])
        self._held.append(item)
        if len(self._held) >= ITEMS_A_BLOCK:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            block = self._squeeze.compress(encode((self._keys, self._held)))
            self._file.write(_head.pack(len(block)))
            self._file.write(block)
            self._keys, self._held = [], []

    def close(self) -> None:
        """The last block, the groups, and the end."""
        self._flush()
        self._file.close()
        keys_of(self._path).write_bytes(self._squeeze.compress(encode(self._groups.lists())))


def keys_of(spool: Path) -> Path:
    """The file of a spool's groups."""
    return spool.with_name(spool.name + ".keys")


def groups_of(spool: Path) -> list[list[int]]:
    """The groups of keys of a spool."""
    return _groups.decode(zstandard.ZstdDecompressor().decompress(keys_of(spool).read_bytes()))


def blocks_of(spool: Path) -> Iterator[tuple[list[int], list[msgspec.Raw]]]:
    """The blocks of a spool, one after the other: a key of each item, and its bytes."""
    stretch = zstandard.ZstdDecompressor()
    with spool.open("rb") as file:
        while head := file.read(_head.size):
            yield _block.decode(stretch.decompress(file.read(_head.unpack(head)[0])))


class Rooted(msgspec.Struct, array_like=True, gc=False):
    """An item with the number of the component that it belongs to."""

    root: int
    item: Item


_rooted = msgspec.msgpack.Decoder(list[Rooted])


def pack(held: Sequence[tuple[int, Any]]) -> bytes:
    """A block of a shard: numbers of components, and items as they stand in their spool."""
    block = encode(held)
    return _head.pack(len(block)) + block


def unpack(shard: bytes) -> Iterator[Rooted]:
    """Everything in a shard, in the order in which it was written."""
    at = 0
    view = memoryview(shard)
    while at < len(shard):
        (size,) = _head.unpack_from(shard, at)
        at += _head.size
        yield from _rooted.decode(view[at : at + size])
        at += size
