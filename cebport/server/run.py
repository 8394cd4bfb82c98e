"""Running the walk (运行): intake here, workers beside, dispatch here, until everything rests.

One worker runs in this process; more are processes of their own that only share the store. Coming to
rest: inbox and outbox empty and no timer due at or before the clock. Any process may be killed at any
moment; what it held is claimed again by whoever runs next.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from cebport.channels.folder import FolderOut, files_below
from cebport.faults import CebportError, ChannelDown, SettingsError
from cebport.server import intake, timers
from cebport.server.dispatch import DECLARATIONS, Manner, dispatch, manner_of, reason_of
from cebport.server.filings import Filings, file_enterprises, read_filings
from cebport.server.pipeline import Pipeline, clock_of
from cebport.server.settings import Settings
from cebport.server.store.store import Store
from cebport.values import beijing_day

log = logging.getLogger("cebport")
MESSAGES_A_CLAIM = 8
PEER = "folder"
OF_THE_PLACE = "place"
"""A profile setting: each case by the profile that its own place has on the day."""
IDLE_SECONDS = 0.02
COLLECT_AFTER = (50_000, 20, 20)
RESTARTS_MAX = 50
BACKLOG_MESSAGES_MAX = 512
"""Intake pauses while so many messages wait: memory and disk stay bounded, nothing is refused."""

Progress = Callable[[str, int], None]


class Ran(NamedTuple):
    """A finished run: totals of the whole store, seconds of wall time, parcels that were there before.

    Of this run itself: messages new to the store, messages known already, documents not taken.
    """

    totals: dict[str, int]
    seconds: float
    parcels_before: int
    messages_new: int = 0
    messages_known: int = 0
    not_taken: int = 0


def pipeline_of(store: Store, settings: Settings, on: datetime | None) -> Pipeline:
    """The walk as the settings say. Raises SettingsError or PolicyError when it cannot start."""
    from cebport import __version__
    from cebport.messages.trust import TrustStore
    from cebport.policy import Policy

    policy = Policy.load(overlays=settings.overlays)
    if settings.profile != OF_THE_PLACE and settings.profile not in policy.profiles:
        raise SettingsError(
            note=f"profile {settings.profile!r}: there are {', '.join((OF_THE_PLACE, *policy.profiles))}")
    profile = None if settings.profile == OF_THE_PLACE else settings.profile
    return Pipeline(store, policy, TrustStore.load(settings.trust), Filings(store), profile=profile,
                    clock=clock_of(on), code=__version__)


def manner_for(settings: Settings, on: datetime | None) -> Manner:
    """How receipts are written: the dialect of the settings' profile."""
    return manner_of(_view_for(settings, on).dialect)


def _view_for(settings: Settings, on: datetime | None) -> Any:
    from cebport.policy import Policy

    profile = None if settings.profile == OF_THE_PLACE else settings.profile
    return Policy.load(overlays=settings.overlays).at(beijing_day(clock_of(on)()), "CN", profile=profile)


def clear(paths: Iterable[Path], settings: Settings, on: datetime | None = None,
          progress: Progress | None = None) -> Ran:
    """Take files and folders through the whole walk and come to rest.

    What an earlier run set aside is tried again. Raises SettingsError, and ChannelDown, also when all else is done
    but something is set aside or could not be read.
    """
    started = time.perf_counter()
    store = Store.open(settings.store, Path(settings.keys) if settings.keys else None)
    patience = Patience(settings.patience_seconds)
    try:
        if settings.filings:
            filings = read_filings(Path(settings.filings))
            patience.insist(lambda: file_enterprises(store, filings))
        patience.insist(store.release_dead)
        patience.insist(store.retry_aside)
        _warn_of_refusing_all(store, settings, on)
        out = FolderOut(Path(settings.receipts))
        out.probe()
        before, refused_before = patience.insist(lambda: (store.totals()["parcels"], store.refusal_count()))
        runner = _Alone(store, settings, on) if settings.workers <= 1 else _Many(settings, on)
        try:
            with collecting_rarely():
                new, known = _run(store, runner, files_below(paths), out, patience, clock_of(on),
                                  manner_for(settings, on), progress)
        finally:
            runner.stop()
        totals, refused = patience.insist(lambda: (store.totals(), store.refusal_count()))
        return Ran(totals, time.perf_counter() - started, before, new, known, refused - refused_before)
    finally:
        store.close()


