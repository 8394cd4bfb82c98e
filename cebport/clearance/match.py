"""Three documents against the inventory (三单对碰, 三单比对).

The links are rows of ``tables/match.yaml``; how a link weighs and how far money may differ is the
practice of the place and day. A link that fails says both fields and both values, personal ones masked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cebport.clearance.parts import Blind, InventoryPart, Line, OrderPart, PaymentPart, Reason, WaybillPart
from cebport.faults import WARNING
from cebport.values import ZERO, plain

TABLE = Path(__file__).parent / "tables" / "match.yaml"
COMPARISONS = ("text", "blind", "money", "lines")
WARN_AT = "MATCH-TAX-TOTAL"


class Link(NamedTuple):
    """One row of the table, ready to run: ``test`` is true when the link holds."""

    rule: str
    code: str
    severity: str
    source: str
    left: str
    right: str
    sides: tuple[int, str, int, str]
    when: tuple[int, str] | None
    compare: str


PARTS = {"order": 0, "payment": 1, "waybill": 2, "inventory": 3}
DOCUMENT_NAMES = {"order": "CEB311", "payment": "CEB411", "waybill": "CEB511", "inventory": "CEB621"}


@cache
def links() -> tuple[Link, ...]:
    """The table, read once. Raises KeyError on an unknown part or field: a table error is our own."""
    import yaml

    rows = yaml.safe_load(TABLE.read_text(encoding="utf-8"))["links"]
    made = []
    for row in rows:
        left_part, left_field = row["left"].split(".")
        right_part, right_field = row["right"].split(".")
        if row["compare"] not in COMPARISONS:
            raise KeyError(f"{TABLE.name}: {row['rule']}: compare {row['compare']}")
        when = row.get("when")
        made.append(
            Link(
                rule=row["rule"],
                code=row.get("code", ""),
                severity=row["severity"],
                source=row["source"],
                left=f"{DOCUMENT_NAMES[left_part]}/{left_field}",
                right=f"{DOCUMENT_NAMES[right_part]}/{right_field}",
                sides=(PARTS[left_part], left_field, PARTS[right_part], right_field),
                when=(PARTS[when.split(".")[0]], when.split(".")[1]) if when else None,
                compare=row["compare"],
            )
        )
    return tuple(made)


@cache
def codes() -> Mapping[str, str]:
    """Rule -> inner code of the receipt ("" where customs has none known)."""
    return {link.rule: link.code for link in links()}


Test = Callable[[Any, Any, Any, Any], bool]
_compiled: dict[int, tuple[Any, Test, tuple[tuple[Link, str, Test], ...]]] = {}


def same_lines(order: tuple[Line, ...], inventory: tuple[Line, ...]) -> bool:
    """Whether the goods lines agree, in the usual case that both stand in the same order."""
    if len(order) != len(inventory):
        return False
    for a, b in zip(order, inventory, strict=True):
        if (a.gnum != b.gnum or a.qty != b.qty or a.price != b.price or a.total != b.total or a.unit != b.unit
                or (a.name != b.name and b.name)):
            return not line_differences(order, inventory)
    return True


def _source(link: Link, tolerance: Decimal) -> str:
    """The test of a link as a Python expression over o, p, w, i: written from the table, compiled once."""
    left_at, left_field, right_at, right_field = link.sides
    names = "opwi"
    for field in (left_field, right_field, link.when[1] if link.when else "x"):
        assert field.isidentifier(), f"{TABLE.name}: {link.rule}: {field}"
    left, right = f"{names[left_at]}.{left_field}", f"{names[right_at]}.{right_field}"
    if link.compare == "lines":
        test = f"same_lines({left}, {right})"
    elif link.compare == "blind":
        test = f"({left}.hash == {right}.hash or {left}.same({right}))"
    elif link.compare == "money" and tolerance:
        test = f"({left} is None or {right} is None or abs({left} - {right}) <= tolerance)"
    else:
        test = f"{left} == {right}"
    if link.when is not None:
        test = f"({names[link.when[0]]}.{link.when[1]} in NOT_GIVEN or {test})"
    sides = {names[left_at], names[right_at]} & {"p", "w"}
    absent = "".join(f"{name} is None or " for name in sorted(sides))
    return f"({absent}{test})" if absent else test


NOT_GIVEN = ("", None)


def _compile(practice: Mapping[str, Any]) -> tuple[Any, Test, tuple[tuple[Link, str, Test], ...]]:
    """(practice, one test of all links, each link with its weight and test): made once a practice."""
    held = _compiled.get(id(practice))
    if held is not None and held[0] is practice:
        return held
    tolerance = Decimal(str(practice.get("money_tolerance_cny", "0")))
    scope = {"same_lines": same_lines, "tolerance": tolerance, "NOT_GIVEN": NOT_GIVEN, "abs": abs}
    sources, made = [], []
    for link in links():
        severity = practice.get(link.rule, link.severity)
        if severity != "off":
            source = _source(link, tolerance)
            sources.append(source)
            made.append((link, severity, eval(f"lambda o, p, w, i: {source}", scope)))
    every = eval("lambda o, p, w, i: " + (" and ".join(sources) or "True"), scope)
    held = _compiled[id(practice)] = (practice, every, tuple(made))
    return held


def match(
    order: OrderPart,
    payment: PaymentPart | None,
    waybill: WaybillPart | None,
    inventory: InventoryPart,
    practice: Mapping[str, Any],
) -> list[Reason]:
    """Every link that does not hold; [] = the documents agree.

    A document that the law of the place does not ask for may be None: its links are not tested.
    """
    _, every, tests = _compile(practice)
    if every(order, payment, waybill, inventory):
        return []
    docs = (order, payment, waybill, inventory)
    return [_reason(link, severity, docs) for link, severity, holds in tests if not holds(*docs)]


def _reason(link: Link, severity: str, docs: tuple[Any, ...]) -> Reason:
    left_at, left_field, right_at, right_field = link.sides
    left, right = getattr(docs[left_at], left_field), getattr(docs[right_at], right_field)
    if link.compare == "lines":
        difference = next(iter(line_differences(left, right)))
        return Reason(link.rule, severity, f"{link.right}{difference[0]} ≠ {link.left}{difference[0]}",
                      difference[2], difference[1], link.source)
    return Reason(link.rule, severity, f"{link.right} ≠ {link.left}", shown(right), shown(left), link.source)


def shown(value: object) -> str:
    """A value as a refusal may show it."""
    if isinstance(value, Blind):
        return value.mask
    return plain(value) if isinstance(value, Decimal) else "" if value is None else str(value)


def line_differences(order: tuple[Line, ...], inventory: tuple[Line, ...]) -> list[tuple[str, str, str]]:
    """(path, order value, inventory value) of everything that differs between the goods lines.

    Lines are joined by gnum; name, unit, quantity, price and total are compared. A name is compared
    only where the inventory gives the merchant's item name.
    """
    found: list[tuple[str, str, str]] = []
    there = {line.gnum: line for line in inventory}
    here = {line.gnum: line for line in order}
    if len(order) != len(inventory) or here.keys() != there.keys():
        numbers = ("[gnum]", ",".join(map(str, here)), ",".join(map(str, there)))
        found.append(numbers)
    for gnum, line in here.items():
        other = there.get(gnum)
        if other is None:
            continue
        for field in ("name", "unit", "qty", "price", "total"):
            a, b = getattr(line, field), getattr(other, field)
            if a != b and not (field == "name" and not b):
                found.append((f"[gnum={gnum}]/{LINE_FIELDS[field]}", shown(a), shown(b)))
    return found


LINE_FIELDS = {"name": "itemName", "unit": "unit", "qty": "qty", "price": "price", "total": "totalPrice"}


def tax_total(order: OrderPart, assessed: Decimal, practice: Mapping[str, Any]) -> Reason | None:
    """The tax collected in advance (代扣税款) against the tax assessed: by default a warning only."""
    severity = practice.get(WARN_AT, WARNING)
    tolerance = Decimal(str(practice.get("money_tolerance_cny", "0")))
    if severity == "off" or abs(order.taxTotal - assessed) <= max(tolerance, ZERO):
        return None
    return Reason(WARN_AT, severity, "CEB311/taxTotal ≠ CEB816", plain(order.taxTotal), plain(assessed),
                  "本系统理解：代扣即核定 / our own reading: the seller collects what customs assesses")
