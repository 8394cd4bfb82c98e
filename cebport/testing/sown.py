"""Faults sown into test traffic, each with the outcome that is known beforehand (预埋差错).

The rows are ``tables/sown.yaml``: what is done to a good parcel, and what a port must make of it. ``edited``
changes documents, the basket functions go over a limit, ``FILES`` spoil a message that is signed already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any, NamedTuple

from msgspec.structs import replace

from cebport.messages.documents import Document
from cebport.testing import market
from cebport.testing.builders import Fees, Item, Story, changed, stamp
from cebport.testing.market import Season
from cebport.values import BEIJING, parse_time, time14

DOCUMENTS = {"CEB311": "order", "CEB411": "payment", "CEB511": "waybill", "CEB621": "inventory"}
"""Message -> field of Story, in the order in which good documents come."""
STRANGER = 25_000_000
"""From this number on persons are never buyers of traffic: they stand in fields where they do not belong."""


class Row(NamedTuple):
    """One kind of fault; see tables/sown.yaml."""

    fault: str
    way: str
    parcel: str
    mode: str = ""
    since: date | None = None
    edits: dict[str, str | None] | None = None
    drop: str = ""
    basket: str = ""
    document: str = ""
    file: str = ""
    refused: Sequence[dict[str, str]] = ()
    warned: Sequence[str] = ()


@cache
def rows() -> tuple[Row, ...]:
    """Every kind of fault, in the order of the table. Raises KeyError for a verb that is none."""
    made = tuple(Row(**row) for row in market.read_table("sown.yaml")["faults"])
    for row in made:
        verbs = {verb for verb in (row.edits or {}).values() if verb is not None and not verb.startswith("+")}
        unknown = (verbs - VERBS.keys()) | ({row.basket} - {"", *BASKETS}) | ({row.file} - {"", *FILES})
        if unknown:
            raise KeyError(f"sown.yaml: {row.fault}: {', '.join(sorted(unknown))}")
    return made


def usable(modes: Iterable[str], day: date) -> tuple[Row, ...]:
    """The kinds that traffic of these trade modes on this day can have."""
    there = set(modes)
    return tuple(
        row
        for row in rows()
        if (not row.mode or row.mode in there) and (row.since is None or row.since <= day)
    )


# ── edits ───────────────────────────────────────────────────────────────────────────────────────────────


def _stranger(of: Story) -> market.Person:
    return market.person(of.number + STRANGER)


def _other_city(of: Story) -> market.City:
    """The next city of the table: its companies are filed, but are not this parcel's."""
    there = tuple(market.cities().values())
    return there[of.city.number % len(there)]


def _other_merchant(of: Story, code: str) -> market.Company:
    return next(company for company in of.city.merchants if company.code != code)


def _wrong_check(number: str) -> str:
    return number[:17] + ("1" if number[17] != "1" else "2")


def _tomorrow(time: str) -> str:
    return time14(parse_time(time) + timedelta(days=1))


def _one_more(inventory: Document) -> Document:
    """The first line has one piece more, its total and statutory quantities with it."""
    first, *others = inventory.lines
    qty = first.qty + 1
    more = replace(
        first,
        qty=qty,
        qty1=first.qty1 / first.qty * qty,
        qty2=None if first.qty2 is None else first.qty2 / first.qty * qty,
        totalPrice=first.price * qty,
    )
    return Document(inventory.head, (more, *others))


def _other_item(inventory: Document) -> Document:
    first, *others = inventory.lines
    return Document(inventory.head, (replace(first, itemName=first.itemName + "（赠品装）"), *others))


def _line_more(inventory: Document) -> Document:
    """One line more than the order has: a free gift."""
    gift = replace(
        inventory.lines[0], gnum=len(inventory.lines) + 1, price=Decimal(0), totalPrice=Decimal(0)
    )
    return Document(inventory.head, (*inventory.lines, gift))


