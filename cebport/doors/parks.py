"""Account books and the gate (账册与卡口): what stands below ``cebport bonded`` beside ``read``.

Nothing is decided here: ``server/bonded.py`` books each act in one transaction, this shows what came of it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cebport.doors import frame, screen, words
from cebport.doors.bonded import SUFFIXES, bonded_command
from cebport.doors.frame import DONE, NO, option
from cebport.doors.screen import say
from cebport.faults import ERROR, Malformed, is_valid
from cebport.values import BEIJING

if TYPE_CHECKING:
    from cebport.clearance.stock import BondList, Book, Goods, Line
    from cebport.server.bonded import Desk, Posted
    from cebport.server.store.store import Store

__all__ = ["bonded_command"]
PEER = "folder"
RESULTS = ("pass", "pre", "passed", "manual", "refuse", "released")
GATES = ("single", "first", "second")
LINES_SHOWN, SALES_MOST, MOVES_SHOWN = 20, 10_000, 20
COLUMNS = {"item": ("item", "项号", "备案序号", "gdsSeqno"), "counted": ("counted", "盘点数量", "数量", "qty")}
"""Heads of a list of what was counted."""


class Kilograms(click.ParamType):
    """A weight or quantity that is not below zero."""

    name = "KG"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """The number."""
        if isinstance(value, Decimal):
            return value
        try:
            found = Decimal(value)
        except InvalidOperation:
            self.fail(say("not_a_number", value=value), param, ctx)
        if not found.is_finite() or found < 0:
            self.fail(say("not_a_number", value=value), param, ctx)
        return found


receipts_option = option("--receipts", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
own_option = option("--own", metavar="NUMBER")


@contextmanager
def desk_of(store: str, keys: Path | None, *, fresh: bool = False) -> Iterator[Desk]:
    """The desk of a store; ``fresh``: make one that is not there. Raises UsageError, SettingsError, ChannelDown."""
    from cebport import __version__
    from cebport.policy import Policy
    from cebport.server.bonded import Desk
    from cebport.server.store.store import Store

    held = Store.open(store if fresh else frame.existing_store(store), keys)
    try:
        yield Desk(held, Policy.load(), code=__version__)
    finally:
        held.close()


def moment_of(on: datetime | None) -> datetime:
    """The clock of an act."""
    return on if on is not None else datetime.now(BEIJING)


# ── what came of an act ─────────────────────────────────────────────────────────────────────────────────


def answer_of(posted: Posted, name: str) -> dict[str, Any]:
    """The JSON form of an act; its schema is docs/reference/schemas/bonded_examine.json and its like."""
    from cebport.clearance.bonded.acts import fault_of_reason
    from cebport.clearance.stock import shown

    outcome = posted.outcome
    if outcome is None:
        return {"act": name, "message": posted.inbox, "repeated": True, "refused": False, "number": "", "receipts": [],
                "faults": [], "differences": []}
    return {
        "act": name, "message": posted.inbox, "repeated": False, "refused": outcome.refused, "number": outcome.number,
        "receipts": [{"type": one.type, "result": one.result} for one in outcome.answers],
        "faults": [fault_of_reason(why).as_dict() for why in outcome.why],
        "differences": [{"item": one.item, "material": one.material, "booked": shown(one.booked),
                         "counted": shown(one.counted), "documents": list(one.behind)} for one in outcome.differences],
    }


def tell(posted: Posted, name: str, *, as_json: bool) -> int:
    """Show an act; exit code 1 when it was refused."""
    from cebport.clearance.bonded.acts import fault_of_reason

    answer = answer_of(posted, name)
    outcome = posted.outcome
    if as_json:
        screen.emit(answer)
    elif outcome is None:
        screen.out(f"{name}  {say('bonded_repeated', message=posted.inbox)}")
    else:
        done = screen.coloured(words.event_words(f"bonded: {outcome.name}", screen.language()),
                               "31" if outcome.refused else "32")
        told = ", ".join(f"{one.type} {one.result}" for one in outcome.answers)
        screen.out(f"{outcome.number or name}  {done}" + (f"  -> {told}" if told else ""))
        screen.faults(fault_of_reason(why) for why in outcome.why)
    return NO if answer["refused"] else DONE


def send(desk: Desk, receipts: Path | None) -> None:
    """Write waiting receipts into a folder, where one is given; else they wait for the next run."""
    if receipts is None:
        return
    from cebport.channels.folder import FolderOut
    from cebport.server.dispatch import dispatch

    out = FolderOut(receipts)
    out.probe()
    while dispatch(desk.store, out):
        pass


def deliver(desk: Desk, act: Any, name: str, now: datetime, raw: bytes = b"", *, peer: str = "desk",
            **told: Any) -> Posted:
    """Book an act: the bytes of its letter, or what an officer or a gate said and when."""
    from cebport.server.bonded import LINK
    from cebport.server.booking import Brought

    said = raw or json.dumps({"act": name, "at": now.isoformat(), **told}, ensure_ascii=False, default=str,
                             sort_keys=True).encode()
    return desk.post(act, Brought(peer, LINK, name, said), now)


# ── book ────────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("book", under=bonded_command)
@click.argument("number", required=False, metavar="[NUMBER]")
@option("--item", type=frame.Number(1))
@option("--after", type=frame.Number(0), default=0)
@option("--lines", type=frame.Number(0), default=LINES_SHOWN)
@option("--prove", is_flag=True)
@frame.store_option
@frame.keys_option
@frame.json_option
def book_command(number: str | None, item: int | None, after: int, lines: int, prove: bool, store: str,
                 keys: Path | None, as_json: bool) -> int:
    """What a book holds; without a number every book; exit code 1 when there is none, or its proof fails."""
    with desk_of(store, keys) as desk:
        if number is None and item is not None:
            raise click.UsageError(say("missing", name="NUMBER"))
        found = [_book_answer(desk.store, one, item, after, lines) for one in (
            [number] if number is not None else _numbers(desk.store))]
        proof = _proved(desk.store, number or "", quiet=as_json) if prove else None
    told = [one for one in found if one is not None]
    for one in told:
        one["proof"] = proof
        if as_json:
            screen.emit(one)
        else:
            _show_book(one)
    if not told:
        screen.note(say("not_found", number=number or ""))
        return NO
    return NO if proof is not None and proof["differences"] else DONE


def _numbers(store: Store) -> list[str]:
    from cebport.server.bonded import books_of

    return [book.number for book in books_of(store)]


def _book_answer(store: Store, number: str, item: int | None, after: int, most: int) -> dict[str, Any] | None:
    """The JSON form of a book; its schema is docs/reference/schemas/bonded_book.json."""
    from cebport.clearance.stock import shown
    from cebport.server.bonded import line_at, lines_of, summary_of

    held = summary_of(store, number)
    if held is None:
        return None
    if item is None:
        lines = lines_of(store, number, after, most) if most else []
    else:
        one = line_at(store, number, item)
        if one is None:
            return None
        lines = [one]
    book: Book = held.book
    return {
        "book": book.number, "customs": book.customs, "company": book.company.code, "name": book.company.name,
        "until": book.until, "items": held.items, "moves": held.moves,
        "totals": {**{name: shown(amount) for name, amount in held.counters.items()}, "balance": shown(held.balance)},
        "lines": [_line(line) for line in lines],
        "movements": _movements(store, number, item) if item is not None else [],
    }


def _line(line: Line) -> dict[str, Any]:
    from cebport.clearance.stock import COUNTERS, shown

    return {"item": line.item, "material": line.goods.material, "gcode": line.goods.gcode, "name": line.goods.name,
            "country": line.goods.country, "unit": line.goods.unit,
            **{name: shown(getattr(line, name)) for name in COUNTERS}, "balance": shown(line.balance),
            "free": shown(line.free), "last_list": line.list}


def _movements(store: Store, number: str, item: int) -> list[dict[str, Any]]:
    from cebport.clearance.stock import kind_numbers, shown

    kinds = {at: kind for kind, at in kind_numbers().items()}
    return [{"seq": seq, "kind": kinds[kind], "document": document, "line": line, "qty": shown(qty), "message": inbox}
            for seq, kind, document, line, qty, _, _, inbox in store.engine.rows(
                "bonded_moves_of", number, item, MOVES_SHOWN)]


def _proved(store: Store, number: str, *, quiet: bool) -> dict[str, Any]:
    from cebport.server.bonded_fold import prove

    with screen.progress(say("folding"), quiet=quiet) as step:
        proof = prove(store, number, step)
    return {"lines": proof.lines, "moves": proof.moves, "differences": proof.differences}


def _show_book(told: dict[str, Any]) -> None:
    totals = told["totals"]
    screen.out(f"{told['book']}  {told['customs']}  {told['company']} {told['name']}")
    screen.out("    " + say("bonded_totals", items=f"{told['items']:,}", moves=f"{told['moves']:,}", **totals))
    names = ("entered", "increased", "decreased", "pre_decreased", "balance", "reserved", "free")
    if told["lines"]:
        screen.table([say("bonded_item"), say("bonded_material"), *[say(f"bonded_{name}") for name in names]],
                     [(line["item"], line["material"], *[line[name] for name in names]) for line in told["lines"]],
                     right=[0, *range(2, 9)])
    if told["movements"]:
        from cebport.clearance.stock import state_words

        screen.table([say("number"), say("bonded_movement"), say("document"), say("line"), say("bonded_quantity")],
                     [(one["seq"], state_words("movements", one["kind"]).at(screen.language()), one["document"],
                       one["line"], one["qty"]) for one in told["movements"]], right=[0, 3, 4])
    if told["proof"] is not None:
        proof = told["proof"]
        screen.out(say("bonded_proved" if not proof["differences"] else "bonded_not_proved",
                       lines=f"{proof['lines']:,}", moves=f"{proof['moves']:,}", count=len(proof["differences"])))
        for one in proof["differences"]:
            screen.out(f"  {one}")


# ── enter ───────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("enter", under=bonded_command)
@frame.paths_argument
@frame.store_option
@receipts_option
@frame.clock_option
@frame.keys_option
@frame.json_option
def enter_command(paths: tuple[Path, ...], store: str, receipts: Path | None, on: datetime | None, keys: Path | None,
                  as_json: bool) -> int:
    """Book the letters of companies: BWS101, INV101, SAS121; exit code 1 when one is refused."""
    files = frame.files_of(paths, SUFFIXES)
    worst = DONE
    with desk_of(store, keys, fresh=True) as desk:
        for file in files:
            worst = max(worst, _enter(desk, file, moment_of(on), as_json=as_json))
        send(desk, receipts)
    return worst


def _enter(desk: Desk, file: Path, now: datetime, *, as_json: bool) -> int:
    """One file. What is no letter of a company, or breaks the form, is told and not booked."""
    from cebport.messages import wire
    from cebport.messages.bonded.reading import read_bonded
    from cebport.server.bonded_letters import act_of

    with file.open("rb") as source:
        raw = source.read(wire.LIMITS.bytes_max + 1)
    try:
        letter, found = read_bonded(raw)
        act = act_of(letter) if is_valid(found) else None
    except Malformed as malformed:
        act, found = None, list(malformed.faults)
    except ValueError:
        act = None
    if act is not None:
        return tell(deliver(desk, act, file.name, now, raw, peer=PEER), str(file), as_json=as_json)
    errors = [fault for fault in found if fault.severity == ERROR]
    if as_json:
        screen.emit({"act": str(file), "message": 0, "repeated": False, "refused": True, "number": "", "receipts": [],
                     "faults": [fault.as_dict() for fault in errors], "differences": []})
    else:
        screen.out(f"{file}  {screen.coloured(say('invalid' if errors else 'bonded_no_request'), '31')}")
        screen.faults(errors)
    return NO


# ── batch ───────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("batch", under=bonded_command)
@click.argument("number", metavar="NUMBER")
@option("--back", is_flag=True)
@option("--most", type=frame.Number(1), default=SALES_MOST)
@own_option
@frame.out_option
@frame.store_option
@receipts_option
@frame.clock_option
@frame.keys_option
@frame.json_option
def batch_command(number: str, back: bool, most: int, own: str | None, out: Path | None, store: str,
                  receipts: Path | None, on: datetime | None, keys: Path | None, as_json: bool) -> int:
    """Gather released inventories of a book into a list of kind 8; exit code 1 when there is none."""
    from cebport.clearance.bonded.sales import aggregate, returning
    from cebport.clearance.stock import SALES_KIND, BondList
    from cebport.messages.bonded.writing import write_bonded
    from cebport.server.bonded import Held, due_sales, free_sales, summary_of
    from cebport.server.bonded_letters import act_of, list_letter

    now = moment_of(on)
    with desk_of(store, keys) as desk:
        held = summary_of(desk.store, number)
        sales = (due_sales if back else free_sales)(desk.store, number, most) if held is not None else []
        if held is None or not sales:
            screen.note(say("not_found", number=number) if held is None else say("bonded_nothing", number=number))
            return NO
        known = Held(desk.store)
        items = {line.item for sale in sales for line in sale.lines}
        known.load_lines({number: items})
        goods: dict[int, Goods] = {item: known.get("lines", (number, item)).goods for item in items}
        book = held.book
        lines = (returning if back else aggregate)(sales, goods)
        made: BondList = BondList("", "", own or _own(desk.store, now), number, book.customs, book.company,
                                  SALES_KIND, "I" if back else "E", "1210", lines)
        raw = write_bonded(list_letter(made, sales, moment=now, **_address(book)))
        if out is not None:
            frame.write_answer(raw, out, f"INV101_{made.own}.xml", several=False)
        posted = deliver(desk, act_of(_read(raw)), made.own, now, raw)
        send(desk, receipts)
    return tell(posted, made.own, as_json=as_json)


def _read(raw: bytes) -> Any:
    from cebport.messages.bonded.reading import read_bonded

    return read_bonded(raw)[0]


def _own(store: Store, now: datetime) -> str:
    """A fresh own number of what this window makes for a company."""
    day = f"{now.astimezone(BEIJING):%Y%m%d}"
    with store.transaction():
        return f"CEB{day}{store.next(f'own/{day}'):06d}"


def _address(book: Book) -> dict[str, str]:
    """Who sends the letters that this window makes: the company of the book, by its code."""
    return {"sender": f"DXPESW{book.company.code[:10].rjust(10, '0')}", "receiver": "DXPENTSWSA000001",
            "card": "0000000000000"}


# ── examine ─────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("examine", under=bonded_command)
@click.argument("number", metavar="NUMBER")
@click.argument("result", type=frame.Choice(RESULTS), metavar="|".join(RESULTS))
@option("--note", metavar="TEXT")
@option("--entry", metavar="NUMBER")
@option("--who", metavar="NAME", required=True)
@frame.store_option
@receipts_option
@frame.clock_option
@frame.keys_option
@frame.json_option
def examine_command(number: str, result: str, note: str | None, entry: str | None, who: str, store: str,
                    receipts: Path | None, on: datetime | None, keys: Path | None, as_json: bool) -> int:
    """An officer's answer to a list or a pass; exit code 1 when its state does not allow it."""
    from cebport.clearance import bonded

    if (result == "released") != (entry is not None):
        raise click.UsageError(say("missing", name="--entry") if entry is None else say("bonded_entry_only"))
    act: Any = bonded.EntryReleased(number, entry) if entry is not None else bonded.Examine(number, result, note or "")
    with desk_of(store, keys) as desk:
        posted = deliver(desk, act, "examine", moment_of(on), number=number, result=result, note=note, entry=entry,
                         who=who)
        send(desk, receipts)
    return tell(posted, number, as_json=as_json)


