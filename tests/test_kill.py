"""kill -9 at random moments: what was undisturbed equals what was killed, and what is contended stays sound.

The seeds fix whom and after which pause; the machine decides what it was doing then.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from walks_made import (
    ON,
    Home,
    Traffic,
    assert_sound,
    canonical,
    cases,
    children_of,
    make_traffic,
    one_story,
    put,
    quota,
    receipts_in,
    sent,
    spawn_clear,
)

from cebport.messages import wire
from cebport.testing.builders import Fees, Item
from cebport.testing.market import market, person

RUN_SECONDS = 90


class Calm:
    """What an undisturbed run makes of the traffic, and the keys under which its hashes compare."""

    def __init__(self, traffic: Traffic, home: Home) -> None:
        self.traffic = traffic
        home.clear(traffic.folder)
        self.keys = home.keys.read_bytes()
        self.held = canonical(home.open())
        home.close()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """Uncontended traffic in 160 small messages; every order of them ends the same."""
    folder = tmp_path_factory.mktemp("calm")
    traffic = make_traffic(folder / "in", parcels=200, seed=9, documents_per_message=5, algorithm="sm2")
    return Calm(traffic, Home("sqlite", f"sqlite:///{folder / 'calm.db'}", folder))


def with_keys(home: Home, calm: Calm) -> Home:
    home.keys.write_bytes(calm.keys)
    home.open()
    home.close()
    return home


def killed(victim: int) -> bool:
    try:
        os.kill(victim, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def disturb(run: subprocess.Popen[str], rng: Random, kills: int, whom: Callable[[Random], list[int]]) -> int:
    """Kill after random pauses until the run has ended; how many were hit."""
    hit = 0
    deadline = time.monotonic() + RUN_SECONDS
    while run.poll() is None and time.monotonic() < deadline:
        time.sleep(rng.uniform(0.02, 0.35))
        if hit < kills:
            hit += sum(killed(victim) for victim in whom(rng))
    return hit


def ended(run: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = run.communicate(timeout=RUN_SECONDS)
    assert run.returncode == 0, err
    return out, err


def wait_for_workers(pids: list[int]) -> None:
    """Until the orphans of a killed run have ended by themselves, as they must."""
    deadline = time.monotonic() + RUN_SECONDS
    while any(Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
              for pid in pids if Path(f"/proc/{pid}/stat").exists()):
        assert time.monotonic() < deadline, "a worker outlives its run"
        time.sleep(0.02)


def assert_receipts_complete(home: Home, store: Any) -> None:
    """Every receipt lies in the folder, whole, under one name."""
    documents = sum(len(wire.message_of(wire.parse_tree(raw)).documents) for raw in receipts_in(home.receipts).values())
    assert documents == store.totals()["receipts"]


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_workers_change_nothing(home: Home, calm: Calm, seed: int) -> None:
    with_keys(home, calm)
    run = spawn_clear(home, calm.traffic.folder, [calm.traffic.messages], workers=2)

    def one_worker(rng: Random) -> list[int]:
        workers = children_of(run.pid)
        return [rng.choice(workers)] if workers else []

    hit = disturb(run, Random(seed), 6, one_worker)
    out, err = ended(run)
    store = home.open()
    assert hit >= 1
    assert "another takes its place" in err
    assert canonical(store) == calm.held
    assert json.loads(out.splitlines()[-1]) == calm.held["totals"]
    assert_sound(store)
    assert_receipts_complete(home, store)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_is_run_again(home: Home, calm: Calm, workers: int) -> None:
    """The coordinator is killed again and again, its workers with it or left behind; the last run ends the job."""
    with_keys(home, calm)
    rng = Random(40 + workers)
    for turn in range(5):
        run = spawn_clear(home, calm.traffic.folder, [calm.traffic.messages], workers=workers)
        time.sleep(rng.uniform(0.4, 1.6))
        left = children_of(run.pid)
        for victim in [run.pid, *(left if turn % 2 else [])]:
            killed(victim)
        run.communicate(timeout=RUN_SECONDS)
        wait_for_workers(left)
    ended(spawn_clear(home, calm.traffic.folder, [calm.traffic.messages], workers=workers))
    store = home.open()
    assert canonical(store) == calm.held
    assert_sound(store)
    assert_receipts_complete(home, store)


def test_a_new_run_beside_orphaned_workers(home: Home, calm: Calm) -> None:
    """The next run starts at once, while workers of the killed one still finish what they hold."""
    with_keys(home, calm)
    for pause in (0.9, 1.3):
        run = spawn_clear(home, calm.traffic.folder, [calm.traffic.messages], workers=2)
        time.sleep(pause)
        killed(run.pid)
        run.communicate(timeout=RUN_SECONDS)
    ended(spawn_clear(home, calm.traffic.folder, [calm.traffic.messages], workers=2))
    store = home.open()
    assert canonical(store) == calm.held
    assert_sound(store)


@pytest.fixture(scope="module")
def contended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two buyers, twenty-four parcels of 4,000 yuan, one document a message: which of them fit into the buyers' years
    is a question of order, how many is not."""
    folder = tmp_path_factory.mktemp("contended")
    article = max(market().articles, key=lambda each: each.prices[-1])
    stories = [one_story(500 + n, mode="1210", buyer=person(n % 2), basket=[Item(article, 2, 200_000)], fees=Fees())
               for n in range(24)]
    for n, story in enumerate(stories):
        put(folder, **{f"{n:03d}-{kind}": sent(kind, [document]) for kind, document in (
            ("CEB311", story.order), ("CEB411", story.payment), ("CEB511", story.waybill),
            ("CEB621", story.inventory))})
    return folder


