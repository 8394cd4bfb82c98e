"""What a road costs in tax (各条路的税款): cross-border e-commerce, postal article, general trade, step by step.

All three are reckoned by ``tax.assess`` of the same line; a road that is not the regime of the day is asked of a view
in which the regime is supposed to be the other one. A fact that decides the tax and is not there (weight, volume,
tariff row) leaves the tax open, or between two ends.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from cebport.clearance import tax
from cebport.clearance.goods import Item, measure
from cebport.clearance.parts import Line
from cebport.faults import Words
from cebport.messages import codes
from cebport.policy import View
from cebport.policy.lists import TariffRow
from cebport.values import ZERO, fen, plain

ONE = Decimal(1)
COMPOSITE = "composite"
KILOGRAM, GRAM, LITRE, MILLILITRE, SHEET = "035", "036", "095", "096", "020"
ENDS = ((KILOGRAM, Decimal(1_000_000)), (GRAM, Decimal("0.001")))
"""Weights at which no threshold and every threshold a gram is reached."""
SUFFIXES = tuple(f"{number:02d}" for number in range(100))
RATE_PLACES = Decimal("0.0001")


class Because(NamedTuple):
    """Why a cell is what it is: in words, by which text, which row of which topic, how sure; a note of the row."""

    text: Words
    source: Words
    topic: str
    row: str
    confidence: str
    note: str


class Cost(Struct, frozen=True):
    """Tax of an order in CNY. tax None: not known, or this road is barred.

    low, high: the two ends where one fact is missing. share: of the value of the goods. sure: no fact that
    decides it is missing. how: inside, full_tax (over the limits), refuse, postal or general.
    """

    tax: Decimal | None = None
    how: str = ""
    value: Decimal | None = None
    share: Decimal | None = None
    duty: Decimal | None = None
    consumption: Decimal | None = None
    vat: Decimal | None = None
    postal: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    sure: bool = True
    steps: tuple[Because, ...] = ()
    missing: tuple[Words, ...] = ()


NOTHING = Cost()


def order(cost: Cost) -> tuple[bool, Decimal]:
    """Sort key: what is known first, the cheapest first."""
    amount = low_end(cost)
    return amount is None, amount if amount is not None else ZERO


def low_end(cost: Cost) -> Decimal | None:
    """The tax, or the lower end of it; None: no figure."""
    return cost.tax if cost.tax is not None else cost.low


def tax_words(cost: Cost) -> Words:
    """The tax in a few figures, with its share of the value."""
    if cost.tax is None and cost.low is None:
        return Words("-", "-")
    amount = plain(cost.tax) if cost.tax is not None else f"{plain(cost.low or ZERO)}–{plain(cost.high or ZERO)}"
    share = "" if cost.share is None else f" ({percent(cost.share)})"
    text = f"{amount}{'' if cost.sure else ' ?'}{share}"
    return Words(text, text)


def percent(share: Decimal) -> str:
    """A share as a percentage, at most two places."""
    return plain((share * 100).quantize(Decimal("0.01")).normalize() + ZERO) + " %"


# ── words and sources ───────────────────────────────────────────────────────────────────────────────


@cache
def table() -> dict[str, Any]:
    """The roads, what they rest on and need, and every sentence of an answer."""
    import yaml

    held: dict[str, Any] = yaml.safe_load(
        (Path(__file__).parent / "tables" / "route.yaml").read_text(encoding="utf-8"))
    return held


def said(key: str, **values: object) -> Words:
    """A sentence of the table with its values; values that are words in their own language."""
    pair = table()["phrases"][key]
    zh, en = ({name: getattr(value, lang) if isinstance(value, Words) else value for name, value in values.items()}
              for lang in ("zh", "en"))
    return Words(pair["zh"].format(**zh), pair["en"].format(**en))


def because(view: View, topic: str, key: str, **values: object) -> Because:
    """A sentence with the row of a topic that it rests on; topic "": on none."""
    return because_words(view, topic, said(key, **values))


def because_words(view: View, topic: str, text: Words) -> Because:
    """Words with the row of a topic that they rest on."""
    row = view.row(topic) if topic else None
    if row is None:
        return Because(text, Words("", ""), topic, "", "", "")
    return Because(text, Words(view.source(topic, "zh"), view.source(topic, "en")), topic, row.where, row.confidence,
                   row.note)


def _by_tariff(view: View, row: TariffRow, text: Words) -> Because:
    edition = f"{row.edition} {row.gcode}"
    return Because(text, Words(f"税则 {edition} [{row.confidence}]", f"tariff {edition} [{row.confidence}]"),
                   "tariff.edition", edition, row.confidence, row.note)


# ── what an item lacks ──────────────────────────────────────────────────────────────────────────────


def whole_code(item: Item, view: View) -> tuple[str, list[Words]]:
    """The ten digits of an item; of eight those of the only row of the tariff, else the eight. And what is missing."""
    if len(item.gcode) == 10:
        return item.gcode, []
    found = [code for code in (item.gcode + suffix for suffix in SUFFIXES) if view.tariff(code) is not None]
    if len(found) == 1:
        return found[0], [said("eight_taken", code=found[0])]
    if found and len({_rates(view, code) for code in found}) == 1:
        return found[0], [said("eight_alike", codes=", ".join(found), code=found[0])]
    return item.gcode, [said("eight_digits", codes=", ".join(found)) if found else said("eight_none")]


def _rates(view: View, code: str) -> tuple[object, ...]:
    row = view.tariff(code)
    assert row is not None, code
    return row.mfn, row.provisional, row.vat, row.consumption


def missing_of(item: Item, view: View) -> list[Words]:
    """Facts that every road misses."""
    missing = []
    edition = view["tariff.edition"]
    if edition is not None and not edition["complete"]:
        missing.append(said("sample_tariff", edition=edition["edition"]))
    if item.price is None:
        missing.append(no_price(item))
    if item.freight is None:
        missing.append(said("no_freight"))
    return missing


def no_price(item: Item) -> Words:
    """That an item has no price in CNY, and why."""
    return said("no_rate", currency=item.currency) if item.currency else said("no_price")


def pieces_of(amount: Decimal, unit: str, item: Item) -> int | None:
    """How many pieces hold so much of a unit; None = the item does not say."""
    for kind, one in (("weight", item.weight_kg), ("volume", item.volume_l)):
        try:
            whole = measure(kind, "", f"{plain(amount)} {unit}")
        except ValueError:
            continue
        return int(whole / one) if one else None
    return int(amount) if unit in tax.PIECES or unit == item.unit else None


def unit_words(unit: str) -> Words:
    """A unit of measure by its code; what is no code as it is."""
    return Words(codes.name("unit", unit, "zh") or unit, codes.name("unit", unit, "en") or unit)


# ── the line of an item ─────────────────────────────────────────────────────────────────────────────


def line_of(item: Item, gcode: str, view: View, pieces: Decimal, price: Decimal | None, gnum: int = 1) -> Line:
    """The line that an order of so many pieces has, its statutory quantities filled from what the file says."""
    measured = {KILOGRAM: item.weight_kg, LITRE: item.volume_l, SHEET: item.sheets}
    if item.weight_kg is not None:
        measured[GRAM] = item.weight_kg * 1000
    if item.volume_l is not None:
        measured[MILLILITRE] = item.volume_l * 1000
    row = view.tariff(gcode)
    unit1 = row.unit1 if row is not None else ""
    one = measured.get(unit1) if unit1 in measured or unit1 in (GRAM, MILLILITRE) else ONE
    more = [(unit, measured[unit]) for unit in (SHEET, LITRE, KILOGRAM) if measured[unit] and unit != unit1]
    unit2, two = more[0] if more else ("", None)
    amount = price if price is not None else ZERO
    return Line(gnum, item.name, item.unit, pieces, amount, amount * pieces, item.origin, gcode,
                None if one is None or not unit1 else one * pieces, unit1, None if two is None else two * pieces, unit2)


class Supposed:
    """A view in which some topics have other values: what if the regime were the other one."""

    def __init__(self, view: View, **values: Any) -> None:
        self._view = view
        self._values = {name.replace("__", "."): value for name, value in values.items()}

    def __getitem__(self, topic: str) -> Any:
        return self._values[topic] if topic in self._values else self._view[topic]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def get(self, topic: str, default: Any = None) -> Any:
        """The value of a topic."""
        return self._values[topic] if topic in self._values else self._view.get(topic, default)


# ── the three ways ──────────────────────────────────────────────────────────────────────────────────


def ecommerce(item: Item, gcode: str, view: View, action: str) -> Cost:
    """The tax of cross-border e-commerce: inside the limits, or the full tax where they let it pass."""
    if item.price is None or action == tax.REFUSE:
        return Cost(how=action)
    if view["tax.regime"] == tax.POSTAL:
        return replace(postal(item, gcode, view), how=action)
    return _reckoned(item, gcode, view, view, action, full=action == tax.FULL_TAX)


def postal(item: Item, gcode: str, view: View) -> Cost:
    """The tax of a postal article: price x rate of its band, waived where it is small."""
    if item.price is None:
        return Cost(how="postal")
    return _reckoned(item, gcode, view, Supposed(view, tax__regime=tax.POSTAL), "postal", full=False)


def general(item: Item, gcode: str, view: View) -> Cost:
    """The taxes of general trade: MFN or provisional duty, consumption tax and VAT in full."""
    priced = item if item.import_price is None else replace(item, price=item.import_price)
    if priced.price is None:
        return Cost(how="general")
    supposed = Supposed(view, tax__regime=COMPOSITE, tax__share_over=ONE, tax__small_tax_waiver_cny=ZERO)
    return _reckoned(priced, gcode, view, supposed, "general", full=True)


def _reckoned(item: Item, gcode: str, view: View, law: Any, how: str, *, full: bool) -> Cost:
    """The tax by one law, and what it misses."""
    freight, insured = item.freight or ZERO, item.insured_fee or ZERO
    line = line_of(item, gcode, view, item.quantity, item.price)
    trail: list[tax.Worked] = []
    made = tax.assess([line], freight, insured, law, full=full, trail=trail)
    rules = {reason.rule for reason in made.reasons}
    missing = _missing(gcode, view, rules, made)
    value = made.lines[0].dutiable
    whole = made.total
    is_postal = law["tax.regime"] == tax.POSTAL
    cost = Cost(whole, how, value, share_of(whole, value), made.duty, made.consumption, made.vat, sure=not missing,
                steps=_steps(item, view, law, made, trail[0], full=full), missing=tuple(missing))
    if is_postal:
        cost = replace(cost, duty=None, consumption=None, vat=None, postal=whole)
    if made.missing:
        return replace(cost, tax=None, share=None, duty=None, consumption=None, vat=None)
    ends = _ends(line, lambda other: tax.assess([other], freight, insured, law, full=full).total)
    if ends is not None:
        return replace(cost, tax=None, share=None, duty=None, consumption=None, vat=None, postal=None, low=ends[0],
                       high=ends[1], sure=False, missing=(*missing, said("no_weight")))
    return cost


def share_of(amount: Decimal, value: Decimal) -> Decimal | None:
    """The tax as a share of the value, four places."""
    return (amount / value).quantize(RATE_PLACES) if value else None


def _missing(gcode: str, view: View, rules: set[str], made: tax.Assessment) -> list[Words]:
    """What the sum lacked, in words."""
    missing = []
    if "LAW-TARIFF-UNKNOWN" in rules:
        missing.append(said("no_tariff", edition=(view["tariff.edition"] or {}).get("edition", "-"), code=gcode))
    elif "LAW-RATE-MISSING" in rules:
        missing.append(said("no_mfn", code=gcode))
    if "LAW-QUANTITY-MISSING" in rules:
        missing.append(said("no_litres"))
    unknown = next((reason for reason in made.reasons if reason.rule == "LAW-POSTAL-CLASS"), None)
    if unknown is not None:
        missing.append(said("no_class", code=gcode, **{"class": class_words(unknown.expected)}))
    return missing


def _ends(line: Line, total: Callable[[Line], Decimal]) -> tuple[Decimal, Decimal] | None:
    """The tax at both ends of what the line might weigh, where nothing says its weight, volume or sheets."""
    if tax.quantity(line, tax.GRAMS_OR_ML) or tax.quantity(line, tax.SHEETS):
        return None
    low, high = (total(replace(line, unit2=unit, qty2=amount * line.qty)) for unit, amount in ENDS)
    return None if low == high else (min(low, high), max(low, high))


def _steps(item: Item, view: View, law: Any, made: tax.Assessment, worked: tax.Worked, *,
           full: bool) -> tuple[Because, ...]:
    """The sum step by step, each with the row that it rests on."""
    price, value = plain(item.price or ZERO), plain(made.lines[0].dutiable)
    if law["tax.regime"] == tax.POSTAL:
        first = because(view, "", "value_postal", price=price, quantity=plain(item.quantity), value=value)
        rate = law["postal.bands"].get(worked.band, ZERO)
        exact = made.lines[0].dutiable * rate
        steps = [first, because(view, "postal.bands", "postal", band=worked.band, rate=percent(rate),
                                tax=plain(fen(exact)), **{"class": class_words(worked.goods_class)})]
    else:
        freight, insured = plain(item.freight or ZERO), plain(item.insured_fee or ZERO)
        steps = [because(view, "", "value", price=price, quantity=plain(item.quantity), freight=freight,
                         insured_fee=insured, value=value), *_composite_steps(view, law, made, worked, full=full)]
    waived = next((reason for reason in made.reasons if reason.rule == "LAW-TAX-WAIVED"), None)
    if waived is not None:
        topic = "postal.waiver_cny" if law["tax.regime"] == tax.POSTAL else "tax.small_tax_waiver_cny"
        steps.append(because(view, topic, "waived", tax=waived.found, waiver=waived.expected))
    return tuple(steps)


def class_words(name: str) -> Words:
    """A class of postal articles in words."""
    held = table()["classes"].get(name)
    return Words(name, name) if held is None else Words(held["zh"], held["en"])


def _composite_steps(view: View, law: Any, made: tax.Assessment, worked: tax.Worked, *, full: bool) -> list[Because]:
    line = made.lines[0]
    row = view.tariff(line.gcode)
    share = law["tax.share_over" if full else "tax.share_within"]
    steps = []
    if not full:
        steps.append(because(view, "tax.duty_share_within", "duty_within", share=percent(law["tax.duty_share_within"]),
                             duty=plain(line.duty)))
    elif row is not None and worked.mfn is not None:
        key = "duty_mfn" if row.provisional is None else "duty_provisional"
        steps.append(_by_tariff(view, row, said(key, value=plain(line.dutiable), rate=percent(worked.mfn),
                                                duty=plain(line.duty), mfn=percent(row.mfn or ZERO))))
    if worked.rule:
        key = "consumption" if line.consumption else "consumption_below"
        kind = table_class(view, worked.rule)
        steps.append(because(view, "consumption." + worked.rule, key, kind=kind, share=percent(share),
                             tax=plain(line.consumption)))
    elif row is not None:
        steps.append(_by_tariff(view, row, said("consumption_none")))
    steps.append(because(view, worked.vat_topic, "vat", rate=percent(worked.vat), share=percent(share),
                         tax=plain(line.vat)))
    return steps


def table_class(view: View, rule: str) -> Words:
    """A class of consumption tax with its rate, as the row has it."""
    held = view.get("consumption." + rule) or {}
    parts = [percent(held["rate"])] if held.get("rate") else []
    names = table()["consumption"].get(rule, {"zh": rule, "en": rule})
    behind = (" " + " + ".join(parts)) if parts else ""
    return Words(names["zh"] + behind, names["en"] + behind)
