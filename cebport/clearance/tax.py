"""Tax of one inventory (跨境电商综合税): dutiable value, apportionment, duty, consumption tax, VAT, share.

Per line: dutiable = total price + its share of freight and insurance; consumption tax is inside the
price (从价 (V + D) / (1 - r) x r, 从量 q x u, 复合 both); VAT base = V + duty + the full consumption tax;
inside the limits duty is 0 and 70 % of the other two is due. Every figure to the fen by line, the head is
the sum of lines. All rates come from the view of the day and place.

>>> inside_limits(Decimal(4999), 0, {"single": Decimal(5000), "year": Decimal(26000)})
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from cebport.clearance.parts import BillLine, Line, Reason
from cebport.values import ZERO, fen, plain, spread

ONE = Decimal(1)
FULL_TAX, REFUSE = "full_tax", "refuse"
# statutory units that measure what a threshold per millilitre or gram, or per piece, is counted in
GRAMS_OR_ML = {"035": Decimal(1000), "036": ONE, "095": Decimal(1000), "096": ONE}
LITRES = {"095": ONE, "096": Decimal("0.001")}


class Treatment(NamedTuple):
    """How the limits let the order pass. ``action``: inside, full_tax or refuse; ``rule`` says which limit spoke."""

    action: str
    rule: str
    value: Decimal
    limit: Decimal
    spent: Decimal


class Assessment(NamedTuple):
    """Tax of one inventory. ``missing``: goods codes whose MFN rate was needed and is not loaded."""

    lines: tuple[BillLine, ...]
    duty: Decimal
    vat: Decimal
    consumption: Decimal
    reasons: tuple[Reason, ...]
    missing: tuple[str, ...]

    @property
    def total(self) -> Decimal:
        """Duty + VAT + consumption tax, CNY."""
        return self.duty + self.vat + self.consumption


def order_value(lines: Sequence[Line], freight: Decimal, insured_fee: Decimal) -> Decimal:
    """What the limits compare: goods + freight + insurance, CNY to the fen."""
    return fen(sum((line.total for line in lines), freight + insured_fee))


def inside_limits(value: Decimal, spent_fen: int, limits: Mapping[str, Decimal]) -> bool:
    """Whether an order of ``value`` keeps to the single limit and, with what is spent, to the year's."""
    return value <= limits["single"] and value + Decimal(spent_fen) / 100 <= limits["year"]


def treatment(lines: Sequence[Line], value: Decimal, spent_fen: int, view: Any) -> Treatment:
    """What the limits of the day say of an order (个人限额): inside, full tax, or refused."""
    single, year = view["tax.limit_single_cny"], view["tax.limit_year_cny"]
    spent = Decimal(spent_fen) / 100
    if value <= single and value + spent <= year:
        return Treatment("inside", "", value, single, spent)
    over = view["tax.over_limit"]
    if value + spent > year:
        return Treatment(over["year"], "LAW-LIMIT-YEAR", value, year, spent)
    one_item = len(lines) == 1 and lines[0].qty == ONE
    return Treatment(over["single_one_item" if one_item else "single_other"], "LAW-LIMIT-SINGLE", value, single, spent)


def assess(lines: Sequence[Line], freight: Decimal, insured_fee: Decimal, view: Any, *, full: bool) -> Assessment:
    """The tax of an inventory under the law of ``view``; ``full``: the limits sent it to full taxation.

    Amounts in CNY. A goods code that the loaded tariff lacks is taxed at the view's default VAT rate with
    no consumption tax and is warned of; where its MFN duty is needed it is named in ``missing``.
    """
    share = view["tax.share_over" if full else "tax.share_within"]
    duty_share = ONE if full else view["tax.duty_share_within"]
    fees = freight + insured_fee
    shares = spread(fen(fees), [line.total for line in lines]) if fees else None
    made: list[BillLine] = []
    reasons: list[Reason] = []
    missing: list[str] = []
    sums = [ZERO, ZERO, ZERO]
    for at, line in enumerate(lines):
        value = fen(line.total + shares[at]) if shares else fen(line.total)
        row = view.tariff(line.gcode)
        if row is None:
            reasons.append(Reason("LAW-TARIFF-UNKNOWN", "warning", f"CEB621/gnum={line.gnum}/gcode", line.gcode))
        mfn = row.mfn if row is not None else None
        if duty_share and mfn is None:
            missing.append(line.gcode)
        duty = fen(value * mfn) if duty_share and mfn else ZERO
        kind = row.vat if row is not None else view["tariff.unknown_vat"]
        vat_rate = view["vat.reduced"] if kind == "r" else view["vat.standard"]
        whole = consumption_tax(line, value, duty, view.get("consumption." + row.consumption)) if (
            row is not None and row.consumption
        ) else ZERO
        vat = fen((value + duty + whole) * vat_rate * share)
        due_consumption = fen(whole * share) if whole else ZERO
        duty = fen(duty * duty_share) if duty else ZERO
        made.append(BillLine(line.gnum, line.gcode, value, duty, vat, due_consumption))
        sums[0] += duty
        sums[1] += vat
        sums[2] += due_consumption
    return Assessment(tuple(made), sums[0], sums[1], sums[2], tuple(reasons), tuple(missing))


def consumption_tax(line: Line, value: Decimal, duty: Decimal, rule: Mapping[str, Any] | None) -> Decimal:
    """The full consumption tax of one line (消费税), unrounded, before the share. ``value`` is dutiable, CNY."""
    if not rule or rule["kind"] == "none" or not _over_threshold(line, value, rule):
        return ZERO
    rate = rule.get("rate") or ZERO
    per_quantity = ZERO
    if rule["kind"] in ("specific", "compound"):
        litres = quantity(line, LITRES)
        amount = rule.get("amount")
        if amount is None:
            dear = litres and value / litres >= rule["split_price"]
            amount = rule["amount_high"] if dear else rule["amount_low"]
        per_quantity = litres * amount
    if rule["kind"] == "specific":
        return per_quantity
    return (value + duty + per_quantity) / (ONE - rate) * rate + per_quantity


def _over_threshold(line: Line, value: Decimal, rule: Mapping[str, Any]) -> bool:
    """Whether the line is dear enough to bear the tax: thresholds are per ml or g, or per piece, by what is counted."""
    per_mass, per_piece = rule.get("threshold_per_ml_or_g"), rule.get("threshold_per_piece")
    if per_mass is None and per_piece is None:
        return True
    mass = quantity(line, GRAMS_OR_ML) if per_mass is not None else ZERO
    if mass:
        return value / mass >= per_mass
    if per_piece is None:
        return False
    return value / line.qty >= per_piece


def quantity(line: Line, units: Mapping[str, Decimal]) -> Decimal:
    """How much of ``units`` a line has: first statutory, then second, then the dealt quantity; 0 = none of them."""
    for unit, amount in ((line.unit1, line.qty1), (line.unit2, line.qty2), (line.unit, line.qty)):
        if unit in units and amount:
            return amount * units[unit]
    return ZERO


def explained(made: Assessment, view: Any, *, full: bool) -> list[str]:
    """The sum, step by step, as a clerk would write it: one text a line."""
    share = plain(view["tax.share_over" if full else "tax.share_within"])
    return [
        f"{line.gnum} {line.gcode}: V {plain(line.dutiable)}; D {plain(line.duty)}; "
        f"C {plain(line.consumption)}; VAT {plain(line.vat)} (x {share})"
        for line in made.lines
    ]
