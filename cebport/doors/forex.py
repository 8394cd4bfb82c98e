"""Foreign exchange (外汇): ``cebport forex import``, ``batch``, ``reconcile``, ``statistics``, ``retention``.

Nothing is decided here: ``server/forex.py`` does the work, this shows what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cebport.clearance import forex_rows
from cebport.doors import frame, law, screen
from cebport.doors.frame import DONE, NO, option
from cebport.doors.screen import say
from cebport.doors.walk import opened
from cebport.faults import ERROR, Words
from cebport.policy import sheets
from cebport.values import BEIJING, plain

if TYPE_CHECKING:
    from cebport.clearance.forex import Finding, Flow
    from cebport.server.forex import Desk, Made, Taken, Totals

MONEY = ("recorded", "paid", "remittable", "remitted", "open", "over", "refunds", "tax", "domestic")
SHOWN = ("paid", "remittable", "remitted", "open", "over", "refunds", "tax", "domestic")
COUNTS = ("payments", "batches", "parcels", "closed", "waiting")


class _Read(click.ParamType):
    """A value that the core reads; refused in the language of the screen."""

    def __init__(self, name: str, read: Any, wrong: str) -> None:
        self.name, self._read, self._wrong = name, read, wrong

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What is read."""
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError:
            self.fail(say(self._wrong, value=value), param, ctx)


CURRENCY = _Read("CODE", forex_rows.currency, "not_a_currency")
COUNTRY = _Read("CODE", forex_rows.country, "not_a_country")
RATE = _Read("RATE", forex_rows.rate, "not_a_rate")
NUMBER = _Read("CODE", forex_rows.number, "not_a_number_of")
forex_command = frame.group("forex")
place_option = option("--place", metavar="ID")
since_option = option("--since", type=frame.Day())
until_option = option("--until", type=frame.Day())
institution_option = option("--institution", type=NUMBER)
out_option = option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")


@contextmanager
def desk_of(store: str, keys: Path | None, place: str | None, overlays: tuple[Path, ...],
            on: datetime | None) -> Iterator[Desk]:
    """The desk of a store that is there."""
    from cebport import __version__
    from cebport.policy import Policy
    from cebport.policy.places import NATION
    from cebport.server.forex import Desk

    policy = Policy.load(overlays=overlays)
    where = law.place_of(policy, place) if place is not None else NATION
    with opened(store, keys) as held:
        yield Desk(held, policy, on or datetime.now(BEIJING), where, __version__)


# ── import ──────────────────────────────────────────────────────────────────────────────────────────


@frame.command("import", under=forex_command)
@click.argument("files", nargs=-1, required=True, type=frame.file_type, metavar="FILE...")
@frame.store_option
@institution_option
@place_option
@law.overlay_option
@frame.clock_option
@frame.keys_option
@frame.json_option
def import_command(files: tuple[Path, ...], store: str, institution: str | None, place: str | None,
                   overlays: tuple[Path, ...], on: datetime | None, keys: Path | None, as_json: bool) -> int:
    """Take lists; exit code 1 where one was not booked."""
    from cebport.server.forex import take_list

    refused = False
    with desk_of(store, keys, place, overlays, on) as desk:
        for file in files:
            taken = take_list(desk, file.name, _bytes(file), institution or "")
            refused = refused or not taken.inbox
            if as_json:
                screen.emit(taken_answer(file, taken))
            else:
                show_taken(file, taken)
    return NO if refused else DONE


def _bytes(file: Path) -> bytes:
    """The bytes of a list; of one that is too large no more than shows it."""
    with file.open("rb") as held:
        return held.read(sheets.SHEET_BYTES_MAX + 1)


def taken_answer(file: Path, taken: Taken) -> dict[str, Any]:
    """A list as JSON: docs/reference/schemas/forex_import.json."""
    return {"file": str(file), "booked": bool(taken.inbox), "kind": taken.kind, "message": taken.inbox,
            "rows": taken.rows, "fresh": taken.fresh, "known": taken.known,
            "faults": [fault.as_dict() for fault in taken.faults]}


