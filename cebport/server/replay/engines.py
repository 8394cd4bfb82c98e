"""Where the work is done (引擎): processes of this machine, or tasks of a Ray cluster.

Both give answers in the order of what was asked, with no more in flight than workers can take, so memory does not
grow with the journal.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

from cebport.server.replay.decide import decide_file

OTHER_THREADS = {"ray", "grpc"}
AHEAD = 2
"""Tasks in flight a worker."""


class Engine:
    """Processes of this machine; with one worker everything is done in this process."""

    name = "local"
    start = "fork"
    """How processes begin: a forked one has the laws already, and costs no second start. Not where other threads run
    libraries of their own."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        start = self.start if self.start in multiprocessing.get_all_start_methods() and not OTHER_THREADS & set(
            sys.modules) else "spawn"
        self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context(start)) if workers > 1 else None

    def here(self, task: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """Answers of a task that needs the store or a file of this machine."""
        if self._pool is None or len(arguments) < 2:
            for each in arguments:
                yield task(*each)
            return
        yield from _in_order((self._pool.submit(task, *each) for each in arguments), self.workers * AHEAD)

    def shards(self, plan: Any, paths: Sequence[Path]) -> Iterator[Any]:
        """What the shards tell, in their order."""
        return self.here(decide_file, [(plan, path) for path in paths])

    def stop(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _in_order(futures: Iterable[Future[Any]], ahead: int) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque()
    for future in futures:
        waiting.append(future)
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
