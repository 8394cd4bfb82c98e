"""Realistic signed traffic from a seed (模拟报文): what a morning brings to a port, and what must come of it.

``generate`` writes a folder that ``cebport clear`` takes as it is::

    messages/000001-CEB311.xml …   bare signed messages; the names sort as they arrive
    cards/<code>.pem, .key.pem     test cards of every company of the cities (FOR TESTS ONLY)
    trust.yaml, filings.yaml       whose signature counts, who is filed
    expected.json                  what a good port makes of it: totals, places, every sown fault

The same arguments give the same bytes. A batch (some hundred parcels of one city) is made, signed and
written before the next one begins, so memory does not grow with the number of parcels.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from functools import lru_cache
from hashlib import blake2b
from math import gcd
from pathlib import Path
from random import Random
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from cebport.messages import wire
from cebport.messages.documents import BaseSubscribe, BaseTransfer, Document, ExtendMessage, Message
from cebport.messages.signature import sign
from cebport.testing import builders, sown
from cebport.testing.builders import Story, story
from cebport.testing.market import BONDED, DIRECT, City, Company, cities, city, filed, person, pilot_cities, season
from cebport.values import BEIJING, guid_from

if TYPE_CHECKING:
    from cebport.messages.keys import Signer
    from cebport.testing.keys import TestCard

BATCH_PARCELS_MAX = 100
PARCELS_MAX = 5_000_000
"""More buyers than this are not told apart from the strangers of sown faults."""
MORNING = timedelta(hours=3)
"""Inventories are sent in so long a time before ``on``, but not before its midnight."""
BONDED_SHARE = 0.65
REPEAT_SHARE = 0.03
"""So many buyers order a second time at once."""
SHUFFLED_SHARE, HELD_SHARE = 0.2, 0.1
"""Batches whose message types come in any order; messages that come a batch late."""
FIRST_BUYERS = 20_000_000
KINDS = ("CEB311", "CEB411", "CEB511", "CEB621")
CARD_SEED = "cebport traffic"
SPARE_ALGORITHM = "sm2"
"""The cards of companies that sign nothing here (merchants, operators, guarantors), for messages made by hand."""


# ── one message ─────────────────────────────────────────────────────────────────────────────────────────


def message(
    kind: str,
    documents: Sequence[Document],
    sender: Company,
    *,
    guid: str = "",
    subscribes: Sequence[BaseSubscribe] = (),
    extend: ExtendMessage | None = None,
) -> Message:
    """A message ("CEB311Message" or "CEB311") of ``sender`` with these documents.

    guid: that of the root; by default it follows from type, sender and documents.
    """
    name = kind if kind.endswith("Message") else f"{kind}Message"
    return Message(
        type=name,
        guid=guid or guid_from(name, sender.code, *(document.head.guid for document in documents)),
        version="1.0",
        documents=tuple(documents),
        transfer=BaseTransfer(sender.code, sender.name, "DXP", sender.dxp_id),
        subscribes=tuple(subscribes),
        extend=extend,
    )


def signed(made: Message, card: Signer, *, algorithm: str | None = None) -> bytes:
    """The bytes of the message, signed with the card."""
    return sign_written(wire.write(made), card, algorithm=algorithm)


def sign_written(raw: bytes, card: Signer, *, algorithm: str | None = None) -> bytes:
    """Sign what ``wire.write`` wrote; half the cost of ``sign``, for no document is read again.

    Signing needs the root's start tag and the canonical text, and what the writer gives is canonical as it
    stands. Where a reference or a mark in the text could make that doubtful, this is ``sign``.
    """
    if any(doubtful in raw for doubtful in (b"&", b"\r", b"!")):
        return sign(raw, card, algorithm=algorithm)
    start = raw.index(b">", raw.index(b"?>") + 2) + 1
    frame = wire.parse_tree(raw[:start] + raw[raw.rindex(b"</") :])
    return sign(replace(frame, raw=raw, data=raw), card, algorithm=algorithm)


@lru_cache(maxsize=1024)
def card_of(company: Company, algorithm: str) -> TestCard:
    """The test card ("rsa" or "sm2") of a company: always the same one."""
    from cebport.testing.keys import make_card

    since, until = filed()
    span = (datetime.combine(since, time(), BEIJING), datetime.combine(until, time(23, 59, 59), BEIJING))
    return make_card(algorithm, company.code, company.name, seed=CARD_SEED, valid=span)


# ── the whole traffic ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Summary:
    """What was generated. states: how many parcels a good port closes, refuses, lets wait."""

    out: Path
    parcels: int
    messages: int
    documents: int
    size_bytes: int
    states: dict[str, int]
    faults: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "out": str(self.out),
            "parcels": self.parcels,
            "messages": self.messages,
            "documents": self.documents,
            "bytes": self.size_bytes,
            "expected": self.states,
            "faults": self.faults,
        }


def generate(
    out: Path,
    *,
    parcels: int,
    seed: int = 1,
    on: datetime,
    place: str | City | Sequence[str | City] | None = None,
    mode: str | None = None,
    algorithm: str | None = None,
    faults: float = 0.0,
    documents_per_message: int = 100,
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Write the traffic of ``parcels`` parcels before the moment ``on`` into the folder ``out``.

    place: one or several place ids, customs codes or cities, default the ten pilot cities. mode: "9610" or "1210",
    default both. algorithm: "rsa" or "sm2", default mixed by company. faults: the share of parcels that
    get one fault of tables/sown.yaml. progress: told how many parcels are done, batch by batch.
    Messages of an earlier run in the folder are removed. Raises ValueError for arguments out of range.
    """
    plan = _plan(parcels, seed, on, place, mode, algorithm, faults, documents_per_message)
    cards = {
        company.code: card_of(company, plan.algorithm_of(there, company))
        for there in plan.cities
        for company in _signers(there)
    }
    spare = {
        company.code: card_of(company, SPARE_ALGORITHM)
        for there in plan.cities
        for company in there.companies
        if company.code not in cards
    }
    out.mkdir(parents=True, exist_ok=True)
    _write_trust(out, plan, cards | spare)
    _write_filings(out)
    with (out / "expected.json").open("w", encoding="utf-8", newline="\n") as report:
        run = _Run(plan, cards, _Folder(out / "messages", plan.digits), _Expected(report))
        for batch in range(plan.batches):
            run.batch(batch)
            if progress is not None:
                progress(min(parcels, (batch + 1) * plan.batch_parcels))
        run.release_held()
        run.expected.finish(parcels, run.folder)
    return Summary(
        out=out,
        parcels=parcels,
        messages=run.folder.count,
        documents=run.folder.documents,
        size_bytes=run.folder.size_bytes,
        states=run.expected.states_in_order(),
        faults=dict(sorted(run.expected.faults.items())),
    )


