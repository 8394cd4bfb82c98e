"""The bonded side (保税): ``cebport bonded read`` and what other modules put below the same word.

Letters are shown by their official field names; personal values are masked.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cebport.doors import frame, screen
from cebport.doors.frame import DONE, NO
from cebport.doors.screen import say
from cebport.faults import Fault, Malformed, is_valid

if TYPE_CHECKING:
    from cebport.messages.bonded.letter import Letter
    from cebport.messages.signature import Verdict
    from cebport.messages.trust import TrustStore

bonded_command = frame.group("bonded")
SUFFIXES = (".xml", ".INV", ".INVT", ".SAS")
"""How files with letters end: those of companies, and the receipts as they are named."""
BAD = ("invalid", "refused", "expired", "revoked", "untrusted")
"""What a signature may not be; one that nobody put yet is no mistake."""


class Opened(NamedTuple):
    """One file: its letter (None: it is none), what its signature is worth, what is wrong."""

    file: Path
    letter: Letter | None
    verdict: Verdict | None
    faults: list[Fault]
    counts: bool

    @property
    def good(self) -> bool:
        """Whether the letter may be used: no error, and no bad signature (an unknown card counts with --trust only)."""
        return is_valid(self.faults) and self.letter is not None and not self.badly_signed

    @property
    def badly_signed(self) -> bool:
        """Whether its signature is worth nothing."""
        if self.verdict is None or (self.verdict.verdict == "untrusted" and not self.counts):
            return False
        return self.verdict.verdict in BAD

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; its schema is docs/reference/schemas/bonded_read.json."""
        from cebport.messages.bonded.making import business_of

        letter = self.letter
        return {
            "file": str(self.file),
            "type": letter.type if letter else None,
            "dialect": letter.shape.dialect if letter else None,
            "valid": self.good,
            "own_number": letter.own_number if letter else "",
            "number": business_of(letter.body) if letter else "",
            "envelope": _shown(letter.envelope) if letter and letter.envelope else None,
            "pocket": _shown(letter.pocket) if letter and letter.pocket else None,
            "signature": self.verdict.as_dict() if self.verdict else None,
            "body": _body(letter) if letter else None,
            "kept": [{"path": each.path, "name": each.name} for each in letter.kept] if letter else [],
            "faults": [fault.as_dict() for fault in self.faults],
        }


def _shown(record: Any, entity: str = "") -> dict[str, Any]:
    """The fields of a record that have a value, personal ones masked."""
    from cebport.messages.bonded.shape import ENTITIES
    from cebport.messages.masks import masked

    made: dict[str, Any] = {}
    for field in ENTITIES[entity or type(record).__name__]:
        value = getattr(record, field.name)
        if value is not None:
            text = format(value, "f") if isinstance(value, Decimal) else value
            made[field.name] = masked(field.personal, text) if field.personal else text
    return made


def _body(letter: Letter) -> dict[str, Any]:
    """The content by attribute: an entity, a list of them, or plain fields."""
    made: dict[str, Any] = {}
    for part in letter.shape.parts:
        held = getattr(letter.body, part.attribute)
        if part.many:
            made[part.attribute] = [_shown(record) for record in held]
        else:
            made[part.attribute] = None if held is None else _shown(held)
    return {**made, **(_shown(letter.body, letter.shape.leaves) if letter.shape.leaves else {})}


@frame.command("read", under=bonded_command)
@frame.paths_argument
@frame.trust_option
@frame.on_option
@frame.json_option
def read_command(paths: tuple[Path, ...], trust: tuple[Path, ...], on: datetime | None, as_json: bool) -> int:
    """Read letters of the bonded side; exit code 1 when one is not valid or badly signed."""
    from cebport.messages.trust import TrustStore

    store = TrustStore.load(trust) if trust else None
    moment = (on or _now()) if on is not None or trust else None
    files = frame.files_of(paths, SUFFIXES)
    good = 0
    with screen.progress(say("files"), len(files), quiet=len(files) < 20) as step:
        for path in files:
            opened = open_file(path, store, moment)
            good += opened.good
            if as_json:
                screen.emit(opened.as_dict())
            else:
                _show(opened)
            step(1)
    if not as_json and len(files) > 1:
        screen.out(say("checked", files=len(files), valid=good, invalid=len(files) - good))
    return DONE if good == len(files) else NO


def _now() -> datetime:
    from cebport.values import BEIJING

    return datetime.now(BEIJING)


