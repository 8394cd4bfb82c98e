"""Commands about a store (数据库): clear, trace, rebuild, backup, restore.

They run the server's parts and show what came of it; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cebport.doors import frame, notes, screen, words
from cebport.doors.frame import DONE, NO, option
from cebport.doors.screen import say

if TYPE_CHECKING:
    from cebport.server.run import Ran
    from cebport.server.settings import Settings
    from cebport.server.store.store import Store

STATES = ("released", "refused", "waiting", "cancelled", "returned", "closed")
TOTALS = ("messages", "documents", "parcels", *STATES, "receipts")


# ── clear ───────────────────────────────────────────────────────────────────────────────────────────


@frame.command("clear")
@frame.paths_argument
@option("--settings", type=frame.file_type, metavar="FILE")
@option("--store", type=frame.StoreUrl())
@option("--receipts", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@frame.trust_option
@option("--filings", type=frame.file_type, metavar="FILE")
@option("--profile", metavar="NAME")
@option("--overlay", "overlays", type=frame.file_type, multiple=True, metavar="FILE")
@frame.clock_option
@option("--workers", type=frame.Number(1))
@frame.keys_option
@frame.json_option
def clear_command(paths: tuple[Path, ...], settings: Path | None, on: datetime | None, as_json: bool,
                  **asked: Any) -> int:
    """Clear messages and come to rest."""
    chosen = settings_of(settings, asked)
    ran = run_to_rest(paths, chosen, on, quiet=as_json)
    if as_json:
        screen.emit(totals_of(ran))
    else:
        show_totals(ran, chosen.receipts)
    return DONE


def settings_of(file: Path | None, asked: dict[str, Any]) -> Settings:
    """The settings of the file, the options of the command line over them. Raises SettingsError, UsageError."""
    from msgspec.structs import replace

    from cebport.server.settings import Settings, read_settings

    settings = read_settings(file) if file is not None else Settings()
    if file is None:
        for name in ("store", "receipts"):
            if asked[name] is None:
                raise click.UsageError(say("missing", name=f"--{name}"))
    given = {name: value for name, value in asked.items() if value not in (None, ())}
    for name in ("receipts", "filings", "keys"):
        if name in given:
            given[name] = str(given[name])
    for name in ("trust", "overlays"):
        if name in given:
            given[name] = tuple(map(str, given[name]))
    chosen = replace(settings, **given)
    _check_profile(chosen)
    return chosen


def _check_profile(settings: Settings) -> None:
    from cebport.policy import Policy
    from cebport.server.run import OF_THE_PLACE

    profiles = (*Policy.load(overlays=settings.overlays).profiles, OF_THE_PLACE)
    if settings.profile not in profiles:
        raise click.UsageError(
            f"--profile: {say('not_a_choice', value=settings.profile, choices=', '.join(profiles))}")


def run_to_rest(paths: tuple[Path, ...], settings: Settings, on: datetime | None, *, quiet: bool) -> Ran:
    """The run, with a bar while it goes."""
    from cebport.channels.folder import files_below
    from cebport.server.run import BACKLOG_MESSAGES_MAX, clear

    speak_of_waiting()
    files = list(files_below(paths))
    behind = 0 if settings.workers <= 1 else BACKLOG_MESSAGES_MAX
    with screen.progress(say("settling"), len(files), quiet=quiet) as step:
        taken = shown = 0

        def progress(what: str, count: int) -> None:
            """What is taken is settled before the next batch, or at most a backlog later; at the end we know."""
            nonlocal taken, shown
            settled = taken - behind if what == "taken" else taken - count
            taken += count if what == "taken" else 0
            if settled > shown:
                step(settled - shown)
                shown = settled

        return clear(files, settings, on, progress)


def speak_of_waiting() -> None:
    """Let the server's words about a full disk or a lost database reach the person."""
    import logging

    teller = logging.StreamHandler()
    teller.setFormatter(notes.Spoken())
    logging.basicConfig(handlers=[teller], level=logging.WARNING)


