"""Worked cases of the law (算例): YAML that an officer can read, run against the tables.

A case says day, goods, fees, and what must come out, each tax with the sum that leads to it::

    cases:
    - zh: 13% 增值税
      en: 13 % VAT
      day: 2026-11-24
      goods: [{gcode: '4202119090', qty: 1, total_price: '1000'}]
      vat: '1000 × 13% × 70% = 91.00'

The sum is reckoned on its own, in fractions, before the tables are asked: a figure copied from a wrong program does
not pass. ``×`` and ``÷`` (or ``x`` and ``/``), ``%``, brackets; ``[…]`` is rounded to the fen, half up, and so is the
whole. A tax that a case does not name must be nothing.

>>> worked("[100 × 13% × 70%] + 0.005 = 9.11"), stated("[100 × 13% × 70%] + 0.005 = 9.11")
(Decimal('9.11'), Decimal('9.11'))
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cebport.clearance.quote import reckon
from cebport.faults import Catalog, Fault, Words, fault_of
from cebport.policy import Policy

CASES = Path(__file__).parent.parent / "policy" / "cases"
INSIDE, FULL_TAX, REFUSED, UNANSWERED = "inside", "full_tax", "refused", "unanswered"
CHANNELS = (INSIDE, FULL_TAX, REFUSED, UNANSWERED)
"""What becomes of the order: inside the limits, passed with full tax, sent out of the channel, data missing."""
LIMITS = {"LAW-LIMIT-SINGLE": "single", "LAW-LIMIT-YEAR": "year"}
TAXES = {"duty": "duty", "consumption": "consumption_tax", "vat": "vat", "postal": "postal_tax"}
"""What a case calls a tax -> what the answer does."""
ASKED = ("place", "mode", "freight", "insured_fee", "year_used")
GOODS = ("gcode", "qty", "unit", "qty1", "unit1", "qty2", "unit2", "total_price", "rates")
KEYS = ("zh", "en", "day", "goods", *ASKED, "channel", "limit", "dutiable", *TAXES, "band", "waived", "year_after",
        "warns")
_FIGURE = re.compile(r"\d+(\.\d{1,2})?\Z")
_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([-+×x÷/()\[\]%]))")


class Case(NamedTuple):
    """One worked case. where: file and number of the case in it."""

    where: str
    title: Words
    day: date
    question: Mapping[str, Any]
    expected: Mapping[str, Any]


class Result(NamedTuple):
    """What came of a case: every difference as (what, expected, found); none = it holds."""

    case: Case
    differences: tuple[tuple[str, str, str], ...]

    @property
    def holds(self) -> bool:
        """Whether everything came out as it must."""
        return not self.differences

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; its schema is docs/reference/schemas/cases.json."""
        return {
            "case": self.case.where, "zh": self.case.title.zh, "en": self.case.title.en, "day": str(self.case.day),
            "holds": self.holds,
            "differences": [{"what": what, "expected": expected, "found": found}
                            for what, expected, found in self.differences],
        }


@cache
def catalog() -> Catalog:
    """Code -> words."""
    import yaml

    held = yaml.safe_load((Path(__file__).parent / "tables" / "faults_cases.yaml").read_text(encoding="utf-8"))
    return held  # type: ignore[no-any-return]


# ── sums ────────────────────────────────────────────────────────────────────────────────────────────


def worked(text: str) -> Decimal:
    """What a sum "… = 91.00" comes to; of a bare figure the figure. Raises ValueError for what is no sum."""
    left, equals, right = str(text).rpartition("=")
    return _fen(_Sum(left if equals else right).value())


def stated(text: str) -> Decimal:
    """The figure behind the last "=". Raises ValueError."""
    figure = str(text).rpartition("=")[2].strip()
    if not _FIGURE.match(figure):
        raise ValueError(f"{text}: no figure")
    return Decimal(figure)


