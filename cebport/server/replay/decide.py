"""One shard (分片): its components through both worlds, one after the other."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from msgspec.structs import asdict

from cebport.server.replay.laws import Plan, laws_once
from cebport.server.replay.spool import Rooted, unpack
from cebport.server.replay.tell import Teller, Told
from cebport.server.replay.worlds import Worlds


def decide_shard(plan: Plan, shard: bytes) -> Told:
    """Every component of a shard through both worlds. Collecting garbage waits until the end: a shard is small."""
    laws = laws_once(plan)
    worlds, teller = Worlds(*laws, plan.horizon), Teller(laws[0])
    held = sorted(unpack(shard), key=_order)
    for _, group in groupby(held, key=lambda one: one.root):
        teller.tell(worlds.play([one.item for one in group]))
    told = teller.finish()
    told.counts, told.missed = asdict(worlds.counts), worlds.missed
    return told


def _order(one: Rooted) -> tuple[int, int, int]:
    return one.root, one.item.position, one.item.order


def decide_file(plan: Plan, path: Path) -> Told:
    """The same of a shard on disk."""
    return decide_shard(plan, path.read_bytes())
