"""Code lists (参数表) on a day, and the numbers that carry a check digit.

The rows are CSV tables read on first use; nothing is read at import. A list is the official name of the field
it serves: ``appType``, ``unit``, ``country``, ``customsDistrict``, ``errorCodes`` … (tables/codes.yaml says
what each is and how complete). Validity is by days, both inclusive; a row without days is valid always.

>>> known("unit", "035"), known("unit", "999")
(True, False)
>>> name("country", "116", "en")
'Japan'
>>> from datetime import date
>>> known("tradeMode", "1239", date(2016, 11, 30))
False
>>> identity_problems("990101198904210535")
('district',)
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from cebport.values import is_day8

TABLES = Path(__file__).with_name("tables")

CACHED_NUMBERS_MAX = 1 << 15
"""So many identity numbers and registration codes are remembered: one person stands in three documents."""

REASONS = (
    "content", "exists", "missing", "state", "stale", "limit", "signature", "declarant", "inventory", "line",
    "lines", "single", "year",
)  # fmt: skip
"""The troubles for which tables/codes.yaml names official receipt codes."""


class Row(NamedTuple):
    """One code: names in Chinese and English (English falls back to Chinese), and its days."""

    code: str
    zh: str
    en: str
    since: date | None
    until: date | None
    more: Mapping[str, str]

    def valid(self, on: date | None) -> bool:
        """Whether the code is in force on the day; without a day: whether it ever was."""
        if on is None:
            return True
        return (self.since is None or self.since <= on) and (self.until is None or on <= self.until)


class ListInfo(NamedTuple):
    """What a list is: names, whether it is complete, whether other values are errors, source, remark."""

    name: str
    zh: str
    en: str
    complete: bool
    fixed: bool
    source: str
    note: str


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _row(cells: dict[str, str]) -> Row:
    zh = cells.pop("zh")
    return Row(
        code=cells.pop("code"),
        zh=zh,
        en=cells.pop("en", "") or zh,
        since=_day(cells.pop("since", None)),
        until=_day(cells.pop("until", None)),
        more=cells,
    )


@cache
def _short_lists() -> dict[str, dict[str, tuple[Row, ...]]]:
    """The lists of codes/lists.csv."""
    lists: dict[str, dict[str, tuple[Row, ...]]] = {}
    with open(TABLES / "codes" / "lists.csv", encoding="utf-8", newline="") as lines:
        for cells in csv.DictReader(lines):
            rows = lists.setdefault(cells.pop("list"), {})
            row = _row(cells)
            rows[row.code] = (*rows.get(row.code, ()), row)
    return lists


@cache
def rows(list_name: str) -> Mapping[str, tuple[Row, ...]]:
    """Every row of a list by code, in official order; a code with two meanings has two rows.

    Raises KeyError when there is no such list.
    """
    path = TABLES / "codes" / f"{list_name}.csv"
    if not path.exists():
        return MappingProxyType(_short_lists()[list_name])
    found: dict[str, tuple[Row, ...]] = {}
    with open(path, encoding="utf-8", newline="") as lines:
        for cells in csv.DictReader(lines):
            row = _row(cells)
            found[row.code] = (*found.get(row.code, ()), row)
    return MappingProxyType(found)


@cache
def _is_dated(list_name: str) -> bool:
    """Whether any row of the list has a day: else one set serves every day."""
    path = TABLES / "codes" / f"{list_name}.csv"
    if path.exists():
        with open(path, encoding="utf-8", newline="") as lines:
            if "since" not in next(csv.reader(lines)):
                return False
    return any(row.since or row.until for found in rows(list_name).values() for row in found)


@lru_cache(maxsize=256)
def codes_on(list_name: str, on: date | None = None) -> frozenset[str]:
    """The codes of a list that are in force on a day (None: that ever were), for hot loops.

    A long list is read here for its codes alone; its names wait until somebody asks for one.
    """
    if on is not None and not _is_dated(list_name):
        return codes_on(list_name)
    path = TABLES / "codes" / f"{list_name}.csv"
    if path.exists():
        with open(path, encoding="utf-8", newline="") as lines:
            reader = csv.reader(lines)
            header = next(reader)
            if header[0] == "code" and "since" not in header:
                return frozenset(cells[0] for cells in reader)
    return frozenset(code for code, found in rows(list_name).items() if any(row.valid(on) for row in found))


def known(list_name: str, code: str, on: date | None = None) -> bool:
    """Whether our list has the code in force on the day (None: ever). False is not yet wrong: see fixed."""
    return code in codes_on(list_name, on)


def names(list_name: str, code: str, lang: str) -> tuple[str, ...]:
    """Every meaning of a code in ``lang`` ("zh" or "en"): the official table has codes with two."""
    return tuple(row.zh if lang == "zh" else row.en for row in rows(list_name).get(code, ()))


def name(list_name: str, code: str, lang: str) -> str:
    """The name of a code in ``lang`` ("zh" or "en"); two meanings are joined; "" when unknown to us."""
    return ("；" if lang == "zh" else "; ").join(names(list_name, code, lang))


def status_name(status: str, lang: str) -> str:
    """What a receipt's returnStatus says, negative numbers included; "" when unknown to us."""
    return name("errorCodes" if status.startswith("-") else "returnStatus", status, lang)


