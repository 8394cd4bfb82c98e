"""Days that fall due (到期): a timer only writes an inbox row; the pipeline does what it means."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

from cebport.server.store.store import Delivered, Route, Store

TIMERS_A_BATCH = 50
PEER = "timer"
_keys = msgspec.msgpack.Decoder(list[str])


def ring(store: Store, now: datetime) -> int:
    """Put every timer due at or before ``now`` into the inbox; how many. Killed half-way, it still rings once."""
    at = int(now.timestamp() * 1000)
    rung = 0
    while due := store.engine.rows("due_timers", at, TIMERS_A_BATCH):
        arrivals = [
            Delivered(PEER, hashlib.sha256(f"timer/{timer}".encode()).digest(), "timer", f"{kind}/{timer}", Route(),
                      at, "\n".join([kind, *_keys.decode(blob)]).encode())
            for timer, kind, _, blob in due
        ]
        store.deliver(arrivals)
        store.end_timers([row[0] for row in due])
        rung += len(due)
    return rung


def is_due(store: Store, now: datetime) -> bool:
    """Whether any timer waits that is due."""
    return bool(store.engine.rows("due_count", int(now.timestamp() * 1000))[0][0])
