"""What decides together stays together (连通分量): components of keys, on disk, and the shards made of them.

Two decisions belong to one component when they touch a key in common, directly or through others. The smallest key of
a component is its number, so that it is the same whoever counts. The table is an SQLite file with a bounded cache.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cebport.server.replay.spool import blocks_of, groups_of, keys_of, pack

CACHE_KIB = 64_000
SHARD_BYTES_HELD = 1 << 16
ALL_BYTES_HELD = 64 << 20


class Components:
    """The components of keys that were seen in common."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.executescript(f"""
            PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB};
            CREATE TABLE roots (key INTEGER PRIMARY KEY, root INTEGER NOT NULL);""")
        self._base.execute("BEGIN")

    def close(self) -> None:
        """Let go of the file."""
        self._base.close()

    def roots(self, keys: Iterable[int]) -> dict[int, int]:
        """Key -> number of its component; a key that was never seen is a component of its own."""
        known = self._read(keys)
        wanted = set(known.values()) - known.keys()
        while wanted:
            found = self._read(wanted)
            known.update(found)
            wanted = set(found.values()) - known.keys()
        made = {}
        for key in known:
            root = known[key]
            while known.get(root, root) != root:
                root = known[root]
            made[key] = root
        return made

    def _read(self, keys: Iterable[int]) -> dict[int, int]:
        wanted = list(keys)
        found = {key: key for key in wanted}
        found.update(self._base.execute(
            "SELECT key, root FROM roots WHERE key IN (SELECT value FROM json_each(?))", (json.dumps(wanted),)))
        return found

    def add(self, groups: Sequence[Sequence[int]]) -> None:
        """The keys of each group belong together; no key is in two of the groups."""
        before = self.roots([key for group in groups for key in group])
        parent: dict[int, int] = {}

        def find(key: int) -> int:
            while (above := parent.get(key, key)) != key:
                key = above
            return key

        for group in groups:
            tops = {find(top) for top in {before[key] for key in group}}
            least = min(tops)
            for top in tops:
                parent[top] = least
        changed = {key: root for key, top in before.items() if (root := find(top)) != top or key == root}
        changed.update((top, find(top)) for top in parent)
        self._base.executemany("INSERT OR REPLACE INTO roots VALUES (?, ?)", list(changed.items()))


class Shards:
    """The files into which items are sorted by component. A component is never split."""

    def __init__(self, folder: Path, count: int) -> None:
        self.paths = [folder / f"shard-{number:05d}" for number in range(count)]
        for path in self.paths:
            path.touch()
        self._held: list[list[tuple[int, Any]]] = [[] for _ in self.paths]
        self._bytes = [0] * count
        self._all_bytes = 0

    def add(self, root: int, item: Any) -> None:
        """One more item (its bytes) of a component."""
        at = root % len(self.paths)
        self._held[at].append((root, item))
        size = memoryview(item).nbytes + 20
        self._bytes[at] += size
        self._all_bytes += size
        if self._bytes[at] > SHARD_BYTES_HELD:
            self._flush(at)
        elif self._all_bytes > ALL_BYTES_HELD:
            self.close()

    def _flush(self, at: int) -> None:
        with self.paths[at].open("ab") as file:
            file.write(pack(self._held[at]))
        self._held[at] = []
        self._all_bytes -= self._bytes[at]
        self._bytes[at] = 0

    def close(self) -> None:
        """Everything on disk."""
        for at, held in enumerate(self._held):
            if held:
                self._flush(at)


def join(spools: Sequence[Path], items: int, work: Path, documents_a_shard: int) -> list[Path]:
    """Components of everything in the spools, and their items sorted into shards; the files of the shards.

    Both passes read the spools in order; a shard holds its items in that order.
    """
    components = Components(work / "components.db")
    for spool in spools:
        components.add(groups_of(spool))
    shards = Shards(work, max(1, -(-items // documents_a_shard)))
    for spool in spools:
        groups = groups_of(spool)
        roots = components.roots([group[0] for group in groups])
        home = {key: roots[group[0]] for group in groups for key in group}
        for keys, raws in blocks_of(spool):
            for key, raw in zip(keys, raws, strict=True):
                shards.add(home[key], raw)
        spool.unlink()
        keys_of(spool).unlink()
    shards.close()
    components.close()
    return shards.paths
