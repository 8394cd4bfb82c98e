"""A big account book: how fast it answers a balance, and how fast all its movements are replayed.

    python bench/bonded.py [--items 100000] [--moves 5000000] [--store URL]

The book is made by the same fold that the desk uses, so that its proof holds; only the writing is in bulk.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from cebport.clearance import stock
from cebport.clearance.stock import Goods, Line, Move
from cebport.server.backup import TABLES
from cebport.server.bonded import line_at, lines_of, summary_of
from cebport.server.bonded_fold import book_row, line_row, move_rows, prove
from cebport.server.store.store import Store

BOOK, QUESTIONS, CHUNK = "T4303W000001", 500, 200
WAY = ("enter", "reserve", "reserve", "pre", "reserve", "off", "release", "pre", "off", "back")
"""A round of ten movements of an item; what comes off or back is what stands there."""


def moved_line(random: Random, item: int, count: int) -> tuple[Line, list[Move]]:
    """An item with so many movements."""
    goods = Goods(f"SKU{item:06d}", "3304990029", "mask", "spec", "116", "140", "035", "011")
    line, moves = Line(BOOK, item, goods), []
    unit = stock.UNITS_A_QUANTITY
    for at in range(count):
        kind = WAY[at % len(WAY)]
        if kind == "enter":
            qty = random.randint(100, 1000) * unit
        elif kind in ("pre", "release"):
            qty = line.reserved if kind == "release" or line.reserved < 2 * unit else line.reserved - unit
        else:
            qty = line.pre_decreased if kind == "off" else random.randint(1, 9) * unit
        move = Move(BOOK, item, kind, f"QD430326E{at:09d}", 1, max(qty, 1) if kind == "back" else qty, 1, 1)
        if move.qty > 0:
            line = stock.moved(line, move, at)
            moves.append(move)
    return line, moves


def fill(store: Store, items: int, moves: int) -> int:
    """Write the book; how many movements it has."""
    random, written = Random(7), 0
    sums = [0] * (2 + len(stock.COUNTERS))
    engine = store.engine
    for start in range(1, items + 1, CHUNK):
        lines, rows = [], []
        for item in range(start, min(start + CHUNK, items + 1)):
            line, made = moved_line(random, item, -(-moves // items))
            lines.append(line_row(line))
            rows += move_rows(tuple(made), lambda book, item: 0, 1)
            for at, amount in enumerate((1, line.version, *[getattr(line, name) for name in stock.COUNTERS])):
                sums[at] += amount
        with store.transaction():
            engine.fill("bonded_lines", TABLES["bonded_lines"], lines)
            engine.fill("bonded_moves", TABLES["bonded_moves"], rows)
        written += len(rows)
    with store.transaction():
        company = stock.Party("3701660001")
        engine.fill("bonded_books", TABLES["bonded_books"], [book_row(stock.Book(BOOK, "4303", company, version=1))])
        engine.fill("bonded_totals", TABLES["bonded_totals"], [(BOOK, 0, *sums)])
    return written


def asked(store: Store, items: int) -> Iterator[float]:
    """Milliseconds of each question: the whole book and one of its items."""
    random = Random(11)
    for _ in range(QUESTIONS):
        began = time.perf_counter()
        summary_of(store, BOOK)
        line_at(store, BOOK, random.randint(1, items))
        lines_of(store, BOOK, random.randint(1, items), 20)
        yield (time.perf_counter() - began) * 1000


def main() -> None:
    """Make, ask, prove; one JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--moves", type=int, default=5_000_000)
    parser.add_argument("--store", default="")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cebport-bench-") as folder:
        store = Store.open(chosen.store or f"sqlite:///{Path(folder) / 'bench.db'}", Path(folder) / "keys")
        began = time.perf_counter()
        moves = fill(store, chosen.items, chosen.moves)
        made = time.perf_counter() - began
        answers = sorted(asked(store, chosen.items))
        began = time.perf_counter()
        proof = prove(store, BOOK)
        told: dict[str, Any] = {
            "store": store.engine.dialect, "items": proof.lines, "moves": proof.moves, "made_seconds": round(made, 1),
            "balance_ms_median": round(answers[len(answers) // 2], 3), "balance_ms_worst": round(answers[-1], 3),
            "proof_seconds": round(time.perf_counter() - began, 1), "differences": len(proof.differences)}
        assert proof.moves == moves and not proof.differences, proof.differences[:3]
        store.close()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
