"""The tax ledger (税款总账): ``cebport ledger guarantee``, ``collect``, ``statement``, ``bureau``, ``reconcile``.

Nothing is decided here: ``server/ledger.py`` keeps the books, ``server/levy.py`` answers, this shows it.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cebport.clearance.ledger import KINDS, StatementRow, Sum, words_of, yuan
from cebport.doors import frame, law, screen
from cebport.doors.frame import DONE, NO, option
from cebport.doors.screen import say
from cebport.doors.walk import opened
from cebport.faults import ERROR, Fault
from cebport.values import BEIJING, beijing_day

if TYPE_CHECKING:
    from cebport.server.ledger import Taken
    from cebport.server.levy import Due, Guarantor, Levy, Waiting
    from cebport.server.store.store import Store

TABLES = (".csv", ".xlsx")


class Month(click.ParamType):
    """A calendar month; its first and last day."""

    name = "MONTH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[date, date]:
        """(first day, last day)."""
        if isinstance(value, tuple):
            return value
        try:
            first = date.fromisoformat(f"{value}-01")
        except ValueError:
            self.fail(say("not_a_month", value=value), param, ctx)
        if len(value) != len("YYYY-MM"):
            self.fail(say("not_a_month", value=value), param, ctx)
        return first, first.replace(day=monthrange(first.year, first.month)[1])


class Desk(NamedTuple):
    """The store with its ledger up to date, the answers, the clock."""

    store: Store
    levy: Levy
    now: datetime


ledger_command = frame.group("ledger")
code_option = option("--code", metavar="CODE")
month_option = option("--month", type=Month(), required=True)


@contextmanager
def desk_of(store: str, keys: Path | None, overlays: tuple[Path, ...], on: datetime | None, *,
            quiet: bool) -> Iterator[Desk]:
    """The ledger of a store that is there, brought up to date."""
    from cebport.policy import Policy
    from cebport.server.ledger import follow
    from cebport.server.levy import Levy

    now = on or datetime.now(BEIJING)
    policy = Policy.load(overlays=overlays)
    with opened(store, keys) as held:
        with screen.progress(say("ledger_following"), None, quiet=quiet) as step:
            follow(held, step)
        yield Desk(held, Levy(held, policy, beijing_day(now)), now)


def _book(desk: Desk, file: Path, take: Callable[..., Taken]) -> Taken:
    """Book a file; the ledger's answers are those after it."""
    from cebport import __version__

    return take(desk.store, file.name, file.read_bytes(), desk.now, desk.levy.policy.edition, __version__)


def _booked_answer(file: Path, taken: Taken) -> dict[str, Any]:
    """What became of a file, as JSON."""
    return {"file": str(file), "booked": bool(taken.inbox), "message": taken.inbox, "rows": taken.rows,
            "faults": [fault.as_dict() for fault in taken.faults]}


def _show_booked(file: Path, taken: Taken) -> None:
    if taken.inbox:
        screen.out(say("ledger_booked", file=file.name, rows=taken.rows, message=taken.inbox))
    else:
        screen.out(say("ledger_refused", file=file.name, count=len(taken.faults)))
    screen.faults(taken.faults)


# ── guarantee ───────────────────────────────────────────────────────────────────────────────────────


@frame.command("guarantee", under=ledger_command)
@frame.store_option
@code_option
@option("--file", "file", type=frame.file_type, metavar="FILE")
@law.overlay_option
@frame.clock_option
@frame.keys_option
@frame.json_option
def guarantee_command(store: str, code: str | None, file: Path | None, overlays: tuple[Path, ...],
                      on: datetime | None, keys: Path | None, as_json: bool) -> int:
    """Show the accounts, after registering a list; exit code 1 where it was not, or there is no such guarantor."""
    from cebport.server.ledger import take_guarantees

    with desk_of(store, keys, overlays, on, quiet=as_json) as desk:
        taken = _book(desk, file, take_guarantees) if file is not None else None
        held = desk.levy.guarantors(code or "")
        if as_json:
            screen.emit({"on": str(desk.levy.today),
                         "taken": None if taken is None or file is None else _booked_answer(file, taken),
                         "guarantors": [guarantor_answer(one, desk.levy) for one in held]})
        else:
            if taken is not None and file is not None:
                _show_booked(file, taken)
            show_guarantors(held, desk.levy, detailed=bool(code))
    if code and not held:
        screen.note(say("ledger_no_guarantor", code=code))
        return NO
    return DONE if taken is None or taken.inbox else NO


