"""The command ``whatif`` (假设推演): replay a journal under today's law and under a supposed one, and tell what moves.

The replay is ``server.replay``, the report ``reports.whatif``; nothing is decided here.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cebport.doors import frame, rows, screen, studies
from cebport.doors.frame import DONE, NO, option
from cebport.doors.screen import say
from cebport.faults import SettingsError, Words

if TYPE_CHECKING:
    from cebport.server.replay.laws import Plan
    from cebport.server.replay.run import Answer

ENGINES = ("local", "ray")
NEEDED = {"local": ("pyarrow", "duckdb", "matplotlib"), "ray": ("pyarrow", "duckdb", "matplotlib", "ray")}
EXTRAS = {"ray": "ray"}
NOT_REPRODUCED_SHOWN, TOPICS_SHOWN = 10, 20


@frame.command("whatif")
@option("--store", type=frame.StoreUrl())
@option("--overlay", type=frame.file_type, metavar="FILE")
@option("--study", type=frame.Place(), metavar="DIR")
@option("--since", type=frame.Day())
@option("--until", type=frame.Day())
@option("--report", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@option("--settings", type=frame.file_type, metavar="FILE")
@option("--profile", metavar="NAME")
@frame.trust_option
@option("--engine", type=frame.Choice(ENGINES), default="local")
@frame.workers_option
@option("--parcels", type=frame.Number(1))
@frame.keys_option
@frame.json_option
def whatif_command(overlay: Path | None, study: Path | None, report: Path | None, engine: str, workers: int,
                   parcels: int | None, as_json: bool, **asked: Any) -> int:
    """Replay a journal under a supposed law."""
    _check_installed(engine)
    if study is not None:
        if overlay is not None or asked["store"] is not None:
            raise click.UsageError(say("whatif_study_alone"))
        if report is None:
            raise click.UsageError(say("missing", name="--report"))
        return studies.study_told(study, report, parcels=parcels, workers=workers, engine=engine, as_json=as_json)
    plan = plan_of(overlay, asked)
    with tempfile.TemporaryDirectory(prefix="cebport-whatif-") as place:
        folder = report if report is not None else Path(place)
        answer = _replayed(plan, folder, engine, workers, quiet=as_json)
        if answer is None:
            if as_json:
                screen.emit(dict.fromkeys(("decisions", "same", "different", "reproduced", "not_reproduced", "parcels",
                                           "changed", "assumed"), 0))
            screen.note(say("whatif_empty"))
            return NO
        page = _reported(folder) if report is not None else None
        if as_json:
            _emit(answer, page)
        else:
            _show(answer, folder, page)
    return NO if answer.counts["not_reproduced"] else DONE


def _check_installed(engine: str) -> None:
    """Raises SettingsError for what is not installed."""
    missing = [name for name in NEEDED[engine] if importlib.util.find_spec(name) is None]
    if missing:
        extra = EXTRAS.get(missing[0], "report")
        raise SettingsError(note=f"{', '.join(missing)}: not installed; pip install cebport[{extra}]")


def plan_of(overlay: Path | None, asked: dict[str, Any]) -> Plan:
    """The plan that options and settings file ask for. Raises UsageError, SettingsError."""
    from cebport.server.replay.laws import Plan
    from cebport.server.run import OF_THE_PLACE
    from cebport.server.settings import Settings, read_settings

    settings = read_settings(asked["settings"]) if asked["settings"] is not None else Settings()
    url = asked["store"] or (settings.store if asked["settings"] is not None else None)
    for name, value in (("--store", url), ("--overlay", overlay)):
        if value is None:
            raise click.UsageError(say("missing", name=name))
    first, last = asked["since"], asked["until"]
    if first is not None and last is not None and last < first:
        raise click.UsageError(say("whatif_days", since=first, until=last))
    profile = asked["profile"] or settings.profile
    keys = asked["keys"] or settings.keys
    return Plan(
        store=frame.existing_store(str(url)), keys=str(keys) if keys else None, overlay=str(overlay),
        overlays=settings.overlays, profile=None if profile == OF_THE_PLACE else _known(profile, settings.overlays),
        trust=tuple(map(str, asked["trust"])) or settings.trust,
        since=None if first is None else _midnight(first),
        until=None if last is None else _midnight(last + timedelta(days=1)) - 1)


def _known(profile: str, overlays: tuple[str, ...]) -> str:
    from cebport.policy import Policy
    from cebport.server.run import OF_THE_PLACE

    there = (*Policy.load(overlays=overlays).profiles, OF_THE_PLACE)
    if profile not in there:
        raise click.UsageError(f"--profile: {say('not_a_choice', value=profile, choices=', '.join(there))}")
    return profile


def _midnight(day: date) -> int:
    from cebport.values import BEIJING

    return int(datetime.combine(day, time(), BEIJING).timestamp() * 1000)


def _replayed(plan: Plan, folder: Path, engine: str, workers: int, *, quiet: bool) -> Answer | None:
    """The replay, with a bar while it goes; None when the journal holds nothing of those days."""
    from cebport.server.replay.run import Empty, whatif

    with screen.progress(say("whatif_replaying"), 100, quiet=quiet) as step:
        try:
            return whatif(plan, report=folder, engine=engine, workers=workers, progress=_percent(step))
        except Empty:
            return None


SHARES = {"gather": (0, 25), "join": (25, 10), "decide": (35, 65)}
"""Step of a replay -> where in the bar it begins and how much of it it takes, percent."""


def _percent(step: Callable[[int], None]) -> Callable[[str, int, int], None]:
    shown = 0

    def progress(what: str, done: int, total: int) -> None:
        nonlocal shown
        begins, share = SHARES[what]
        reached = begins + share * done // max(total, 1)
        if reached > shown:
            step(reached - shown)
            shown = reached

    return progress


def _reported(folder: Path) -> Path:
    from cebport.reports.whatif import write_report

    return write_report(folder, language=screen.language())


# ── telling ─────────────────────────────────────────────────────────────────────────────────────────────


def last_line(answer: Answer, page: Path | None) -> dict[str, Any]:
    """The last JSON line; its schema is docs/reference/schemas/whatif.json."""
    meta = answer.summary["meta"]
    return {**answer.counts, "since": meta["since"], "until": meta["until"], "deep": meta["deep"],
            "unweighed": meta["unweighed"], "engine": meta["engine"], "workers": meta["workers"],
            "report": str(page) if page is not None else None}


def _emit(answer: Answer, page: Path | None) -> None:
    for one in answer.summary["not_reproduced"]:
        screen.emit({"not_reproduced": one})
    for link, figures in answer.summary["links"].items():
        for figure in figures:
            screen.emit({"link": link, **figure})
    screen.emit(last_line(answer, page))


def _show_law(topics: list[dict[str, Any]]) -> None:
    """What the law supposed says otherwise, in the words of ``policy diff``."""
    from cebport.policy import Policy
    from cebport.reports import wording
    from cebport.reports.whatif import FIRST_TOPICS

    def order(told: dict[str, Any]) -> int:
        return next((at for at, name in enumerate(FIRST_TOPICS) if told["topic"].startswith(name)), len(FIRST_TOPICS))

    policy, topics = Policy.load(), sorted(topics, key=order)
    for told in topics[:TOPICS_SHOWN]:
        topic = wording.topic_of(policy, told["topic"])
        name = screen.spoken(Words(topic.zh, topic.en)) if topic is not None else ""
        screen.out(f"{screen.coloured(told['topic'], '1')}  {name}".rstrip())
        a, b = wording.sides(told["a"], told["b"], topic)
        rows.lines(f"{screen.spoken(a)} → {screen.spoken(b)}")
    if len(topics) > TOPICS_SHOWN:
        screen.out(say("whatif_more", count=len(topics) - TOPICS_SHOWN))


def _show(answer: Answer, folder: Path, page: Path | None) -> None:
    meta, counts = answer.summary["meta"], answer.counts
    _show_law(meta["topics"])
    studies.show_short(folder)
    screen.out()
    screen.out(say("whatif_decisions", since=meta["since"], until=meta["until"], decisions=counts["decisions"],
                   same=counts["same"], different=counts["different"], changed=counts["changed"],
                   parcels=counts["parcels"]))
    if meta["unweighed"]:
        screen.out(say("whatif_unweighed"))
    if counts["not_reproduced"]:
        screen.out(say("whatif_not_reproduced", count=counts["not_reproduced"]))
        for one in answer.summary["not_reproduced"][:NOT_REPRODUCED_SHOWN]:
            screen.out(f"  {one['position']}/{one['document']} {one['key']}: {one['stored']} -> {one['again']}")
    else:
        screen.out(say("whatif_exact"))
    if page is not None:
        screen.out(say("whatif_report", path=page))