def show_taken(file: Path, taken: Taken) -> None:
    """A line, and what is wrong."""
    if taken.inbox:
        screen.out(say("forex_taken", file=file.name, kind=say(f"forex_{taken.kind}"), rows=taken.rows,
                       fresh=taken.fresh, known=taken.known, message=taken.inbox))
    else:
        screen.out(say("forex_not_taken", file=file.name,
                       errors=sum(fault.severity == ERROR for fault in taken.faults)))
    screen.faults(taken.faults)


# ── batch ───────────────────────────────────────────────────────────────────────────────────────────


@frame.command("batch", under=forex_command)
@frame.store_option
@option("--institution", type=NUMBER, required=True)
@option("--number", type=NUMBER, required=True)
@option("--currency", type=CURRENCY, required=True)
@option("--rate", type=RATE, required=True)
@option("--usd-rate", type=RATE)
@option("--day", type=frame.Day())
@since_option
@option("--bank", metavar="TEXT")
@option("--country", type=COUNTRY)
@place_option
@law.overlay_option
@frame.clock_option
@frame.keys_option
@out_option
@frame.json_option
def batch_command(store: str, institution: str, number: str, currency: str, rate: Decimal, usd_rate: Decimal | None,
                  day: date | None, since: date | None, bank: str | None, country: str | None, place: str | None,
                  overlays: tuple[Path, ...], on: datetime | None, keys: Path | None, out: Path | None,
                  as_json: bool) -> int:
    """Make a batch; exit code 1 where nothing was booked."""
    from cebport.clearance.forex import Batch
    from cebport.policy.places import NATION
    from cebport.server import forex
    from cebport.values import ZERO

    with desk_of(store, keys, place, overlays, on) as desk:
        when = day or desk.today
        if when > desk.today:
            raise click.UsageError(say("not_a_day", value=when))
        head = Batch(institution, number, when.isoformat(), currency, rate, ZERO, ZERO, usd_rate, bank or "",
                     country or "", "" if desk.place == NATION else desk.place, 0, True)
        made = forex.make_batch(desk, head, since or forex.FIRST_DAY)
    if made.inbox and out is not None:
        from cebport.reports.tables import write_table

        write_table(out, forex.BANK_COLUMNS, forex.bank_rows(made.plan.batch, made.plan.lines), number)
    if as_json:
        screen.emit(made_answer(made, out))
    else:
        show_made(made, out)
    return DONE if made.inbox else NO


def made_answer(made: Made, out: Path | None) -> dict[str, Any]:
    """A batch as JSON: docs/reference/schemas/forex_batch.json."""
    batch = made.plan.batch
    return {"booked": bool(made.inbox), "message": made.inbox, "institution": batch.payCode, "batch": batch.number,
            "day": batch.day, "currency": forex_rows.iso_of(batch.currency), "rate": plain(batch.rate),
            "lines": batch.lines, "cny": plain(batch.cny), "foreign": plain(batch.foreign),
            "waiting": made.plan.waiting, "nothing": made.plan.nothing,
            "written": str(out) if made.inbox and out is not None else None,
            "findings": [finding_answer(finding) for finding in made.plan.refused],
            "faults": [fault.as_dict() for fault in made.faults]}


def show_made(made: Made, out: Path | None) -> None:
    """The batch in a line, what was left out, and why."""
    batch = made.plan.batch
    if made.inbox:
        screen.out(say("forex_made", batch=batch.number, lines=batch.lines, cny=f"{batch.cny:,.2f}",
                       foreign=f"{batch.foreign:,}", currency=forex_rows.iso_of(batch.currency),
                       rate=plain(batch.rate), message=made.inbox))
    screen.faults(made.faults)
    refused = len({finding.about for finding in made.plan.refused})
    screen.out(say("forex_left", refused=refused, waiting=made.plan.waiting, nothing=made.plan.nothing))
    screen.faults(finding.fault for finding in made.plan.refused)
    if made.inbox and out is not None:
        screen.out(say("forex_written", path=out))


# ── reconcile ───────────────────────────────────────────────────────────────────────────────────────