def guarantor_answer(one: Guarantor, levy: Levy) -> dict[str, Any]:
    """A guarantor as JSON: docs/reference/schemas/ledger_guarantee.json."""
    return {
        "code": one.code, "name": one.name, "balance": None if one.balance_fen is None else yuan(one.balance_fen),
        "taken": yuan(one.taken_fen), "free": yuan(one.free_fen), "refund_due": yuan(one.refund_fen),
        "state": one.state,
        "guarantees": [{"number": each.number, "kind": each.kind, "customs": each.customs,
                        "amount": yuan(each.amount_fen), "since": each.since, "until": each.until,
                        "ended": each.ended, "valid": levy.is_valid(each)} for each in one.guarantees]}


def show_guarantors(held: Sequence[Guarantor], levy: Levy, *, detailed: bool) -> None:
    """The accounts, and of one guarantor each guarantee."""
    if not held:
        screen.out(say("ledger_none"))
        return
    rows = [(one.code, one.name, "-" if one.balance_fen is None else yuan(one.balance_fen), yuan(one.taken_fen),
             yuan(one.free_fen), yuan(one.refund_fen), screen.spoken(words_of("states", one.state))) for one in held]
    screen.table(_heads("code", "name", "balance", "taken", "free", "refund", "state"), rows,
                 title=say("ledger_guarantors", day=levy.today), right=[2, 3, 4, 5])
    if not detailed:
        return
    kinds = words_of_guarantees()
    screen.table(_heads("number", "sort", "port", "amount", "since", "until", "ended"), [
        (each.number, kinds(each.kind), each.customs or "-", yuan(each.amount_fen), each.since, each.until or "-",
         each.ended or "-") for one in held for each in one.guarantees], title=say("ledger_guarantees"), right=[3])


def words_of_guarantees() -> Callable[[str], str]:
    """The word of a kind of guarantee in the language of the screen."""
    from cebport.clearance.ledger import table

    kinds = table()["guarantees"]["kinds"]
    return lambda kind: kinds[kind][screen.language()]


def _heads(*names: str) -> list[str]:
    return [say(f"ledger_{name}") for name in names]


def _kind(kind: str) -> str:
    return screen.spoken(words_of("kinds", kind))


# ── collect ─────────────────────────────────────────────────────────────────────────────────────────


@frame.command("collect", under=ledger_command)
@frame.store_option
@code_option
@option("--all", "every", is_flag=True)
@option("--paid", "paid", type=frame.file_type, metavar="FILE")
@law.overlay_option
@frame.clock_option
@frame.keys_option
@frame.json_option
def collect_command(store: str, code: str | None, every: bool, paid: Path | None, overlays: tuple[Path, ...],
                    on: datetime | None, keys: Path | None, as_json: bool) -> int:
    """Show payment documents, after booking a list of payments; exit code 1 where it was not booked."""
    from cebport.server.ledger import take_payments

    with desk_of(store, keys, overlays, on, quiet=as_json) as desk:
        taken = _book(desk, paid, take_payments) if paid is not None else None
        documents = desk.levy.documents(every=every, code=code or "")
        waiting = desk.levy.waiting(code or "")
    if as_json:
        screen.emit({"on": str(desk.levy.today),
                     "taken": None if taken is None or paid is None else _booked_answer(paid, taken),
                     "documents": [due_answer(one) for one in documents],
                     "waiting": [waiting_answer(one) for one in waiting]})
    else:
        if taken is not None and paid is not None:
            _show_booked(paid, taken)
        show_documents(documents, waiting, desk.levy.today)
    return DONE if taken is None or taken.inbox else NO


def due_answer(one: Due) -> dict[str, Any]:
    """A payment document as JSON."""
    document = one.document
    return {
        "entDutyNo": document.number, "code": document.code, "name": one.name, "port": document.port,
        "made_on": document.made, "pay_from": str(one.window.first), "pay_until": str(one.window.last),
        "bills": document.bills, "state": one.state, "open": yuan(one.open_fen), "refund_due": yuan(one.refund_fen),
        "late_fee": yuan(one.late_fee_fen), "paid_on": document.paid_on,
        "kinds": {kind: sum_answer(one.sums[kind]) for kind in KINDS if kind in one.sums}}


def sum_answer(one: Sum) -> dict[str, str]:
    """What a document has of one kind, as JSON."""
    return {"billed": yuan(one.billed_fen), "paid": yuan(one.paid_fen), "open": yuan(one.open_fen),
            "refund_due": yuan(one.refund_fen)}