def totals_of(ran: Ran) -> dict[str, Any]:
    """The one JSON line of a run; its schema is docs/reference/schemas/clear.json."""
    fresh = ran.totals["parcels"] - ran.parcels_before
    return {**{name: ran.totals[name] for name in TOTALS}, "seconds": round(ran.seconds, 3),
            "parcels_per_second": round(fresh / ran.seconds, 1) if ran.seconds else 0.0}


def show_totals(ran: Ran, receipts: str) -> None:
    """A table of the totals and a line about this run."""
    totals = totals_of(ran)
    names = ("messages", "documents", "parcels")
    rows = [(say(name), totals[name]) for name in names]
    rows += [("  " + say(name), totals[name]) for name in STATES]
    rows.append((say("receipts"), totals["receipts"]))
    screen.table(["", say("count")], rows, right=[1])
    phrase = "cleared" if totals["parcels"] > ran.parcels_before else "nothing_new"
    screen.out(say("this_run", new=ran.messages_new, known=ran.messages_known, not_taken=ran.not_taken))
    screen.out(say(phrase, seconds=f"{ran.seconds:.1f}", rate=f"{totals['parcels_per_second']:,.0f}",
                   receipts=receipts))


# ── trace ───────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def opened(url: str, keys: Path | None) -> Iterator[Store]:
    """A store that is there already. Raises UsageError, SettingsError, ChannelDown."""
    from cebport.server.store.store import Store

    store = Store.open(frame.existing_store(url), keys)
    try:
        yield store
    finally:
        store.close()


@frame.command("trace")
@click.argument("number", metavar="NUMBER")
@frame.store_option
@frame.keys_option
@frame.json_option
def trace_command(number: str, store: str, keys: Path | None, as_json: bool) -> int:
    """Tell the life of every parcel that a number leads to."""
    from cebport.server.trace import trace

    with opened(store, keys) as held:
        stories = [story.as_dict() for story in trace(held, number)]
    for story in stories:
        if as_json:
            screen.emit(story)
        else:
            show_story(story)
    if not stories:
        screen.note(say("not_found", number=number))
        return NO
    return DONE


def show_story(story: dict[str, Any]) -> None:
    """One parcel for people: documents, decisions with their reasons, receipts, tax."""
    from cebport.server.dispatch import fault_from

    lang = screen.language()
    numbers = [story[name] for name in ("orderNo", "logisticsNo", "invtNo") if story[name]]
    state = screen.coloured(say(story["state"]), {"refused": "31", "released": "32", "closed": "32"}.get(
        story["state"], "36"))
    lacking = screen.listed(words.kind_words(name, lang) for name in story["waiting_for"])
    screen.out(f"{'  '.join(numbers)}  {state}" + (f"  {screen.label('waiting_for')}{lacking}" if lacking else ""))
    documents = [(d["type"], d["appTime"], f"{d['status']} {d['status_name'][lang]}", d["file"], d["document"])
                 for d in story["documents"]]
    if documents:
        screen.table([say("document"), "appTime", say("state"), say("file"), say("number")], documents,
                     title=say("documents").capitalize(), right=[4])
    screen.out(say("decisions"))
    for decision in story["decisions"]:
        answers = ", ".join(f"{kind} {status}" for kind, status in decision["receipts"])
        said = f"  {clock(decision['at'])}  {words.event_words(decision['event'], lang)}"
        said += f"  -> {answers}" if answers else ""
        screen.out(said + (f"  {screen.label('law')}{law_named(decision['law'])}" if decision["law"] else ""))
        screen.faults([fault_from(why) for why in decision["why"]], "      ")
    _show_receipts(story["receipts"])
    _show_tax(story["tax"])


def _show_receipts(said: list[dict[str, Any]]) -> None:
    """A table of the receipts; a day that all of them share stands in its title, so that the words have room."""
    if not said:
        return
    times = [clock(receipt["time"]) for receipt in said]
    title = say("receipts").capitalize()
    if len({time[:10] for time in times}) == 1:
        title, times = f"{title} {times[0][:10]}", [time[11:] for time in times]
    rows = [(r["type"], r["status"], time, r["to"] or "-", r["info"] or _named(r["type"]))
            for r, time in zip(said, times, strict=True)]
    screen.table([say("receipt"), say("status"), say("time"), say("to"), say("words")], rows, title=title)