@pytest.mark.parametrize("seed", [5, 6])
def test_contended_traffic_stays_sound(home: Home, contended: Path, seed: int) -> None:
    home.open()
    home.close()
    run = spawn_clear(home, contended, [contended / "messages"], workers=2)

    def one_worker(rng: Random) -> list[int]:
        workers = children_of(run.pid)
        return [rng.choice(workers)] if workers else []

    disturb(run, Random(seed), 4, one_worker)
    ended(run)
    store = home.open()
    assert_sound(store)
    states = sorted(case.state for case in cases(store).values())
    assert states == ["closed"] * 12 + ["refused"] * 12
    assert sorted(quota(store).values()) == [2_400_000, 2_400_000]
    assert_receipts_complete(home, store)
    again = home.clear(contended)
    assert again.totals["closed"] == 12


def test_every_step_may_be_the_last(home: Home, calm: Calm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended just before and just after each durable step, in one process: the next run goes on from there."""
    from cebport.server import run as running
    from cebport.server.store.store import Store

    class Killed(BaseException):
        pass

    with_keys(home, calm)
    files = calm.traffic.files
    for step, before in [(name, before) for name in ("deliver", "claim", "commit", "mark_sent", "end_timers")
                         for before in (True, False)]:
        plain = getattr(Store, step)

        def ending(self: Store, *given: Any, plain: Any = plain, before: bool = before) -> Any:
            answer = None if before else plain(self, *given)
            raise Killed(answer)

        with monkeypatch.context() as patched:
            patched.setattr(Store, step, ending)
            try:
                running.clear(files, home.settings(calm.traffic.folder), on=ON)
            except Killed:
                pass
    home.clear(calm.traffic.folder)
    store = home.open()
    assert canonical(store) == calm.held
    assert_sound(store)
    assert_receipts_complete(home, store)


def test_two_runs_at_once(home: Home, calm: Calm) -> None:
    """Two coordinators with workers of their own on one store: each message is settled once, both come to rest."""
    with_keys(home, calm)
    runs = [spawn_clear(home, calm.traffic.folder, [calm.traffic.messages], workers=1 + at) for at in range(2)]
    for run in runs:
        ended(run)
    store = home.open()
    assert canonical(store) == calm.held
    assert_sound(store)
    assert_receipts_complete(home, store)


def test_the_database_server_ends_without_warning(postgres_home: Home, postgres: Any, calm: Calm) -> None:
    """PostgreSQL stops as in a crash, twice, and comes back: what it acknowledged is there, the run goes on."""
    with_keys(postgres_home, calm)
    run = spawn_clear(postgres_home, calm.traffic.folder, [calm.traffic.messages], workers=2,
                      patience_seconds=80)
    database = postgres_home.url.split("/")[3].split("?")[0]
    for settled in (1, 60):
        while run.poll() is None and postgres.run("SELECT count(*) FROM journal", database)[0][0] < settled:
            time.sleep(0.01)
        postgres.stop(signal.SIGQUIT)
        time.sleep(0.3)
        postgres.start()
    ended(run)
    store = postgres_home.open()
    assert canonical(store) == calm.held
    assert_sound(store)
    assert_receipts_complete(postgres_home, store)
