"""The tax of goods before they come (税款试算): ``cebport tax``; and the worked cases of the law: ``cebport cases``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import click

from cebport.clearance import asking
from cebport.clearance.asking import Request, read_request, request_of
from cebport.clearance.quote import Quote, money, quote
from cebport.doors import frame, law, screen
from cebport.doors.frame import DONE, NO, option
from cebport.doors.screen import say
from cebport.faults import WARNING, Fault, Malformed, fault_of
from cebport.messages.documents import Document
from cebport.policy import Policy
from cebport.policy.overlay import supposed
from cebport.values import ZERO

BYTES_MAX = 16 << 20
COLUMNS = 80
STDIN = "-"
CASE_VALUES = ("inside", "full_tax", "refused", "unanswered", "single", "year")
"""What becomes of the order of a case, and the limit that says so."""
INVENTORY = "CEB621Message"
overlay_option = option("--overlay", "overlays", type=frame.file_type, multiple=True, metavar="FILE")


class Money(click.ParamType):
    """An amount in CNY to the fen."""

    name = "CNY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """The amount."""
        if isinstance(value, Decimal):
            return value
        if not value.isascii() or not asking.FEN_MONEY.pattern.match(value):
            self.fail(say("not_money", value=value), param, ctx)
        return Decimal(value)


class Asked(NamedTuple):
    """One question of a file, and what is wrong with it; ``request`` None: it cannot be answered."""

    request: Request | None
    faults: list[Fault]


# ── tax ─────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("tax")
@click.argument("file", metavar="FILE")
@option("--on", type=frame.Day())
@option("--place", metavar="PLACE")
@option("--year-used", type=Money(), metavar="CNY")
@overlay_option
@frame.json_option
def tax_command(file: str, on: date | None, place: str | None, year_used: Decimal | None, overlays: tuple[Path, ...],
                as_json: bool) -> int:
    """The tax of a question in JSON or of the inventories of a CEB621 message: an answer each."""
    raw = _bytes_of(file)
    policy = supposed(overlays)
    place = law.place_of(policy, place) if place is not None else None
    asked = {"on": on, "place": place, "year_used": year_used}
    code = DONE
    for number, one in enumerate(_questions(raw, {name: held for name, held in asked.items() if held is not None}), 1):
        made = quote(one.request, policy) if one.request is not None else []
        if isinstance(made, Quote):
            code = max(code, DONE if made.answered else NO)
            if as_json:
                screen.emit(made.as_dict() | {"faults": [fault.as_dict() for fault in (*one.faults, *made.faults)]})
            else:
                if number > 1:
                    screen.out()
                _show(made, one.faults)
            continue
        code = NO
        faults = [*one.faults, *made]
        if as_json:
            screen.emit({"faults": [fault.as_dict() for fault in faults]})
        else:
            screen.faults(faults)
    return code


def _bytes_of(file: str) -> bytes:
    """The file, or standard input. Raises UsageError when there is no such file."""
    if file == STDIN:
        return sys.stdin.buffer.read(BYTES_MAX + 1)
    path = Path(file)
    if not path.is_file():
        raise click.UsageError(say("no_such_file", path=file))
    with path.open("rb") as source:
        return source.read(BYTES_MAX + 1)


def _questions(raw: bytes, asked: dict[str, Any]) -> Iterator[Asked]:
    """The questions of the bytes; ``asked``: what the command line says before them."""
    if len(raw) > BYTES_MAX:
        yield _wrong("CEB-QUOTE-008", len(raw), BYTES_MAX)
    elif raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        yield from _of_message(raw, asked)
    else:
        yield _of_json(raw, asked)


def _wrong(code: str, found: object, expected: object, path: str = "") -> Asked:
    return Asked(None, [fault_of(asking.catalog(), code, path=path, found=found, expected=expected)])


def _of_json(raw: bytes, asked: dict[str, Any]) -> Asked:
    try:
        data = json.loads(raw.decode("utf-8-sig"), parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number,
                          object_pairs_hook=_no_key_twice)
    except (ValueError, RecursionError, ArithmeticError) as wrong:
        return _wrong("CEB-QUOTE-001", str(wrong) or type(wrong).__name__, "JSON, UTF-8")
    if isinstance(data, dict):
        data |= asked
    return Asked(*read_request(data))


def _no_number(text: str) -> None:
    raise ValueError(text)


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError("duplicate key " + next(name for name in names if names.count(name) > 1))
    return made


def _of_message(raw: bytes, asked: dict[str, Any]) -> Iterator[Asked]:
    """The inventories of a CEB621 message, bare or in its envelope; a signature is not asked for."""
    from cebport.messages import envelope, wire

    try:
        tree = wire.parse_tree(envelope.unwrap(raw).payload)
    except Malformed as malformed:
        yield Asked(None, list(malformed.faults))
        return
    if tree.type != INVENTORY:
        yield _wrong("CEB-QUOTE-007", tree.type, INVENTORY)
        return
    faults = wire.schema_faults(tree)
    part = wire.readable(tree, faults)
    if part is None:
        yield Asked(None, faults)
        return
    message, numbers = part
    before = [fault.with_severity(WARNING) for fault in faults if fault.document is None]
    if unread := [fault for fault in faults if fault.document is not None]:
        yield Asked(None, unread)
    for document, number in zip(message.documents, numbers, strict=True):
        wrong = _amounts_below_zero(document, number)
        yield Asked(None, wrong) if wrong else _of_document(document, number, asked, before)


def _of_document(document: Document, number: int, asked: dict[str, Any], before: list[Fault]) -> Asked:
    try:
        return Asked(request_of(document, on=asked.get("on"), place=asked.get("place"),
                                year_used=asked.get("year_used", ZERO)), before)
    except ValueError:
        return _wrong("CEB-QUOTE-003", document.head.appTime, "YYYYMMDDhhmmss", f"Inventory[{number}]/appTime")


def _amounts_below_zero(document: Document, number: int) -> list[Fault]:
    """The schema lets an amount be negative; no tax can be made of it."""
    head = document.head
    held = [("InventoryHead/freight", head.freight), ("InventoryHead/insuredFee", head.insuredFee)]
    held += [(f"InventoryList[{line.gnum}]/{name}", amount) for line in document.lines
             for name, amount in (("totalPrice", line.totalPrice), ("qty", line.qty), ("qty1", line.qty1),
                                  ("qty2", line.qty2 or ZERO))]
    return [fault_of(asking.catalog(), "CEB-QUOTE-003", path=f"Inventory[{number}]/{path}", found=amount,
                     expected=">= 0") for path, amount in held if amount < 0]


def _show(made: Quote, before: list[Fault]) -> None:
    """The answer for people: every step, the faults, the rows of the law."""
    if made.request.label:
        _out(screen.label("order") + made.request.label)
    for step in made.steps:
        indent = "  " * step.depth
        first, *rest = screen.wrapped(screen.spoken(step.words), COLUMNS - len(indent))
        screen.out(indent + first)
        for line in rest:
            screen.out(f"{indent}  {line}")
    screen.faults([*before, *made.faults])
    screen.out(screen.label("sources"))
    for source in made.sources:
        _out(_source(source), "  ")
    end = "tax_refused" if made.refused else "tax_unanswered" if not made.answered else "tax_total"
    colour = "32" if made.answered else "31"
    screen.out(screen.coloured(say(end, total=money(made.total or ZERO), gcodes=list(made.missing)), colour))


def _source(source: dict[str, Any]) -> str:
    """One row of the law in a line: topic, text, first day; a mark where the text was not seen."""
    lang = screen.language()
    text = source["no"][lang] if "no" in source else source["edition"]
    name = f"{source['topic']} {source['gcode']}" if "gcode" in source else source["topic"]
    since = f", {source['since']}" if source.get("since") else ""
    mark = "" if source["seen"] else f"  {say('text_not_seen')}"
    return f"{name}: {text} [{source['confidence']}{since}]{mark}"


# ── cases ───────────────────────────────────────────────────────────────────────────────────────────


@frame.command("cases")
@click.argument("paths", nargs=-1, type=frame.Place(), metavar="[PATH...]")
@overlay_option
@option("--all", "every", is_flag=True)
@frame.json_option
def cases_command(paths: tuple[Path, ...], overlays: tuple[Path, ...], every: bool, as_json: bool) -> int:
    """The worked cases against the tables."""
    from cebport.testing.cases import case_files, read_cases, run_case

    policy = Policy.load(overlays=overlays)
    files = case_files(paths)
    if not files:
        raise click.UsageError(say("no_cases", paths=", ".join(map(str, paths))))
    held, wrong, told = 0, 0, []
    for path in files:
        cases, faults = read_cases(path)
        wrong += len(faults)
        results = [run_case(case, policy) for case in cases]
        held += sum(result.holds for result in results)
        told.append((path.name, len(results), sum(not result.holds for result in results), len(faults)))
        for result in results:
            if as_json:
                screen.emit(result.as_dict())
            elif every or not result.holds:
                _show_case(result)
        if as_json:
            for fault in faults:
                screen.emit({"faults": [fault.as_dict()]})
        else:
            screen.faults(faults)
    count = sum(row[1] for row in told)
    if not as_json:
        screen.table([say("file"), say("cases"), say("cases_differ"), say("cases_unread")], told, right=(1, 2, 3))
        screen.out(say("cases_told", held=held, count=count))
    return DONE if held == count and not wrong else NO


def _show_case(result: Any) -> None:
    """A case, and what came out otherwise."""
    word, colour = say("case_holds" if result.holds else "case_differs"), "32" if result.holds else "31"
    _out(f"{result.case.where}  {result.case.day}  {word}  {screen.spoken(result.case.title)}",
         paint=lambda line: line.replace(word, screen.coloured(word, colour), 1))
    for what, *values in result.differences:
        expected, found = (_case_value(what, value) for value in values)
        _out(f"{say('case.' + what)}  {screen.label('expected')}{expected}   {screen.label('found')}{found}", "    ")


def _case_value(what: str, value: str) -> str:
    """What a case says of a field, in the language of the screen."""
    return say(f"case.{what}.{value}") if what in ("channel", "limit") and value in CASE_VALUES else value or "-"


def _out(text: str, indent: str = "", paint: Callable[[str], str] = str) -> None:
    """A text within the columns, its later lines set in."""
    first, *rest = screen.wrapped(text, COLUMNS - len(indent) - 2)
    screen.out(indent + paint(first))
    for line in rest:
        screen.out(f"{indent}  {line}")