class _Plan(NamedTuple):
    """The arguments, checked, and what follows from them.

    stride: from one sown kind to the next, so that few faults are of many sorts and every kind has its turn.
    """

    parcels: int
    seed: int
    on: datetime
    cities: tuple[City, ...]
    modes: tuple[str, ...]
    algorithm: str | None
    faults: float
    documents_per_message: int
    batch_parcels: int
    batches: int
    tag: str
    first_buyer: int
    rows: tuple[sown.Row, ...]
    stride: int

    @property
    def digits(self) -> int:
        """Figures in a file name: enough for every message there can be."""
        most = self.parcels * len(KINDS) // min(self.documents_per_message, self.batch_parcels)
        return max(6, len(str(most + self.parcels + 4 * self.batches)))

    def algorithm_of(self, there: City, company: Company) -> str:
        """Which key a company's card has."""
        mixed = ("rsa", "sm2")[(there.number + there.companies.index(company)) % 2]
        return self.algorithm or mixed

    def moment(self, number: int) -> datetime:
        """When the inventory of a parcel is sent: later numbers later, all on the day of ``on``."""
        midnight = self.on.replace(hour=0, minute=0, second=0, microsecond=0)
        span = min(MORNING, self.on - midnight)
        return self.on - timedelta(seconds=int(span.total_seconds()) * (self.parcels - number) // self.parcels)

    def is_faulty(self, number: int) -> bool:
        """Whether parcel ``number`` (from 0) gets a fault: they are spread evenly and their share is exact."""
        return int((number + 1) * self.faults) > int(number * self.faults)


def _plan(
    parcels: int,
    seed: int,
    on: datetime,
    place: str | City | Sequence[str | City] | None,
    mode: str | None,
    algorithm: str | None,
    faults: float,
    documents_per_message: int,
) -> _Plan:
    if not 1 <= parcels <= PARCELS_MAX:
        raise ValueError(f"parcels: 1 to {PARCELS_MAX}, not {parcels}")
    if mode not in (None, DIRECT, BONDED):
        raise ValueError(f"mode: {DIRECT} or {BONDED}, not {mode}")
    if algorithm not in (None, "rsa", "sm2"):
        raise ValueError(f"algorithm: rsa or sm2, not {algorithm}")
    if not 0 <= faults <= 1:
        raise ValueError(f"faults: a share from 0 to 1, not {faults}")
    if not 1 <= documents_per_message <= 100:
        raise ValueError(f"documents_per_message: 1 to 100, not {documents_per_message}")
    local = on.replace(tzinfo=BEIJING) if on.tzinfo is None else on.astimezone(BEIJING)
    local = local.replace(microsecond=0, tzinfo=BEIJING)
    season(local.date())
    names = (place,) if isinstance(place, str | City) else tuple(place or ())
    there = tuple(dict.fromkeys(each if isinstance(each, City) else city(each) for each in names)) or pilot_cities()
    size = min(BATCH_PARCELS_MAX, -(-parcels // len(there)))
    mark = blake2b(f"{seed} {local:%Y%m%d}".encode(), digest_size=8).digest()
    modes = (mode,) if mode else (BONDED, DIRECT)
    rows = sown.usable(modes, local.date())
    return _Plan(
        parcels=parcels,
        seed=seed,
        on=local,
        cities=there,
        modes=modes,
        algorithm=algorithm,
        faults=faults,
        documents_per_message=documents_per_message,
        batch_parcels=size,
        batches=-(-parcels // size),
        tag=_letters(int.from_bytes(mark[:4], "big"), 5),
        first_buyer=int.from_bytes(mark[4:], "big") % FIRST_BUYERS,
        rows=rows,
        stride=next(step for step in range(len(rows) * 3 // 8, 2 * len(rows)) if gcd(step, len(rows)) == 1),
    )


def _letters(number: int, count: int) -> str:
    """A number as capitals and digits that are not mistaken for each other."""
    letters = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    return "".join(letters[number >> 5 * place & 31] for place in range(count))


def _signers(there: City) -> tuple[Company, ...]:
    """Who signs the four messages of a parcel: platform, payment company, carrier, declarant."""
    return (there.platform, there.payment, there.logistics, there.agent)


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────


class _Folder:
    """The messages as files in order of arrival."""

    def __init__(self, path: Path, digits: int) -> None:
        self.path, self.digits = path, digits
        self.count = self.documents = self.size_bytes = 0
        path.mkdir(parents=True, exist_ok=True)
        for old in path.glob("[0-9]*-CEB[0-9][0-9][0-9].xml"):
            old.unlink()

    def put(self, kind: str, raw: bytes, documents: int) -> str:
        """Write one message; its file name."""
        self.count += 1
        self.documents += documents
        self.size_bytes += len(raw)
        name = f"{self.count:0{self.digits}d}-{kind}.xml"
        (self.path / name).write_bytes(raw)
        return name


def _write_trust(out: Path, plan: _Plan, cards: dict[str, TestCard]) -> None:
    folder = out / "cards"
    folder.mkdir(exist_ok=True)
    since, until = filed()
    entries = []
    for code, card in cards.items():
        (folder / f"{code}.pem").write_bytes(card.certificate_pem())
        (folder / f"{code}.key.pem").write_bytes(card.key_pem())
        entries.append(
            {"certificate": f"cards/{code}.pem", "declarants": [code], "since": since, "until": until}
        )
    (out / "trust.yaml").write_text(_yaml(entries), encoding="utf-8", newline="\n")


def _write_filings(out: Path) -> None:
    """Every company of every test city: a parcel may name one of another city."""
    (out / "filings.yaml").write_text(_filings(), encoding="utf-8", newline="\n")


@lru_cache(maxsize=1)
def _filings() -> str:
    """The text of that file; it is the same for all traffic and long."""
    since, until = filed()
    entries = [
        {"code": company.code, "name": company.name, "roles": [company.role], "since": since, "until": until}
        for there in cities().values()
        for company in there.companies
    ]
    return _yaml({"enterprises": entries})


def _yaml(content: Any) -> str:
    import yaml

    class Plain(yaml.SafeDumper):
        """Writes every value where it stands, never as a reference to an equal one."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    text: str = yaml.dump(content, Dumper=Plain, allow_unicode=True, sort_keys=False, width=110)
    return text


# ── what must come of it ────────────────────────────────────────────────────────────────────────────────


class _Expected:
    """Writes expected.json as the faults come, and the totals behind them."""

    def __init__(self, report: IO[str]) -> None:
        self.report = report
        self.states: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.files: Counter[str] = Counter()
        self.places: dict[str, Counter[str]] = {}
        report.write('{"faults": [')

    def good(self, one: Story) -> None:
        """A parcel that is released and closed."""
        self.state(one, "closed")

    def state(self, one: Story, state: str) -> None:
        """One parcel and the state in which it rests."""
        self.states[state] += 1
        self.places.setdefault(one.city.place, Counter())[state] += 1

    def refused(self, row: sown.Row) -> None:
        """The documents that get a refusal for one sown fault, and what became of its message."""
        self.files[row.file] += 1
        for refusal in row.refused:
            self.statuses[f"{refusal['document']} {refusal['status']}"] += 1
            self.rules[refusal["rule"]] += 1

    def write(self, entry: dict[str, Any]) -> None:
        """One sown fault."""
        separator = "," if self.faults else ""
        self.faults[entry["fault"]] += 1
        self.report.write(f"{separator}\n{json.dumps(entry, ensure_ascii=False)}")

    def states_in_order(self) -> dict[str, int]:
        """Parcels by state, every state that traffic can bring."""
        return {state: self.states[state] for state in ("closed", "refused", "waiting")}

    def finish(self, parcels: int, folder: _Folder) -> None:
        """The totals, and the end of the file.

        messages and documents are those that a port takes in: a byte-equal file brings nothing new, a
        message that does not fit the schema has no documents.
        """
        repeats, unreadable = self.files["twice"], self.files["misfit"]
        totals = {
            "parcels": parcels,
            "files": folder.count,
            "messages": folder.count - repeats,
            "documents": folder.documents - repeats - unreadable,
            "states": self.states_in_order(),
            "refusals": dict(sorted(self.statuses.items())),
            "rules": dict(sorted(self.rules.items())),
            "sown": dict(sorted(self.faults.items())),
            "places": {
                place: {"parcels": counts.total(), **dict(sorted(counts.items()))}
                for place, counts in sorted(self.places.items())
            },
        }
        text = json.dumps(totals, ensure_ascii=False, indent=1)
        self.report.write(f"\n],{text[1:]}\n")


# ── batches ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Unit:
    """What arrives in one piece: messages in order, and the fault that they carry."""

    files: list[tuple[str, bytes, int]]
    entry: dict[str, Any] | None = None


@dataclass(slots=True)
class _Batch:
    """One batch under construction."""

    city: City
    rng: Random
    papers: dict[str, list[Document]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    special: list[_Unit] = field(default_factory=list)
    bill_no: str = ""


class _Run:
    """The generation: one batch after another, a few messages held back in between."""

    def __init__(self, plan: _Plan, cards: dict[str, TestCard], folder: _Folder, expected: _Expected) -> None:
        self.plan, self.cards, self.folder, self.expected = plan, cards, folder, expected
        self.held: list[_Unit] = []
        self.turn = plan.seed % len(plan.rows)

    def batch(self, index: int) -> None:
        """Make, sign and write one batch."""
        plan = self.plan
        made = _Batch(plan.cities[index % len(plan.cities)], Random(f"cebport traffic {plan.seed} {index}"))
        made.bill_no = f"MB{plan.on:%m%d}{plan.tag}{index:06d}"
        number, end = index * plan.batch_parcels, min(plan.parcels, (index + 1) * plan.batch_parcels)
        repeat = False
        while number < end:
            if plan.is_faulty(number):
                number += self._faulty(made, number, end)
                repeat = False
                continue
            buyer = plan.first_buyer + number - repeat
            one = self._story(made, number, self._mode(made.rng), buyer=person(buyer))
            self._file(made, one)
            self.expected.good(one)
            number += 1
            repeat = not repeat and made.rng.random() < REPEAT_SHARE
        self._arrive(made)

    def _mode(self, rng: Random) -> str:
        modes = self.plan.modes
        return modes[0] if len(modes) == 1 or rng.random() < BONDED_SHARE else modes[1]

    def _story(self, made: _Batch, number: int, mode: str, **more: Any) -> Story:
        plan = self.plan
        return story(
            made.rng, made.city, number, plan.moment(number), mode=mode, tag=plan.tag, bill_no=made.bill_no, **more
        )

    @staticmethod
    def _file(made: _Batch, one: Story) -> None:
        for kind, name in sown.DOCUMENTS.items():
            document = getattr(one, name)
            if document is not None:
                made.papers[kind].append(document)

    # faults -----------------------------------------------------------------------------------------

    def _faulty(self, made: _Batch, number: int, end: int) -> int:
        """The parcels of the next sown fault; how many they are. A kind that finds no room is passed over."""
        plan = self.plan
        stories: list[Story] = []
        while not stories:
            row = plan.rows[self.turn * plan.stride % len(plan.rows)]
            self.turn += 1
            stories = self._sow(made, row, number, end)
        first = stories[0]
        entry = {
            "fault": row.fault,
            "place": made.city.place,
            "mode": first.mode,
            "parcel": row.parcel,
            "orders": [[f"SO{plan.tag}{one.number:09d}", made.city.platform.code] for one in stories],
            "refused": list(row.refused),
            "warned": list(row.warned),
        }
        for one in stories[1:]:
            self.expected.good(one)
        self.expected.state(first, row.parcel)
        self.expected.refused(row)
        if row.file:
            made.special.append(self._special(made, row, first, entry))
        else:
            self.expected.write(entry)
        return len(stories)

    def _sow(self, made: _Batch, row: sown.Row, number: int, end: int) -> list[Story]:
        """Make and file the parcels of a row; none when the batch has no room for them."""
        plan = self.plan
        mode = row.mode or self._mode(made.rng)
        buyer = person(plan.first_buyer + number)
        if row.basket:
            bought = sown.BASKETS[row.basket](made.rng, season(plan.on.date()))
            if number + len(bought.baskets) > end:
                return []
            stories = [
                self._story(made, number + at, mode, buyer=buyer, basket=basket, fees=sown.NO_FEES, full=bought.full)
                for at, basket in enumerate(bought.baskets)
            ]
        else:
            stories = [sown.edited(self._story(made, number, mode, buyer=buyer), row)]
        for one in stories:
            self._file(made, sown.without(one, sown.DOCUMENTS[row.document]) if row.file else one)
        return stories

    def _special(self, made: _Batch, row: sown.Row, one: Story, entry: dict[str, Any]) -> _Unit:
        """A message of its own with the fault of a ``message`` row."""
        kind, document = row.document, getattr(one, sown.DOCUMENTS[row.document])
        sender = _signers(made.city)[KINDS.index(kind)]
        card = self.cards[sender.code]
        raw = wire.write(message(kind, [document], sender))
        files = []
        if row.file == "unsigned":
            files = [raw]
        elif row.file == "misfit":
            files = [sign(sown.misfit(raw), card)]
        elif row.file == "foreign":
            files = [sign(raw, self.cards[made.city.payment.code])]
        elif row.file == "altered":
            files = [sown.altered(sign(raw, card))]
        elif row.file == "twice":
            files = [sign(raw, card)] * 2
        else:
            again = sown.repeated(document, builders.guid(made.rng), self.plan.moment(one.number))
            files = [sign(raw, card), signed(message(kind, [again], sender), card)]
        return _Unit([(kind, each, 1) for each in files], entry)

    # arrival ----------------------------------------------------------------------------------------

    def _arrive(self, made: _Batch) -> None:
        """Sign the messages of the batch and write them, mostly in order; hold a few back."""
        rng = made.rng
        units = list(self._units(made))
        if rng.random() < SHUFFLED_SHARE:
            rng.shuffle(units)
        for unit in made.special:
            units.insert(int(rng.random() * (len(units) + 1)), unit)
        late = []
        for unit in units:
            if rng.random() < HELD_SHARE:
                late.append(unit)
            else:
                self._write(unit)
        self.release_held()
        self.held = late

    def _units(self, made: _Batch) -> Iterator[_Unit]:
        step = self.plan.documents_per_message
        for kind, sender in zip(KINDS, _signers(made.city), strict=True):
            papers, card = made.papers[kind], self.cards[sender.code]
            for start in range(0, len(papers), step):
                chunk = papers[start : start + step]
                yield _Unit([(kind, signed(message(kind, chunk, sender), card), len(chunk))])

    def _write(self, unit: _Unit) -> None:
        names = [self.folder.put(kind, raw, documents) for kind, raw, documents in unit.files]
        if unit.entry is not None:
            self.expected.write({**unit.entry, "files": names})

    def release_held(self) -> None:
        """Write what an earlier batch left for later."""
        for unit in self.held:
            self._write(unit)
        self.held = []
