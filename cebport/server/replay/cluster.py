"""Shards as tasks of a Ray cluster (集群): the same answers, from more machines.

The journal is gathered and joined where the store is; each shard travels to a task with the two laws, so that a worker
needs neither the store nor any file of the driver, only the same version of this package. ``RAY_ADDRESS`` names a
cluster; without it one of so many workers is started on this machine and ended again.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cebport import __version__
from cebport.faults import SettingsError
from cebport.policy import Policy
from cebport.policy.overlay import LawOf
from cebport.server.replay.decide import decide_shard
from cebport.server.replay.engines import AHEAD, Engine
from cebport.server.replay.laws import Law, Plan, keep_laws, known_laws, laws_once
from cebport.server.replay.tell import Told


class Parcel(NamedTuple):
    """What a task needs beside its shard: the plan, both laws as tables, the version that wrote them."""

    plan: Plan
    laws: tuple[bytes, bytes]
    version: str


def _packed(law: Law) -> bytes:
    """A law that another machine can read: its tables, the day that they are read as of, the profile."""
    from ray import cloudpickle

    packed: bytes = cloudpickle.dumps((law.policy._loaded, getattr(law.policy, "law_day", None), law.profile))
    return packed


def _unpacked(packed: bytes) -> Law:
    from ray import cloudpickle

    loaded, law_day, profile = cloudpickle.loads(packed)
    policy = Policy(loaded)
    return Law(policy if law_day is None else LawOf.of(policy, law_day), profile)


def decide_packed(parcel: Parcel, shard: bytes) -> Told:
    """One shard, on whatever machine. Raises SettingsError where another version of this package is installed."""
    if parcel.version != __version__:
        raise SettingsError(note=f"a Ray worker has cebport {__version__}, the driver {parcel.version}")
    if parcel.plan not in known_laws:
        a = _unpacked(parcel.laws[0])
        keep_laws(parcel.plan, (a, a if parcel.laws[0] == parcel.laws[1] else _unpacked(parcel.laws[1])))
    return decide_shard(parcel.plan, shard)


class RayEngine(Engine):
    """Tasks of a Ray cluster for the shards; processes of this machine for what needs the store."""

    name = "ray"
    start = "spawn"

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as wrong:
            raise SettingsError(note="ray is not installed; pip install cebport[ray]") from wrong
        self._ray = ray
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            self._begin()

    def _begin(self) -> None:
        quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
        if os.environ.get("RAY_ADDRESS"):
            self._ray.init(log_to_driver=False, logging_level=logging.ERROR)
        else:
            self._ray.init(num_cpus=self.workers, **quiet)

    def shards(self, plan: Plan, paths: Sequence[Path]) -> Iterator[Told]:
        """What the shards tell, in their order; few of them are in flight at a time."""
        ray = self._ray
        a, b = laws_once(plan)
        one = _packed(a)
        parcel = ray.put(Parcel(plan, (one, one if a == b else _packed(b)), __version__))
        task = ray.remote(decide_packed)
        waiting: deque[Any] = deque()
        for path in paths:
            waiting.append(task.remote(parcel, path.read_bytes()))
            if len(waiting) >= self.workers * AHEAD:
                yield self._got(waiting.popleft())
        while waiting:
            yield self._got(waiting.popleft())

    def _got(self, reference: Any) -> Told:
        try:
            told: Told = self._ray.get(reference)
            return told
        except self._ray.exceptions.RayTaskError as wrong:
            cause = wrong.cause
            raise (cause if isinstance(cause, SettingsError) else wrong) from wrong

    def stop(self) -> None:
        """End the processes, and the cluster where it is ours."""
        super().stop()
        if self._is_ours:
            self._ray.shutdown()
