"""Studies at the terminal (研究): what ``cebport whatif --study`` shows, and the short table of every what-if."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cebport.doors import notes, screen
from cebport.doors.frame import DONE, NO
from cebport.doors.screen import say
from cebport.faults import Words

if TYPE_CHECKING:
    from cebport.testing.studies import Answer, Study


def study_told(folder: Path, out: Path, *, parcels: int | None, workers: int, engine: str, as_json: bool) -> int:
    """Run the study of a folder into ``out`` and tell it; NO where what should be seen is not, or the replay not exact.

    Raises UsageError for an ``out`` that holds something, SettingsError for a study that is none.
    """
    from cebport.testing import studies

    study = studies.read_study(folder)
    if out.exists() and any(out.iterdir()):
        raise click.UsageError(say("study_exists", path=out))
    if not as_json:
        screen.out(screen.spoken(study.title.words))
        screen.out(screen.spoken(study.question.words))
    holds = True
    try:
        for answer in studies.run(folder, out, parcels=parcels, workers=workers, engine=engine,
                                  language=screen.language()):
            holds &= answer.exact and all(one.holds for one in answer.seen)
            if as_json:
                screen.emit(as_answer(folder, study, answer))
            else:
                show(answer)
    except ValueError as wrong:
        raise click.UsageError(notes.usage(str(wrong))) from wrong
    return DONE if holds else NO


def as_answer(folder: Path, study: Study, answer: Answer) -> dict[str, Any]:
    """One overlay of a study as JSON."""
    from cebport.reports.findings import Findings
    from cebport.reports.whatif import REPORT

    found = Findings.read(answer.folder)
    return {
        "study": folder.name, "overlay": answer.overlay, "report": str(answer.folder / REPORT),
        **{name: found.counts[name] for name in ("decisions", "same", "different", "reproduced", "not_reproduced",
                                                 "parcels", "changed", "assumed")},
        "findings": [{"metric": one.finding.metric, "dimension": one.finding.dimension, "key": one.finding.key,
                      "moves": one.finding.moves, "a": str(one.pair.a), "b": str(one.pair.b), "seen": one.holds,
                      "zh": one.finding.zh, "en": one.finding.en} for one in answer.seen],
    }


def show(answer: Answer) -> None:
    """One overlay of a study: its short table, what should be seen, where the report is."""
    from cebport.reports.whatif import REPORT

    show_short(answer.folder, answer.overlay)
    screen.out()
    for one in answer.seen:
        words = screen.spoken(Words(one.finding.zh, one.finding.en))
        screen.out(f"  {say('study_seen' if one.holds else 'study_not_seen')}  {words}")
    screen.out(say("whatif_report", path=answer.folder / REPORT))


def show_short(folder: Path, title: str = "") -> None:
    """The figures that matter most of a result folder."""
    from cebport.reports.whatif import short_table

    screen.out()
    screen.table(
        [say("whatif_figure"), say("whatif_today"), say("whatif_supposed"), say("whatif_difference")],
        [(screen.spoken(name), a, b, difference) for name, a, b, difference in short_table(folder)],
        title=title, right=(1, 2, 3))