@frame.command("reconcile", under=forex_command)
@frame.store_option
@institution_option
@since_option
@until_option
@place_option
@law.overlay_option
@frame.clock_option
@frame.keys_option
@out_option
@frame.json_option
def reconcile_command(store: str, institution: str | None, since: date | None, until: date | None, place: str | None,
                      overlays: tuple[Path, ...], on: datetime | None, keys: Path | None, out: Path | None,
                      as_json: bool) -> int:
    """Tell what does not close; exit code 1 where anything is wrong."""
    from cebport.server import forex

    totals = forex.Totals()
    wrong = False

    def told() -> Iterator[Finding]:
        nonlocal wrong
        for finding in forex.reconcile(desk, span_of(institution, since, until), totals):
            wrong = wrong or finding.fault.severity == ERROR
            if as_json:
                screen.emit(finding_answer(finding))
            else:
                screen.fault(finding.fault)
            yield finding

    with desk_of(store, keys, place, overlays, on) as desk:
        if out is not None:
            from cebport.reports.tables import write_table

            write_table(out, [say(key) for key in FINDING_HEADS], map(finding_row, told()), "forex")
        else:
            for _ in told():
                pass
    if as_json:
        screen.emit(totals_answer(totals))
    else:
        show_totals(totals)
        if out is not None:
            screen.out(say("forex_written", path=out))
    return NO if wrong else DONE


def span_of(institution: str | None, since: date | None, until: date | None) -> Any:
    """The days and institution that are looked at. Raises UsageError where the days are the wrong way round."""
    from cebport.server.forex import FIRST_DAY, LAST_DAY, Span

    if since is not None and until is not None and since > until:
        raise click.UsageError(say("not_a_day", value=f"{since} > {until}"))
    return Span(since or FIRST_DAY, until or LAST_DAY, institution or "")


def finding_answer(finding: Finding) -> dict[str, Any]:
    """A finding as JSON: docs/reference/schemas/forex_reconcile.json."""
    what = finding.about
    return {"kind": "finding", "institution": what.payCode, "payTransactionId": what.payTransactionId,
            "orderNo": what.orderNo, "batch": what.batch, "line": what.line, "amount_cny": plain(finding.amount),
            "fault": finding.fault.as_dict()}


FINDING_HEADS = ("forex_finding", "forex_weight", "forex_institution", "forex_payment", "forex_order", "forex_batch_no",
                 "forex_amount", "forex_said", "found", "expected", "source", "forex_remedy")


def finding_row(finding: Finding) -> list[Any]:
    """A finding as a row of a table to take away."""
    fault, what = finding.fault, finding.about
    return [fault.code, say(fault.severity), what.payCode, what.payTransactionId, what.orderNo, what.batch,
            finding.amount, screen.spoken(fault.message), fault.found, fault.expected, fault.source,
            screen.spoken(fault.remedy)]


def totals_answer(totals: Totals) -> dict[str, Any]:
    """The last line of a reconciliation as JSON."""
    return {"kind": "totals", **{name: getattr(totals, name) for name in COUNTS},
            "money_cny": {name: plain(getattr(totals, name)) for name in MONEY},
            "findings": {code: {"count": count, "amount_cny": plain(amount)}
                         for code, (count, amount) in sorted(totals.findings.items())}}


def show_totals(totals: Totals) -> None:
    """What was looked at, where the money is, and the findings by kind."""
    screen.out(say("forex_closed", **{name: getattr(totals, name) for name in COUNTS}))
    screen.table([say("forex_money"), say("forex_amount")],
                 [(say(f"forex_{name}"), f"{getattr(totals, name):,.2f}") for name in SHOWN], right=[1])
    if not totals.findings:
        screen.out(say("forex_all_closed"))
        return
    screen.table([say("forex_finding"), say("forex_count"), say("forex_amount")],
                 [(code, count, f"{amount:,.2f}") for code, (count, amount) in sorted(totals.findings.items())],
                 right=[1, 2])


# ── statistics ──────────────────────────────────────────────────────────────────────────────────────


