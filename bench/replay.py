"""Speed of a what-if: python -m bench.replay [--parcels N] [--workers N] [--store URL].

One store of N parcels is replayed under an empty overlay (both worlds agree everywhere) and under one that moves most
parcels (a single limit of 300 yuan). CPU µs a parcel of all processes, its ratio to the floor of the same parcels
(bench/floor.py), parcels a second of wall time, and the largest process. What a process needs to begin is counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import floor
from cebport.server.replay.laws import Plan
from cebport.server.replay.run import whatif
from cebport.server.run import clear
from cebport.server.settings import Settings
from cebport.testing.traffic import generate
from cebport.values import parse_time

ON = "2026-11-24T10:00:00"
HEAD = "about: {zh: 测速, en: a measurement}\nrecorded_at: 2026-11-24\nrows:"
LAWS = {
    "empty": HEAD + " {}\n",
    "most move": HEAD + """
  tax.limit_single_cny:
  - {value: "300", since: 2019-01-01, instrument: cebport-default, confidence: K}
""",
}
PROCESSES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def used() -> float:
    return sum(each.ru_utime + each.ru_stime for each in map(resource.getrusage, PROCESSES))


def once(store: str, overlay: str, workers: int, engine: str) -> dict[str, Any]:
    """One replay in this process and its workers."""
    before, started = used(), time.perf_counter()
    with tempfile.TemporaryDirectory() as report:
        answer = whatif(Plan(store, overlay=overlay), report=Path(report), workers=workers, engine=engine)
    seconds, cpu = time.perf_counter() - started, used() - before
    counts = answer.counts
    assert counts["not_reproduced"] == 0, answer.summary["not_reproduced"][:3]
    return {"parcels": counts["parcels"], "changed": counts["changed"], "workers": workers, "engine": engine,
            "cpu_us": round(cpu / counts["parcels"] * 1e6, 1), "parcels_per_second": round(counts["parcels"] / seconds),
            "max_rss_mb": max(resource.getrusage(who).ru_maxrss for who in PROCESSES) // 1024}


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--parcels", type=int, default=20_000)
    ask.add_argument("--workers", type=int, default=2)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--engine", default="local")
    ask.add_argument("--once", nargs=2, metavar=("STORE", "OVERLAY"), help="one replay of a store")
    asked = ask.parse_args()
    if asked.once:
        print(json.dumps(once(*asked.once, asked.workers, asked.engine)))
        return
    with tempfile.TemporaryDirectory(prefix="cebport-bench-") as place:
        work = Path(place)
        folder, store = work / "traffic", f"sqlite:///{work / 'bench.db'}"
        generate(folder, parcels=asked.parcels, seed=1, on=parse_time(ON), algorithm="rsa", faults=0.02)
        clear([folder / "messages"], Settings(
            store=store, trust=(str(folder / "trust.yaml"),), filings=str(folder / "filings.yaml"),
            receipts=str(work / "receipts"), workers=2), parse_time(ON))
        good = work / "good"
        generate(good, parcels=min(asked.parcels, 5000), seed=1, on=parse_time(ON), algorithm="rsa")
        for number in range(asked.rounds):
            base = floor.measure(good, min(asked.parcels, 5000))["floor"]
            for name, text in LAWS.items():
                overlay = work / "law.yaml"
                overlay.write_text(text, encoding="utf-8")
                done = subprocess.run(
                    [sys.executable, "-m", "bench.replay", "--workers", str(asked.workers), "--engine", asked.engine,
                     "--once", store, str(overlay)], capture_output=True, text=True, check=False)
                if done.returncode:
                    raise SystemExit(done.stderr[-3000:])
                row = json.loads(done.stdout)
                print(json.dumps({"round": number + 1, "law": name, "floor_us": round(base, 1),
                                  "ratio": round(row["cpu_us"] / base, 2), **row}), flush=True)


if __name__ == "__main__":
    main()
