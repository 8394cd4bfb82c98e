"""Opening, re-keying and shredding what the archive holds (查阅、换钥、销毁个人信息).

Each is the act of a named person for a reason; opening and shredding stand in table ``access`` before anything
is shown or changed. Shredding takes one person out of the archive: in every document of theirs the personal
values become masks, and the message is sealed anew under a data key of its own; the old data key is gone.
Journal, books and projections hold keyed hashes and masks only, so they stay as they are and still fold.

What a database keeps of an overwritten row (old pages, write-ahead logs, backups) is wrapped by the master key
of its time: ``rotate`` a new one, ``rewrap`` and ``retire`` the old one, and nobody opens that either.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from lxml import etree

from cebport.clearance.parts import Blind, CaseChange, Event, InventoryPart, OrderPart, PaymentPart
from cebport.faults import Malformed, SettingsError
from cebport.messages import envelope, wire
from cebport.messages.masks import mask
from cebport.messages.shape import PERSONAL
from cebport.server import forex
from cebport.server.dispatch import oversized_parts
from cebport.server.store.store import InboxRow, Store, encode

ROWS_A_STEP = 40
IDENTITY = ("buyerIdNumber", "payerIdNumber")
"""The fields that say whose document it is."""
NOTHING = CaseChange()
"""What a document sets that was refused on a parcel that is there."""
GONE = "（已销毁 shredded）"
_events = msgspec.msgpack.Decoder(list[Event])


class Shredded(NamedTuple):
    """What was shredded: messages sealed anew, documents masked, and unreadable messages that could not be searched
    (only a plain number can be looked for in them)."""

    messages: int
    documents: int
    unsearched: int


# ── opening ─────────────────────────────────────────────────────────────────────────────────────────────


def open_archive(store: Store, inbox: int, who: str, reason: str, now: datetime) -> bytes:
    """The verbatim bytes of an archived message, shown to ``who``; the act is recorded before they are.

    Raises SettingsError without a name or a reason, KeyError when there is no such message, Malformed when its
    bytes are damaged.
    """
    row = store.inbox_row(inbox)
    _record(store, f"archive {row.inbox} ({row.name})", who, reason, now)
    return store.archived([inbox])[inbox]


def _record(store: Store, what: str, who: str, reason: str, now: datetime) -> None:
    if not who.strip() or not reason.strip():
        raise SettingsError(note="opening or shredding personal data needs the name of who does it, and a reason")
    store.record_access(int(now.timestamp() * 1000), who.strip(), what, reason.strip())


# ── re-keying ───────────────────────────────────────────────────────────────────────────────────────────


def rewrap(store: Store) -> int:
    """Everything that an older master key wraps goes under the newest; how many rows that were.

    Cheap for the archive: only data keys are wrapped anew. May be ended and run again at any moment, beside
    running workers; when it gives 0 no row needs an older key, and ``vault.retire`` may end those.
    """
    done, after = 0, 0
    newest = store.vault.key_id
    while rows := store.engine.rows("archive_keys", newest, after, ROWS_A_STEP * 10):
        with store.transaction():
            changed = store.engine.many("rewrap", [(inbox, *store.vault.rewrap(key_id, wrapped), wrapped)
                                                   for inbox, key_id, wrapped in rows])
        done, after = done + changed, rows[-1][0]
    after = 0
    while rows := store.engine.rows("outbox_blobs", after, ROWS_A_STEP):
        stale = [(row, store.vault.hide(store.vault.show(blob))) for row, blob in rows
                 if not store.vault.is_newest(blob)]
        if stale:
            with store.transaction():
                store.engine.many("rehide", stale)
        done, after = done + len(stale), rows[-1][0]
    return done


# ── shredding ───────────────────────────────────────────────────────────────────────────────────────────


def shred(store: Store, person: str | bytes, who: str, reason: str, now: datetime) -> Shredded:
    """Mask a person's values in every archived document of theirs.

    person: the identity number, or its keyed hash (16 bytes, as the store holds it). Theirs are orders,
    payments, inventories, cancels and returns that carry the number, and the waybills of their parcels; a
    document that was refused counts too. Run it when nothing waits: what no worker has read is not looked at.
    May be ended and run again. Raises SettingsError without a name or a reason.
    """
    number = person.strip().upper() if isinstance(person, str) else ""
    if isinstance(person, bytes):
        hashes = {person}
    else:
        hashes = set(Blind(store.vault.hash_of(number), "", store.vault.hash_before(number)).hashes)
    _record(store, f"shred {min(hashes).hex()}", who, reason, now)
    search = _Search(store, hashes, number)
    parcels = search.parcels()
    messages = documents = 0
    with store.engine.forgetting("archive"):
        for inbox, indexes in search.candidates(parcels):
            while (masked := search.masked(inbox, indexes)) is not None:
                raw, count, wrapped = masked
                with store.transaction():
                    written = store.engine.many("reseal", [(inbox, *store.vault.seal(raw), wrapped)])
                if written:  # else somebody sealed it anew meanwhile: look again
                    messages, documents = messages + 1, documents + count
                    break
    return Shredded(messages, documents, search.unsearched)


class _Search:
    """Finds a person's documents by the journal and masks them in the archive."""

    def __init__(self, store: Store, hashes: set[bytes], number: str) -> None:
        self.store, self.hashes, self.number = store, hashes, number
        self.unsearched = 0

    def _journal(self) -> Iterator[tuple[int, list[Event]]]:
        position = 0
        while rows := self.store.engine.rows("journal_after", position, ROWS_A_STEP):
            for row in rows:
                yield row[1], _events.decode(self.store.vault.stretch(row[-1]))
            position = rows[-1][0]

    def _is_theirs(self, part: Any) -> bool:
        if isinstance(part, PaymentPart):
            blind = part.payerIdNumber
        elif isinstance(part, (OrderPart, InventoryPart)):
            blind = part.buyerIdNumber
        else:
            return False
        return not self.hashes.isdisjoint(blind.hashes)

    def parcels(self) -> set[str]:
        """Keys of the cases and waybills of parcels that the person bought."""
        keys: set[str] = set()
        for _, events in self._journal():
            for event in events:
                change = event.set
                if change is not None and (self._is_theirs(change.order) or self._is_theirs(change.inventory)):
                    keys.add(event.case)
                    if event.waybill:
                        keys.add(event.waybill)
        return keys

    def candidates(self, parcels: set[str]) -> Iterator[tuple[int, dict[int, bool] | None]]:
        """(inbox, {document number: whether it belongs to one of the parcels}) of every message that may hold a
        document of the person; None = one that could not be read as documents."""
        for inbox, events in self._journal():
            if any(event.link == forex.LINK for event in events):
                yield inbox, None
                continue
            wanted: dict[int, bool] = {}
            for event in events:
                own = event.case in parcels or event.waybill in parcels
                paid = event.set is not None and any(map(self._is_theirs, _given(event.set.payments)))
                if own or paid or (event.why and event.set in (None, NOTHING)):
                    wanted[event.index] = wanted.get(event.index, False) or own
            if wanted:
                yield inbox, None if 0 in wanted and len(wanted) == 1 else wanted

    def masked(self, inbox: int, indexes: dict[int, bool] | None) -> tuple[bytes, int, bytes] | None:
        """The message with the person's documents masked, how many those are, and the wrapped data key of what was
        read; None when there are none."""
        row = self.store.inbox_row(inbox)
        if row.kind == "timer":
            return None
        ((_, key_id, wrapped, blob),) = self.store.engine.select("archived", [inbox])
        made = self._masked(row, self.store.vault.unseal(key_id, wrapped, blob), indexes)
        return None if made is None else (*made, bytes(wrapped))

    def _masked(self, row: InboxRow, raw: bytes, indexes: dict[int, bool] | None) -> tuple[bytes, int] | None:
        if row.kind == forex.LINK:
            hidden, rows = forex.hide(self.store, raw, lambda identity: self._hash(identity) in self.hashes)
            return (hidden, rows) if rows else None
        if row.kind == "oversize":
            faults, kind, head = oversized_parts(raw)
            return (encode([faults, kind, GONE.encode()]), 1) if self._mentioned(head) else None
        try:
            payload = envelope.unwrap(raw).payload if row.route.kind != "bare" else raw
            tree = wire.parse_tree(payload)
        except Malformed:
            return (GONE.encode(), 1) if self._mentioned(raw) else None
        count = self._mask_documents(tree, indexes)
        if not count:
            return None
        fresh = etree.tostring(tree.root, encoding="UTF-8", xml_declaration=True)
        return (fresh if payload is raw else _refilled(raw, fresh)), count

    def _mentioned(self, raw: bytes) -> bool:
        """Whether bytes that are no message hold the number."""
        if not self.number:
            self.unsearched += 1
            return False
        return self.number.encode() in raw or self.number.lower().encode() in raw

    def _mask_documents(self, tree: Any, indexes: dict[int, bool] | None) -> int:
        name = tree.shape.group or tree.shape.head
        count = 0
        documents = [child for child in tree.root.iterchildren(etree.Element) if etree.QName(child).localname == name]
        for index, document in enumerate(documents, 1):
            if indexes is not None and index not in indexes:
                continue
            owners = [field for field in document.iter(etree.Element) if etree.QName(field).localname in IDENTITY]
            own = any(self._hash(field.text) in self.hashes for field in owners)
            if (own or (not owners and indexes is not None and indexes[index])) and _mask_fields(document):
                count += 1
        return count

    def _hash(self, value: str | None) -> bytes:
        return self.store.vault.hash_of((value or "").strip().upper())


def _given(value: Any) -> Iterable[Any]:
    return value if isinstance(value, tuple) else ()


def _mask_fields(document: Any) -> bool:
    """Whether any personal value of the document was not a mask yet."""
    changed = False
    for field in document.iter(etree.Element):
        name = etree.QName(field).localname
        if name in PERSONAL and field.text:
            hidden = mask(name, field.text.strip())
            changed = changed or hidden != field.text
            field.text = hidden
    return changed


def _refilled(raw: bytes, payload: bytes) -> bytes:
    """The envelope with another payload in it."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    root = etree.fromstring(raw, parser)
    data = next(field for field in root.iter(etree.Element) if etree.QName(field).localname == "Data")
    data.text = b64encode(payload).decode()
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)