@frame.command("statistics", under=forex_command)
@frame.store_option
@institution_option
@since_option
@until_option
@option("--by", type=frame.Choice(("month", "quarter", "year")), default="month")
@place_option
@law.overlay_option
@frame.clock_option
@frame.keys_option
@out_option
@frame.json_option
def statistics_command(store: str, institution: str | None, since: date | None, until: date | None, by: str,
                       place: str | None, overlays: tuple[Path, ...], on: datetime | None, keys: Path | None,
                       out: Path | None, as_json: bool) -> int:
    """What went abroad, by period, code, currency and country."""
    from cebport.server import forex

    with desk_of(store, keys, place, overlays, on) as desk:
        flows = forex.statistics(desk, span_of(institution, since, until), by)
        names = {row["code"]: Words(row["zh"], row["en"]) for row in desk.law(desk.today)["forex.bop_codes"]}
    heads = [say(f"forex_{name}") for name in ("period", "institution", "code", "currency", "country", "trades",
                                               "amount", "foreign", "usd")]
    if out is not None:
        from cebport.reports.tables import write_table

        write_table(out, heads, ([*flow[:3], forex_rows.iso_of(flow.currency), *flow[4:]] for flow in flows), "forex")
    if as_json:
        for flow in flows:
            screen.emit(flow_answer(flow, names))
    else:
        show_flows(flows, names, heads)
        if out is not None:
            screen.out(say("forex_written", path=out))
    return DONE


def flow_answer(flow: Flow, names: dict[str, Words]) -> dict[str, Any]:
    """A row of the statistics as JSON: docs/reference/schemas/forex_statistics.json."""
    name = names.get(flow.code, Words("", ""))
    return {"period": flow.period, "institution": flow.payCode, "code": flow.code,
            "code_name": {"zh": name.zh, "en": name.en}, "currency": forex_rows.iso_of(flow.currency),
            "country": flow.country, "trades": flow.trades, "cny": plain(flow.cny), "foreign": plain(flow.foreign),
            "usd": None if flow.usd is None else plain(flow.usd)}


def show_flows(flows: Iterable[Flow], names: dict[str, Words], heads: list[str]) -> None:
    """The statistics as a table."""
    rows = [(flow.period, flow.payCode, f"{flow.code} {screen.spoken(names.get(flow.code, Words('', '')))}".strip(),
             forex_rows.iso_of(flow.currency), flow.country or "-", flow.trades, f"{flow.cny:,.2f}",
             f"{flow.foreign:,}", "-" if flow.usd is None else f"{flow.usd:,.2f}") for flow in flows]
    if not rows:
        screen.out(say("forex_no_flows"))
        return
    screen.table(heads, rows, right=range(5, 9))


# ── retention ───────────────────────────────────────────────────────────────────────────────────────


@frame.command("retention", under=forex_command)
@frame.store_option
@option("--end", is_flag=True)
@option("--who", metavar="NAME")
@option("--reason", metavar="TEXT")
@place_option
@law.overlay_option
@frame.clock_option
@frame.keys_option
@frame.json_option
def retention_command(store: str, end: bool, who: str | None, reason: str | None, place: str | None,
                      overlays: tuple[Path, ...], on: datetime | None, keys: Path | None, as_json: bool) -> int:
    """How long records are kept; with --end, names in lists past that go."""
    from cebport.server import forex

    if end and not (who and reason):
        raise click.UsageError(say("forex_who_needed"))
    with desk_of(store, keys, place, overlays, on) as desk:
        kept = forex.retention(desk)
        ended = forex.end_retention(desk, who or "", reason or "") if end else None
    if as_json:
        for row in kept:
            screen.emit({**row._asdict(), "until": None if row.until is None else str(row.until)})
        if ended is not None:
            screen.emit({"kind": "ended", **ended._asdict()})
        return DONE
    if not kept:
        screen.out(say("forex_none_kept"))
    else:
        screen.table([say("forex_kind"), say("forex_year"), say("forex_records"), say("forex_until")],
                     [(say(f"forex_{row.kind}"), row.year, row.records, _until(row)) for row in kept], right=[2])
    if ended is not None:
        screen.out(say("forex_ended", lists=ended.lists, rows=ended.rows))
    return DONE


def _until(row: Any) -> str:
    if row.until is None:
        return "-"
    return say("forex_over_time", until=row.until) if row.over else str(row.until)
