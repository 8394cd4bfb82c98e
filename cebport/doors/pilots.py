"""The pilots side by side (试点对照): ``cebport pilots``, a table, JSON lines, and a page of one file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cebport.doors import frame, notes, rows, screen, trial, words
from cebport.doors.frame import DONE, option
from cebport.doors.law import as_held, today
from cebport.doors.screen import say
from cebport.faults import Words
from cebport.policy import Row, Topic
from cebport.policy.schema import jsonable

if TYPE_CHECKING:
    from cebport.reports.page import Html, Part
    from cebport.testing.pilots import Compared, Contrast, Fork, Pilot

FORKS_SHOWN = 8
COLOURS = ("#2e7d32", "#c62828", "#90a4ae")
"""Released, refused, waiting."""
HERE_MOST = 4
"""More places than this in a row are told by those that are left out."""


@frame.command("pilots")
@option("--parcels", type=frame.Number(1), default=200)
@option("--on", type=frame.Day())
@option("--faults", type=trial.Share(), default="0.2")
@option("--seed", type=frame.Number(), default=1)
@option("--overlay", "overlays", type=frame.file_type, multiple=True, metavar="FILE")
@option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@frame.json_option
def pilots_command(parcels: int, on: date | None, faults: float, seed: int, overlays: tuple[Path, ...],
                   out: Path | None, as_json: bool) -> int:
    """The same traffic through every pilot's row of law."""
    from cebport.testing.market import pilot_cities
    from cebport.testing.pilots import compare

    total = parcels * len(pilot_cities())
    with screen.progress(say("clearing"), total, quiet=as_json) as step:
        try:
            found = compare(parcels, on or today(), seed=seed, faults=faults, overlays=overlays, progress=step)
        except ValueError as wrong:
            raise click.UsageError(notes.usage(str(wrong))) from wrong
    if out is not None:
        from cebport.reports.page import write_page

        write_page(out, page_of(found, seed, screen.language()))
    if as_json:
        for pilot in found.pilots:
            screen.emit(pilot_answer(found, pilot))
        screen.emit(summary_answer(found))
    else:
        show(found)
        if out is not None:
            screen.out(say("pilots_written", path=out))
    return DONE


# ── the terminal ────────────────────────────────────────────────────────────────────────────────────


def show(found: Compared) -> None:
    """The table of cities, where ways part and why, and the rows of law that differ."""
    depends = sum(fork.parcels for fork in found.forks)
    for line in screen.wrapped(say("pilots_line", day=found.day, parcels=found.pilots[0].parcels,
                                   everywhere=found.everywhere, nowhere=found.nowhere, depends=depends), rows.COLUMNS):
        screen.out(line)
    screen.out()
    modes = modes_of(found)
    head = [say(key) for key in ("city", "pilots_profile", "released", "refused", "waiting", "pilots_tax")]
    head[2:2] = modes
    lines = [(screen.spoken(pilot.name), rows.word(pilot.view.profile), *(share(pilot, mode) for mode in modes),
              *pilot.states.values(), f"{pilot.tax:,.2f}") for pilot in found.pilots]
    screen.table(head, lines, right=range(2, len(head)))
    rows.lines(say("pilots_columns", modes=screen.listed(modes)), "")
    screen.out()
    show_forks(found)
    law = [contrast for contrast in found.law if contrast.decides]
    if law:
        rows.heading_line(say("pilots_law"))
        for contrast in law:
            show_contrast(found, contrast)


def modes_of(found: Compared) -> list[str]:
    """The modes that are declared."""
    return sorted({mode for pilot in found.pilots for mode in pilot.by_mode if mode})


def share(pilot: Pilot, mode: str) -> str:
    """Released of declared in a mode."""
    counts = pilot.by_mode.get(mode, {})
    return f"{counts.get('released', 0):,}/{sum(counts.values()):,}"