def _run(store: Store, runner: Any, files: Iterable[Path], out: FolderOut, patience: Patience,
         clock: Callable[[], datetime], manner: Manner, progress: Progress | None) -> tuple[int, int]:
    """Intake, then on to rest; (messages new to the store, messages known already)."""
    unread: list[str] = []
    new = known = 0
    for batch in intake.read_files(files, peer=PEER, clock=clock, unread=unread):
        taken = patience.insist(partial(intake.take, store, batch))
        new, known = new + len(taken.inboxes), known + taken.repeats
        if progress is not None:
            progress("taken", len(batch))
        while True:
            runner.step(patience)
            patience.insist(lambda: dispatch(store, out, manner))
            runner.watch(store, patience)
            if patience.insist(store.open_counts)[0] <= BACKLOG_MESSAGES_MAX:
                break
            time.sleep(IDLE_SECONDS)
    while True:
        patience.insist(lambda: timers.ring(store, clock()))
        runner.step(patience)
        sent = patience.insist(lambda: dispatch(store, out, manner))
        runner.watch(store, patience)
        inbox, outbox = patience.insist(store.open_counts)
        if progress is not None:
            progress("waiting", inbox)
        if not inbox and not outbox and not patience.insist(lambda: timers.is_due(store, clock())):
            break
        if not sent:
            time.sleep(IDLE_SECONDS)
    _end(unread, patience.insist(store.aside))
    return new, known


def _end(unread: list[str], aside: list[str]) -> None:
    """Raises ChannelDown when something is left that somebody must look at."""
    for left in aside:
        log.warning("set aside: %s", left)
    said = []
    if unread:
        said.append(f"{len(unread)} files could not be read: {'; '.join(unread[:5])}")
    if aside:
        said.append(f"{len(aside)} messages are set aside: {'; '.join(aside[:5])}")
    if said:
        raise ChannelDown(note=f"all else is done, but {'; '.join(said)}", is_final=True)


def _warn_of_refusing_all(store: Store, settings: Settings, on: datetime | None) -> None:
    """Before anything is taken: settings that refuse every message, for good, since its bytes come but once."""
    from cebport.messages.trust import TrustStore

    view = _view_for(settings, on)
    if not TrustStore.load(settings.trust).entries and any(
            view.verdict_action(kind, "untrusted") == "refuse" for kind in DECLARATIONS):
        log.warning("no certificate is trusted (--trust): every signed message will be refused, and sent again "
                    "unchanged it stays refused")
    if not store.engine.rows("filings") and not view.trust.get("files_unknown"):
        log.warning("no enterprise is filed (--filings): every message will be refused, and sent again unchanged it "
                    "stays refused")


