"""Make letters of the bonded side: numbers, envelopes, one dialect from the other, big letters in pockets.

Numbers and names are built as those that were seen. The same parts give the same letter: moment and serial number are
handed in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from msgspec.structs import replace

from cebport.faults import Fault, is_valid
from cebport.messages.bonded.letter import Letter, fault
from cebport.messages.bonded.records import Body, CommonResponeMessage, EnvelopInfo, PocketInfo, Receipt, Request
from cebport.messages.bonded.shape import ENTITIES, MESSAGES
from cebport.values import BEIJING, time14

Record = TypeVar("Record")
CUSTOMS, PLATFORM = "CUS0000", "E010000"
"""Sender and receiver of receipts, as seen."""
DECLARATION_SENDER = "DXPEDCINVT000001"
"""Sender of INV202."""
EXTENSIONS = {"INV202": "INVT"}
MISSING_MAX = 20
"""So many missing pockets are named."""
TAKEN, REFUSED = "Successed_", "Failed_"


# --- numbers ---------------------------------------------------------------------------------------


def seq_no(year: int, serial: int) -> str:
    """The unified number (统一编号) that a letter gets when it is stored: year and 14 digits."""
    return f"{year:04}{_digits(serial, 14)}"


def bond_invt_no(customs: str, year: int, io: str, serial: int) -> str:
    """The number of a write-off list (核注清单编号): QD, customs, two digits of the year, I or E, 9 digits."""
    return f"QD{_customs(customs)}{year % 100:02}{_io(io)}{_digits(serial, 9)}"


def passport_no(customs: str, io: str, day: date, serial: int) -> str:
    """The number of a gate pass (核放单编号): Z, customs, I or E, yymmdd, 12 digits."""
    return f"Z{_customs(customs)}{_io(io)}{day:%y%m%d}{_digits(serial, 12)}"


def message_id(sender: str, receiver: str, moment: datetime, serial: int) -> str:
    """The number of a receipt: sender, receiver, 14 digits of the moment in Beijing, 11 digits."""
    return f"{sender}{receiver}{time14(moment)}{_digits(serial, 11)}"


def answer_name(name: str, taken: bool, moment: datetime) -> str:
    """The name under which a client puts the answer at once beside the file ``name``."""
    return f"{TAKEN if taken else REFUSED}{name}_{time14(moment)}"


def _digits(serial: int, places: int) -> str:
    if not 0 <= serial < 10**places:
        raise ValueError(f"serial number {serial}: at most {places} digits")
    return f"{serial:0{places}}"


def _customs(code: str) -> str:
    if not re.fullmatch(r"\d{4}", code):
        raise ValueError(f"customs {code!r}: four digits")
    return code


def _io(mark: str) -> str:
    if mark not in ("I", "E"):
        raise ValueError(f"mark {mark!r}: I or E")
    return mark


# --- letters ---------------------------------------------------------------------------------------


def receipt(
    body: Receipt, *, moment: datetime, serial: int, sender: str = CUSTOMS, receiver: str = PLATFORM
) -> Letter:
    """A receipt of customs in its envelope. ``serial`` numbers the receipts of one second.

    For an INV202 give the company's exchange id as ``receiver``: it goes another way, without a pocket.
    """
    kind = type(body).__name__
    business = business_of(body)
    declared = kind == "INV202"
    sender = DECLARATION_SENDER if declared and sender == CUSTOMS else sender
    number = message_id(sender, receiver, moment, serial)
    envelope = EnvelopInfo(
        "1.0",
        business_id=business if declared else None,
        message_id=number,
        file_name=f"{number}.{EXTENSIONS.get(kind, kind[:3])}",
        message_type=kind,
        sender_id=sender,
        receiver_id=receiver,
        send_time=_time(moment, "T"),
    )
    pocket = None if declared else _pocket(business, number, 1, 1)
    return Letter(body, envelope, pocket)


def request(body: Request, *, moment: datetime, sender: str, receiver: str, ic_card: str) -> Letter:
    """A letter of a company in its envelope, to be signed: its own number is the number of the message."""
    kind = type(body).__name__
    own = Letter(body).own_number
    envelope = EnvelopInfo(
        "1.0",
        business_id=own,
        message_id=own,
        file_name=f"{kind}_E_{own}_t-1.zip",
        message_type=kind,
        sender_id=sender,
        receiver_id=receiver,
        send_time=_time(moment, "T"),
        Ic_Card=ic_card,
    )
    return Letter(body, envelope, PocketInfo("", 1, 1, ""))


def answer(
    own_number: str, found: Sequence[Fault] = (), *, seq_no: str | None = None, taken: str = "调用成功"
) -> Letter:
    """The answer at once to a letter: taken with its unified number, or refused with what is wrong.

    taken: what a good answer says; customs writes it in Chinese.
    """
    if is_valid(found):
        return Letter(CommonResponeMessage(seq_no, own_number, taken, "0"))
    wrong = "；".join(f"[{each.code}] {each.message.zh}" for each in found if each.severity == "error")
    return Letter(CommonResponeMessage(None, own_number, wrong, "-1"))


def business_of(body: Body) -> str:
    """The number of the document that a receipt is about; "" for letters that do not say one."""
    result, head = getattr(body, "result", None), getattr(body, "head", None)
    for record, name in ((result, "businessId"), (head, "bondInvtNo"), (head, "passportNo")):
        if value := getattr(record, name, None):
            return str(value)
    return ""


def _time(moment: datetime, between: str = " ") -> str:
    return moment.astimezone(BEIJING).strftime(f"%Y-%m-%d{between}%H:%M:%S")


def time19(moment: datetime) -> str:
    """A moment as receipts write it: YYYY-MM-DD HH:MM:SS in Beijing."""
    return _time(moment)


def _pocket(business: str, number: str, current: int, total: int) -> PocketInfo:
    """A pocket; its number is the same for all pockets of one letter."""
    mark = hashlib.blake2b(f"{business}\x1f{number}".encode(), digest_size=16).hexdigest()
    return PocketInfo(f"{business}-{mark}", total, current, "")


# --- the other dialect -----------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _twins(source: str, target: str) -> tuple[tuple[str, str, str, str], ...]:
    """(field of the target, its type, field of the source, its type) of all that both entities have."""
    here = {field.name.lower(): field for field in ENTITIES[source]}
    here |= {field.like.lower(): field for field in ENTITIES[source] if field.like}
    found = []
    for field in ENTITIES[target]:
        twin = here.get(field.name.lower()) or (here.get(field.like.lower()) if field.like else None)
        if twin is not None:
            found.append((field.name, field.type, twin.name, twin.type))
    return tuple(found)


def turned(record: Any, into: type[Record], **changes: Any) -> Record:
    """``record`` as the record of the other dialect: fields of the same name, capitals apart, or said to be alike.

    changes: further fields, and other values. Days stay as they are written: a receipt wants moments (``time19``).
    """
    values: dict[str, Any] = {field.name: None for field in ENTITIES[into.__name__]}
    for name, kind, twin, other in _twins(type(record).__name__, into.__name__):
        value = getattr(record, twin)
        if value is not None and kind != other:
            value = str(value) if kind == "text" else int(value) if value != "" else None
        values[name] = value
    return into(**{**values, **changes})


# --- pockets ---------------------------------------------------------------------------------------


def pocketed(letter: Letter, lines_max: int) -> list[Letter]:
    """The letter in as many pockets as its longest list needs, each with its heads and its share of every list.

    How customs cuts big letters is not published; ``gathered`` reads what this writes. Raises ValueError for a least
    number below 1.
    """
    if lines_max < 1:
        raise ValueError("lines_max: at least 1")
    lists = _lists(letter)
    total = max([1, *(-(-len(getattr(letter.body, name)) // lines_max) for name in lists)])
    if total == 1 or letter.envelope is None:
        return [letter]
    business = business_of(letter.body) or letter.own_number
    made = []
    for current in range(1, total + 1):
        share = {name: getattr(letter.body, name)[(current - 1) * lines_max : current * lines_max] for name in lists}
        pocket = _pocket(business, letter.envelope.message_id, current, total)
        made.append(replace(letter, body=replace(letter.body, **share), pocket=pocket, kept=(), blanks=()))
    return made


def gathered(pockets: Iterable[Letter]) -> tuple[Letter | None, list[Fault]]:
    """The one letter that came in these pockets (of one number), and what is wrong: one missing, two that differ.

    The same pocket twice counts once. A letter in one pocket is itself. None when a fault is there.
    """
    held: dict[int, Letter] = {}
    found: list[Fault] = []
    where = ""
    for letter in pockets:
        pocket = letter.pocket
        number, where = (pocket.cur_pocket_no, pocket.pocket_id or where) if pocket is not None else (1, where)
        if number in held and held[number].body != letter.body:
            found.append(fault(52, path=where, found=number))
        held.setdefault(number, letter)
    if not held:
        raise ValueError("no pockets")
    first = held.get(1, next(iter(held.values())))
    total = first.pocket.total_pocket_qty if first.pocket is not None else 1
    missing = islice((number for number in range(1, total + 1) if number not in held), MISSING_MAX)
    found += [fault(51, path=where, found=number, expected=total) for number in missing]
    lists = _lists(first)
    empty: dict[str, tuple[()]] = dict.fromkeys(lists, ())
    head = replace(first.body, **empty)
    for number, letter in sorted(held.items()):
        if type(letter.body) is not type(first.body) or replace(letter.body, **empty) != head:
            found.append(fault(53, path=where, found=number))
    if found:
        return None, found
    whole = {name: tuple(row for _, each in sorted(held.items()) for row in getattr(each.body, name)) for name in lists}
    pocket = replace(first.pocket, total_pocket_qty=1, cur_pocket_no=1) if first.pocket is not None else None
    if total == 1:
        return first, []
    return replace(first, body=replace(first.body, **whole), pocket=pocket, kept=(), blanks=()), []


def _lists(letter: Letter) -> list[str]:
    return [part.attribute for part in MESSAGES[letter.type].parts if part.many]