# ── pass ────────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("pass", under=bonded_command)
@click.argument("lists", nargs=-1, metavar="NUMBER...")
@option("--void", metavar="NUMBER")
@option("--part", "parts", multiple=True, metavar="LINE=N")
@option("--vehicle", metavar="TEXT")
@option("--vehicle-weight", type=Kilograms())
@option("--frame-weight", type=Kilograms(), default=Decimal(0))
@option("--container-weight", type=Kilograms(), default=Decimal(0))
@option("--gross", type=Kilograms())
@option("--net", type=Kilograms())
@option("--contact", metavar="TEXT")
@own_option
@frame.out_option
@frame.store_option
@receipts_option
@frame.clock_option
@frame.keys_option
@frame.json_option
def pass_command(lists: tuple[str, ...], void: str | None, out: Path | None, store: str, receipts: Path | None,
                 on: datetime | None, keys: Path | None, as_json: bool, **asked: Any) -> int:
    """Ask for a gate pass for lists, or for parts of one (--part), or make one void; exit code 1 when refused."""
    from cebport.clearance import bonded
    from cebport.messages.bonded.writing import write_bonded
    from cebport.server.bonded import list_at, pass_at
    from cebport.server.bonded_letters import act_of, pass_letter

    now = moment_of(on)
    if (void is None) != bool(lists):
        raise click.UsageError(say("missing", name="NUMBER") if void is None else say("bonded_void_alone"))
    with desk_of(store, keys) as desk:
        found = [one for number in lists if (one := list_at(desk.store, number)) is not None]
        held = pass_at(desk.store, void) if void is not None else None
        if len(found) < len(lists) or (void is not None and held is None):
            lacking = [n for n in lists if n not in {one.number for one in found}] or [void or ""]
            screen.note(say("not_found", number=", ".join(lacking)))
            return NO
        if held is not None:
            made, typ, contact, goods = held, bonded.GONE, held.contact, _goods_of(desk.store, held)
        else:
            made, goods = _asked_pass(found, {**asked, "own": asked["own"] or _own(desk.store, now)})
            typ, contact = bonded.NEW, asked["contact"]
        raw = write_bonded(pass_letter(made, goods, contact, typ=typ, moment=now,
                                       sender=f"DXPESW{made.company.code[:10].rjust(10, '0')}",
                                       receiver="DXPENTSWSA000001", card="0000000000000"))
        if out is not None:
            frame.write_answer(raw, out, f"SAS121_{made.own}.xml", several=False)
        posted = deliver(desk, act_of(_read(raw)), made.own, now, raw)
        send(desk, receipts)
    return tell(posted, made.own, as_json=as_json)


