"""Questions to the law (问规则): ``cebport policy at | diff | history | can | import-list``.

The tables answer through `cebport.policy`; here the question is read and the answer shown, for people and as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import click

from cebport.doors import frame, rows, screen
from cebport.doors.frame import DONE, NO, option
from cebport.doors.screen import say
from cebport.faults import ERROR
from cebport.policy import Difference, Policy, Row, View, diff
from cebport.policy.overlay import LawOf, supposed
from cebport.policy.places import NATION, Place, named, nearest
from cebport.policy.schema import jsonable
from cebport.values import BEIJING

policy_command = frame.group("policy")
MODE = "mode."
CUSTOMS_CODE = re.compile(r"[0-9]{4}\Z")
SHORT_MAX = 12
"""Up to so many topics are told with note, file and line."""

on_option = option("--on", type=frame.Day())
place_option = option("--place", metavar="PLACE")
profile_option = option("--profile", metavar="NAME")
known_option = option("--known", type=frame.Day())
overlay_option = option("--overlay", "overlays", type=frame.file_type, multiple=True, metavar="FILE")
topic_argument = click.argument("topic", required=False, metavar="[TOPIC]")


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────


def today() -> date:
    """The day in Beijing."""
    return datetime.now(BEIJING).date()


def place_of(policy: Policy, asked: str | None, name: str = "--place") -> str:
    """The place that an id, name or customs code means; a code of four digits may be one that no place has.

    Raises UsageError with the nearest names, also for nothing at all.
    """
    if asked is None:
        return NATION
    if not asked.strip():
        raise click.UsageError(say("missing", name=name))
    if (found := named(policy.places, asked)) is not None:
        return found
    code = asked.strip().upper()
    if CUSTOMS_CODE.match(code) or any(code in place.codes for place in policy.places.values()):
        return code
    raise click.UsageError(f"{name}: " + frame.guessed(say("no_place", value=asked), nearest(policy.places, asked)))


def topics_of(policy: Policy, names: Iterable[str], asked: str | None) -> list[str]:
    """The topics among ``names`` that a word leads to, in the order of the tables. Raises UsageError when none."""
    if asked is None:
        return list(names)
    held = list(names)
    found = rows.below(held, asked)
    if not found:
        families = sorted({rows.family_of(name) for name in held})
        near = get_close_matches(asked, [*held, *families], n=3) or [name for name in held if asked in name][:3]
        raise click.UsageError(frame.guessed(say("no_topic", value=asked), near))
    return found


def view_of(policy: Policy, day: date, place: str, profile: str | None = None, known: date | None = None) -> View:
    """The view. Raises UsageError for a profile that is none."""
    if profile is not None and profile not in policy.profiles:
        raise click.UsageError(
            f"--profile: {say('not_a_choice', value=profile, choices=', '.join(policy.profiles))}")
    return policy.at(day, place, profile=profile, known=known)


def told_names(policy: Policy, view: View) -> list[str]:
    """Every topic that is declared or holds in the view, in the order of the tables."""
    return list(dict.fromkeys([*policy.topics, *view.rows()]))


# ── at ──────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("at", under=policy_command)
@topic_argument
@on_option
@place_option
@profile_option
@known_option
@overlay_option
@frame.json_option
def at_command(topic: str | None, on: date | None, place: str | None, profile: str | None, known: date | None,
               overlays: tuple[Path, ...], as_json: bool) -> int:
    """What holds on a day at a place; exit code 1 where a topic that was named has no row there."""
    policy = Policy.load(overlays=overlays)
    view = view_of(policy, on or today(), place_of(policy, place), profile, known)
    names = topics_of(policy, told_names(policy, view), topic)
    held = {name: as_held(view, name, profile) for name in names}
    if topic not in names:
        held = {name: row for name, row in held.items() if row is not None}
    if as_json:
        for name, row in held.items():
            screen.emit({**rows.topic_answer(policy, name), **asked_answer(view),
                         "row": rows.row_answer(policy, row, own_of(view, name))})
    else:
        show_view(view)
        show_rows(policy, view, held)
    return DONE if any(row is not None for row in held.values()) else NO


def as_held(view: View, name: str, profile: str | None = None) -> Row | None:
    """The row of a topic in a view with the days on which it holds at that place; None = no row holds."""
    row = view.row(name)
    if row is None:
        return None
    policy, day = view.policy, view.day
    if isinstance(policy, LawOf):
        found, day = policy.history(name, own_of(view, name), known=view.known), policy.law_day
    else:
        found = past(policy, name, view.place, profile, view.known)
    return next((each for each in found if each.where == row.where and _holds(each, day)), row)


def own_of(view: View, name: str) -> str:
    """The place, practice, trust or dialect of a view that rows of a topic are looked up by."""
    return rows.own_place(view, rows.topic_of(view.policy, name))


def asked_answer(view: View) -> dict[str, Any]:
    """What a view was asked for, as JSON."""
    return {"on": str(view.day), "place": view.place, "path": list(view.path), "profile": view.profile}


def show_view(view: View) -> None:
    """The day, the place with those above it, the profile; and what is to be known about the place."""
    policy = view.policy
    way = " < ".join(rows.place_name(policy, place) for place in view.path)
    screen.out(screen.coloured(f"{view.day}  {rows.place_name(policy, view.place)} ({view.place})", "1"))
    rows.lines(screen.label("law_way") + way)
    profile = policy.profiles[view.profile]
    rows.lines(screen.label("law_profile") + screen.spoken(profile.title) + f" ({view.profile})")
    if view.known is not None:
        rows.lines(say("law_as_known", day=view.known))
    if view.place_note is not None:
        rows.lines(screen.label("warning") + screen.spoken(view.place_note))
    screen.out()


SEE: dict[str, str] = {
    "tax.limit_single_cny": "postal.limit_order_cny", "tax.limit_year_cny": "postal.limit_year_cny",
    "postal.limit_order_cny": "tax.limit_single_cny", "postal.limit_year_cny": "tax.limit_year_cny",
}
"""A topic -> the one that says the same under the other tax."""


def show_rows(policy: Policy, view: View, held: Mapping[str, Row | None]) -> None:
    """Every topic under the heading of its family; few topics with all that is known of them."""
    few, family, said = len(held) <= SHORT_MAX, "", ""
    for name, row in held.items():
        if rows.family_of(name) != family:
            if family:
                screen.out()
            family = rows.family_of(name)
            rows.heading(family)
        topic = rows.topic_of(policy, name)
        rows.show_row(policy, name, row, own_of(view, name), full=few, means=topic is None or topic.en != said)
        said = topic.en if topic is not None else ""
        other = SEE.get(name, "")
        if (row is None or row.value is None) and other and (there := view.row(other)) is not None and there.value:
            rows.lines(say("law_see", topic=other))
    screen.out()
    unseen = sum(row is not None and not row.seen for row in held.values())
    rows.lines(say("law_counted", topics=len(held), unseen=unseen), "")


# ── history ─────────────────────────────────────────────────────────────────────────────────────────


@frame.command("history", under=policy_command)
@click.argument("topic", metavar="TOPIC")
@place_option
@profile_option
@known_option
@overlay_option
@frame.json_option
def history_command(topic: str, place: str | None, profile: str | None, known: date | None,
                    overlays: tuple[Path, ...], as_json: bool) -> int:
    """How topics changed at a place; exit code 1 where no row ever held."""
    policy = Policy.load(overlays=overlays)
    asked = place_of(policy, place)
    view_of(policy, today(), asked, profile)
    names = topics_of(policy, dict.fromkeys([*policy.topics, *(row.topic for row in policy.rows())]), topic)
    any_row = False
    for name in names:
        found = past(policy, name, asked, profile, known)
        any_row = any_row or bool(found)
        if as_json:
            own = asked_id(policy, asked)
            for row in found:
                screen.emit({**rows.topic_answer(policy, name), "place": own,
                             "row": rows.row_answer(policy, row, own)})
        elif found or len(names) == 1:
            show_history(policy, name, asked, found)
    return DONE if any_row else NO


def past(policy: Policy, name: str, place: str, profile: str | None = None,
         known: date | None = None) -> tuple[Row, ...]:
    """The rows of a topic one after the other at a place; of a practice, trust or dialect: of those the place has."""
    topic = rows.topic_of(policy, name)
    if topic is None or topic.axis == "place":
        return policy.history(name, place, known=known)
    made: list[Row] = []
    starts = change_days(policy)
    for begins, following in zip(starts, [*starts[1:], None], strict=True):
        row = policy.at(begins, place, profile=profile, known=known).row(name)
        until = None if following is None else following - timedelta(days=1)
        if row is None:
            continue
        last = made[-1] if made else None
        if last is not None and last.where == row.where and last.until == begins - timedelta(days=1):
            made[-1] = last._replace(until=until)
        else:
            made.append(row._replace(since=None if begins == starts[0] else begins, until=until))
    return tuple(made)


def change_days(policy: Policy) -> list[date]:
    """A day before every row, then every day on which a row or a place begins or is over."""
    found: set[date] = set()
    dated: list[Row | Place] = [*policy.rows(), *policy.places.values()]
    for held in dated:
        if held.since is not None:
            found.add(held.since)
        if held.until is not None:
            found.add(held.until + timedelta(days=1))
    return [min(found) - timedelta(days=1), *sorted(found)] if found else [today()]


def asked_id(policy: Policy, place: str) -> str:
    """The id of the place that an id or customs code leads to."""
    return place if place in policy.places else policy.at(today(), place).place


def show_history(policy: Policy, name: str, asked: str, found: Iterable[Row]) -> None:
    """A topic and its rows, the earliest first; the one that holds today is marked."""
    own = asked_id(policy, asked)
    topic = rows.topic_of(policy, name)
    screen.out(screen.coloured(f"{name}  {rows.place_name(policy, own)} ({own})", "1"))
    rows.meaning(topic)
    now, any_row = today(), False
    for row in found:
        any_row = True
        holds = (row.since or now) <= now <= (row.until or now)
        span = ("→ " if holds else "  ") + rows.days(row)
        value = rows.value_lines(row.value, topic, rows.COLUMNS - rows.NAME_COLUMNS)
        rows.headed(span, value)
        where = rows.where_from(policy, row, topic, own)
        rows.lines(say("dot").join((rows.text_of(policy, row), rows.sure(row.confidence), where)), "    ")
        if row.note:
            rows.lines(row.note, "    ")
    if not any_row:
        rows.lines(say("law_no_row"))
    screen.out()


# ── can ─────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("can", under=policy_command)
@option("--mode", required=True, metavar="MODE")
@place_option
@on_option
@overlay_option
@frame.json_option
def can_command(mode: str, place: str | None, on: date | None, overlays: tuple[Path, ...], as_json: bool) -> int:
    """Whether a mode is open; exit code 0 yes, 1 no."""
    policy = Policy.load(overlays=overlays)
    modes = [name.removeprefix(MODE) for name in policy.topics if name.startswith(MODE)]
    modes = [name for name in modes if name.isdigit()]  # mode.declared_by is no mode
    if mode not in modes:
        raise click.UsageError(f"--mode: {say('not_a_choice', value=mode, choices=', '.join(modes))}")
    view = view_of(policy, on or today(), place_of(policy, place))
    row, opened = as_held(view, MODE + mode), view.mode(mode) is not None
    following = next_change(policy, mode, view, opened)
    if as_json:
        screen.emit({"mode": mode, **asked_answer(view), "open": opened,
                     "row": rows.row_answer(policy, row, view.place),
                     "next": rows.row_answer(policy, following, view.place)})
    else:
        show_can(view, mode, row, following)
    return DONE if opened else NO


def next_change(policy: Policy, mode: str, view: View, opened: bool) -> Row | None:
    """The next row at the place that turns the answer; None = none is known."""
    return next((row for row in policy.history(MODE + mode, view.place)
                 if row.since is not None and row.since > view.day and bool(row.value) != opened), None)


def show_can(view: View, mode: str, row: Row | None, following: Row | None) -> None:
    """Yes or no, the row that says so, and what changes it next."""
    policy, opened = view.policy, row is not None and bool(row.value)
    said = say("can_yes" if opened else "can_no", mode=mode, day=view.day,
               place=f"{rows.place_name(policy, view.place)} ({view.place})")
    for line in screen.wrapped(said, rows.COLUMNS):
        screen.out(screen.coloured(line, "32" if opened else "31"))
    if view.place_note is not None:
        rows.lines(screen.label("warning") + screen.spoken(view.place_note))
    if row is None:
        rows.lines(say("law_no_row"))
    else:
        topic = rows.topic_of(policy, MODE + mode)
        rows.lines(f"{row.topic} = {rows.plain_value(row.value, topic=row.topic)}")
        rows.lines(rows.basis(policy, row, topic, view.place))
        rows.details(policy, row)
    if following is not None:
        rows.lines(say("can_next_no" if opened else "can_next_yes", day=following.since,
                       text=rows.text_of(policy, following)))


# ── diff ────────────────────────────────────────────────────────────────────────────────────────────


class Side(NamedTuple):
    """One of the two laws that are compared: a day (None = over all time), a place, with the overlay or without."""

    on: date | None
    place: str
    laid: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"on": jsonable(self.on), "place": self.place, "overlay": self.laid}


class Span(NamedTuple):
    """A difference between two sides; over all time also the days between which it holds."""

    found: Difference
    a: Side
    b: Side
    since: date | None = None
    until: date | None = None


@frame.command("diff", under=policy_command)
@topic_argument
@on_option
@place_option
@option("--and", "other", metavar="DATE|PLACE")
@overlay_option
@profile_option
@frame.json_option
def diff_command(topic: str | None, on: date | None, place: str | None, other: str | None,
                 overlays: tuple[Path, ...], profile: str | None, as_json: bool) -> int:
    """What differs between two days, two places, or with an overlay; exit code 0 whether or not anything does."""
    if bool(other) == bool(overlays):
        raise click.UsageError(say("diff_what"))
    base = Policy.load()
    laid = supposed(overlays) if overlays else base
    if isinstance(laid, LawOf):
        on = on or today()
    if other:
        found = list(_of_views(*_two_views(base, on, place, other, profile), profile))
    elif on is not None:
        asked = place_of(laid, place)
        views = view_of(base, on, _in(base, asked), profile), view_of(laid, on, asked, profile)
        found = list(_of_views(*views, profile))
    else:
        found = everywhere(base, laid, (place_of(laid, place),) if place is not None else touched(base, laid))
    names = {span.found.topic for span in found}
    if topic is not None:
        kept = set(topics_of(laid, dict.fromkeys([*laid.topics, *names]), topic))
        found = [span for span in found if span.found.topic in kept]
    if as_json:
        for span in found:
            screen.emit(span_answer(base, laid, span))
    else:
        show_spans(base, laid, found)
    return DONE


def _two_views(policy: Policy, on: date | None, place: str | None, other: str,
               profile: str | None) -> tuple[View, View]:
    """Two days where --and is a day, else two places. Raises UsageError."""
    try:
        second: date | None = date.fromisoformat(other)
    except ValueError:
        second = None
    if second is not None:
        if on is None:
            raise click.UsageError(say("missing", name="--on"))
        there = place_of(policy, place)
        return view_of(policy, on, there, profile), view_of(policy, second, there, profile)
    if place is None:
        raise click.UsageError(say("missing", name="--place"))
    day = on or today()
    one, two = place_of(policy, place), place_of(policy, other, "--and")
    return view_of(policy, day, one, profile), view_of(policy, day, two, profile)


def _in(policy: Policy, place: str) -> str:
    """The place where the policy has it; a place that only an overlay brings is nowhere else than in the nation."""
    try:
        policy.at(today(), place)
    except KeyError:
        return NATION
    return place


def _of_views(a: View, b: View, profile: str | None) -> Iterator[Span]:
    """Differences of two views, in the order of the tables; each row with the days on which it holds there."""
    order = {name: at for at, name in enumerate(b.policy.topics)}
    laid = a.policy is not b.policy
    sides = Side(a.day, a.place), Side(b.day, b.place, laid)
    for found in sorted(diff(a, b), key=lambda each: (order.get(each.topic, len(order)), each.topic)):
        held = found._replace(row_a=as_held(a, found.topic, profile), row_b=as_held(b, found.topic, profile))
        yield Span(held, *sides)


def touched(base: Policy, laid: Policy) -> tuple[str, ...]:
    """The places that rows of an overlay name; the nation where they name practices only."""
    fresh = laid.rows()[len(base.rows()):]
    places = dict.fromkeys(row.place for row in fresh if row.place in laid.places)
    return tuple(places) or (NATION,)


def everywhere(base: Policy, laid: Policy, places: tuple[str, ...]) -> list[Span]:
    """The stretches of every place by topic; a place that differs just as the nation does is not told again."""
    found = [span for place in places for span in over_time(base, laid, place)]

    def told(span: Span) -> tuple[Any, ...]:
        return span.found.topic, span.since, span.until, repr(span.found.a), repr(span.found.b)

    national = {told(span) for span in found if span.b.place == NATION}
    kept = [span for span in found if span.b.place == NATION or told(span) not in national]
    order = {name: at for at, name in enumerate(laid.topics)}
    return sorted(kept, key=lambda span: (order.get(span.found.topic, len(order)), span.found.topic))


def over_time(base: Policy, laid: Policy, place: str) -> Iterator[Span]:
    """Every stretch of days on which what an overlay speaks of differs at a place, by topic."""
    fresh = laid.rows()[len(base.rows()):]
    for name in dict.fromkeys(row.topic for row in fresh):
        sides = (past(base, name, _in(base, place)), past(laid, name, place))
        days = sorted({date.min, *(day for row in (*sides[0], *sides[1]) for day in _ends(row))})
        last: Span | None = None
        for begins, following in zip(days, [*days[1:], None], strict=True):
            row_a, row_b = (next((row for row in side if _holds(row, begins)), None) for side in sides)
            a, b = (None if row is None else row.value for row in (row_a, row_b))
            until = None if following is None else following - timedelta(days=1)
            if a == b and (row_a is None) == (row_b is None):
                continue
            if last is not None and (last.found.row_a, last.found.row_b) == (row_a, row_b):
                last = last._replace(until=until)
                continue
            if last is not None:
                yield last
            last = Span(Difference(name, a, b, row_a, row_b), Side(None, place), Side(None, place, laid=True),
                        None if begins == date.min else begins, until)
        if last is not None:
            yield last


def _ends(row: Row) -> Iterator[date]:
    if row.since is not None:
        yield row.since
    if row.until is not None:
        yield row.until + timedelta(days=1)


def _holds(row: Row, day: date) -> bool:
    return (row.since is None or row.since <= day) and (row.until is None or day <= row.until)


def span_answer(base: Policy, laid: Policy, span: Span) -> dict[str, Any]:
    """A difference as JSON: docs/reference/schemas/policy_diff.json."""
    found = span.found
    return {**rows.topic_answer(laid, found.topic), "a": span.a.as_dict(), "b": span.b.as_dict(),
            "value_a": jsonable(found.a), "value_b": jsonable(found.b),
            "since": jsonable(span.since), "until": jsonable(span.until),
            "row_a": rows.row_answer(base, found.row_a, span.a.place),
            "row_b": rows.row_answer(laid, found.row_b, span.b.place)}


def show_spans(base: Policy, laid: Policy, found: list[Span]) -> None:
    """Each topic with both values and what they rest on; fields of a record that are equal are left out."""
    if not found:
        screen.out(say("diff_none"))
        return
    for mark, policy, side in (("A", base, found[0].a), ("B", laid, found[0].b)):
        told = [say("law_laid" if side.laid else "law_now")] if base is not laid else []
        if side.on is not None:
            told += [str(side.on), f"{rows.place_name(policy, side.place)} ({side.place})"]
        screen.out(screen.coloured(f"{mark}  {say('dot').join(told)}", "1"))
    family = ""
    for span in found:
        name = span.found.topic
        if rows.family_of(name) != family:
            family = rows.family_of(name)
            screen.out()
            rows.heading(family)
        screen.out(screen.coloured(name, "1"))
        rows.meaning(rows.topic_of(laid, name))
        if span.b.on is None:
            held = Row(name, None, span.since, span.until, span.b.place, "", "", date.min)
            rows.lines(f"{rows.days(held)}{say('dot')}{rows.place_name(laid, span.b.place)}")
        _show_side(base, "A", span.found.row_a, span, span.a)
        _show_side(laid, "B", span.found.row_b, span, span.b)
    screen.out()
    screen.out(say("diff_counted", count=len({span.found.topic for span in found})))


def _show_side(policy: Policy, mark: str, row: Row | None, span: Span, side: Side) -> None:
    topic = rows.topic_of(policy, span.found.topic)
    if row is None:
        screen.out(f"  {mark}  {say('law_no_row')}")
        return
    value = row.value
    pair = span.found.a, span.found.b
    if all(isinstance(held, Mapping) for held in pair):
        value = {key: held for key, held in value.items() if any(other.get(key, ...) != held for other in pair)}
    first, *rest = rows.value_lines(value, topic, rows.COLUMNS - 5)
    screen.out(f"  {mark}  {first}")
    for line in rest:
        screen.out(f"     {line}")
    rows.lines(rows.basis(policy, row, topic, side.place), "     ")



# ── import-list ─────────────────────────────────────────────────────────────────────────────────────

KINDS = ("positive_list", "tariff")


class Columns(click.ParamType):
    """``our=theirs``: which column of the source is which of ours."""

    name = "OURS=THEIRS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The pair."""
        if isinstance(value, tuple):
            return value
        ours, sign, theirs = value.partition("=")
        if not (ours and sign and theirs):
            self.fail(say("not_a_pair", value=value), param, ctx)
        return ours.strip(), theirs.strip()