def _fen(amount: Fraction) -> Decimal:
    """Half up to the fen; amounts are not negative."""
    return Decimal((amount * 200 + 1) // 2) / 100


class _Sum:
    """Sums by hand: + - × ÷ % ( ) and [ ] for rounded to the fen, in fractions."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, at = text, [], 0
        stripped = text.rstrip()
        while at < len(stripped):
            found = _TOKEN.match(stripped, at)
            if found is None:
                raise ValueError(f"{text}: cannot be read at {stripped[at:]!r}")
            self.tokens.append(found[1] or found[2])
            at = found.end()
        self.tokens.reverse()

    def value(self) -> Fraction:
        """The sum. Raises ValueError."""
        try:
            made = self._terms()
        except (IndexError, ZeroDivisionError) as wrong:
            raise ValueError(f"{self.text}: no sum") from wrong
        if self.tokens:
            raise ValueError(f"{self.text}: cannot be read at {self.tokens[-1]!r}")
        return made

    def _next(self) -> str:
        return self.tokens[-1] if self.tokens else ""

    def _terms(self) -> Fraction:
        made = self._factors()
        while self._next() in ("+", "-"):
            sign = 1 if self.tokens.pop() == "+" else -1
            made += sign * self._factors()
        return made

    def _factors(self) -> Fraction:
        made = self._figure()
        while self._next() in ("×", "x", "÷", "/"):
            if self.tokens.pop() in ("×", "x"):
                made *= self._figure()
            else:
                made /= self._figure()
        return made

    def _figure(self) -> Fraction:
        token = self.tokens.pop()
        if token in ("(", "["):
            made = self._terms()
            if self.tokens.pop() != {"(": ")", "[": "]"}[token]:
                raise ValueError(f"{self.text}: a bracket is not closed")
            made = Fraction(_fen(made)) if token == "[" else made
        else:
            made = Fraction(token)
        if self._next() == "%":
            self.tokens.pop()
            made /= 100
        return made


# ── reading and running ─────────────────────────────────────────────────────────────────────────────


def case_files(paths: Iterable[Path] = ()) -> list[Path]:
    """The files named and every *.yaml below the folders; those of the package where none is named."""
    found: list[Path] = []
    for path in list(paths) or [CASES]:
        found += sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    return found


def read_cases(path: Path) -> tuple[list[Case], list[Fault]]:
    """The cases of a file, and everything in it that cannot be read or is wrongly reckoned."""
    import yaml

    faults: list[Fault] = []
    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as wrong:
        return [], [_fault("CEB-CASE-001", path.name, " ".join(str(wrong).split()), "YAML, UTF-8")]
    rows = held.get("cases") if isinstance(held, Mapping) else None
    if not isinstance(rows, list) or not rows:
        return [], [_fault("CEB-CASE-001", path.name, "", "cases: [{zh, en, day, goods, …}]")]
    made = []
    for number, row in enumerate(rows, 1):
        where = f"{path.name} {number}"
        found = _unreadable(row, where)
        if not found:
            found = [fault for name in (*TAXES, "waived", "year_after", "dutiable")
                     for text in _texts(row.get(name)) if (fault := _wrong_sum(text, where)) is not None]
        faults += found
        if not found:
            question = {"on": row["day"], "lines": row["goods"], **{key: row[key] for key in ASKED if key in row}}
            made.append(Case(where, Words(str(row["zh"]), str(row["en"])), row["day"], question, _expected(row)))
    return made, faults


def _texts(held: Any) -> list[str]:
    """The sums of a field."""
    return [] if held is None else [str(one) for one in held] if isinstance(held, list) else [str(held)]


def _wrong_sum(text: str, where: str) -> Fault | None:
    try:
        found, said = worked(text), stated(text)
    except ValueError as wrong:
        return _fault("CEB-CASE-002", where, wrong, "1000 × 13% × 70% = 91.00")
    return None if found == said else _fault("CEB-CASE-003", where, text, _yuan(found))


def _fault(code: str, where: str, found: object, expected: object) -> Fault:
    return fault_of(catalog(), code, path=where, found=found, expected=expected)


def _unreadable(row: Any, where: str) -> list[Fault]:
    """What keeps a case from being one."""
    if not isinstance(row, Mapping):
        return [_fault("CEB-CASE-002", where, row, "{zh, en, day, goods, …}")]
    found = [_fault("CEB-CASE-002", where, f"{key}: -", key) for key in ("zh", "en", "day", "goods") if key not in row]
    found += [_fault("CEB-CASE-002", where, key, ", ".join(KEYS)) for key in row if key not in KEYS]
    goods = row.get("goods", [])
    if not isinstance(goods, list) or not all(isinstance(one, Mapping) and set(one) <= set(GOODS) for one in goods):
        found.append(_fault("CEB-CASE-002", where, "goods", f"[{{{', '.join(GOODS)}}}]"))
    if "day" in row and not isinstance(row["day"], date):
        found.append(_fault("CEB-CASE-002", where, f"day {row['day']}", "YYYY-MM-DD"))
    channel = row.get("channel", INSIDE)
    if channel not in CHANNELS:
        found.append(_fault("CEB-CASE-002", where, f"channel {channel}", " | ".join(CHANNELS)))
    elif channel not in (INSIDE, FULL_TAX):
        found += [_fault("CEB-CASE-002", where, name, f"{channel}: -") for name in TAXES if name in row]
    return found


def _expected(row: Mapping[str, Any]) -> dict[str, str]:
    """What must come out, as the answer would say it."""
    channel = row.get("channel", INSIDE)
    made: dict[str, str] = {"channel": channel}
    if channel in (INSIDE, FULL_TAX):
        taxes = {name: stated(row[name]) if name in row else Decimal(0) for name in TAXES}
        made |= {name: _yuan(amount) for name, amount in taxes.items()}
        made["total"] = _yuan(sum(taxes.values(), Decimal(0)))
    if "dutiable" in row:
        made["dutiable"] = ", ".join(_yuan(stated(one)) for one in row["dutiable"])
    made |= {name: _yuan(stated(row[name])) for name in ("waived", "year_after") if name in row}
    made |= {name: str(row[name]) for name in ("limit", "band") if name in row}
    made["warns"] = ", ".join(sorted(row.get("warns", ())))
    return made


def _yuan(amount: Decimal) -> str:
    return format(amount.quantize(Decimal("0.01")), "f")


def run_case(case: Case, policy: Policy) -> Result:
    """A case against the law."""
    answer = reckon(case.question, policy)
    found = _found(answer)
    return Result(case, tuple((name, value, found.get(name, "")) for name, value in case.expected.items()
                              if value != found.get(name, "")))


def _found(answer: Mapping[str, Any]) -> dict[str, str]:
    """The same things of an answer."""
    faults = answer["faults"]
    if "regime" not in answer:
        return {"channel": "; ".join(f"{fault['code']} {fault['path']}" for fault in faults)}
    if answer["refused"]:
        channel = REFUSED
    elif answer["reason"] == UNANSWERED:
        channel = UNANSWERED
    else:
        channel = INSIDE if answer["inside_limits"] else FULL_TAX
    made = {name: answer.get(key) or "0.00" for name, key in TAXES.items()}
    return made | {
        "channel": channel,
        "limit": LIMITS.get(answer["reason"], ""),
        "total": answer["total"] or "",
        "dutiable": ", ".join(line["dutiable"] for line in answer["lines"]),
        "band": answer.get("band") or "",
        "waived": answer.get("waived") or "",
        "year_after": answer["limits"]["year_after"] or "",
        "warns": ", ".join(sorted({fault["code"] for fault in faults if fault["severity"] == "warning"})),
    }