UNSAID = {"CEB816": "tax_bill", "CEB818": "tax_bill_state"}
"""Receipts that carry figures and no sentence -> what they are."""


def _named(receipt: str) -> str:
    return say(UNSAID[receipt]) if receipt in UNSAID else ""


def law_named(label: str) -> str:
    """``CN@2024-11-11`` of a decision: the place by its name, and the day. The id where the tables have it no more."""
    from cebport.policy import Policy

    where, _, day = label.partition("@")
    place = Policy.load().places.get(where)
    named = where if place is None or screen.language() != "zh" else place.zh
    return f"{named} {day}".rstrip()


def _show_tax(tax: dict[str, Any] | None) -> None:
    if tax is None:
        return
    rows = [(line["gnum"], line["gcode"], line["dutiable"], line["duty"], line["vat"], line["consumption"])
            for line in tax["lines"]]
    rows.append((say("total"), "", "", tax["duty"], tax["vat"], tax["consumption"]))
    screen.table([say("line"), "gcode", say("dutiable"), say("duty"), say("vat"), say("consumption")],
                 [[str(cell) for cell in row] for row in rows],
                 title=screen.labelled(f"{say('tax')} {tax['taxNo']}") + f"{tax['total']} CNY", right=[2, 3, 4, 5])


def clock(time17: str) -> str:
    """``2026-11-24 09:00:00`` of a returnTime."""
    t = time17
    return f"{t[:4]}-{t[4:6]}-{t[6:8]} {t[8:10]}:{t[10:12]}:{t[12:14]}" if len(t) >= 14 else t


# ── rebuild, backup, restore ──────────────────────────────────────────────────────────────────


@frame.command("rebuild")
@frame.store_option
@option("--check", is_flag=True)
@frame.keys_option
@frame.json_option
def rebuild_command(store: str, check: bool, keys: Path | None, as_json: bool) -> int:
    """Fold the journal and compare, with ``--check`` or without; exit code 1 when anything differs."""
    from cebport.server import rebuild

    with opened(store, keys) as held:
        total = held.totals()["messages"]
        with screen.progress(say("folding"), total, quiet=as_json) as step:
            report = rebuild.check(held, step)
    if as_json:
        screen.emit(report.as_dict())
    elif report.differences:
        screen.out(say("rebuilt_differs", count=len(report.differences), events=report.events))
        for difference in report.differences:
            screen.out(f"  {notes.difference(difference)}")
    else:
        screen.out(say("rebuilt_same", events=report.events))
    return NO if report.differences else DONE


@frame.command("backup")
@frame.store_option
@option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", required=True)
@frame.json_option
def backup_command(store: str, out: Path, as_json: bool) -> int:
    """Write a snapshot of a store."""
    from cebport.server.backup import backup

    answer = backup(frame.existing_store(store), out)
    if as_json:
        screen.emit(answer)
    else:
        screen.out(say("backed_up", path=out, bytes=answer["bytes"], rows=sum(answer["rows"].values())))
        screen.out(say("keys_apart"))
    return DONE


@frame.command("restore")
@click.argument("source", type=frame.file_type, metavar="FILE")
@frame.store_option
@option("--verify", is_flag=True)
@frame.keys_option
@frame.json_option
def restore_command(source: Path, store: str, verify: bool, keys: Path | None, as_json: bool) -> int:
    """Fill an empty store from a snapshot."""
    from cebport.server.backup import restore

    answer = restore(source, store, keys, verify=verify)
    if as_json:
        screen.emit(answer)
    else:
        phrase = "restored_proved" if answer["verified"] else "restored"
        screen.out(say(phrase, path=source, rows=sum(answer["rows"].values())))
    return DONE
