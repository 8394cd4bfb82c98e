"""Commands to try things out (试用): generate, bench, demo.

Traffic is made by ``testing``; it is cleared by the same server as any other.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cebport.doors import frame, notes, screen, walk
from cebport.doors.frame import DONE, option
from cebport.doors.screen import say

if TYPE_CHECKING:
    from cebport.testing.traffic import Summary

DEFAULTS = Path(__file__).parent.parent / "testing" / "tables" / "defaults.yaml"
MODES = ("9610", "1210")
KINDS = ("rsa", "sm2")


@cache
def defaults() -> dict[str, dict[str, Any]]:
    """What the commands take when nobody says otherwise: testing/tables/defaults.yaml."""
    import yaml

    held: dict[str, dict[str, Any]] = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8"))
    return held


def default_moment(name: str) -> datetime:
    """The moment of a command's traffic unless --on says another."""
    from cebport.values import parse_time

    return parse_time(defaults()[name]["moment"])


class Share(click.ParamType):
    """A share from 0 to 1."""

    name = "SHARE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share."""
        try:
            share = float(value)
        except ValueError:
            self.fail(say("not_a_share", value=value), param, ctx)
        if not 0 <= share <= 1:
            self.fail(say("not_a_share", value=value), param, ctx)
        return share


# ── generate ────────────────────────────────────────────────────────────────────────────────────────


@frame.command("generate")
@option("--parcels", type=frame.Number(1), required=True)
@option("--seed", type=frame.Number(), default=1)
@frame.on_option
@option("--place", multiple=True, metavar="ID")
@option("--mode", type=frame.Choice(MODES))
@option("--algorithm", type=frame.Choice(KINDS))
@option("--faults", type=Share(), default="0")
@option("-o", "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", required=True)
@frame.json_option
def generate_command(out: Path, parcels: int, seed: int, on: datetime | None, place: tuple[str, ...],
                     mode: str | None, algorithm: str | None, faults: float, as_json: bool) -> int:
    """Write signed traffic."""
    summary = traffic(out, parcels, quiet=as_json, seed=seed, on=on or default_moment("generate"), place=place,
                      mode=mode, algorithm=algorithm, faults=faults)
    if as_json:
        screen.emit(summary.as_dict())
    else:
        screen.out(say("generated", parcels=f"{summary.parcels:,}", messages=f"{summary.messages:,}", path=out))
    return DONE


def traffic(out: Path, parcels: int, *, quiet: bool, **asked: Any) -> Summary:
    """Generate with a bar. Raises UsageError for arguments that traffic cannot be made from."""
    from cebport.testing.traffic import generate

    with screen.progress(say("generating"), parcels, quiet=quiet) as step:
        done = 0

        def progress(so_far: int) -> None:
            nonlocal done
            step(so_far - done)
            done = so_far

        try:
            return generate(out, parcels=parcels, progress=progress, **asked)
        except ValueError as wrong:
            raise click.UsageError(notes.usage(str(wrong))) from wrong


# ── bench ───────────────────────────────────────────────────────────────────────────────────────────


@frame.command("bench")
@option("--parcels", type=frame.Number(1), default=2000)
@option("--algorithm", type=frame.Choice(KINDS), default="rsa")
@frame.workers_option
@option("--store", type=frame.StoreUrl())
@frame.json_option
def bench_command(parcels: int, algorithm: str, workers: int, store: str | None, as_json: bool) -> int:
    """Generate, clear, and say what it cost on this machine."""
    with tempfile.TemporaryDirectory(prefix="cebport-bench-") as folder:
        answer = measured(Path(folder), parcels, algorithm, workers, store, quiet=as_json)
    if as_json:
        screen.emit(answer)
    else:
        screen.out(say("bench_line", parcels=f"{parcels:,}", seconds=f"{answer['seconds']:.1f}",
                       rate=f"{answer['parcels_per_second']:,.0f}", cpu=f"{answer['cpu_us_per_parcel']:,.0f}",
                       memory=f"{answer['peak_memory_mib']:,.0f}", store=answer["store"], workers=workers,
                       algorithm=algorithm))
    return DONE


def measured(folder: Path, parcels: int, algorithm: str, workers: int, store: str | None, *,
             quiet: bool) -> dict[str, Any]:
    """One run in a folder: CPU of this process and its workers from start to rest, generation left out."""
    from cebport.server.settings import Settings

    on = default_moment("generate")
    made = folder / "traffic"
    traffic(made, parcels, quiet=quiet, seed=defaults()["bench"]["seed"], on=on, algorithm=algorithm)
    settings = Settings(
        store=store or f"sqlite:///{folder / 'bench.db'}", trust=(str(made / "trust.yaml"),),
        filings=str(made / "filings.yaml"), receipts=str(folder / "receipts"), workers=workers)
    before = _cpu_seconds()
    ran = walk.run_to_rest((made / "messages",), settings, on, quiet=quiet)
    cpu = _cpu_seconds() - before
    fresh = ran.totals["parcels"] - ran.parcels_before
    return {
        "parcels": fresh, "algorithm": algorithm, "workers": workers, "store": settings.store.split(":")[0],
        "seconds": round(ran.seconds, 3), "parcels_per_second": round(fresh / ran.seconds, 1),
        "cpu_us_per_parcel": round(cpu * 1e6 / max(1, fresh), 1), "peak_memory_mib": round(_peak_mib(), 1),
    }


