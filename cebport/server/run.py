"""Running the walk (运行): intake here, workers beside, dispatch here, until everything rests.

One worker runs in this process; more are processes of their own that only share the store. Coming to
rest: inbox and outbox empty and no timer due at or before the clock. Any process may be killed at any
moment; what it held is claimed again by whoever runs next.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from cebport.channels.folder import FolderOut, files_below
from cebport.faults import ChannelDown, SettingsError
from cebport.server import intake, timers
from cebport.server.dispatch import dispatch
from cebport.server.filings import Filings, file_enterprises, read_filings
from cebport.server.pipeline import Pipeline, clock_of
from cebport.server.settings import Settings
from cebport.server.store.store import Store

log = logging.getLogger("cebport")
MESSAGES_A_CLAIM = 8
PEER = "folder"
IDLE_SECONDS = 0.02
BACKLOG_MESSAGES_MAX = 512
"""Intake pauses while so many messages wait: memory and disk stay bounded, nothing is refused."""

Progress = Callable[[str, int], None]


class Ran(NamedTuple):
    """A finished run: totals of the whole store, seconds of wall time, parcels settled in this run."""

    totals: dict[str, int]
    seconds: float
    parcels_before: int


def pipeline_of(store: Store, settings: Settings, on: datetime | None) -> Pipeline:
    """The walk as the settings say. Raises SettingsError or PolicyError when it cannot start."""
    from cebport import __version__
    from cebport.messages.trust import TrustStore
    from cebport.policy import Policy

    policy = Policy.load(overlays=settings.overlays)
    if settings.profile not in policy.profiles:
        raise SettingsError(note=f"profile {settings.profile!r}: there are {', '.join(policy.profiles)}")
    return Pipeline(store, policy, TrustStore.load(settings.trust), Filings(store), profile=settings.profile,
                    clock=clock_of(on), code=__version__)


def clear(paths: Iterable[Path], settings: Settings, on: datetime | None = None,
          progress: Progress | None = None) -> Ran:
    """Take files and folders through the whole walk and come to rest. Raises SettingsError, ChannelDown."""
    started = time.perf_counter()
    store = Store.open(settings.store, Path(settings.keys) if settings.keys else None)
    try:
        if settings.filings:
            file_enterprises(store, read_filings(Path(settings.filings)))
        store.release_dead()
        before = store.totals()["parcels"]
        out = FolderOut(Path(settings.receipts))
        runner = _Alone(store, settings, on) if settings.workers <= 1 else _Many(settings, on)
        try:
            _run(store, runner, files_below(paths), out, settings, clock_of(on), progress)
        finally:
            runner.stop()
        totals = store.totals()
        return Ran(totals, time.perf_counter() - started, before)
    finally:
        store.close()


def _run(store: Store, runner: Any, files: Iterable[Path], out: FolderOut, settings: Settings,
         clock: Callable[[], datetime], progress: Progress | None) -> None:
    patience = Patience(settings.patience_seconds)
    for batch in intake.read_files(files, peer=PEER, clock=clock):
        patience.insist(lambda batch=batch: intake.take(store, batch))
        if progress is not None:
            progress("taken", len(batch))
        while True:
            runner.step(patience)
            patience.insist(lambda: dispatch(store, out))
            if store.open_counts()[0] <= BACKLOG_MESSAGES_MAX:
                break
            time.sleep(IDLE_SECONDS)
    while True:
        patience.insist(lambda: timers.ring(store, clock()))
        runner.step(patience)
        sent = patience.insist(lambda: dispatch(store, out))
        inbox, outbox = store.open_counts()
        if progress is not None:
            progress("waiting", inbox)
        if not inbox and not outbox and not timers.is_due(store, clock()):
            return
        if not sent and not runner.inline:
            runner.watch()
            time.sleep(IDLE_SECONDS)


class Patience:
    """Waits for a store or a folder that does not answer, says so once, and gives up after its seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def insist(self, attempt: Callable[[], Any]) -> Any:
        """The attempt's answer; ChannelDown only after the whole patience. Nothing is lost by waiting."""
        started, pause, said = time.monotonic(), 0.05, False
        while True:
            try:
                answer = attempt()
                if said:
                    log.warning("goes on after %.0f s", time.monotonic() - started)
                return answer
            except ChannelDown as down:
                if not said:
                    log.warning("%s; waiting, nothing is lost", down)
                    said = True
                if time.monotonic() - started > self.seconds:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 5.0)


def work_once(pipeline: Pipeline, patience: Patience) -> int:
    """Claim and settle one batch; how many messages. A message that breaks the code is set aside as poison."""
    store = pipeline.store
    claimed = patience.insist(lambda: store.claim(MESSAGES_A_CLAIM))
    if not claimed:
        return 0
    try:
        patience.insist(lambda: pipeline.receive(claimed))
    except ChannelDown:
        raise
    except Exception:
        log.exception("a batch failed; its messages are tried one by one")
        for row in claimed:
            _alone(pipeline, patience, row)
    return len(claimed)


def _alone(pipeline: Pipeline, patience: Patience, row: Any) -> None:
    if pipeline.store.is_done(row.inbox):
        return
    try:
        patience.insist(lambda: pipeline.receive([row]))
    except ChannelDown:
        raise
    except Exception as wrong:
        log.exception("message %d (%s) is set aside", row.inbox, row.name)
        pipeline.store.poison(row.inbox, f"{type(wrong).__name__}: {wrong}")


class _Alone:
    """The one worker that runs in this process."""

    inline = True

    def __init__(self, store: Store, settings: Settings, on: datetime | None) -> None:
        self.pipeline = pipeline_of(store, settings, on)

    def step(self, patience: Patience) -> None:
        """Settle everything that waits."""
        while work_once(self.pipeline, patience):
            pass

    def watch(self) -> None:
        """Nothing to watch."""

    def stop(self) -> None:
        """Nothing to stop."""


class _Many:
    """Worker processes; each claims for itself."""

    inline = False

    def __init__(self, settings: Settings, on: datetime | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.stopping = context.Event()
        self.workers = [
            context.Process(target=worker, args=(settings, on, self.stopping, os.getpid()), daemon=True)
            for _ in range(settings.workers)
        ]
        for process in self.workers:
            process.start()

    def step(self, patience: Patience) -> None:
        """The workers need no push; a dead one is reported."""

    def watch(self) -> None:
        """Raises ChannelDown when no worker is left: what waits is safe and can be run again."""
        if not any(process.is_alive() for process in self.workers):
            raise ChannelDown(note="every worker has ended; the messages wait in the store, run again")

    def stop(self) -> None:
        """Ask the workers to end after their batch, and wait for them."""
        self.stopping.set()
        for process in self.workers:
            process.join(timeout=60)
            if process.is_alive():
                process.terminate()


def worker(settings: Settings, on: datetime | None, stopping: Any, parent: int) -> None:
    """One worker process: claim, settle, until told to stop or its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="%(levelname)s %(message)s")
    store = Store.open(settings.store, Path(settings.keys) if settings.keys else None, migrate=False)
    try:
        pipeline = pipeline_of(store, settings, on)
        patience = Patience(settings.patience_seconds)
        idle = IDLE_SECONDS / 10
        while not stopping.is_set() and os.getppid() == parent:
            if work_once(pipeline, patience):
                idle = IDLE_SECONDS / 10
            else:
                time.sleep(idle)
                idle = min(idle * 1.5, IDLE_SECONDS)
    finally:
        store.close()