def _goods_of(store: Store, made: Any) -> dict[tuple[str, int], Goods]:
    """What each part of a pass is."""
    from cebport.server.bonded import list_at

    found: dict[tuple[str, int], Goods] = {}
    for number in made.lists:
        held = list_at(store, number)
        found |= {(number, line.no): line.goods for line in (held.lines if held is not None else ())}
    return {(part.list, part.line): found[(part.list, part.line)] for part in made.lines
            if (part.list, part.line) in found}


def _asked_pass(found: list[BondList], asked: dict[str, Any]) -> tuple[Any, dict[tuple[str, int], Goods]]:
    """The pass that the options ask for. Raises UsageError for what lacks, or for parts of several lists."""
    from cebport.clearance.stock import OUT, Load, Pass

    for name in ("vehicle", "vehicle_weight", "gross", "net", "contact"):
        if asked[name] is None:
            raise click.UsageError(say("missing", name=f"--{name.replace('_', '-')}"))
    parts, first = asked["parts"], found[0]
    if parts and len(found) > 1:
        raise click.UsageError(say("bonded_one_list"))
    lines = tuple(_part(first, text) for text in parts)
    bind = "3" if parts else "1" if len(found) > 1 else "2"
    framed = asked["frame_weight"]
    load = Load(asked["vehicle"], "", asked["vehicle_weight"], "1" if framed else "", framed, "", "",
                asked["container_weight"],
                asked["vehicle_weight"] + framed + asked["container_weight"] + asked["gross"], asked["gross"],
                asked["net"])
    made = Pass("", "", asked["own"], first.customs, first.company, "3" if first.io == OUT else "2", first.io, bind,
                tuple(one.number for one in found), lines, load)
    return made, {(first.number, line.no): line.goods for line in first.lines}


