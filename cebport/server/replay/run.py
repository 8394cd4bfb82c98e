"""A replay from end to end (推演): gather, join, decide, tell; on the cores of this machine or on a Ray cluster.

    gather   stretches of the journal -> items, in processes
    join     items -> components -> shards on disk, here
    decide   each shard in both worlds, in processes or Ray tasks
    tell     rows, sums and shared accounts, here, in the order of the shards

Which stretches and shards there are depends on the journal alone, so the answer is the same whatever the engine and
the number of workers.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from cebport.clearance.replay import COLUMNS
from cebport.faults import SettingsError
from cebport.policy.overlay import WhatIf
from cebport.server.replay import results
from cebport.server.replay.engines import Engine
from cebport.server.replay.gather import Gathered, gather, open_store
from cebport.server.replay.join import join
from cebport.server.replay.laws import Plan, day_of, days_between, depth, differing, keep_laws, laws_of, laws_once
from cebport.server.replay.tell import Told, add_sums, links_of, money, rule_words
from cebport.server.replay.worlds import Missed

POSITIONS_A_STRETCH = 500
DOCUMENTS_A_SHARD = 8000
NOT_REPRODUCED_MAX = 100
ENGINES = ("local", "ray")
LAST, FIRST = "SELECT max(position) FROM journal", "SELECT min(position) FROM journal"
LAST_AT, FIRST_AT = "SELECT max(at) FROM journal", "SELECT min(at) FROM journal"
Progress = Callable[[str, int, int], None]


class Answer(NamedTuple):
    """What a replay found: summary as in ``results``, and where the folder is (None = not asked for)."""

    summary: dict[str, Any]
    report: Path | None

    @property
    def counts(self) -> dict[str, int]:
        """Decisions, same, different and the others."""
        counts: dict[str, int] = self.summary["counts"]
        return counts


class Empty(Exception):
    """The journal holds nothing of the days asked for."""


# ── the whole ───────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def engine_of(name: str, workers: int) -> Iterator[Engine]:
    """The engine of a name. Raises SettingsError for one that is not installed."""
    if name == "ray":
        from cebport.server.replay.cluster import RayEngine

        engine: Engine = RayEngine(workers)
    elif name == "local":
        engine = Engine(workers)
    else:
        raise SettingsError(note=f"engine {name!r}: there are {', '.join(ENGINES)}")
    try:
        yield engine
    finally:
        engine.stop()


def whatif(plan: Plan, *, report: Path | None = None, engine: str = "local", workers: int = 1,
           progress: Progress | None = None) -> Answer:
    """Replay a journal under today's law and under the supposed one, and tell what moves.

    report: a folder for the result files. engine: "local" or "ray". Raises PolicyError, SettingsError, ChannelDown,
    and Empty where there is nothing to decide.
    """
    told = progress or (lambda what, done, total: None)
    with tempfile.TemporaryDirectory(prefix="cebport-whatif-") as place, engine_of(engine, workers) as runner:
        work = Path(place)
        plan, stretches = _stretches(plan)
        results.warm()
        spools = [work / f"spool-{number:05d}" for number in range(len(stretches))]
        tasks = [(plan, after, last, spool) for (after, last), spool in zip(stretches, spools, strict=True)]
        gathered: list[Gathered] = []
        for one in runner.here(gather, tasks):
            gathered.append(one)
            told("gather", len(gathered), len(tasks))
        shards = join(spools, sum(one.items for one in gathered), work, DOCUMENTS_A_SHARD)
        told("join", 1, 1)
        folder = report if report is not None else work / "report"
        folder.mkdir(parents=True, exist_ok=True)
        with _Telling(folder, work) as telling:
            for number, answer in enumerate(runner.shards(plan, shards), 1):
                telling.add(answer)
                told("decide", number, len(shards))
        summary = _summary(plan, gathered, telling, runner)
        results.write_summary(folder, summary)
        return Answer(summary, report)


def _stretches(plan: Plan) -> tuple[Plan, list[tuple[int, int]]]:
    """The plan with what only the journal knows, and the stretches to be gathered."""
    laws = laws_of(plan)
    store = open_store(plan)
    try:
        first, last = store.engine.scalar(FIRST), store.engine.scalar(LAST)
        if first is None or last is None:
            raise Empty
        begin, end = int(store.engine.scalar(FIRST_AT)), int(store.engine.scalar(LAST_AT))
    finally:
        store.close()
    horizon = end if plan.until is None else min(end, plan.until)
    since = begin if plan.since is None else max(begin, plan.since)
    if since > horizon:
        raise Empty
    deep, unweighed = depth(*laws, days_between(day_of(since), day_of(horizon)), with_trust=bool(plan.trust))
    plan = replace(plan, horizon=horizon, deep=deep, unweighed=unweighed, edition=laws[1].policy.edition)
    keep_laws(plan, laws)
    starts = range(int(first) - 1, int(last), POSITIONS_A_STRETCH)
    return plan, [(start, min(start + POSITIONS_A_STRETCH, int(last))) for start in starts]


class _Telling:
    """The answers of the shards, put together in their order."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.files = {name: results.Rows(folder, name) for name in
                      (results.PARCELS, results.DIFFERENCES, results.BUYERS, results.ACCOUNTS)}
        self.sums: dict[tuple[str, str, str], list[int]] = {}
        self.counts: dict[str, int] = {}
        self.missed: list[Missed] = []
        self.rules: set[str] = set()
        self.places: set[str] = set()
        self.parcels = self.changed = 0
        self._accounts = sqlite3.connect(work / "accounts.db", isolation_level=None)
        self._accounts.executescript("""
            PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32000;
            CREATE TABLE moves (at INTEGER, position INTEGER, place INTEGER, account TEXT, a INTEGER, b INTEGER);""")
        self._accounts.execute("BEGIN")

    def __enter__(self) -> _Telling:
        return self

    def __exit__(self, *wrong: Any) -> None:
        if wrong[0] is None:
            self._sum_accounts()
        for file in self.files.values():
            file.close()
        self._accounts.close()

    def add(self, told: Told) -> None:
        """One shard more."""
        for file, packed in told.tables.items():
            self.files[file].add_arrow(packed)
        self._accounts.executemany("INSERT INTO moves VALUES (?, ?, ?, ?, ?, ?)", told.accounts)
        add_sums(self.sums, told.sums)
        for name, count in told.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.missed = sorted([*self.missed, *told.missed])[:NOT_REPRODUCED_MAX]
        self.rules |= told.rules
        self.places |= told.places
        self.parcels += told.parcels
        self.changed += told.changed

    def _sum_accounts(self) -> None:
        """Accounts that parcels of all shards share, in one pass in the order of the clock."""
        now: dict[str, list[int]] = {}
        for account, a, b in self._accounts.execute(
                "SELECT account, a, b FROM moves ORDER BY at, position, place, account"):
            held = now.setdefault(account, [0, 0, 0, 0])
            held[0] += a
            held[1] += b
            held[2], held[3] = max(held[2], held[0]), max(held[3], held[1])
        self.files[results.ACCOUNTS].add(
            (account, *map(money, now[account])) for account in sorted(now))


