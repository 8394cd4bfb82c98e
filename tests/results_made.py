"""A small result folder of a what-if, made by hand: what the files look like, for tests of what reads them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from cebport.clearance.replay import COLUMNS
from cebport.server.replay import results

D = Decimal
REFUSED = "LAW-LIMIT-SINGLE"


def _parcel(number: int) -> tuple[Any, ...]:
    """Every third goes over the lower limit of world b; every fifth needs an assumed answer; one is in b alone."""
    refused, assumed = number % 3 == 0, number % 5 == 0 and number % 3 != 0
    state = "closed" if number % 7 else "waiting"
    state_b = "refused" if refused else state
    vat = D("11.83") + number
    zero = D("0.00")
    there = state != "waiting"
    kept = there and not refused
    return (
        f"ORDER{number:05d}", "3301960XYZ", "hangzhou" if number % 2 else "ningbo", "2991" if number % 2 else "3105",
        "1210" if number % 2 else "9610", date(2026, 11, 23 + number % 2), state, state_b,
        [], [REFUSED] if refused else [], ["LAW-FULL-TAX"] if number % 11 == 0 else [], [], D("130.00") + number,
        zero, vat if there else zero, zero, zero, vat if kept else zero, D("1.50") if kept and assumed else zero,
        ["19011010"] if number % 2 else ["19011010", "33049900"], f"{number % 40:032x}", "4403960ABC",
        D("130.00") + number, zero if refused else D("130.00") + number, assumed,
        0.01 if there else None, 24.0 if assumed and kept else 0.01 if kept else None, refused or assumed)


def _difference(row: tuple[Any, ...]) -> tuple[Any, ...]:
    refused = row[7] == "refused"
    return (row[0], row[1], row[6], row[7], row[24], ["放行"], ["released"],
            ["完税价格 150 元超过单次限额 100 元"] if refused else ["放行"],
            ["value 150 is over the single limit of 100"] if refused else ["released"],
            ["622 2", "622 3", "622 120", "622 800", "816 1", "622 899"],
            ["622 2", "622 3", "622 100"] if refused else ["622 2", "622 3", "622 120", "622 800"])


def _links(rows: list[tuple[Any, ...]]) -> dict[str, list[dict[str, Any]]]:
    def count(test: Any) -> int:
        return sum(1 for row in rows if test(row))

    def split(metric: str, dimension: str, key: str, rows_of: Any) -> dict[str, Any]:
        def said(at: int) -> int:
            inside = {"released": ("released", "closed")}.get(metric, (metric,))
            return count(lambda r: rows_of(r) and (metric == "parcels" or r[at] in inside))
        return {"metric": metric, "dimension": dimension, "key": key, "a": said(6), "b": said(7),
                "changed": count(lambda r: rows_of(r) and r[27])}

    customs = []
    for metric in ("parcels", "released", "refused", "waiting"):
        customs.append(split(metric, "all", "", lambda r: True))
        for place in ("hangzhou", "ningbo"):
            customs.append(split(metric, "place", place, lambda r, place=place: r[2] == place))
        for mode in ("1210", "9610"):
            customs.append(split(metric, "mode", mode, lambda r, mode=mode: r[4] == mode))
    customs.append(split("refused", "reason", REFUSED, lambda r: REFUSED in r[9]))
    vat = [sum((row[at] for row in rows), D(0)) for at in (14, 17)]
    return {"customs": customs, "taxation": [
        {"metric": name, "dimension": "all", "key": "", "a": f"{vat[0]:.2f}", "b": f"{vat[1]:.2f}",
         "changed": count(lambda r: r[27])} for name in ("vat", "tax")], "inspection": [], "forex": []}


def make_results(folder: Path, parcels: int = 60) -> Path:
    """Write the five files; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_parcel(number) for number in range(1, parcels + 1)]
    changed = [_difference(row) for row in rows if row[27]]
    tables: dict[str, list[tuple[Any, ...]]] = {
        results.PARCELS: rows, results.DIFFERENCES: changed,
        results.BUYERS: [(f"{n:032x}", 2026, D("400.00"), D("300.00"), 0, n % 2) for n in range(40)],
        results.ACCOUNTS: [("tax/4403960ABC", D("900.00"), D("700.00"), D("900.00"), D("700.00"))]}
    for file, held in tables.items():
        writer = results.Rows(folder, file)
        writer.add(held)
        writer.close()
    results.write_summary(folder, {
        "meta": {"since": "2026-11-23", "until": "2026-11-24", "edition_a": "a" * 64, "edition_b": "b" * 64,
                 "editions": ["a" * 64], "overlay": "lower.yaml", "law_of": None, "profile": "national",
                 "engine": "local", "workers": 2, "deep": "none",
                 "topics": [{"topic": "tax.limit_single_cny", "place": "CN", "a": "5000", "b": "100"}]},
        "counts": {"decisions": parcels * 4, "same": parcels * 4 - len(changed), "different": len(changed),
                   "reproduced": parcels * 4, "not_reproduced": 0, "carried": 0, "added": 0, "parcels": parcels,
                   "changed": len(changed), "assumed": sum(1 for row in rows if row[24])},
        "links": _links(rows),
        "columns": [column._asdict() for column in COLUMNS],
        "places": {"hangzhou": {"zh": "杭州", "en": "Hangzhou"}, "ningbo": {"zh": "宁波", "en": "Ningbo"}},
        "rules": {REFUSED: {"zh": "单次交易超过限值", "en": "over the single limit"}},
        "not_reproduced": []})
    return folder