def show_forks(found: Compared) -> None:
    """Parcels that pass here and stop there, by place and reason."""
    rows.heading_line(say("pilots_forks"))
    if not found.forks:
        rows.lines(say("pilots_same"))
    for fork in found.forks[:FORKS_SHOWN]:
        rows.lines(screen.spoken(fork_said(found, fork, partial(others, found))), "")
        for rule in fork.rules:
            rows.lines(f"{rule}{say('dot')}{screen.spoken(plainly(found, rule))}")
        for topic in fork.topics:
            rows.lines(screen.label("law") + said_of(found, next(c for c in found.law if c.topic == topic)))
        rows.lines(f"{screen.label('pilots_example')}{fork.example} {fork.goods}".rstrip())
    if len(found.forks) > FORKS_SHOWN:
        rows.lines(say("pilots_more", count=len(found.forks) - FORKS_SHOWN))
    screen.out()


def show_contrast(found: Compared, contrast: Contrast) -> None:
    """A topic that differs: each value, where, and by which text."""
    screen.out(screen.coloured(contrast.topic, "1"))
    for value, places, row in fewest_first(contrast.values):
        topic = rows.topic_of(found.policy, contrast.topic)
        said = value_said(value, topic, row)
        basis = "" if row is None else f"（{rows.text_of(found.policy, row)}）" if screen.language() == "zh" else (
            f" ({rows.text_of(found.policy, row)})")
        last = len(contrast.values) > 1 and places == fewest_first(contrast.values)[-1][1]
        names = (others if last else all_named)(found, places)
        rows.lines(f"{said}{basis}{say('dot')}{screen.spoken(names)}")


def value_said(value: Any, topic: Topic | None, row: Row | None) -> str:
    """A value in one line; where no row holds, that."""
    return say("law_no_row") if row is None else " ".join(rows.value_lines(value, topic, 1000))


def said_of(found: Compared, contrast: Contrast) -> str:
    """A differing topic in one line: each value with its places."""
    topic = rows.topic_of(found.policy, contrast.topic)
    opened, closed, between = ("（", "）", "；") if screen.language() == "zh" else (" (", ")", "; ")
    *few, most = fewest_first(contrast.by_value())
    parts = [f"{value_said(value, topic, row)}{opened}{screen.spoken(names(found, places))}{closed}"
             for names, (value, places, row) in [*((all_named, held) for held in few), (others, most)]]
    return f"{contrast.topic} = " + between.join(parts)


def fewest_first(values: Iterable[tuple[Any, tuple[str, ...], Row | None]]) -> list[
        tuple[Any, tuple[str, ...], Row | None]]:
    """Values, those of few places first: the last are "the other" ones."""
    return sorted(values, key=lambda held: len(held[1]))


def others(found: Compared, places: Sequence[str]) -> Words:
    """Places that are told behind all the rest: by name, or how many they are."""
    if len(places) > HERE_MOST and len(places) < len(found.pilots):
        return told("pilots_all", count=len(places))
    return all_named(found, places)


def plainly(found: Compared, rule: str) -> Words:
    """What a rule says, without the values of one parcel."""
    told = next((each.words for pilot in found.pilots for each in (*pilot.refusals, *pilot.warnings)
                 if each.rule == rule), Words(rule, rule))
    return Words(re.split(r"[（：]", told.zh)[0], re.split(r" \(|: ", told.en)[0])


# ── JSON ────────────────────────────────────────────────────────────────────────────────────────────


def pilot_answer(found: Compared, pilot: Pilot) -> dict[str, Any]:
    """One city: a line of docs/reference/schemas/pilots.json."""
    return {
        "place": pilot.place, "name": {"zh": pilot.name.zh, "en": pilot.name.en}, "on": str(found.day),
        "profile": pilot.view.profile, "parcels": pilot.parcels, **pilot.states,
        "modes": {mode: {"open": pilot.view.mode(mode) is not None, **pilot.by_mode[mode]} for mode in modes_of(found)
                  if mode in pilot.by_mode},
        "tax": {"duty": str(pilot.duty), "vat": str(pilot.vat), "consumption": str(pilot.consumption),
                "total": str(pilot.tax)},
        "refusals": [told_answer(each) for each in pilot.refusals],
        "warnings": [told_answer(each) for each in pilot.warnings],
        "lacking": pilot.lacking,
        "law": {contrast.topic: rows.row_answer(found.policy, pilot.view.row(contrast.topic), pilot.place)
                for contrast in found.law if contrast.decides},
    }


def told_answer(told: Any) -> dict[str, Any]:
    """A rule and how many parcels it met."""
    return {"rule": told.rule, "parcels": told.parcels, "zh": told.words.zh, "en": told.words.en}