def _cpu_seconds() -> float:
    import resource

    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak_mib() -> float:
    """The largest process: this one or any worker. Linux counts in KiB, macOS in bytes."""
    import resource

    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return max(resource.getrusage(who).ru_maxrss for who in (
        resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * unit / (1 << 20)


# ── demo ────────────────────────────────────────────────────────────────────────────────────────────


@frame.command("demo")
@option("--parcels", type=frame.Number(10))
@option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", default="demo")
@option("--again", is_flag=True)
@option("--workers", type=frame.Number(1))
@frame.json_option
def demo_command(parcels: int | None, folder: Path, again: bool, workers: int | None, as_json: bool) -> int:
    """A morning in the ten pilot cities, from messages to a told parcel."""
    from cebport.server.settings import Settings

    asked = defaults()["demo"]
    made, on = folder / "traffic", default_moment("demo")
    with _fresh(folder, again):
        parcels = parcels or asked["parcels"]
        settings = Settings(
            store=f"sqlite:///{folder / 'cebport.db'}", trust=(str(made / "trust.yaml"),),
            filings=str(made / "filings.yaml"), receipts=str(folder / "receipts"), workers=workers or asked["workers"])
        if not as_json:
            screen.out(say("demo_intro", parcels=f"{parcels:,}") + "\n")
        traffic(made, parcels, quiet=as_json, seed=asked["seed"], on=on, faults=float(asked["faults"]))
        ran = walk.run_to_rest((made / "messages",), settings, on, quiet=as_json)
    if as_json:
        screen.emit(walk.totals_of(ran))
        return DONE
    walk.show_totals(ran, settings.receipts)
    with walk.opened(settings.store, None) as store:
        _show_summary(store, on)
        numbers = _show_two(store)
    _show_next(settings.store, made, settings.receipts, numbers)
    return DONE


@contextmanager
def _fresh(folder: Path, again: bool) -> Iterator[None]:
    """An empty folder for the demonstration. Raises UsageError rather than to remove what is not ours."""
    ours = (folder / "cebport.db").exists() or (folder / "traffic").exists()
    if folder.exists() and any(folder.iterdir()):
        if not again or not ours:
            raise click.UsageError(say("demo_exists" if ours else "demo_foreign", path=folder))
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    yield


def _show_summary(store: Any, on: datetime) -> None:
    from cebport.policy import Policy
    from cebport.server import summary
    from cebport.values import beijing_day

    places = summary.by_place(store, Policy.load(), beijing_day(on))
    states = [state for state in walk.STATES if any(row.states[state] for row in places)]
    screen.out()
    screen.table(
        [say("city"), say("parcels"), *map(say, states)],
        [(screen.spoken(row.name), sum(row.states.values()), *(row.states[state] for state in states))
         for row in places],
        title=say("demo_cities"), right=range(1, len(states) + 2))
    screen.out()
    screen.table([say("reason"), say("documents"), say("words")],
                 [(row.rule, row.documents, screen.spoken(row.words)) for row in summary.by_reason(store)],
                 title=say("demo_reasons"), right=[1])


def _show_two(store: Any) -> list[str]:
    """The story of a released and of a refused parcel; their order numbers."""
    from cebport.server import summary
    from cebport.server.trace import trace

    numbers = []
    for states, phrase in ((("closed", "released"), "demo_released"), (("refused",), "demo_refused")):
        case = next(filter(None, (summary.example(store, state) for state in states)), None)
        if case is None:
            continue
        numbers.append(case.orderNo)
        screen.out("\n" + say(phrase, number=case.orderNo))
        for story in trace(store, case.orderNo):
            walk.show_story(story.as_dict())
    return numbers


def _show_next(store: str, made: Path, receipts: str, numbers: list[str]) -> None:
    first = sorted((made / "messages").glob("*-CEB621.xml"))[:1]
    screen.out("\n" + say("demo_end", traffic=made / "messages", receipts=receipts, store=store))
    lines = [f"cebport trace --store {store} {number}" for number in numbers[:1]]
    lines += [f"cebport check {path}" for path in first]
    lines += [f"cebport verify --trust {made / 'trust.yaml'} {path}" for path in first]
    lines.append(f"cebport rebuild --store {store} --check")
    for line in lines:
        screen.out(f"  {line}")