@frame.command("import-list", under=policy_command)
@click.argument("source", type=frame.file_type, metavar="FILE")
@option("--kind", type=frame.Choice(KINDS), default=KINDS[0])
@option("--edition", required=True, metavar="NAME")
@option("--since", type=frame.Day(), required=True)
@option("--instrument", required=True, metavar="ID")
@option("--complete", is_flag=True)
@option("--column", "columns", type=Columns(), multiple=True)
@option("-o", "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", required=True)
@frame.json_option
def import_list_command(source: Path, kind: str, edition: str, since: date, instrument: str, complete: bool,
                        columns: tuple[tuple[str, str], ...], out: Path, as_json: bool) -> int:
    """Write a published list as ours, with the overlay that puts it in force; exit code 1 when a row was not read."""
    from cebport.policy.importing import import_list

    done = import_list(source, kind=kind, edition=edition, since=since, complete=complete, instrument=instrument,
                       columns=dict(columns) or None, out=out, recorded_at=today())
    lost = sum(fault.severity == ERROR for fault in done.faults)
    if as_json:
        screen.emit({"rows": done.rows, "written": str(done.written), "overlay": str(done.overlay),
                     "complete": done.complete, "faults": [fault.as_dict() for fault in done.faults]})
    else:
        screen.faults(done.faults)
        screen.out(say("list_imported", rows=done.rows, written=done.written, overlay=done.overlay))
        screen.out(say("list_whole" if done.complete else "list_part"))
        if lost:
            screen.out(say("list_not_read", count=lost))
    return NO if lost else DONE