def summary_answer(found: Compared) -> dict[str, Any]:
    """The last line: what is the same and where ways part."""
    return {
        "everywhere": found.everywhere, "nowhere": found.nowhere,
        "depends": sum(fork.parcels for fork in found.forks),
        "forks": [{**fork._asdict(), "stopped": list(fork.stopped), "rules": list(fork.rules),
                   "topics": list(fork.topics)} for fork in found.forks],
        "law": [{**rows.topic_answer(found.policy, contrast.topic), "decides": contrast.decides,
                 "values": [{"value": jsonable(value), "places": list(places)}
                            for value, places, _ in contrast.by_value()]} for contrast in found.law],
    }


# ── the page ────────────────────────────────────────────────────────────────────────────────────────


def told(key: str, **values: object) -> Words:
    """A sentence in both languages; values that are words stand in the language of the sentence."""
    pair = words.find(key)
    made = [pair.at(lang).format(**{name: value.at(lang) if isinstance(value, Words) else value
                                    for name, value in values.items()}) for lang in ("zh", "en")]
    return Words(*made)


def in_both(say_it: Callable[[], str]) -> Words:
    """What a function says in either language of the screen."""
    before, made = screen.language(), []
    for lang in ("zh", "en"):
        screen.choose_language(lang)
        made.append(say_it())
    screen.choose_language(before)
    return Words(*made)


def page_of(found: Compared, seed: int, language: str) -> str:
    """The whole page."""
    from cebport.reports import page

    parcels = found.pilots[0].parcels
    depends = sum(fork.parcels for fork in found.forks)
    cards = page.figures([
        page.Figure(told("pilots_everywhere"), f"{found.everywhere:,}", tone="good"),
        page.Figure(told("pilots_depends"), f"{depends:,}", tone="assumed"),
        page.Figure(told("pilots_nowhere"), f"{found.nowhere:,}", tone="bad"),
    ])
    parts = [cards, page.section(told("pilots_share"), fates_chart(found), cities_table(found)),
             page.section(told("pilots_forks"), forks_list(found)),
             page.section(told("pilots_law"), law_table(found, deciding=True))]
    for key, field in (("pilots_refusals", "refusals"), ("pilots_warnings", "warnings")):
        parts.append(page.section(told(key), reasons_table(found, field)))
    parts.append(page.section(told("pilots_lacking"), lacking_table(found)))
    parts.append(page.fold(told("pilots_told"), law_table(found, deciding=False)))
    return page.page(told("pilots_title"), *parts, lead=told("pilots_lead", day=found.day, parcels=f"{parcels:,}"),
                     foot=told("pilots_made", seed=seed), language=language)


def fates_chart(found: Compared) -> Html:
    """A bar a city, cut into released, refused and waiting."""
    from cebport.reports import charts, page

    series = [charts.Series(told(state), tuple(pilot.states[state] for pilot in found.pilots))
              for state in ("released", "refused", "waiting")]
    drawn = charts.stacked(told("pilots_chart"), [pilot.name for pilot in found.pilots], series, COLOURS)
    return page.chart(drawn)


def cities_table(found: Compared) -> Html:
    """The table of the terminal."""
    from cebport.reports import page

    modes = modes_of(found)
    head = [told("city"), told("pilots_profile"), *(told("pilots_mode", mode=mode) for mode in modes),
            *map(told, ("released", "refused", "waiting")), told("pilots_tax")]
    lines: list[list[Part | int]] = [[pilot.name, unbroken(in_both(partial(rows.word, pilot.view.profile))),
              *(share(pilot, mode) for mode in modes), *(f"{count:,}" for count in pilot.states.values()),
              f"{pilot.tax:,.2f}"] for pilot in found.pilots]
    return page.table(head, lines, right=range(2, len(head)))


def forks_list(found: Compared) -> Html:
    """Every group of parcels that pass here and stop there."""
    from cebport.reports import page

    if not found.forks:
        return page.note(told("pilots_same"), tone="good")
    made = []
    for fork in found.forks:
        why = [page.joined([page.element("code", rule), " ", plainly(found, rule)]) for rule in fork.rules]
        example = page.joined([told("pilots_example"), " ", page.element("code", fork.example), f" {fork.goods}"])
        made.append(page.note(page.element("strong", fork_said(found, fork, partial(all_named, found))),
                              page.bullets([*why, *law_said(found, fork), example])))
    return page.joined(made)