def _part(held: BondList, text: str) -> Any:
    """``1=2.5``: so much of a line of the list."""
    from cebport.clearance.stock import PassLine, units

    no, _, quantity = text.partition("=")
    try:
        amount = units(Decimal(quantity))
        line = int(no)
    except (InvalidOperation, ValueError):
        amount, line = None, 0
    if amount is None or line not in {one.no for one in held.lines}:
        raise click.UsageError(f"--part: {say('bonded_part', value=text)}")
    return PassLine(held.number, line, amount)


# ── gate ────────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("gate", under=bonded_command)
@click.argument("number", metavar="NUMBER")
@option("--gate", type=frame.Choice(GATES), default="single")
@option("--gate-id", metavar="NUMBER")
@option("--collected", type=Kilograms())
@frame.store_option
@receipts_option
@frame.clock_option
@frame.keys_option
@frame.json_option
def gate_command(number: str, gate: str, gate_id: str | None, collected: Decimal | None, store: str,
                 receipts: Path | None, on: datetime | None, keys: Path | None, as_json: bool) -> int:
    """A vehicle crosses the gate; exit code 1 when its pass does not allow it."""
    from cebport.clearance import bonded

    now = moment_of(on)
    act = bonded.Cross(number, gate, gate_id or "", int(now.timestamp() * 1000), collected)
    with desk_of(store, keys) as desk:
        posted = deliver(desk, act, "gate", now, number=number, gate=gate, gate_id=gate_id, collected=collected)
        send(desk, receipts)
    return tell(posted, number, as_json=as_json)


