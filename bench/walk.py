"""The benchmark: CPU a parcel as a ratio to the floor, both measured in one run on one machine.

    python -m bench.walk                        # 10,000 parcels, five rounds, RSA and SM2, SQLite and PostgreSQL
    python -m bench.walk --grow big.db --parcels 1000000    # fill a store
    python -m bench.walk --at small.db big.db   # CPU a parcel beside what stores hold already
    python -m bench.walk --start                # import, cold check

Medians of the rounds; within a round the floor and the runs take turns, so that a drift of the machine's speed
meets both.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import floor
from bench.postgres import Server
from cebport.server.store.store import Store
from cebport.testing.traffic import generate
from cebport.values import parse_time

GROWN_AT_ONCE = 20_000
ON = "2026-11-24T10:00:00"
REPOSITORY = Path(__file__).parent.parent


def once(folder: Path, store: str, workers: int, work: Path, keys: Path | None = None) -> dict[str, Any]:
    receipts = work / "receipts"
    shutil.rmtree(receipts, ignore_errors=True)
    done = subprocess.run([sys.executable, "-m", "bench.once", str(folder), store, str(workers), str(receipts), ON,
                           str(keys or work / "receipts.keys")],
                          capture_output=True, text=True, check=False, cwd=REPOSITORY)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout)


def sqlite_of(work: Path) -> str:
    for left in work.glob("bench.db*"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()
    return f"sqlite:///{work / 'bench.db'}"


def compare(parcels: int, rounds: int, with_postgres: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="cebport-bench-") as place, Server() as server:
        work = Path(place)
        for algorithm in ("rsa", "sm2"):
            folder = work / algorithm
            generate(folder, parcels=parcels, seed=1, on=parse_time(ON), algorithm=algorithm)
            rows: list[dict[str, float]] = []
            for number in range(rounds):
                base = floor.measure(folder, parcels)
                one = once(folder, sqlite_of(work), 1, work)
                two = once(folder, sqlite_of(work), 2, work)
                row = {**base, "sqlite": one["cpu_us"], "ratio": one["cpu_us"] / base["floor"],
                       "floor_sqlite": base["sqlite"], "two_workers_per_s": two["parcels_per_second"],
                       "max_rss_mb": max(one["max_rss_mb"], two["max_rss_mb"])}
                assert one["closed"] == parcels, one
                if with_postgres:
                    before = server.cpu_seconds()
                    held = once(folder, server.database("bench"), 1, work)
                    served = (server.cpu_seconds() - before) / parcels * 1e6
                    row |= {"postgres_client": held["cpu_us"], "postgres_server": served,
                            "postgres_ratio": (held["cpu_us"] + served) / base["floor"]}
                rows.append(row)
                print(algorithm, number + 1, {k: round(v, 2) for k, v in row.items()}, flush=True)
            middle = {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}
            print(algorithm, "median", middle, flush=True)


def grow(store: Path, parcels: int) -> None:
    """Clear fresh traffic into a store until it holds so many parcels; not measured."""
    store = store.absolute()
    with tempfile.TemporaryDirectory(prefix="cebport-bench-") as place:
        while (held := _held(store)) < parcels:
            _fresh(Path(place) / "step", held, min(GROWN_AT_ONCE, parcels - held))
            once(Path(place) / "step", f"sqlite:///{store}", 2, Path(place), keys=_keys(store))
            print(json.dumps({"held": _held(store)}), flush=True)


def at(stores: list[Path], parcels: int, rounds: int) -> None:
    """CPU a parcel of fresh traffic beside what each store holds already, on a copy of it, in turns."""
    with tempfile.TemporaryDirectory(prefix="cebport-bench-") as place:
        work = Path(place)
        homes = []
        for number, store in enumerate(stores):
            home = work / str(number) / "bench.db"
            home.parent.mkdir()
            shutil.copy(store, home)
            shutil.copy(_keys(store), _keys(home))
            homes.append((home, _held(home)))
        rows: dict[int, list[dict[str, Any]]] = {}
        for number in range(rounds):
            for home, first in homes:
                _fresh(work / "step", _held(home), parcels)
                base = floor.measure(work / "step", parcels)["floor"]
                row = once(work / "step", f"sqlite:///{home}", 1, work, keys=_keys(home))
                rows.setdefault(first, []).append({**row, "floor_us": base, "ratio": row["cpu_us"] / base})
                print(json.dumps({"held": first, "round": number + 1, "cpu_us": row["cpu_us"],
                                  "floor_us": round(base, 1), "ratio": round(row["cpu_us"] / base, 2)}), flush=True)
        for first, held in sorted(rows.items()):
            middle = {name: round(statistics.median(row[name] for row in held), 2)
                      for name in ("cpu_us", "floor_us", "ratio", "max_rss_mb")}
            print(json.dumps({"held": first, **middle}), flush=True)


def _keys(store: Path) -> Path:
    return store.with_name(store.name + ".keys")


def _held(store: Path) -> int:
    """How many parcels a store holds."""
    held = Store.open(f"sqlite:///{store.absolute()}", _keys(store))
    try:
        return held.totals()["parcels"]
    finally:
        held.close()


def _fresh(folder: Path, held: int, parcels: int) -> None:
    """Traffic with numbers of its own, made by a process that ends: what it needed in memory is not ours."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "cebport", "generate", "--parcels", str(parcels), "--seed", str(held + 1),
                    "--on", ON, "--algorithm", "rsa", "-o", str(folder)], check=True, cwd=REPOSITORY,
                   stdout=subprocess.DEVNULL)


def start() -> None:
    """Wall ms of a fresh process, median of nine: import cebport, and check of one file."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "t"
        generate(folder, parcels=100, seed=1, on=parse_time(ON), algorithm="rsa")
        file = str(next(folder.rglob("*CEB621*.xml")))
        bare = _wall([sys.executable, "-c", "pass"])
        print(json.dumps({
            "python_ms": bare,
            "import_ms": round(_wall([sys.executable, "-c", "import cebport"]) - bare, 1),
            "check_ms": _wall([str(Path(sys.executable).parent / "cebport"), "check", file]),
        }))


def _wall(command: list[str]) -> float:
    times = []
    for _ in range(10):
        started = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        times.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(times[1:]), 1)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--parcels", type=int, default=10_000)
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--no-postgres", action="store_true")
    ask.add_argument("--grow", type=Path, metavar="STORE")
    ask.add_argument("--at", type=Path, nargs="+", metavar="STORE")
    ask.add_argument("--start", action="store_true")
    asked = ask.parse_args()
    if asked.grow:
        grow(asked.grow, asked.parcels)
    elif asked.at:
        at(asked.at, asked.parcels, asked.rounds)
    elif asked.start:
        start()
    else:
        compare(asked.parcels, asked.rounds, not asked.no_postgres)


if __name__ == "__main__":
    main()