def waiting_answer(one: Waiting) -> dict[str, Any]:
    """Bills that no document has yet, as JSON."""
    return {"code": one.code, "name": one.name, "port": one.port, "bills": one.bills,
            "next_summary": str(one.next_summary), "kinds": {kind: yuan(amount) for kind, amount in one.amounts}}


def show_documents(documents: Sequence[Due], waiting: Sequence[Waiting], today: date) -> None:
    """Payment documents and what will be in the next ones."""
    if not documents and not waiting:
        screen.out(say("ledger_none"))
    if documents:
        rows = [(one.document.number, one.document.code, one.document.port, str(one.window.first),
                 str(one.window.last), one.document.bills, yuan(one.open_fen), yuan(one.late_fee_fen),
                 yuan(one.refund_fen), say(f"ledger_state.{one.state}")) for one in documents]
        screen.table(_heads("document", "code", "port", "first", "last", "bills", "open", "fee", "refund", "state"),
                     rows, title=say("ledger_documents", day=today), right=[5, 6, 7, 8])
    if waiting:
        screen.table([*_heads("code", "port", "bills"), *map(_kind, KINDS[:3]), say("ledger_next")],
                     [(one.code, one.port, one.bills, *[yuan(amount) for _, amount in one.amounts],
                       str(one.next_summary)) for one in waiting], title=say("ledger_waiting"), right=[2, 3, 4, 5])


# ── statement, bureau ───────────────────────────────────────────────────────────────────────────────


@frame.command("statement", under=ledger_command)
@frame.store_option
@month_option
@law.overlay_option
@frame.keys_option
@option("-o", "--out", type=click.Path(path_type=Path), metavar="OUT")
@frame.json_option
def statement_command(store: str, month: tuple[date, date], overlays: tuple[Path, ...], keys: Path | None,
                      out: Path | None, as_json: bool) -> int:
    """The month by guarantor, office and tax kind; exit code 1 where the books do not balance."""
    with desk_of(store, keys, overlays, None, quiet=as_json) as desk:
        rows = desk.levy.statement(*month)
        totals, off = desk.levy.proof()
        names = {row.code: desk.levy.name(row.code) for row in rows}
    written = _write(out, f"statement-{month[0]:%Y-%m}", STATEMENT_HEADS, [
        (row.code, names[row.code], row.port, _kind(row.kind), *map(_cny, row[3:])) for row in rows],
        f"{month[0]:%Y-%m}")
    if as_json:
        screen.emit({"month": f"{month[0]:%Y-%m}", "rows": [statement_answer(row, names) for row in rows],
                     "debit": yuan(totals["debit"]), "credit": yuan(totals["credit"]), "balanced": not off,
                     "files": [str(path) for path in written]})
    else:
        screen.table(_heads("code", "port", "kind", *MOVES), [
            (row.code, row.port, _kind(row.kind), *map(yuan, row[3:])) for row in rows],
            title=say("ledger_statement", month=f"{month[0]:%Y-%m}"), right=range(3, 10))
        _show_written(written, len(rows))
        _show_proof(totals, off)
    return NO if off else DONE


MOVES = ("opening", "assessed", "void", "summarised", "paid", "refunded", "closing")
STATEMENT_HEADS = ("code", "name", "port", "kind", *MOVES)
BUREAU_HEADS = ("month", "document", "payer", "payer_name", "port", "kind", "billed", "paid", "made", "first", "last",
                "paid_on", "state")


def statement_answer(row: StatementRow, names: dict[str, str]) -> dict[str, str]:
    """A row of the statement as JSON: docs/reference/schemas/ledger_statement.json."""
    return {"code": row.code, "name": names[row.code], "port": row.port, "kind": row.kind,
            **{move: yuan(getattr(row, move)) for move in MOVES}}


def _cny(amount_fen: int) -> Decimal:
    return Decimal(yuan(amount_fen))


def _write(out: Path | None, name: str, heads: Sequence[str], rows: Sequence[Sequence[Any]], title: str) -> list[Path]:
    """Write a table where it was asked for: a file, or both kinds into a folder. Raises UsageError, OSError."""
    from cebport.reports.tables import write_table

    if out is None:
        return []
    if out.suffix.lower() in TABLES:
        targets = [out]
    elif out.exists() and not out.is_dir():
        raise click.UsageError(say("bad_value", name="--out", what=say(
            "not_a_choice", value=out.suffix or out.name, choices=", ".join(TABLES))))
    else:
        out.mkdir(parents=True, exist_ok=True)
        targets = [out / f"{name}{suffix}" for suffix in TABLES]
    for target in targets:
        half = target.with_name(f".part-{target.name}")
        write_table(half, _heads(*heads), rows, title)
        half.replace(target)
    return targets