# ── count ───────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("count", under=bonded_command)
@click.argument("number", metavar="NUMBER")
@click.argument("source", type=frame.file_type, metavar="FILE")
@option("--settle", is_flag=True)
@own_option
@option("--who", metavar="NAME", required=True)
@frame.store_option
@frame.clock_option
@frame.keys_option
@frame.json_option
def count_command(number: str, source: Path, settle: bool, own: str | None, who: str, store: str, on: datetime | None,
                  keys: Path | None, as_json: bool) -> int:
    """Compare what was counted with a book; exit code 1 when anything differs, unless it is settled."""
    from cebport.clearance import bonded

    now = moment_of(on)
    counted = read_counted(source)
    with desk_of(store, keys) as desk:
        document = own or _own(desk.store, now)
        act = bonded.Count(number, document, counted, settle)
        posted = deliver(desk, act, source.name, now, number=number, document=document, counted=counted,
                         settle=settle, who=who)
    code = tell(posted, number, as_json=as_json)
    differences = posted.outcome.differences if posted.outcome is not None else ()
    if differences and not as_json:
        from cebport.clearance.stock import shown

        screen.table([say("bonded_item"), say("bonded_material"), say("bonded_booked"), say("bonded_counted"),
                      say("bonded_behind")],
                     [(one.item, one.material, shown(one.booked), shown(one.counted), " ".join(one.behind) or "-")
                      for one in differences], right=[0, 2, 3])
    return NO if differences and not settle else code


def read_counted(source: Path) -> tuple[tuple[int, int], ...]:
    """Item and quantity of each row of a CSV; heads in Chinese or English. Raises UsageError with the row."""
    from cebport.clearance.stock import units

    with source.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.DictReader(text)
        heads = {ours: next((name for name in rows.fieldnames or () if name.strip() in known), None)
                 for ours, known in COLUMNS.items()}
        lacking = [known[0] for ours, known in COLUMNS.items() if heads[ours] is None]
        if lacking:
            raise click.UsageError(f"{source}: {say('missing', name=', '.join(lacking))}")
        found: dict[int, int] = {}
        for at, row in enumerate(rows, 2):
            try:
                item = int(row[heads["item"] or ""])
                amount = units(Decimal(row[heads["counted"] or ""].replace(",", "")))
            except (InvalidOperation, ValueError, AttributeError, TypeError):
                amount, item = None, 0
            if amount is None or item in found:
                raise click.UsageError(say("bonded_row", path=source, row=at))
            found[item] = amount
    return tuple(sorted(found.items()))
