"""A file that somebody brings, or an act at a desk, booked in one go (入账).

Whatever changes the records of a link without being a message of the walk comes this way: the bytes are sealed in the
archive, an inbox row says who brought them, the journal gets the events, and the tables change, all in one transaction
or not at all. So the journal stays the one truth, and ``rebuild`` proves these tables like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from cebport.clearance.parts import Event
from cebport.server.store.store import DONE, Route, Store, encode


class Brought(NamedTuple):
    """What somebody brings: who (a file may come from a peer once only), which link it is for, its name, its bytes."""

    peer: str
    link: str
    name: str
    raw: bytes

    @property
    def digest(self) -> bytes:
        """The SHA-256 by which the same bytes are known again."""
        return sha256(self.raw).digest()


def known(store: Store, brought: Brought) -> int:
    """The inbox row under which the same peer brought the same bytes before; 0 = never."""
    rows = store.engine.rows("delivered", brought.peer, brought.digest)
    return int(rows[0][0]) if rows else 0


def book(store: Store, brought: Brought, now: datetime, edition: str, code: str,
         settle: Callable[[int], Sequence[Event]]) -> int:
    """Archive, journal and tables at once; the inbox number.

    settle: gets the inbox number, writes the link's tables, and gives the events that say so; what it raises undoes
    everything. edition, code: of the law and the program, as the journal has them. Raises StoreConflict where the same
    bytes came meanwhile.
    """
    at = int(now.timestamp() * 1000)
    seal = store.vault.seal(brought.raw)
    engine = store.engine
    with store.transaction():
        (inbox,) = engine.rows("book_inbox", brought.peer, brought.digest, brought.link, brought.name,
                               encode(Route()), at, DONE)[0]
        engine.many("archive", [(inbox, seal.key_id, seal.wrapped, seal.blob)])
        events = settle(inbox)
        engine.many("journal", [(inbox, at, edition, code, 0, store.vault.squeeze(encode(list(events))))])
        store.count_message()
    return int(inbox)
