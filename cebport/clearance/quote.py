"""The tax of goods before they come (税款试算): a question in, the tax with its steps and its sources out.

The same sums as a decision makes (`tax`), told so that a clerk can follow them. Pure: the law is handed in.

    request, faults = asking.read_request(data)
    answer = quote(request, policy)          # or the whole way: reckon(data) -> the JSON answer

>>> from cebport.policy import Policy
>>> data = {"on": "2026-11-24", "lines": [{"gcode": "4202119090", "qty": "1", "total_price": "1000"}]}
>>> answer = reckon(data, Policy.load())
>>> answer["inside_limits"], answer["lines"], answer["total"]
(True, [{'dutiable': '1000.00', 'duty': '0.00', 'consumption_tax': '0.00', 'vat': '91.00'}], '91.00')
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from cebport.clearance import tax
from cebport.clearance.asking import Request, catalog, read_request, request_of
from cebport.clearance.conclude import limit_reason
from cebport.clearance.costing import class_words
from cebport.clearance.draft import law_source
from cebport.clearance.parts import Line, Reason
from cebport.clearance.receipts import explained
from cebport.faults import ERROR, WARNING, Fault, Words, fault_of
from cebport.messages.documents import Document
from cebport.policy import Policy, View
from cebport.policy.places import named, nearest
from cebport.policy.schema import FIRM, jsonable
from cebport.values import ZERO, fen, plain

ONE = Decimal(1)
SHOWN = Decimal("0.000001")
"""Amounts before rounding are shown to six places."""
INSIDE, UNANSWERED = "inside", "unanswered"


class Step(Struct, frozen=True, gc=False):
    """One step of the sum. depth: 1 = belongs to the line above it."""

    words: Words
    depth: int = 0


class Quote(Struct, frozen=True, gc=False):
    """The answer. Amounts in CNY.

    inside: whether the limits hold it; refused: the law sends the goods out of this channel. reason: inside, the
    rule that spoke, or unanswered (data is missing; ``missing`` names the goods codes). value: what the limits
    compare. year_after: what the buyer's year holds with it, None where it does not count. bands: of the postal tax.
    """

    request: Request
    regime: str
    treated: tax.Treatment
    refused: bool
    reason: str
    assessed: tax.Assessment | None
    bands: tuple[str, ...]
    waived: Decimal | None
    year_after: Decimal | None
    limits: Mapping[str, Decimal | None]
    missing: tuple[str, ...]
    sources: tuple[dict[str, Any], ...]
    steps: tuple[Step, ...]
    faults: tuple[Fault, ...]

    @property
    def inside(self) -> bool:
        """Whether the order keeps to the limits of the day."""
        return self.treated.action == tax.INSIDE

    @property
    def answered(self) -> bool:
        """Whether there is a tax to tell: the goods may come and nothing is missing."""
        return self.assessed is not None

    @property
    def total(self) -> Decimal | None:
        """All tax; None where there is no answer."""
        return self.assessed.total if self.assessed is not None else None

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; its schema is docs/reference/schemas/tax.json."""
        asked, made = self.request, self.assessed
        answer: dict[str, Any] = {"order": asked.label} if asked.label else {}
        answer |= {
            "on": str(asked.on), "place": asked.place, "mode": asked.mode, "regime": self.regime,
            "inside_limits": self.inside, "refused": self.refused, "reason": self.reason,
            "value": money(self.treated.value),
            "limits": {name: None if amount is None else money(amount) for name, amount in self.limits.items()},
        }
        answer |= self._postal(made) if self.regime == tax.POSTAL else self._composite(made)
        return answer | {
            "sources": list(self.sources),
            "steps": [{"zh": step.words.zh, "en": step.words.en} for step in self.steps],
            "faults": [fault.as_dict() for fault in self.faults],
        }

    def _composite(self, made: tax.Assessment | None) -> dict[str, Any]:
        if made is None:
            return {"lines": [], **dict.fromkeys(("duty", "consumption_tax", "vat", "total"))}
        return {
            "lines": [{"dutiable": money(line.dutiable), "duty": money(line.duty),
                       "consumption_tax": money(line.consumption), "vat": money(line.vat)} for line in made.lines],
            "duty": money(made.duty), "consumption_tax": money(made.consumption), "vat": money(made.vat),
            "total": money(made.total),
        }

    def _postal(self, made: tax.Assessment | None) -> dict[str, Any]:
        nothing = {"duty": money(ZERO), "consumption_tax": money(ZERO), "vat": money(ZERO)}
        if made is None:
            return {"lines": [], **dict.fromkeys(nothing), "postal_tax": None, "band": None, "total": None}
        return {
            "lines": [{"dutiable": money(line.dutiable), **nothing, "postal_tax": money(line.duty), "band": band}
                      for line, band in zip(made.lines, self.bands, strict=True)],
            **nothing, "postal_tax": money(made.duty), "band": "+".join(sorted(set(self.bands))),
            "waived": money(self.waived or ZERO), "total": money(made.total),
        }