VERBS: dict[str, Callable[[Any, Any], Any]] = {
    "other_name": lambda value, of: _stranger(of).name + "测",
    "other_id": lambda value, of: _stranger(of).id_number,
    "other_phone": lambda value, of: value[:-1] + str((int(value[-1]) + 1) % 10),
    "other_address": lambda value, of: value + "旁",
    "other_number": lambda value, of: value + "X",
    "other_payment_code": lambda value, of: _other_city(of).payment.code,
    "other_payment_name": lambda value, of: _other_city(of).payment.name,
    "other_merchant_code": lambda value, of: _other_merchant(of, of.order.head.ebcCode).code,
    "other_merchant_name": lambda value, of: _other_merchant(of, of.order.head.ebcCode).name,
    "unfiled_code": lambda value, of: market.credit_code(of.city.operator.code[2:8], "CEBX9999"),
    "wrong_check": lambda value, of: _wrong_check(value),
    "half": lambda value, of: of.inventory.head.netWeight / 2,
    "tomorrow": lambda value, of: _tomorrow(value),
    "one_more": lambda value, of: _one_more(value),
    "other_item": lambda value, of: _other_item(value),
    "line_more": lambda value, of: _line_more(value),
}
"""verb -> (value or document, the good parcel) -> what stands there instead."""


def without(of: Story, paper: str) -> Story:
    """The parcel without one of its papers (a field of Story)."""
    nothing: dict[str, Any] = {paper: None}
    return of._replace(**nothing)


def edited(of: Story, row: Row) -> Story:
    """The parcel with the fault of an ``edit`` or ``drop`` row in it."""
    if row.drop:
        return without(of, row.drop)
    papers: dict[str, Any] = {}
    for target, verb in (row.edits or {}).items():
        name, _, field = target.partition(".")
        paper = papers.get(name) or getattr(of, name)
        value: Any = getattr(paper.head, field) if field else paper
        new: Any = None
        if verb is not None:
            new = value + Decimal(verb[1:]) if verb.startswith("+") else VERBS[verb](value, of)
        papers[name] = changed(paper, **{field: new}) if field else new
    return of._replace(**papers)


# ── baskets above a limit ───────────────────────────────────────────────────────────────────────────────


class Basket(NamedTuple):
    """What the parcels of a ``limits`` row buy: one basket each, of one buyer. full: taxed in full."""

    baskets: tuple[tuple[Item, ...], ...]
    full: bool = False


def _over_several(rng: Random, rates: Season) -> Basket:
    """Two pieces, together 20 % above the single limit."""
    return Basket(((Item(market.market().plain, 2, rates.single * 60),),))


def _over_one(rng: Random, rates: Season) -> Basket:
    """One piece that nobody can divide, above the single limit and inside the year's."""
    alone = market.market().alone
    article = alone[int(rng.random() * len(alone))]
    return Basket(((Item(article, 1, article.prices[int(rng.random() * len(article.prices))]),),), full=True)


def _over_year(rng: Random, rates: Season) -> Basket:
    """Equal orders, one more than the year holds: whichever comes last is refused."""
    each = rates.single * 90
    orders = rates.year * 100 // each + 1
    return Basket(((Item(market.market().plain, 1, each),),) * orders)


BASKETS: dict[str, Callable[[Random, Season], Basket]] = {
    "over_several": _over_several,
    "over_one": _over_one,
    "over_year": _over_year,
}
NO_FEES = Fees()


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────

_TIME = re.compile(rb"<ceb:appTime>\d{13}(\d)</ceb:appTime>")
_REQUIRED = re.compile(rb"<ceb:currency>142</ceb:currency>")


def altered(raw: bytes) -> bytes:
    """A signed message with one digit changed: every field still fits, the signature does not."""
    found = _TIME.search(raw)
    if found is None:
        raise ValueError("no appTime to alter")
    digit = b"0" if found[1] != b"0" else b"1"
    return raw[: found.start(1)] + digit + raw[found.end(1) :]


def misfit(raw: bytes) -> bytes:
    """An unsigned message that lacks a required element."""
    return _REQUIRED.sub(b"", raw, count=1)


FILES = frozenset({"altered", "foreign", "unsigned", "misfit", "twice", "again"})
"""What happens to a message; ``traffic`` does it, for it has the cards."""


def repeated(document: Document, guid: str, at: datetime) -> Document:
    """The same order declared as new once more: another guid, another time, a remark."""
    local = at.astimezone(BEIJING)
    second = local.hour * 3600 + local.minute * 60 + local.second
    return changed(document, guid=guid, appTime=stamp(local.strftime("%Y%m%d"), second), note="重复报送")
