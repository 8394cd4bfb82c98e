"""Tax of one inventory (跨境电商综合税、行邮税): dutiable value, apportionment, duty, consumption tax, VAT, share.

Per line: dutiable = total price + its share of freight and insurance; consumption tax is inside the
price (从价 (V + D) / (1 - r) x r, 从量 q x u, 复合 both); VAT base = V + duty + the full consumption tax;
inside the limits duty is 0 and 70 % of the other two is due. Every figure to the fen by line, the head is
the sum of lines. On days of the postal tax (行邮税) a line bears the rate of its band on its price instead, told
as duty. All rates come from the view of the day and place.

>>> inside_limits(Decimal(4999), 0, {"single": Decimal(5000), "year": Decimal(26000)})
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from cebport.clearance.parts import BillLine, Line, Reason
from cebport.faults import INFO, WARNING
from cebport.values import ZERO, fen, plain, spread

ONE = Decimal(1)
INSIDE, FULL_TAX, REFUSE = "inside", "full_tax", "refuse"
POSTAL = "postal"
# statutory units that measure what a threshold per millilitre or gram, or per piece, is counted in
GRAMS_OR_ML = {"035": Decimal(1000), "036": ONE, "095": Decimal(1000), "096": ONE}
LITRES = {"095": ONE, "096": Decimal("0.001")}
SHEETS = {"020": ONE, "010": ONE, "044": Decimal(100), "058": Decimal(1000), "059": Decimal(10000)}
PIECES = {**SHEETS, "008": ONE, "007": ONE, "011": ONE, "001": ONE, "012": ONE, "134": ONE, "025": ONE}


class Treatment(Struct, frozen=True, gc=False):
    """How the limits let the order pass. ``action``: inside, full_tax or refuse; ``rule`` says which limit spoke."""

    action: str
    rule: str
    value: Decimal
    limit: Decimal
    spent: Decimal


class Assessment(Struct, frozen=True, gc=False):
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
    """The dutiable value: goods + freight + insurance, CNY to the fen."""
    return fen(sum((line.total for line in lines), freight + insured_fee))


def limit_value(lines: Sequence[Line], freight: Decimal, insured_fee: Decimal, view: Any) -> Decimal:
    """What the limits compare: the dutiable value, with its tax where the law of the day says so; the postal
    regime looks at the goods alone."""
    if view["tax.regime"] == POSTAL:
        return order_value(lines, ZERO, ZERO)
    value = order_value(lines, freight, insured_fee)
    if view["tax.limit_base"] == "with_tax":
        value += assess(lines, freight, insured_fee, view, full=False).total
    return value


def inside_limits(value: Decimal, spent_fen: int, limits: Mapping[str, Decimal]) -> bool:
    """Whether an order of ``value`` keeps to the single limit and, with what is spent, to the year's."""
    return value <= limits["single"] and value + Decimal(spent_fen) / 100 <= limits["year"]


def treatment(lines: Sequence[Line], value: Decimal, spent_fen: int, view: Any) -> Treatment:
    """What the limits of the day say of an order (个人限额): inside, full tax, or refused."""
    spent = Decimal(spent_fen) / 100
    if view["tax.regime"] == POSTAL:
        return _postal_treatment(lines, value, spent, view)
    single, year = view["tax.limit_single_cny"], view["tax.limit_year_cny"]
    if value <= single and value + spent <= year:
        return Treatment(INSIDE, "", value, single, spent)
    over = view["tax.over_limit"]
    if value + spent > year:
        return Treatment(over["year"], "LAW-LIMIT-YEAR", value, year, spent)
    one_item = len(lines) == 1 and lines[0].qty == ONE
    return Treatment(over["single_one_item" if one_item else "single_other"], "LAW-LIMIT-SINGLE", value, single, spent)


def limit_topic(rule: str, view: Any) -> str:
    """The row of the law that a limit's refusal rests on."""
    regime = "postal.limit_{}_cny" if view["tax.regime"] == POSTAL else "tax.limit_{}_cny"
    return regime.format("year" if rule == "LAW-LIMIT-YEAR" else "order" if regime.startswith("postal") else "single")