def open_file(path: Path, trust: TrustStore | None, on: datetime | None) -> Opened:
    """A file as a letter, whatever is in it. Raises OSError when it cannot be read."""
    from cebport.messages import wire
    from cebport.messages.bonded.reading import read_bonded
    from cebport.messages.bonded.sealing import verify_bonded

    with path.open("rb") as source:
        raw = source.read(wire.LIMITS.bytes_max + 1)
    try:
        letter, found = read_bonded(raw)
    except Malformed as malformed:
        return Opened(path, None, None, list(malformed.faults), trust is not None)
    verdict = verify_bonded(raw, trust, on) if letter.signature is not None else None
    return Opened(path, letter, verdict, found, trust is not None)


# ── for people ──────────────────────────────────────────────────────────────────────────────────────


def _show(opened: Opened) -> None:
    letter = opened.letter
    result = say("valid") if opened.good else say("invalid")
    if opened.good and opened.faults:
        result = say("warnings_only", count=len(opened.faults))
    result = screen.coloured(result, "32" if opened.good else "31")
    screen.out(f"{opened.file}  {_kind(letter) if letter else say('not_bonded')}  {result}")
    if letter is not None:
        for name, value in _told(letter):
            screen.out(f"    {screen.labelled(name)}{value}")
    if opened.verdict is not None:
        key = "unknown_card" if _is_unknown(opened.verdict) else f"verdict.{opened.verdict.verdict}"
        screen.out(f"    {screen.label('bonded_signature')}{say(key)}")
        screen.faults(each for each in opened.verdict.faults if opened.badly_signed)
    screen.faults(opened.faults)


def _is_unknown(verdict: Verdict) -> bool:
    return verdict.verdict == "untrusted" and verdict.certificate is None


def _kind(letter: Letter) -> str:
    shape = letter.shape
    return f"{shape.type} {shape.zh if screen.language() == 'zh' else shape.en}"


TOLD = (
    "BwlNo", "PutrecNo", "putrecNo", "InvtType", "bondInvtTypecd", "ImpexpMarkcd", "impexpMarkcd", "SupvModecd",
    "supvModecd", "PassportTypecd", "passportTypecd", "IoTypecd", "ioTypecd", "BindTypecd", "bindTypecd", "RltNo",
    "rltNo", "VehicleNo", "vehicleNo", "TotalWt", "totalWt", "passCollectWt", "wtError", "DclTypecd", "DclTypeCd",
    "manageResult", "manageDate", "createDate", "vrfdedMarkcd", "invtIochkptStucd", "stucd", "passTime", "secdPassTime",
    "note", "reason", "entrySeqNo", "CheckInfo", "DealFlag", "SeqNo",
)  # fmt: skip
"""Fields that a person wants to see first, in this order; the rest is in --json."""


def _told(letter: Letter) -> Iterable[tuple[str, str]]:
    """(what it is, its value) of what says most about a letter, and how long its lists are."""
    from cebport.messages.bonded.making import business_of
    from cebport.messages.bonded.shape import ENTITY_WORDS

    if letter.own_number:
        yield say("bonded_own"), letter.own_number
    if number := business_of(letter.body):
        yield say("bonded_number"), number
    fields = dict(_facts(letter))
    yield from (fields[name] for name in TOLD if name in fields)
    chosen = 0 if screen.language() == "zh" else 1
    for part in letter.shape.parts:
        if part.many and (rows := getattr(letter.body, part.attribute)):
            yield ENTITY_WORDS[part.entity][chosen], say("bonded_rows", count=len(rows))
    if letter.pocket is not None and (letter.pocket.total_pocket_qty or 1) > 1:
        yield say("bonded_pocket"), f"{letter.pocket.cur_pocket_no}/{letter.pocket.total_pocket_qty}"


def _facts(letter: Letter) -> Iterable[tuple[str, tuple[str, str]]]:
    """Field -> (its words, its value with the words of its code) of everything that stands once in a letter."""
    from cebport.messages.bonded.shape import CODES, ENTITIES

    chosen = 0 if screen.language() == "zh" else 1
    parts = [(part.entity, getattr(letter.body, part.attribute)) for part in letter.shape.parts if not part.many]
    if not letter.shape.parts:
        parts = [(letter.shape.leaves, letter.body)]
    for entity, record in parts:
        for field in ENTITIES[entity] if record is not None else ():
            value = getattr(record, field.name)
            if value in (None, "") or field.personal:
                continue
            text = format(value, "f") if isinstance(value, Decimal) else str(value)
            rows = CODES[codes].rows if (codes := letter.shape.codes.get((entity, field.name), field.codes)) else {}
            if text in rows:
                text = f"{text} {rows[text][chosen]}"
            yield field.name, ((field.zh, field.en)[chosen], text)