@cache
def _described() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((TABLES / "codes.yaml").read_text(encoding="utf-8"), loader)


@cache
def about(list_name: str) -> ListInfo:
    """What a list is and how complete. Raises KeyError when there is no such list."""
    entry = _described()["lists"][list_name]
    return ListInfo(
        name=list_name,
        zh=entry["zh"],
        en=entry["en"],
        complete=bool(entry["complete"]),
        fixed=bool(entry["fixed"]),
        source=entry["source"],
        note=entry.get("note", ""),
    )


def list_names() -> tuple[str, ...]:
    """The names of all lists."""
    return tuple(_described()["lists"])


def complete(list_name: str) -> bool:
    """Whether every code of the official list is in ours; else an unknown code may be a good one."""
    return about(list_name).complete


@cache
def receipt_codes() -> Mapping[str, Mapping[str, str]]:
    """Message type -> trouble -> official code; a trouble without its own code has that of ``content``."""
    table = {
        kind: MappingProxyType({reason: codes.get(reason, codes["content"]) for reason in REASONS})
        for kind, codes in _described()["receipt_codes"].items()
    }
    return MappingProxyType(table)


# --- numbers with a check digit -----------------------------------------------------------------------------

_CREDIT_LETTERS = {letter: value for value, letter in enumerate("0123456789ABCDEFGHJKLMNPQRTUWXY")}
_CREDIT_WEIGHTS = tuple(3**place % 31 for place in range(17))
_LETTERS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LAST = frozenset("0123456789Xx")
_PROBLEM_FREE: tuple[str, ...] = ()


@lru_cache(maxsize=CACHED_NUMBERS_MAX)
def identity_problems(number: str) -> tuple[str, ...]:
    """What is wrong with the number of a resident identity card (公民身份号码, GB 11643).

    () when nothing; else some of ``form`` (not 17 digits and a digit or X), ``check`` (the check digit),
    ``birth`` (no such day), ``district`` (no such county, ever: only worth a warning, new counties come).
    The arithmetic is that of python-stdnum (cn.ric), repeated here because importing it takes longer than the
    rest of a check; which counties ever existed is asked of python-stdnum when our own list has no answer.
    """
    if len(number) != 18 or not number.isascii() or not number[:17].isdigit() or number[17] not in _LAST:
        return ("form",)
    problems = _PROBLEM_FREE
    check = (1 - 2 * int(number[:17], 13)) % 11
    if number[17].upper() != ("X" if check == 10 else str(check)):
        problems = ("check",)
    if not is_day8(number[6:14]):
        problems = (*problems, "birth")
    if not district_known(number[:6]):
        problems = (*problems, "district")
    return problems


@lru_cache(maxsize=8192)
def district_known(prefix: str) -> bool:
    """Whether the first six digits of an identity number are a county that exists or existed."""
    divisions = codes_on("adminDivision")
    if prefix in divisions or prefix in codes_on("identityPrefix"):
        return True
    if prefix[:2] + "0000" not in divisions:
        return False
    from stdnum import numdb

    return any("county" in found for _, found in numdb.get("cn/loc").info(prefix))


@lru_cache(maxsize=CACHED_NUMBERS_MAX)
def credit_code_problem(code: str) -> str:
    """What is wrong with a social credit code (统一社会信用代码, GB 32100): "", ``form`` or ``check``."""
    if len(code) != 18 or not code.isascii() or not code[:8].isdigit():
        return "form"
    total = 0
    for letter, weight in zip(code, _CREDIT_WEIGHTS, strict=False):
        value = _CREDIT_LETTERS.get(letter)
        if value is None:
            return "form"
        total += value * weight
    last = _CREDIT_LETTERS.get(code[17])
    if last is None:
        return "form"
    return "" if last == -total % 31 else "check"


@lru_cache(maxsize=CACHED_NUMBERS_MAX)
def registration_problem(code: str) -> str:
    """What is wrong with the form of a company's code: "", ``form`` or ``check``.

    Ten digits and capital letters (海关注册编码), or the eighteen of a social credit code.
    """
    if len(code) == 18:
        return credit_code_problem(code)
    return "" if len(code) == 10 and _LETTERS.issuperset(code) else "form"