def _postal_treatment(lines: Sequence[Line], value: Decimal, spent: Decimal, view: Any) -> Treatment:
    """The caps of the pilots before the composite tax; one article that cannot be divided may cost more."""
    order, year = view["postal.limit_order_cny"], view["postal.limit_year_cny"]
    if year is not None and value + spent > year:
        return Treatment(REFUSE, "LAW-LIMIT-YEAR", value, year, spent)
    parcel = view["postal.parcel_limit_cny"]
    one_may = parcel is not None and parcel["single_item_may_exceed"] and len(lines) == 1 and lines[0].qty == ONE
    if order is not None and value > order and not one_may:
        return Treatment(REFUSE, "LAW-LIMIT-SINGLE", value, order, spent)
    return Treatment(INSIDE, "", value, order or ZERO, spent)


def assess(lines: Sequence[Line], freight: Decimal, insured_fee: Decimal, view: Any, *, full: bool) -> Assessment:
    """The tax of an inventory under the law of ``view``; ``full``: the limits sent it to full taxation.

    Amounts in CNY. A goods code that the loaded tariff lacks is taxed at the view's default VAT rate with
    no consumption tax and is warned of; where its MFN duty is needed it is named in ``missing``. A provisional
    rate (暂定税率) comes before the MFN rate.
    """
    if view["tax.regime"] == POSTAL:
        return _assess_postal(lines, view)
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
        mfn = None
        if duty_share:
            if row is not None:
                mfn = row.mfn if row.provisional is None else row.provisional
            if mfn is None:
                missing.append(line.gcode)
                reasons.append(Reason("LAW-RATE-MISSING", WARNING, f"CEB621/gnum={line.gnum}/gcode", line.gcode))
        duty = fen(value * mfn) if mfn else ZERO
        if row is not None:
            if line.unit1 and row.unit1 and line.unit1 != row.unit1:
                reasons.append(Reason("LAW-UNIT", WARNING, f"CEB621/gnum={line.gnum}/unit1", line.unit1, row.unit1))
            if row.consumption and _lacks_quantity(line, view.get("consumption." + row.consumption)):
                reasons.append(Reason("LAW-QUANTITY-MISSING", WARNING, f"CEB621/gnum={line.gnum}/qty1",
                                      f"{line.unit1} {line.unit2}".strip(), "095"))
                missing.append(line.gcode)
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
    assessed = Assessment(tuple(made), sums[0], sums[1], sums[2], tuple(reasons), tuple(missing))
    return _waived(assessed, view["tax.small_tax_waiver_cny"])


def _waived(made: Assessment, waiver: Decimal | None) -> Assessment:
    """The same, or nothing to pay where the whole tax is at or below the waiver (小额免征)."""
    if not waiver or not ZERO < made.total <= waiver:
        return made
    lines = tuple([BillLine(line.gnum, line.gcode, line.dutiable, ZERO, ZERO, ZERO) for line in made.lines])
    reason = Reason("LAW-TAX-WAIVED", INFO, "CEB621", plain(made.total), plain(waiver))
    return Assessment(lines, ZERO, ZERO, ZERO, (*made.reasons, reason), made.missing)


def _assess_postal(lines: Sequence[Line], view: Any) -> Assessment:
    """行邮税: the price of each line x the rate of its band, told as duty; a small sum is waived as a whole."""
    made: list[BillLine] = []
    reasons: list[Reason] = []
    for line in lines:
        value = fen(line.total)
        name, known = postal_class(line, value, view)
        if not known:
            reasons.append(Reason("LAW-POSTAL-CLASS", WARNING, f"CEB621/gnum={line.gnum}/gcode", line.gcode, name))
        band = view["postal.band_of_goods"][name][0]
        made.append(BillLine(line.gnum, line.gcode, value, fen(value * view["postal.bands"][band]), ZERO, ZERO))
    tax = sum((line.duty for line in made), ZERO)
    return _waived(Assessment(tuple(made), tax, ZERO, ZERO, tuple(reasons), ()), view["postal.waiver_cny"])


