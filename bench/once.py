"""One measured run of the walk in a fresh process: python -m bench.once FOLDER STORE WORKERS RECEIPTS ON KEYS.

Prints one JSON line: CPU µs a parcel after start-up (imports, tables and schema are not a parcel's cost), wall
seconds, parcels a second, the largest resident set of a process.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from cebport.server import run
from cebport.server.settings import Settings
from cebport.server.store.store import Store
from cebport.values import parse_time

PROCESSES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def cpu_seconds() -> float:
    total = 0.0
    for who in PROCESSES:
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    return total


def main(folder: Path, store: str, workers: int, receipts: Path, on: str, keys: str) -> dict[str, Any]:
    settings = Settings(store=store, keys=keys, trust=(str(folder / "trust.yaml"),),
                        filings=str(folder / "filings.yaml"), receipts=str(receipts), workers=workers)
    warm = Store.open(settings.store, Path(settings.keys or ""))
    if workers == 1:
        run.pipeline_of(warm, settings, parse_time(on))
    warm.close()
    before, started = cpu_seconds(), time.perf_counter()
    ran = run.clear([folder], settings, parse_time(on))
    seconds, used = time.perf_counter() - started, cpu_seconds() - before
    parcels = ran.totals["parcels"] - ran.parcels_before
    return {
        "parcels": parcels,
        "closed": ran.totals["closed"],
        "cpu_us": round(used / parcels * 1e6, 1) if parcels else 0,
        "seconds": round(seconds, 3),
        "parcels_per_second": round(parcels / seconds),
        "max_rss_mb": max(resource.getrusage(who).ru_maxrss for who in PROCESSES) // 1024,
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), *sys.argv[5:])))