def _show_written(written: Sequence[Path], rows: int) -> None:
    for path in written:
        screen.out(say("ledger_written", rows=rows, path=path))


def _show_proof(totals: dict[str, int], off: Sequence[Fault]) -> None:
    screen.out(say("ledger_off", count=len(off)) if off else say("ledger_balanced", debit=yuan(totals["debit"])))
    screen.faults(off)


@frame.command("bureau", under=ledger_command)
@frame.store_option
@month_option
@law.overlay_option
@frame.clock_option
@frame.keys_option
@frame.out_option
@frame.json_option
def bureau_command(store: str, month: tuple[date, date], overlays: tuple[Path, ...], on: datetime | None,
                   keys: Path | None, out: Path | None, as_json: bool) -> int:
    """The payment documents of a month for the tax bureau."""
    title = f"{month[0]:%Y-%m}"
    with desk_of(store, keys, overlays, on, quiet=as_json) as desk:
        rows = desk.levy.bureau(*month)
    if out is not None and out.suffix.lower() not in TABLES:
        raise click.UsageError(say("bad_value", name="--out", what=say(
            "not_a_choice", value=out.suffix or out.name, choices=", ".join(TABLES))))
    written = _write(out, "", BUREAU_HEADS, [
        (title, one.document.number, one.document.code, one.name, one.document.port, _kind(kind),
         _cny(held.billed_fen), _cny(held.paid_fen), one.document.made, str(one.window.first), str(one.window.last),
         one.document.paid_on, say(f"ledger_state.{one.state}")) for one, kind, held in rows], title)
    if as_json:
        screen.emit({"month": title, "rows": [bureau_answer(*row) for row in rows],
                     "files": [str(path) for path in written]})
    else:
        screen.table(_heads("document", "payer", "port", "kind", "billed", "paid", "made", "paid_on"), [
            (one.document.number, one.document.code, one.document.port, _kind(kind), yuan(held.billed_fen),
             yuan(held.paid_fen), one.document.made, one.document.paid_on or "-") for one, kind, held in rows],
            title=say("ledger_bureau", month=title), right=[4, 5])
        _show_written(written, len(rows))
    return DONE


def bureau_answer(one: Due, kind: str, held: Sum) -> dict[str, str]:
    """A row for the tax bureau as JSON: docs/reference/schemas/ledger_bureau.json."""
    return {"entDutyNo": one.document.number, "payer": one.document.code, "payer_name": one.name,
            "port": one.document.port, "kind": kind, "billed": yuan(held.billed_fen), "paid": yuan(held.paid_fen),
            "made_on": one.document.made, "pay_from": str(one.window.first), "pay_until": str(one.window.last),
            "paid_on": one.document.paid_on, "state": one.state}


# ── reconcile ───────────────────────────────────────────────────────────────────────────────────────


@frame.command("reconcile", under=ledger_command)
@click.argument("file", type=frame.file_type, required=False, metavar="FILE")
@frame.store_option
@option("--month", type=Month())
@law.overlay_option
@frame.clock_option
@frame.keys_option
@frame.json_option
def reconcile_command(file: Path | None, store: str, month: tuple[date, date] | None, overlays: tuple[Path, ...],
                      on: datetime | None, keys: Path | None, as_json: bool) -> int:
    """Prove the books, and compare them with a list of payments; exit code 1 where anything differs."""
    compared = 0
    found: list[Fault] = []
    with desk_of(store, keys, overlays, on, quiet=as_json) as desk:
        totals, off = desk.levy.proof()
        if file is not None:
            compared, found = desk.levy.compare(file.name, file.read_bytes(), *(month or (None, None)))
    errors = sum(fault.severity == ERROR for fault in found)
    if as_json:
        screen.emit({"debit": yuan(totals["debit"]), "credit": yuan(totals["credit"]), "balanced": not off,
                     "off": [fault.as_dict() for fault in off], "file": "" if file is None else str(file),
                     "compared": compared, "agrees": not errors,
                     "differences": [fault.as_dict() for fault in found]})
    else:
        _show_proof(totals, off)
        if file is not None:
            said = ("ledger_file_bad" if errors and not compared and not found[0].code.startswith(COMPARED) else
                    "ledger_differs" if errors else "ledger_agrees")
            screen.out(say(said, errors=errors, count=compared))
            screen.faults(found)
    return NO if off or errors else DONE


COMPARED = ("CEB-LEDGER-04", "CEB-LEDGER-05")
"""How the codes of differences begin; all others are about the file itself."""