class Patience:
    """Waits for a store or a folder that does not answer, says so once, and gives up after its seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def insist(self, attempt: Callable[[], Any]) -> Any:
        """The attempt's answer; ChannelDown only after the whole patience, or at once where waiting does not help.
        Nothing is lost by waiting."""
        started, pause, said = time.monotonic(), 0.05, False
        while True:
            try:
                answer = attempt()
                if said:
                    log.warning("goes on after %.0f s", time.monotonic() - started)
                return answer
            except ChannelDown as down:
                if down.is_final:
                    raise
                if not said:
                    log.warning("%s; waiting, nothing is lost", down)
                    said = True
                if time.monotonic() - started > self.seconds:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 5.0)


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Inside, the collector of cycles looks seldom and not at what is there already: records hold no cycles, and
    looking through them costs a twentieth of the walk."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def work_once(pipeline: Pipeline, patience: Patience) -> int:
    """Claim and settle one batch; how many messages. A message that breaks the code is set aside as poison."""
    store = pipeline.store
    claimed = patience.insist(lambda: store.claim(MESSAGES_A_CLAIM))
    if not claimed:
        return 0
    waiting = list(claimed)

    def receive() -> None:
        """The batch; after a pause for a full disk or a lost server only what of it is not done yet."""
        try:
            pipeline.receive(waiting)
        except ChannelDown:
            waiting[:] = [row for row in waiting if not store.is_done(row.inbox)]
            raise

    try:
        patience.insist(receive)
    except ChannelDown:
        raise
    except Exception as wrong:
        log.error("a batch failed, its messages are tried one by one: %s", reason_of(wrong))
        for row in claimed:
            _alone(pipeline, patience, row)
    return len(claimed)


def _alone(pipeline: Pipeline, patience: Patience, row: Any) -> None:
    if patience.insist(lambda: pipeline.store.is_done(row.inbox)):
        return
    try:
        patience.insist(lambda: pipeline.receive([row]))
    except ChannelDown:
        raise
    except Exception as wrong:
        reason = reason_of(wrong)
        log.error("message %d (%s) is set aside: %s", row.inbox, row.name, reason)
        patience.insist(lambda: pipeline.store.poison(row.inbox, reason))


class _Alone:
    """The one worker that runs in this process."""

    def __init__(self, store: Store, settings: Settings, on: datetime | None) -> None:
        self.pipeline = pipeline_of(store, settings, on)

    def step(self, patience: Patience) -> None:
        """Settle everything that waits."""
        while work_once(self.pipeline, patience):
            pass

    def watch(self, store: Store, patience: Patience) -> None:
        """What a killed worker of an earlier run left is given back."""
        patience.insist(store.release_dead)

    def stop(self) -> None:
        """Nothing to stop."""


class _Many:
    """Worker processes; each claims for itself. They end when this process closes its end of a pipe, or ends."""

    def __init__(self, settings: Settings, on: datetime | None) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._settings, self._on = settings, on
        self._stopping, self._going = self._context.Pipe(duplex=False)
        self._restarts = 0
        self.workers = [self._start() for _ in range(settings.workers)]

    def _start(self) -> Any:
        process = self._context.Process(target=worker, args=(self._settings, self._on, self._stopping), daemon=True)
        process.start()
        return process

    def step(self, patience: Patience) -> None:
        """The workers need no push."""

    def watch(self, store: Store, patience: Patience) -> None:
        """Another worker for one that was killed, and back into the inbox what it held.

        Raises ChannelDown when no worker is left: what waits is safe and can be run again.
        """
        for at, process in enumerate(self.workers):
            code = process.exitcode
            if code is not None and code < 0 and self._restarts < RESTARTS_MAX:
                log.warning("worker %d was ended by signal %d; another takes its place", process.pid, -code)
                self._restarts += 1
                self.workers[at] = self._start()
        patience.insist(store.release_dead)
        if not any(process.is_alive() for process in self.workers):
            raise ChannelDown(note="every worker has ended; the messages wait in the store, run again")

    def stop(self) -> None:
        """Ask the workers to end after their batch, and wait for them."""
        self._going.close()
        for process in self.workers:
            process.join(timeout=60)
            if process.is_alive():
                process.terminate()
        self._stopping.close()


def worker(settings: Settings, on: datetime | None, stopping: Connection) -> None:
    """One worker process: claim, settle, until the other end of ``stopping`` is closed. Ends with 1, and says why,
    when it cannot go on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="%(levelname)s %(message)s")
    try:
        _work(settings, on, stopping)
    except CebportError as wrong:
        log.error("a worker ends: %s", wrong)
        sys.exit(1)


def _work(settings: Settings, on: datetime | None, stopping: Connection) -> None:
    patience = Patience(settings.patience_seconds)
    keys = Path(settings.keys) if settings.keys else None
    store = patience.insist(lambda: Store.open(settings.store, keys, migrate=False))
    try:
        pipeline = patience.insist(lambda: pipeline_of(store, settings, on))
        idle = IDLE_SECONDS / 10
        with collecting_rarely():
            while not stopping.poll():
                if work_once(pipeline, patience):
                    idle = IDLE_SECONDS / 10
                else:
                    time.sleep(idle)
                    idle = min(idle * 1.5, IDLE_SECONDS)
    finally:
        store.close()