@cache
def _postal_table() -> tuple[tuple[Mapping[str, Any], ...], tuple[str, ...]]:
    import yaml

    held = yaml.safe_load((Path(__file__).parent / "tables" / "postal.yaml").read_text(encoding="utf-8"))
    return tuple(held["classes"]), tuple(held["default"])


@lru_cache(maxsize=4096)
def _postal_row(gcode: str) -> Mapping[str, Any] | None:
    """The row with the longest goods code in front of this one."""
    found = [(len(code), row) for row in _postal_table()[0] for code in row["hs"] if gcode.startswith(code)]
    return max(found, key=lambda one: one[0])[1] if found else None


def postal_class(line: Line, value: Decimal, view: Any) -> tuple[str, bool]:
    """The class of articles (物品类别) that a line falls into on that day, and whether the table knows its code."""
    classes: Mapping[str, Any] = view["postal.band_of_goods"]
    row = _postal_row(line.gcode)
    if row is not None:
        names = (*row.get("dear", ()), *row["classes"]) if _is_dear(line, value, row, view) else row["classes"]
        for name in names:
            if name in classes:
                return name, True
    return next(name for name in _postal_table()[1] if name in classes), False


def _is_dear(line: Line, value: Decimal, row: Mapping[str, Any], view: Any) -> bool:
    """Whether it stands in the class of the dear ones: by the price of one, or by the consumption tax's threshold."""
    if "dear_each_cny" in row:
        return value >= Decimal(row["dear_each_cny"]) * (quantity(line, PIECES) or line.qty)
    rule = view.get("consumption." + row["dear_as"]) if "dear_as" in row else None
    return bool(rule) and rule["kind"] != "none" and _over_threshold(line, value, rule)


def _lacks_quantity(line: Line, rule: Mapping[str, Any] | None) -> bool:
    """Whether a tax by the litre has no litres to count: nobody's tax becomes nothing by leaving them out."""
    return bool(rule) and rule["kind"] in ("specific", "compound") and not quantity(line, LITRES)  # type: ignore[index]


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
    """Whether the line is dear enough to bear the tax: thresholds are per ml or g, or per piece, by what is counted.

    Goods that come by the sheet (片、张) are measured by the sheet although their weight is known too.
    """
    per_mass, per_piece = rule.get("threshold_per_ml_or_g"), rule.get("threshold_per_piece")
    if per_mass is None and per_piece is None:
        return True
    if per_mass is not None:
        sheets = quantity(line, SHEETS) if per_piece is not None else ZERO
        if sheets:
            return value / sheets >= per_piece
        mass = quantity(line, GRAMS_OR_ML)
        if mass:
            return value / mass >= per_mass
        if per_piece is None:
            return False
    pieces = quantity(line, PIECES) or line.qty
    return not pieces or value / pieces >= per_piece


def quantity(line: Line, units: Mapping[str, Decimal]) -> Decimal:
    """How much of ``units`` a line has: first statutory, then second, then the dealt quantity; 0 = none of them."""
    for unit, amount in ((line.unit1, line.qty1), (line.unit2, line.qty2), (line.unit, line.qty)):
        if unit in units and amount:
            return amount * units[unit]
    return ZERO


def explained(made: Assessment, view: Any, *, full: bool) -> list[str]:
    """The sum, step by step, as a clerk would write it: one text a line."""
    if view["tax.regime"] == POSTAL:
        return [f"{line.gnum} {line.gcode}: V {plain(line.dutiable)}; T {plain(line.duty)}" for line in made.lines]
    share = plain(view["tax.share_over" if full else "tax.share_within"])
    return [
        f"{line.gnum} {line.gcode}: V {plain(line.dutiable)}; D {plain(line.duty)}; "
        f"C {plain(line.consumption)}; VAT {plain(line.vat)} (x {share})"
        for line in made.lines
    ]