def _summary(plan: Plan, gathered: Iterable[Gathered], telling: _Telling, runner: Engine) -> dict[str, Any]:
    a, b = laws_once(plan)
    stretches = [one for one in gathered if one.decisions]
    first = day_of(min((one.first for one in stretches), default=plan.horizon))
    last = day_of(plan.horizon)
    supposed = WhatIf.read(Path(plan.overlay) if plan.overlay else None, plan.overlays)
    places = sorted(telling.places - {""})
    known = a.policy.places
    return {
        "meta": {
            "since": first.isoformat(), "until": last.isoformat(), "edition_a": a.policy.edition,
            "edition_b": b.policy.edition, "editions": sorted({each for one in stretches for each in one.editions}),
            "overlay": Path(plan.overlay).name if plan.overlay else None,
            "about": supposed.about._asdict() if supposed.about else None,
            "law_of": supposed.law_of.isoformat() if supposed.law_of else None, "profile": plan.profile or "place",
            "profile_b": supposed.profile or plan.profile or "place", "engine": runner.name, "workers": runner.workers,
            "deep": plan.deep, "unweighed": plan.unweighed, "topics": differing(a, b, _edges(first, last), places),
        },
        "counts": {**_decisions(telling), "parcels": telling.parcels, "changed": telling.changed},
        "links": links_of(telling.sums),
        "columns": [column._asdict() for column in COLUMNS],
        "places": {place: {"zh": known[place].zh, "en": known[place].en} for place in places if place in known},
        "rules": rule_words(telling.rules),
        "not_reproduced": [one._asdict() for one in telling.missed],
    }


def _decisions(telling: _Telling) -> dict[str, int]:
    names = ("decisions", "same", "different", "reproduced", "not_reproduced", "carried", "added", "assumed")
    return {name: telling.counts.get(name, 0) for name in names}


def _edges(first: date, last: date) -> list[date]:
    return [first] if first == last else [first, last]