def money(amount: Decimal) -> str:
    """An amount with its two decimals."""
    return format(fen(amount), "f")


def reckon(data: object, policy: Policy | None = None) -> dict[str, Any]:
    """The JSON answer to a question: a mapping as JSON gives it, or an inventory (a document of a CEB621).

    policy: the law that is asked, by default that of the package. An answer that has nothing but ``faults`` says
    what is wrong with the question.
    """
    law = policy if policy is not None else Policy.load()
    request, faults = (request_of(data), []) if isinstance(data, Document) else read_request(data)
    if request is not None:
        made = quote(request, law)
        if isinstance(made, Quote):
            return made.as_dict() | {"faults": [fault.as_dict() for fault in (*faults, *made.faults)]}
        faults = [*faults, *made]
    return {"faults": [fault.as_dict() for fault in faults]}


def quote(request: Request, policy: Policy) -> Quote | list[Fault]:
    """The tax that is asked for; faults where the question fits no law (place, day, band)."""
    place = named(policy.places, request.place) or request.place.upper()
    try:
        view = policy.at(request.on, place)
    except KeyError:
        near = nearest(policy.places, request.place)
        hint = Words(f"；是不是 {'、'.join(near)}？", f"; did you mean {', '.join(near)}?") if near else Words("", "")
        return [fault_of(catalog(), "CEB-QUOTE-005", path="place", found=request.place, hint_zh=hint.zh,
                         hint_en=hint.en)]
    request = replace(request, place=place)
    postal = view["tax.regime"] == tax.POSTAL
    early = unrated(policy, view)
    if early is not None:
        return [early]
    wrong = [fault_of(catalog(), "CEB-QUOTE-003", path=f"lines[{number}]/rates/band", found=rates.band,
                      expected=", ".join(view["postal.bands"] or ()))
             for number, rates in enumerate(request.given, 1)
             if postal and rates is not None and rates.band is not None and rates.band not in view["postal.bands"]]
    return wrong or _Quoting(request, view).answer()


def unrated(policy: Policy, view: View) -> Fault | None:
    """The fault of a day before the first rates in the tables; None for all others."""
    if view["tax.regime"] != tax.POSTAL or (
            view["postal.bands"] is not None and view["postal.band_of_goods"] is not None):
        return None
    first = next((row.since for row in policy.history("postal.bands") if row.since is not None), "")
    return fault_of(catalog(), "CEB-QUOTE-006", path="postal.bands", found=view.day, expected=f">= {first}")


