"""Ready-made studies (研究): the same parcels under the law of their day and under another one.

A study is a folder: ``study.yaml`` says the question, the traffic to generate and what it should show; beside it lie
the overlays that suppose another law. ``run`` generates the traffic, clears it, replays it under each overlay and
writes a report a piece::

    OUT/traffic, OUT/cebport.db      the parcels and how they were cleared
    OUT/<overlay>/report.html …      what moves
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import yaml

from cebport.faults import SettingsError, Words
from cebport.reports import whatif
from cebport.reports.findings import Findings, Pair
from cebport.server.replay.laws import Plan
from cebport.server.settings import Settings
from cebport.values import parse_time

STUDY = "study.yaml"
STORE = "cebport.db"


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence in both languages."""

    zh: str
    en: str

    @property
    def words(self) -> Words:
        """The sentence as words."""
        return Words(self.zh, self.en)


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is generated: see ``testing.traffic.generate``. moment: in China's time; faults: a share as text."""

    parcels: int
    moment: str
    seed: int = 1
    faults: str = "0"
    place: tuple[str, ...] = ()
    mode: str | None = None


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What should be seen: a figure of the report and the way it moves from today's law to the one supposed."""

    metric: str
    moves: Literal["up", "down", "same"]
    zh: str
    en: str
    dimension: str = "all"
    key: str = ""

    def holds(self, pair: Pair) -> bool:
        """Whether the figure moved that way."""
        moved = pair.difference
        return {"up": moved > 0, "down": moved < 0, "same": moved == 0 and bool(pair.a)}[self.moves]


class Supposed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An overlay beside the study, and what should be seen under it."""

    file: str
    findings: tuple[Finding, ...]


class Study(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of ``study.yaml``."""

    title: Said
    question: Said
    expected: Said
    traffic: Traffic
    overlays: tuple[Supposed, ...]


class Seen(NamedTuple):
    """A finding, the figure in both worlds, and whether it moved as said."""

    finding: Finding
    pair: Pair
    holds: bool


class Answer(NamedTuple):
    """One overlay of a study: its result folder with the report in it, whether every stored decision came out again,
    and every finding."""

    overlay: str
    folder: Path
    exact: bool
    seen: tuple[Seen, ...]


def read_study(folder: Path) -> Study:
    """The study of a folder. Raises SettingsError with the file and what is wrong in it."""
    path = folder / STUDY
    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8"))
        made = msgspec.convert(held, Study)
    except (OSError, ValueError, yaml.YAMLError) as wrong:
        raise SettingsError(note=f"study {path}: {wrong}") from wrong
    missing = [each.file for each in made.overlays if not (folder / each.file).is_file()]
    if missing or not made.overlays:
        raise SettingsError(note=f"study {path}: no overlay {', '.join(missing)}".rstrip())
    return made


def clear_traffic(study: Study, out: Path, *, parcels: int | None = None, workers: int = 1) -> Settings:
    """Generate a study's traffic and clear it by the law of its day; the settings of the store that holds it.

    Raises ValueError for traffic that cannot be made.
    """
    from cebport.server.run import clear
    from cebport.testing.traffic import generate

    asked = study.traffic
    on, made = parse_time(asked.moment), out / "traffic"
    generate(made, parcels=parcels or asked.parcels, seed=asked.seed, on=on, place=asked.place, mode=asked.mode,
             faults=float(asked.faults), algorithm="rsa")
    settings = Settings(
        store=f"sqlite:///{out / STORE}", trust=(str(made / "trust.yaml"),), filings=str(made / "filings.yaml"),
        receipts=str(out / "receipts"), workers=workers)
    clear([made / "messages"], settings, on)
    return settings


def run(folder: Path, out: Path, *, parcels: int | None = None, workers: int = 1, engine: str = "local",
        language: str = "zh") -> Iterator[Answer]:
    """Run the study of a folder; one answer an overlay, as it is done. ``out`` must be empty or new.

    parcels: so many instead of those that the study names. Raises SettingsError, ValueError, OSError.
    """
    from cebport.server.replay.run import whatif as replay

    study = read_study(folder)
    out.mkdir(parents=True, exist_ok=True)
    settings = clear_traffic(study, out, parcels=parcels, workers=workers)
    for supposed in study.overlays:
        answer = out / Path(supposed.file).stem
        plan = Plan(store=settings.store, overlay=str(folder / supposed.file), profile=settings.profile,
                    trust=settings.trust)
        counts = replay(plan, report=answer, engine=engine, workers=workers).counts
        found = tuple(seen(Findings.read(answer), supposed.findings))
        told = tuple((Words(one.finding.zh, one.finding.en), one.pair, one.holds) for one in found)
        head = whatif.Study(study.title.words, study.question.words, study.expected.words, told)
        whatif.write_report(answer, head, language=language)
        yield Answer(supposed.file, answer, counts["not_reproduced"] == 0, found)


def seen(found: Findings, expected: tuple[Finding, ...]) -> Iterator[Seen]:
    """Every finding beside what the replay found."""
    for finding in expected:
        pair = found.figure(finding.metric, finding.dimension, finding.key)
        yield Seen(finding, pair, finding.holds(pair))