def fork_said(found: Compared, fork: Fork, names: Callable[[Sequence[str]], Words]) -> Words:
    """How many, where they stop and where they pass, the shorter list first, so that "the other" ones are clear."""
    passing = [pilot.place for pilot in found.pilots if pilot.place not in fork.stopped]
    count = told("pilots_parcel" if fork.parcels == 1 else "pilots_parcels", count=f"{fork.parcels:,}")
    if len(fork.stopped) <= len(passing):
        return told("pilots_fork", count=count, stopped=all_named(found, fork.stopped), passing=names(passing))
    return told("pilots_fork_passing", count=count, passing=all_named(found, passing), stopped=names(fork.stopped))


def law_said(found: Compared, fork: Fork) -> Iterable[Words]:
    """The rows of law behind a fork."""
    held = {contrast.topic: contrast for contrast in found.law}
    for topic in fork.topics:
        yield in_both(partial(said_of, found, held[topic]))


def all_named(found: Compared, places: Sequence[str]) -> Words:
    """Every place by name."""
    held = {pilot.place: pilot.name for pilot in found.pilots}
    return Words("、".join(held[place].zh for place in places), ", ".join(held[place].en for place in places))


def roomy(*parts: Part) -> Html:
    """Prose in a cell: on a phone the table scrolls rather than that words break."""
    from cebport.reports import page

    return page.element("div", *parts, style="min-width: 12em")


def unbroken(part: Part) -> Html:
    """A word or two that stay on one line."""
    from cebport.reports import page

    return page.element("div", part, style="white-space: nowrap")


def law_table(found: Compared, *, deciding: bool) -> Html:
    """The topics that differ, a line a value: those that decide, or those that tell of a place."""
    from cebport.reports import page

    lines: list[list[Part | int]] = []
    for contrast in found.law:
        if contrast.decides != deciding:
            continue
        topic = rows.topic_of(found.policy, contrast.topic)
        for value, places, row in contrast.values:
            means = Words(topic.zh, topic.en) if topic is not None else None
            view = next(pilot.view for pilot in found.pilots if pilot.place == places[0])
            held = as_held(view, contrast.topic)
            lines.append([
                page.joined([page.element("code", contrast.topic), page.element("br"), means]),
                in_both(partial(value_said, value, topic, row)),
                roomy(all_named(found, places)),
                roomy("" if held is None else in_both(partial(rows.basis, found.policy, held, topic, places[0]))),
            ])
    return page.table([told("topic"), told("value"), told("where"), told("basis")], lines)


def reasons_table(found: Compared, field: str) -> Html:
    """Rules down, cities across."""
    from cebport.reports import page

    counts: dict[str, dict[str, int]] = {}
    for pilot in found.pilots:
        for each in getattr(pilot, field):
            counts.setdefault(each.rule, {})[pilot.place] = each.parcels
    order = sorted(counts, key=lambda rule: (-sum(counts[rule].values()), rule))
    lines: list[list[Part | int]] = [[page.joined([page.element("code", rule), " ", plainly(found, rule)]),
              *(f"{counts[rule].get(pilot.place, 0):,}" for pilot in found.pilots)] for rule in order]
    tones = ["" if len(set(line[1:])) == 1 else "assumed" for line in lines]
    return page.table([told("reason"), *(pilot.name for pilot in found.pilots)], lines,
                      right=range(1, len(found.pilots) + 1), tones=tones)


def lacking_table(found: Compared) -> Html:
    """What waiting parcels lack, cities across."""
    from cebport.reports import page

    names = dict.fromkeys(name for pilot in found.pilots for name in pilot.lacking)
    lines: list[list[Part | int]] = [[Words(words.kind_words(name, "zh"), words.kind_words(name, "en")),
              *(f"{pilot.lacking.get(name, 0):,}" for pilot in found.pilots)] for name in names]
    return page.table([told("waiting_for"), *(pilot.name for pilot in found.pilots)], lines,
                      right=range(1, len(found.pilots) + 1))