class _Quoting:
    """One answer under construction: steps, rows of the law that were used, faults."""

    def __init__(self, request: Request, view: View) -> None:
        self.request, self.view = request, view
        self.postal = view["tax.regime"] == tax.POSTAL
        self.steps: list[Step] = []
        self.sources: dict[str, dict[str, Any]] = {}
        self.faults: list[Fault] = []

    def answer(self) -> Quote:
        """The whole way: the channel, the limits, the tax."""
        asked, view = self.request, self.view
        self._open()
        value = tax.limit_value(asked.lines, asked.freight, asked.insured_fee, view)
        treated = tax.treatment(asked.lines, value, int(asked.year_used * 100), view)
        self._tell_limits(treated)
        refused = treated.action == tax.REFUSE
        trail: list[tax.Worked] = []
        made: tax.Assessment | None = None
        missing: tuple[str, ...] = ()
        reason = treated.rule or INSIDE
        if refused:
            self.faults.append(explained(limit_reason(treated, view)))
        else:
            made = tax.assess(asked.lines, asked.freight, asked.insured_fee, view, full=treated.action != tax.INSIDE,
                              given=asked.given if any(asked.given) else None, trail=trail)
            missing = tuple(dict.fromkeys(made.missing))
            self._tell_reasons(made)
            if missing:
                reason, made = UNANSWERED, None
                self._step("unanswered", gcodes=", ".join(missing))
            else:
                self._tell_tax(made, trail, full=treated.action != tax.INSIDE)
        return Quote(asked, view["tax.regime"], treated, refused, reason, made, tuple([one.band for one in trail]),
                     self._waiver(made), self._year_after(treated), self._limits(treated), missing,
                     tuple(self.sources.values()), tuple(self.steps), tuple(self.faults))

    # what is told ------------------------------------------------------------------------------------

    def _step(self, name: str, depth: int = 0, /, **values: object) -> None:
        self.steps.append(Step(_said(name, **values), depth))

    def _from(self, *topics: str) -> None:
        """These rows of the law were used."""
        for topic in topics:
            row = self.view.row(topic)
            if row is None or topic in self.sources:
                continue
            instrument = self.view.instrument(topic)
            assert instrument is not None
            self.sources[topic] = {
                "topic": topic, "value": jsonable(row.value), "since": jsonable(row.since),
                "until": jsonable(row.until), "place": row.place, "instrument": row.instrument,
                "no": instrument.no._asdict(), "title": instrument.title._asdict(), "confidence": row.confidence,
                "seen": row.seen, "note": row.note,
            }

    def _warn(self, reason: Reason) -> None:
        self.faults.append(explained(reason))

    def _open(self) -> None:
        """Day, place, regime; whether the mode and the goods may come at all is said as a warning."""
        view, asked = self.view, self.request
        where = view.policy.places[view.place]
        regime = _table()["regime"][view["tax.regime"]]
        self.steps.append(Step(_each("law", lambda lang: {
            "day": asked.on, "place": where.zh if lang == "zh" else where.en, "regime": regime[lang]})))
        self._from("tax.regime")
        if view.place_note is not None:
            self.steps.append(Step(view.place_note, 1))
        topic = f"mode.{asked.mode}"
        if not asked.mode:
            return
        self._step("mode", 1, mode=asked.mode)
        declared = topic in view.policy.topics
        if view.mode(asked.mode) is None:
            source = law_source(view, topic) if declared else ""
            self._warn(Reason("LAW-MODE", WARNING, "mode", asked.mode, f"{view.place} {asked.on}", source))
        elif declared:
            self._from(topic)
        for line in asked.lines:
            self._tell_listing(line)

    def _tell_listing(self, line: Line) -> None:
        """What the positive list has against the goods; absence from a mere sample proves nothing."""
        listing = self.view.listed(line.gcode, self.request.mode)
        path = f"lines[{line.gnum}]/gcode"
        source = law_source(self.view, "positive_list.edition")
        if listing.state == "absent" and listing.complete:
            self._warn(Reason("LAW-LIST-ABSENT", WARNING, path, line.gcode, listing.edition, source))
        elif listing.state == "excluded" or (
                listing.state == "listed" and listing.remark_kind not in ("", "bonded_only")):
            self._warn(Reason("LAW-LIST-REMARK", WARNING, path, line.gcode,
                              f"{listing.remark or listing.remark_kind} {listing.edition}", source))

    def _tell_limits(self, treated: tax.Treatment) -> None:
        view, asked = self.view, self.request
        goods = fen(sum((line.total for line in asked.lines), ZERO))
        values = {"goods": money(goods), "freight": money(asked.freight), "insured": money(asked.insured_fee),
                  "value": money(treated.value)}
        if self.postal:
            self._step("compared_goods", value=values["value"])
            order, year = "postal.limit_order_cny", "postal.limit_year_cny"
            self._from("postal.parcel_limit_cny")
        else:
            self._step("compared_taxed" if view["tax.limit_base"] == "with_tax" else "compared", **values)
            order, year = "tax.limit_single_cny", "tax.limit_year_cny"
            self._from("tax.limit_base")
        for topic, name, used in ((order, "single", ZERO), (year, "year", asked.year_used)):
            limit = view[topic]
            if limit is None:
                continue
            self._from(topic)
            total = treated.value + used
            if name == "year" and not self.postal:
                self._from("tax.limit_year_period")
            self._step(name, 1, limit=money(limit), value=money(treated.value), used=money(used), sum=money(total),
                       sign="≤" if total <= limit else ">")
        over = {tax.INSIDE: "inside", tax.REFUSE: "over_refused"}.get(treated.action, "over_full")
        one_item = len(asked.lines) == 1 and asked.lines[0].qty == ONE
        if not self.postal and treated.action != tax.INSIDE:
            self._from("tax.over_limit")
            if over == "over_full" and treated.rule == "LAW-LIMIT-SINGLE" and one_item:
                over = "over_full" if view["tax.over_limit"]["single_other"] != tax.REFUSE else "over_one_item"
        if self.postal and over == "inside" and treated.limit and treated.value > treated.limit:
            over = "inside_one_article"
        self._step(over, 1)
        if treated.action != tax.REFUSE:
            after = self._year_after(treated)
            if after is None:
                self._step("not_counted", 1)
            else:
                self._step("counts", 1, used=money(asked.year_used), value=money(treated.value), sum=money(after))

    def _tell_reasons(self, made: tax.Assessment) -> None:
        """What the reckoning warned of, at the places of the question; what leaves no answer is an error."""
        fatal = ("LAW-RATE-MISSING", "LAW-QUANTITY-MISSING")
        fields = {"qty1": "qty1", "unit1": "unit1"}
        for reason in made.reasons:
            at, _, field = reason.path.removeprefix("CEB621/gnum=").partition("/")
            path = f"lines[{at}]/{fields.get(field, field)}" if field else "lines"
            severity = ERROR if reason.rule in fatal else reason.severity
            self._warn(Reason(reason.rule, severity, path, reason.found, reason.expected, reason.source))

    def _tell_tax(self, made: tax.Assessment, trail: list[tax.Worked], *, full: bool) -> None:
        view, asked = self.view, self.request
        if not self.postal:
            self._from("tax.share_over" if full else "tax.share_within")
            if not full:
                self._from("tax.duty_share_within")
            if asked.freight or asked.insured_fee:
                how = view["tax.freight_split"]
                self._from("tax.freight_split")
                self.steps.append(Step(_each(
                    f"split_{how['fees']}", lambda lang: {"taker": _word(how["remainder"], lang)})))
        for line, rates, bill, worked in zip(asked.lines, asked.given, made.lines, trail, strict=True):
            row = view.tariff(line.gcode)
            names = Words(row.name, row.name_en) if row is not None else Words(line.name, line.name)
            self.steps.append(Step(Words(
                _text("line", "zh", number=line.gnum, gcode=line.gcode, name=names.zh).rstrip(),
                _text("line", "en", number=line.gnum, gcode=line.gcode, name=names.en).rstrip())))
            if rates is not None:
                self._step("given", 1)
            if self.postal:
                self._tell_postal_line(bill, worked)
            else:
                self._tell_line(line, bill, worked, full=full)
        self._from("tax.rounding")
        self._tell_end(made)

    def _tell_line(self, line: Line, bill: Any, worked: tax.Worked, *, full: bool) -> None:
        view = self.view
        share = view["tax.share_over" if full else "tax.share_within"]
        duty_share = ONE if full else view["tax.duty_share_within"]
        duty, vat, consumption = worked.taxes
        base = worked.value + duty
        row = view.tariff(line.gcode)
        if row is not None:
            self._from("tariff.edition")
            self._from_tariff(row)
        self._from(worked.vat_topic or "tax.regime")
        if worked.rule:
            self._from(f"consumption.{worked.rule}")
        if worked.freight or worked.insured_fee:
            self._step("dutiable", 1, total=money(line.total), freight=money(worked.freight),
                       insured=money(worked.insured_fee), value=money(worked.value))
        else:
            self._step("dutiable_plain", 1, value=money(worked.value))
        if not duty_share:
            self._step("no_duty", 1)
        else:
            self._step("duty" if duty_share == ONE else "duty_share", 1, value=money(worked.value),
                       mfn=plain(worked.mfn or ZERO), share=plain(duty_share), exact=exact(duty),
                       rounded=money(bill.duty))
        whole = (base * worked.rate + worked.by_quantity) / (ONE - worked.rate)
        values = {"base": exact(base), "rate": plain(worked.rate), "q": exact(worked.by_quantity),
                  "whole": exact(whole), "share": plain(share), "vat": plain(worked.vat)}
        kind = ("compound" if worked.rate else "specific") if worked.by_quantity else (
            "ad_valorem" if worked.rate else "no_consumption")
        self._step(kind, 1, **values, exact=exact(consumption), rounded=money(bill.consumption))
        self._step("vat_with" if whole else "vat", 1, **values, exact=exact(vat), rounded=money(bill.vat))

    def _tell_postal_line(self, bill: Any, worked: tax.Worked) -> None:
        self._from("postal.bands", "postal.band_of_goods")
        self._step("dutiable_plain", 1, value=money(worked.value))
        rounding = self.view["tax.rounding"]
        rounded = worked.taxes[0].quantize(rounding["unit"], tax.ROUNDINGS[rounding["mode"]])
        kind = class_words(worked.goods_class) if worked.goods_class else None
        self.steps.append(Step(_each("postal", lambda lang: {
            "class": f" {kind.at(lang)}" if kind is not None else "", "value": money(worked.value),
            "rate": plain(worked.vat), "band": worked.band, "exact": exact(worked.taxes[0]),
            "rounded": money(rounded)}), 1))

    def _tell_end(self, made: tax.Assessment) -> None:
        view = self.view
        for reason in made.reasons:
            if reason.rule == "LAW-TAX-WAIVED":
                self._from("postal.waiver_cny" if self.postal else "tax.small_tax_waiver_cny")
                self._step("waived", tax=money(Decimal(reason.found)), waiver=money(Decimal(reason.expected)))
        if self.postal:
            self._step("total_postal", total=money(made.total))
            return
        if view["tax.rounding"]["level"] == tax.HEAD:
            self._step("by_head")
        self._step("total", duty=money(made.duty), consumption=money(made.consumption), vat=money(made.vat),
                   total=money(made.total))
        for name, topics in (("payer", ("tax.taxpayer", "tax.withholding_agents")), ("prices", ("tax.discounts",)),
                             ("rate_day", ("tax.rate_day",))):
            if any(view[topic] is None for topic in topics):
                continue
            self._from(*topics)
            self.steps.append(Step(_each(name, partial(self._in_words, name)), 1))

    def _in_words(self, name: str, lang: str) -> dict[str, str]:
        """The values of the closing notes, in a language."""
        view = self.view
        if name == "payer":
            comma = "、" if lang == "zh" else ", "
            return {"taxpayer": _word(view["tax.taxpayer"], lang),
                    "agents": comma.join([_word(agent, lang) for agent in view["tax.withholding_agents"]])}
        if name == "prices":
            return {key: _word(value, lang) for key, value in view["tax.discounts"].items()}
        return {"day": _word(view["tax.rate_day"], lang)}

    def _from_tariff(self, row: Any) -> None:
        rates = {name: None if (rate := getattr(row, name)) is None else plain(rate) for name in ("mfn", "provisional")}
        self.sources[f"tariff {row.gcode}"] = {
            "topic": "tariff", "gcode": row.gcode, "value": {**rates, "vat": row.vat, "consumption": row.consumption},
            "edition": row.edition, "text": row.source, "confidence": row.confidence, "seen": row.confidence in FIRM,
            "note": row.note,
        }

    # the limits --------------------------------------------------------------------------------------

    def _year_after(self, treated: tax.Treatment) -> Decimal | None:
        """What the year holds with this order; None where it does not count or does not come."""
        counts = treated.action == tax.INSIDE or (not self.postal and self.view["tax.over_limit"]["counts_in_year"])
        return self.request.year_used + treated.value if counts and treated.action != tax.REFUSE else None

    def _limits(self, treated: tax.Treatment) -> dict[str, Decimal | None]:
        names = ("postal.limit_order_cny", "postal.limit_year_cny") if self.postal else (
            "tax.limit_single_cny", "tax.limit_year_cny")
        return {"single": self.view[names[0]], "year": self.view[names[1]], "year_used": self.request.year_used,
                "year_after": self._year_after(treated)}

    def _waiver(self, made: tax.Assessment | None) -> Decimal | None:
        """The tax that was waived; None where none was."""
        if made is None:
            return None
        return next((Decimal(reason.found) for reason in made.reasons if reason.rule == "LAW-TAX-WAIVED"), None)


# ── words ───────────────────────────────────────────────────────────────────────────────────────────


@cache
def _table() -> dict[str, Any]:
    import yaml

    return yaml.safe_load((Path(__file__).parent / "tables" / "quote.yaml").read_text(encoding="utf-8"))


def _text(name: str, lang: str, /, **values: object) -> str:
    return str(_table()["steps"][name][lang]).format(**values)


def _said(name: str, /, **values: object) -> Words:
    """A step whose values read the same in both languages."""
    return Words(_text(name, "zh", **values), _text(name, "en", **values))


def _each(name: str, values: Callable[[str], Mapping[str, object]]) -> Words:
    """A step whose values differ by language."""
    return Words(_text(name, "zh", **values("zh")), _text(name, "en", **values("en")))


def _word(name: str, lang: str) -> str:
    return str(_table()["words"][name][lang])


def exact(amount: Decimal) -> str:
    """An amount before rounding: at least two decimals, at most six."""
    text = plain(amount.quantize(SHOWN)) if amount != fen(amount) else money(amount)
    return text if "." in text else money(amount)

