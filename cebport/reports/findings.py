"""What a what-if found (推演结果): figures, moves and single parcels of a result folder, as a report tells them.

The folder is written by ``server/replay`` (see its ``results``): everything here only reads. World a is today's law,
world b the overlaid one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from cebport.clearance import costing
from cebport.faults import Words
from cebport.messages import codes
from cebport.reports.tables import Questions
from cebport.server.replay import results

ABSENT = "absent"
STATES: Mapping[str, Words] = {
    "released": Words("放行", "released"), "closed": Words("结关", "closed"), "refused": Words("退单", "refused"),
    "waiting": Words("等待", "waiting"), "cancelled": Words("撤销", "cancelled"), "returned": Words("退货", "returned"),
    ABSENT: Words("没有此票", "no such parcel"),
}
LINKS: Mapping[str, Words] = {
    "customs": Words("海关监管", "Customs"), "taxation": Words("税收", "Taxation"),
    "inspection": Words("检验检疫", "Inspection"), "forex": Words("外汇", "Foreign exchange"),
}
DIMENSIONS: Mapping[str, Words] = {
    "reason": Words("原因", "Reason"), "place": Words("地点", "Place"), "mode": Words("监管方式", "Trade mode"),
    "day": Words("日期", "Day"), "goods": Words("商品（前八位）", "Goods (eight digits)"),
    "guarantor": Words("担保企业", "Guarantor"),
}
UNITS: Mapping[str, Words] = {
    "parcels": Words("票", "parcels"), "cny": Words("元", "CNY"), "hours": Words("小时", "hours"),
    "buyers": Words("人", "buyers"), "answers": Words("次", "answers"),
}
TAX_OF = {world: f"coalesce(duty_{world}, 0) + coalesce(vat_{world}, 0) + coalesce(consumption_{world}, 0)"
          for world in "ab"}
REASON = "coalesce(rules_b[1], rules_a[1], '')"
"""What a move is told by: the first reason of world b, else that of world a, else none: tax alone moved."""


class Pair(NamedTuple):
    """One figure in both worlds; ``changed``: parcels behind it that differ."""

    a: Decimal
    b: Decimal
    changed: int

    @property
    def difference(self) -> Decimal:
        """b - a."""
        return self.b - self.a


NO_INVENTORY = Words("尚无清单", "no inventory yet")
"""A place, mode or day of parcels that no inventory gives them."""
NOTHING = Pair(Decimal(0), Decimal(0), 0)


class Move(NamedTuple):
    """Parcels that went the same way for the same reason. assumed: by an event that only an assumption gives."""

    state_a: str
    state_b: str
    rule: str
    assumed: bool
    parcels: int
    value: Decimal
    tax_a: Decimal
    tax_b: Decimal


class Parcel(NamedTuple):
    """One parcel with both explanations."""

    order_no: str
    ebp_code: str
    place: str
    mode: str
    day: date | None
    value: Decimal | None
    tax_a: Decimal
    tax_b: Decimal
    hours_a: float | None
    hours_b: float | None
    goods: Sequence[str]
    why_a: tuple[Words, ...]
    why_b: tuple[Words, ...]
    receipts_a: Sequence[str]
    receipts_b: Sequence[str]


@dataclass(frozen=True)
class Findings:
    """The summary of a result folder, by name."""

    folder: Path
    summary: Mapping[str, Any]
    figures: Mapping[tuple[str, str, str], Pair]

    @classmethod
    def read(cls, folder: Path) -> Findings:
        """Read a folder. Raises OSError and ValueError for one that is none."""
        summary = results.read_summary(folder)
        try:
            figures = {
                (row["metric"], row["dimension"], row["key"]): Pair(
                    Decimal(row["a"]), Decimal(row["b"]), row["changed"])
                for rows in summary["links"].values() for row in rows}
            return cls(folder, {name: summary[name] for name in ("meta", "counts", "columns", "places", "rules")} | {
                "not_reproduced": summary.get("not_reproduced", [])}, figures)
        except (AttributeError, KeyError, TypeError, ArithmeticError) as wrong:
            raise ValueError(f"{folder / results.SUMMARY}: not the summary of a what-if ({wrong})") from wrong

    @property
    def meta(self) -> Mapping[str, Any]:
        """What was replayed, under which law, how."""
        held: Mapping[str, Any] = self.summary["meta"]
        return held

    @property
    def counts(self) -> Mapping[str, int]:
        """Decisions and parcels, how many alike, how many assumed."""
        held: Mapping[str, int] = self.summary["counts"]
        return held

    def columns(self, link: str) -> list[Mapping[str, Any]]:
        """The registered columns of a link, those not filled yet among them."""
        return [column for column in self.summary["columns"] if column["link"] == link]

    def figure(self, metric: str, dimension: str = "all", key: str = "") -> Pair:
        """One figure; nothing where the replay found none."""
        return self.figures.get((metric, dimension, key), NOTHING)

    def keys(self, dimension: str, metrics: Sequence[str]) -> list[str]:
        """The keys of a dimension: days in order, of all others those first where most moves."""
        met = {key for metric, of, key in self.figures if of == dimension and metric in metrics}
        if dimension == "day":
            return sorted(met)

        def moved(key: str) -> tuple[int, Decimal, str]:
            rows = [self.figure(metric, dimension, key) for metric in metrics]
            return (-max(row.changed for row in rows), -max(max(row.a, row.b) for row in rows), key)

        return sorted(met, key=moved)

    def key_words(self, dimension: str, key: str, *, short: bool = False) -> Words:
        """A key of a dimension as people say it; short: a reason without its name."""
        if dimension == "place":
            return spoken(self.summary["places"], key) if key else NO_INVENTORY
        if dimension == "reason":
            return _begun(spoken(self.summary["rules"], key)) if short else self.rule_words(key)
        if dimension == "mode" and (named := mode_name(key)) is not None:
            return Words(f"{key} {named.zh}", f"{key} {named.en}")
        if not key and dimension in ("mode", "day"):
            return NO_INVENTORY
        return Words(key, key) if key else Words("未定", "not known yet")

    def rule_words(self, rule: str) -> Words:
        """What a rule says, its name behind; without a rule only the tax or the limit moved."""
        if not rule:
            return Words("无退单原因", "no reason of refusal")
        words = _begun(spoken(self.summary["rules"], rule))
        return words if words.zh == rule else Words(f"{words.zh}（{rule}）", f"{words.en} ({rule})")


def mode_name(mode: str) -> Words | None:
    """A mode as the answers about roads call it; one that is none of them as its code list does."""
    if (road := costing.table()["roads"].get(mode)) is not None:
        return Words(road["zh"], road["en"])
    found = codes.rows("tradeMode").get(mode)
    return Words(found[-1].zh, found[-1].en) if found else None


def spoken(table: Mapping[str, Mapping[str, str]], key: str) -> Words:
    """The words of a key in a table of the summary, or the key itself; what stands for a value becomes …"""
    held = table.get(key)
    return Words(*(VALUE.sub("…", held[lang]) for lang in ("zh", "en"))) if held else Words(key, key)


def _begun(words: Words) -> Words:
    """What a sentence begins with, before its values."""
    return Words(*(re.split(r"\s*[（(：:,，]", text)[0] or text for text in words))


VALUE = re.compile(r"\{\w+\}")


def moves(ask: Questions, folder: Path) -> list[Move]:
    """Every way that parcels went, those of most parcels first; what was observed and what was assumed apart."""
    return [Move(*row) for row in ask.rows(f"""
        select state_a, state_b, {REASON} as rule, assumed, count(*), coalesce(sum(value_cny), 0)::decimal(18, 2),
               coalesce(sum({TAX_OF['a']}), 0)::decimal(18, 2), coalesce(sum({TAX_OF['b']}), 0)::decimal(18, 2)
        from read_parquet(?) where changed group by all
        order by count(*) desc, state_a, state_b, rule, assumed""", [str(folder / results.PARCELS)])]


def parcels_of(ask: Questions, folder: Path, move: Move, most: int) -> list[Parcel]:
    """The first parcels of a move, by order number, each with why it went so in either world."""
    rows = ask.rows(f"""
        select {PARCEL_FIELDS} from read_parquet(?) p join read_parquet(?) d using (order_no, ebp_code)
        where p.changed and p.state_a = ? and p.state_b = ? and {REASON} = ? and p.assumed = ?
        order by order_no, ebp_code limit ?""",
        [str(folder / results.PARCELS), str(folder / results.DIFFERENCES), *move[:4], most])
    return [_parcel(row) for row in rows]


def every_difference(ask: Questions, folder: Path) -> Iterator[tuple[Any, ...]]:
    """Every changed parcel as a flat row, in the order of ``DIFFERENCE_HEAD``."""
    yield from ask.each(f"""
        select order_no, ebp_code, place, mode, day, p.state_a, p.state_b, p.assumed, value_cny,
               duty_a, duty_b, vat_a, vat_b, consumption_a, consumption_b, hold_a, hold_b, hours_a, hours_b,
               goods, rules_a, rules_b, {', '.join(_line(name) for name in WHY)}, receipts_a, receipts_b
        from read_parquet(?) p join read_parquet(?) d using (order_no, ebp_code) where p.changed
        order by order_no, ebp_code""", [str(folder / results.PARCELS), str(folder / results.DIFFERENCES)])


WHY = ("why_a_zh", "why_a_en", "why_b_zh", "why_b_en")
DIFFERENCE_HEAD = (
    "order_no", "ebp_code", "place", "mode", "day", "state_a", "state_b", "assumed", "value_cny",
    "duty_a", "duty_b", "vat_a", "vat_b", "consumption_a", "consumption_b", "hold_a", "hold_b", "hours_a", "hours_b",
    "goods", "rules_a", "rules_b", *WHY, "receipts_a", "receipts_b")
PARCEL_FIELDS = ", ".join((
    "order_no", "ebp_code", "place", "mode", "day", "value_cny", f"({TAX_OF['a']})::decimal(18, 2)",
    f"({TAX_OF['b']})::decimal(18, 2)", "hours_a", "hours_b", "goods", *WHY, "receipts_a", "receipts_b"))


def _line(name: str) -> str:
    return f"array_to_string({name}, '; ')"


def _parcel(row: tuple[Any, ...]) -> Parcel:
    a_zh, a_en, b_zh, b_en = row[11:15]
    why = tuple(tuple(Words(*pair) for pair in zip(zh, en, strict=True)) for zh, en in ((a_zh, a_en), (b_zh, b_en)))
    return Parcel._make((*row[:11], *why, *row[15:17]))
