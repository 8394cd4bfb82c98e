"""Tax of one inventory (跨境电商综合税、行邮税): dutiable value, apportionment, duty, consumption tax, VAT, share.

A line's dutiable value V = total price + its share of freight and of insurance. With the duty D, the rate r and
the tax by quantity q of its consumption tax (从价、从量、复合) and the VAT rate v, the statutory taxes are

    consumption tax  C = (V + D + q) / (1 - r) x r + q  =  ((V + D) x r + q) / (1 - r)
    VAT                = (V + D + C) x v                =  (V + D + q) x v / (1 - r)

Each is reckoned without rounding, multiplied by the share of the day (inside the limits no duty and 70 % of the
other two), and rounded once; the head is the sum of lines. How fees are split and amounts rounded are rows
(``tax.freight_split``, ``tax.rounding``, ``tax.value_rounding``). On days of the postal tax (行邮税) a line bears the
rate of its band on its price instead, told as duty. All rates come from the view of the day and place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
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
HEAD, EACH = "head", "each"
ROUNDINGS = {"half_up": ROUND_HALF_UP}
"""Modes of ``tax.rounding`` and ``tax.value_rounding`` -> how Decimal does it."""
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


class Rates(Struct, frozen=True, gc=False):
    """Rates that somebody gives for a line; None = the tables say.

    mfn, vat, consumption: fractions. consumption_specific: CNY a litre where the line counts litres, else a first
    statutory unit, else a dealt unit; with ``consumption`` beside it the tax is compound, alone it is specific.
    band: band of the postal tax (行邮税税档).
    """

    mfn: Decimal | None = None
    vat: Decimal | None = None
    consumption: Decimal | None = None
    consumption_specific: Decimal | None = None
    band: str | None = None


class Worked(Struct, frozen=True, gc=False):
    """How one line was reckoned: what an explanation needs, amounts as they were before rounding.

    rates: mfn, VAT rate, consumption rate r and tax by quantity q; postal: the rate of the band. vat_topic, rule:
    the rows of the law that gave VAT and consumption tax ("" = given, or none).
    """

    value: Decimal
    freight: Decimal
    insured_fee: Decimal
    mfn: Decimal | None
    vat: Decimal
    rate: Decimal
    by_quantity: Decimal
    taxes: tuple[Decimal, Decimal, Decimal]
    vat_topic: str = ""
    rule: str = ""
    band: str = ""
    goods_class: str = ""


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


def assess(lines: Sequence[Line], freight: Decimal, insured_fee: Decimal, view: Any, *, full: bool,
           given: Sequence[Rates | None] | None = None, trail: list[Worked] | None = None) -> Assessment:
    """The tax of an inventory under the law of ``view``; ``full``: the limits sent it to full taxation.

    Amounts in CNY. A goods code that the loaded tariff lacks is taxed at the view's default VAT rate with no
    consumption tax and is warned of; where its MFN duty is needed it is named in ``missing``. A provisional rate
    (暂定税率) comes first. given: rates of a line that go before the tables. trail: gets how each line was reckoned.
    """
    if view["tax.regime"] == POSTAL:
        return assess_postal(lines, view, given=given, trail=trail)
    share = view["tax.share_over" if full else "tax.share_within"]
    duty_share = ONE if full else view["tax.duty_share_within"]
    shares = fee_shares(lines, freight, insured_fee, view) if freight or insured_fee else None
    unit, mode, level = _rounding(view, "tax.rounding")
    value_unit, value_mode, _ = _rounding(view, "tax.value_rounding")
    made: list[BillLine] = []
    exact: list[tuple[Decimal, Decimal, Decimal]] | None = [] if level == HEAD else None
    reasons: list[Reason] = []
    missing: list[str] = []
    duties = vats = consumptions = ZERO
    for at, line in enumerate(lines):
        value = (line.total + shares[0][at] + shares[1][at] if shares else line.total).quantize(value_unit, value_mode)
        row = view.tariff(line.gcode)
        own = given[at] if given is not None else None
        if own is not None or row is None:
            mfn, vat_rate, rule, vat_topic = _unlisted(line, row, own, view, reasons)
        else:
            mfn = (row.mfn if row.provisional is None else row.provisional) if duty_share else None
            vat_topic = "vat.reduced" if row.vat == "r" else "vat.standard"
            vat_rate = view[vat_topic]
            rule = row.consumption
            if line.unit1 and row.unit1 and line.unit1 != row.unit1:
                reasons.append(_at(line, "LAW-UNIT", "unit1", line.unit1, row.unit1))
        rate = by_quantity = ZERO
        if rule is not None:
            rate, by_quantity = _by_rule(line, value, view.get("consumption." + rule), reasons, missing)
        elif own is not None:
            rate, by_quantity = _by_gift(line, own)
        base, duty = value, ZERO
        if duty_share:
            if mfn is None:
                missing.append(line.gcode)
                reasons.append(_at(line, "LAW-RATE-MISSING", "gcode", line.gcode))
            elif mfn:
                duty = value * mfn * duty_share
                base = value + duty
        if by_quantity or rate:
            consumption = (base * rate + by_quantity) * share / (ONE - rate)
            vat = (base + by_quantity) * vat_rate * share / (ONE - rate)
        else:
            consumption, vat = ZERO, base * vat_rate * share
        if trail is not None:
            fees = (shares[0][at], shares[1][at]) if shares else (ZERO, ZERO)
            trail.append(Worked(value, *fees, mfn, vat_rate, rate, by_quantity, (duty, vat, consumption),
                                vat_topic, rule or ""))
        if exact is not None:
            exact.append((duty, vat, consumption))
        duty = duty.quantize(unit, mode) if duty else ZERO
        vat = vat.quantize(unit, mode)
        consumption = consumption.quantize(unit, mode) if consumption else ZERO
        made.append(BillLine(line.gnum, line.gcode, value, duty, vat, consumption))
        duties += duty
        vats += vat
        consumptions += consumption
    assessed = Assessment(tuple(made), duties, vats, consumptions, tuple(reasons), tuple(missing))
    if exact:
        assessed = _by_head(assessed, exact, unit, mode)
    return _waived(assessed, view["tax.small_tax_waiver_cny"])


def _rounding(view: Any, topic: str) -> tuple[Decimal, str, str]:
    """Unit and mode of a row about rounding, and (of taxes) its level."""
    how = view[topic]
    return how["unit"], ROUNDINGS[how["mode"]], how.get("level", "")


def _at(line: Line, rule: str, field: str, found: str, expected: str = "") -> Reason:
    """A warning about one field of a line."""
    return Reason(rule, WARNING, f"CEB621/gnum={line.gnum}/{field}", found, expected)


def fee_shares(lines: Sequence[Line], freight: Decimal, insured_fee: Decimal,
               view: Any) -> tuple[Sequence[Decimal], Sequence[Decimal]]:
    """What each line bears of the freight and of the insurance (运费、保费分摊), to the fen, by the row of the day.

    Where the row splits both together the shares of the sum are told as freight.
    """
    how = view["tax.freight_split"]
    each = how["fees"] == EACH
    if len(lines) == 1:
        return ((fen(freight),), (fen(insured_fee),)) if each else ((fen(freight + insured_fee),), (ZERO,))
    totals = [line.total for line in lines]
    remainder = how["remainder"]
    if not each:
        return spread(fen(freight + insured_fee), totals, remainder), (ZERO,) * len(totals)
    nothing = (ZERO,) * len(totals)
    return (spread(fen(freight), totals, remainder) if freight else nothing,
            spread(fen(insured_fee), totals, remainder) if insured_fee else nothing)


def _unlisted(line: Line, row: Any, own: Rates | None, view: Any,
              reasons: list[Reason]) -> tuple[Decimal | None, Decimal, str | None, str]:
    """MFN rate, VAT rate, class of consumption tax and VAT topic of a line with rates of its own, or of goods that
    the tariff lacks."""
    own = own or Rates()
    told = own.consumption is not None or own.consumption_specific is not None
    if row is None and (own.vat is None or not told):
        reasons.append(_at(line, "LAW-TARIFF-UNKNOWN", "gcode", line.gcode))
    mfn = own.mfn
    if mfn is None and row is not None:
        mfn = row.mfn if row.provisional is None else row.provisional
    rule = row.consumption if row is not None and not told else None
    if own.vat is not None:
        return mfn, own.vat, rule, ""
    kind = row.vat if row is not None else view["tariff.unknown_vat"]
    topic = "vat.reduced" if kind == "r" else "vat.standard"
    return mfn, view[topic], rule, topic


def _by_gift(line: Line, own: Rates) -> tuple[Decimal, Decimal]:
    """Rate and tax by quantity of a consumption tax that was given with the line."""
    by_quantity = ZERO
    if own.consumption_specific:
        counted = quantity(line, LITRES) or line.qty1 or line.qty
        by_quantity = counted * own.consumption_specific
    return own.consumption or ZERO, by_quantity


def _by_head(made: Assessment, exact: Sequence[tuple[Decimal, ...]], unit: Decimal, mode: str) -> Assessment:
    """The same, each tax rounded once for the whole; what the lines are off by goes to the one with most of it."""
    columns = []
    for at, rounded in enumerate(zip(*[(line.duty, line.vat, line.consumption) for line in made.lines], strict=True)):
        column = list(rounded)
        amounts = [taxes[at] for taxes in exact]
        off = sum(amounts, ZERO).quantize(unit, mode) - sum(column, ZERO)
        column[max(range(len(column)), key=amounts.__getitem__)] += off
        columns.append(column)
    lines = tuple([
        BillLine(line.gnum, line.gcode, line.dutiable, duty, vat, consumption)
        for line, duty, vat, consumption in zip(made.lines, *columns, strict=True)])
    duty, vat, consumption = (sum(column, ZERO) for column in columns)
    return Assessment(lines, duty, vat, consumption, made.reasons, made.missing)


def _waived(made: Assessment, waiver: Decimal | None) -> Assessment:
    """The same, or nothing to pay where the whole tax is at or below the waiver (小额免征)."""
    if not waiver or not ZERO < made.total <= waiver:
        return made
    lines = tuple([BillLine(line.gnum, line.gcode, line.dutiable, ZERO, ZERO, ZERO) for line in made.lines])
    reason = Reason("LAW-TAX-WAIVED", INFO, "CEB621", plain(made.total), plain(waiver))
    return Assessment(lines, ZERO, ZERO, ZERO, (*made.reasons, reason), made.missing)


def assess_postal(lines: Sequence[Line], view: Any, *, given: Sequence[Rates | None] | None = None,
                  trail: list[Worked] | None = None) -> Assessment:
    """行邮税: the price of each line x the rate of its band, told as duty; a small sum is waived as a whole."""
    rounding, bands = view["tax.rounding"], view["postal.bands"]
    value_unit, value_mode, _ = _rounding(view, "tax.value_rounding")
    made: list[BillLine] = []
    reasons: list[Reason] = []
    for at, line in enumerate(lines):
        value = line.total.quantize(value_unit, value_mode)
        own = given[at] if given is not None else None
        if own is not None and own.band is not None:
            name, band = "", own.band
        else:
            name, known = postal_class(line, value, view)
            if not known:
                reasons.append(_at(line, "LAW-POSTAL-CLASS", "gcode", line.gcode, name))
            band = view["postal.band_of_goods"][name][0]
        tax = value * bands[band]
        if trail is not None:
            trail.append(Worked(value, ZERO, ZERO, None, bands[band], ZERO, ZERO, (tax, ZERO, ZERO),
                                band=band, goods_class=name))
        made.append(BillLine(line.gnum, line.gcode, value,
                             tax.quantize(rounding["unit"], ROUNDINGS[rounding["mode"]]), ZERO, ZERO))
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
    if "dear_each" in row:
        least = view[row["dear_each"]]
        return least is not None and value >= least * (quantity(line, PIECES) or line.qty)
    rule = view.get("consumption." + row["dear_as"]) if "dear_as" in row else None
    return bool(rule and rule["kind"] != "none" and _over_threshold(line, value, rule))


def _by_rule(line: Line, value: Decimal, rule: Mapping[str, Any] | None, reasons: list[Reason],
             missing: list[str]) -> tuple[Decimal, Decimal]:
    """Rate and tax by quantity that a row of the consumption tax lays on a line (消费税); none = (0, 0).

    A tax by the litre that has no litres to count is named: nobody's tax becomes nothing by leaving them out.
    """
    if not rule or rule["kind"] == "none" or not _over_threshold(line, value, rule):
        return ZERO, ZERO
    rate = rule.get("rate") or ZERO
    if rule["kind"] == "ad_valorem":
        return rate, ZERO
    litres = quantity(line, LITRES)
    if not litres:
        reasons.append(_at(line, "LAW-QUANTITY-MISSING", "qty1", f"{line.unit1} {line.unit2}".strip(), "095"))
        missing.append(line.gcode)
    amount = rule.get("amount")
    if amount is None:
        dear = litres and value >= rule["split_price"] * litres
        amount = rule["amount_high"] if dear else rule["amount_low"]
    return (rate if rule["kind"] == "compound" else ZERO), litres * amount


def _over_threshold(line: Line, value: Decimal, rule: Mapping[str, Any]) -> bool:
    """Whether the line is dear enough to bear the tax: thresholds are per ml or g, or per piece, by what is counted.

    Goods that come by the sheet (片、张) are measured by the sheet although their weight is known too.
    """
    per_mass, per_piece = rule.get("threshold_per_ml_or_g"), rule.get("threshold_per_piece")
    if per_mass is not None:
        if per_piece is not None:
            sheets = quantity(line, SHEETS)
            if sheets:
                return value >= per_piece * sheets
        mass = quantity(line, GRAMS_OR_ML)
        if mass:
            return value >= per_mass * mass
    if per_piece is None:
        return per_mass is None
    return value >= per_piece * (quantity(line, PIECES) or line.qty)


def quantity(line: Line, units: Mapping[str, Decimal]) -> Decimal:
    """How much of ``units`` a line has: first statutory, then second, then the dealt quantity; 0 = none of them."""
    for unit, amount in ((line.unit1, line.qty1), (line.unit2, line.qty2), (line.unit, line.qty)):
        if unit in units and amount:
            return amount * units[unit]
    return ZERO
