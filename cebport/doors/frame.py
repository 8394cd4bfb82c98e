"""What all commands share (命令框架): help in two languages, common options, kinds of arguments, exit codes.

Exit codes: 0 done or yes, 1 the answer is no or the input is bad, 2 usage, 3 the store or a channel fails.
No command ever shows a traceback for what a user or a disk did.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from cebport import faults
from cebport.doors import notes, screen, words
from cebport.doors.screen import say

DONE, NO, USAGE, DOWN = 0, 1, 2, 3


class Option(click.Option):
    """An option whose help is looked up when it is shown, in the language of the screen."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """(how it is written, what it does)."""
        if self.hidden:
            return None
        text = words.option_words(key_of(ctx.command), self.opts[-1].lstrip("-")).at(screen.language())
        notes = []
        if self.required:
            notes.append(say("required"))
        default = self.get_default(ctx)
        if not self.is_flag and isinstance(default, str | int) and not isinstance(default, bool):
            notes.append(say("default", value=default))
        written = ", ".join(self.opts)
        if not self.is_flag:
            written += " " + self.make_metavar(ctx)
        behind = "；" if screen.language() == "zh" else "; "
        return words.form(written, screen.language()), text + (f" [{behind.join(notes)}]" if notes else "")


def key_of(made: click.Command) -> str:
    """The words that lead to a command, as its sentences are filed: "check", "policy at"."""
    return getattr(made, "key", "") or made.name or ""


class Command(click.Command):
    """A command whose help is in the language of the screen, wrapped for Chinese too.

    ``key``: its name, behind that of its group where it has one.
    """

    key = ""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Usage, what it does, options."""
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write(hung(f"{say('usage')}{ctx.command_path} {pieces}", "  "))
        _write_about(self, formatter)
        _write_options(self, ctx, formatter)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """[OPTIONS] and the arguments."""
        pieces = [piece for parameter in self.get_params(ctx) for piece in parameter.get_usage_pieces(ctx)]
        return [words.form(piece, screen.language()) for piece in [*pieces, "[OPTIONS]"]]

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """--help, with our words."""
        return Option(["--help"], is_flag=True, is_eager=True, expose_value=False, callback=_show_help)


def _write_about(made: click.Command, formatter: click.HelpFormatter) -> None:
    for paragraph in words.command_words(key_of(made)).at(screen.language()).split("\n\n"):
        formatter.write("\n" + _block(paragraph, "  "))


def _write_options(made: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    formatter.write(f"\n{say('options')}\n")
    for parameter in made.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None and isinstance(parameter, Option):
            formatter.write(f"  {record[0]}\n{_block(record[1], '      ')}")


class Group(click.Group):
    """Commands under one word; the word alone shows them."""

    key = ""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Usage, what it is about, its commands."""
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write(hung(f"{say('usage')}{ctx.command_path} {pieces}", "  "))
        _write_about(self, formatter)
        formatter.write(f"\n{say('commands')}\n")
        wide = max(map(len, self.commands)) + 2
        for name, made in self.commands.items():
            first = screen.spoken(words.command_words(key_of(made))).split("\n\n")[0]
            formatter.write(hung(f"  {name:<{wide}}{first}", " " * (wide + 2)))
        _write_options(self, ctx, formatter)
        formatter.write("\n" + say("more_of", command=ctx.command_path) + "\n")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order in which people meet them."""
        return list(self.commands)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """COMMAND [OPTIONS]."""
        return [words.form(piece, screen.language()) for piece in ("COMMAND", "[OPTIONS]")]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was asked for, or a usage error with the nearest names."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            no_command(args[0], list(self.commands), ctx)
        return super().resolve_command(ctx, args)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """--help, with our words."""
        return Option(["--help"], is_flag=True, is_eager=True, expose_value=False, callback=_show_help)


def group(name: str) -> Group:
    """A group of this name, with --lang; `command` with ``under`` puts commands into it."""

    def alone() -> int:
        ctx = click.get_current_context()
        if ctx.invoked_subcommand is None:
            screen.out(ctx.get_help())
        return DONE

    made = Group(name, callback=alone, invoke_without_command=True,
                 params=[Option(["--lang"], type=Choice(screen.LANGUAGES), expose_value=False)])
    made.key = name
    return made


def _show_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        screen.out(ctx.get_help())
        ctx.exit()


def _block(text: str, indent: str) -> str:
    lines = screen.wrapped(text, screen.HELP_COLUMNS - len(indent))
    return "".join(f"{indent}{line}\n" for line in lines)


def hung(text: str, indent: str) -> str:
    """A text as lines of a help page, all but the first set in."""
    start = text[: len(text) - len(text.lstrip())]
    first = screen.wrapped(text.lstrip(), screen.HELP_COLUMNS - len(start))[0]
    rest = text[len(start) + len(first):].strip()
    return f"{start}{first}\n" + (_block(rest, indent) if rest else "")


# ── options and arguments ───────────────────────────────────────────────────────────────────────────


def command(name: str, *, under: Group | None = None) -> Callable[[Callable[..., Any]], Command]:
    """A command of this name, with --lang; ``under`` its group."""

    def decorate(function: Callable[..., Any]) -> Command:
        made = click.command(name, cls=Command)(function)
        made.params.append(Option(["--lang"], type=Choice(screen.LANGUAGES), expose_value=False))
        if under is not None:
            made.key = f"{under.key} {name}"
            under.add_command(made)
        return made

    return decorate


def option(*declarations: str, **settings: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option; its words stand in ``words.OPTIONS``."""
    return click.option(*declarations, cls=Option, **settings)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """--json: answers as JSON lines, parameter ``as_json``."""
    return option("--json", "as_json", is_flag=True)(function)


class Choice(click.Choice):
    """One of a few words; refused in the language of the screen."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The word itself."""
        if value not in self.choices:
            self.fail(say("not_a_choice", value=value, choices=", ".join(map(str, self.choices))), param, ctx)
        return value


class Number(click.ParamType):
    """A whole number with a least value."""

    name = "N"

    def __init__(self, least: int = 0) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        if isinstance(value, int):
            return value
        try:
            number = int(value.replace(",", "").replace("_", ""))
        except ValueError:
            self.fail(say("not_a_number", value=value), param, ctx)
        if number < self.least:
            self.fail(say("not_a_number", value=value), param, ctx)
        return number


class Moment(click.ParamType):
    """A moment, Beijing time where no zone is said; of these years, where they are given."""

    name = "TIME"

    def __init__(self, years: range | None = None) -> None:
        self.years = years

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment with its zone."""
        if isinstance(value, datetime):
            return value
        from cebport.values import parse_time

        try:
            moment = parse_time(value)
        except ValueError:
            self.fail(say("not_a_time", value=value), param, ctx)
        if self.years is not None and moment.year not in self.years:
            self.fail(say("not_these_years", value=value, first=self.years[0], last=self.years[-1]), param, ctx)
        return moment


class Day(click.ParamType):
    """A calendar day of the years that the law can speak of."""

    name = "DATE"

    def __init__(self, years: range = range(1900, 3000)) -> None:
        self.years = years

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The day."""
        if isinstance(value, date):
            return value
        try:
            found = date.fromisoformat(value)
        except ValueError:
            self.fail(say("not_a_day", value=value), param, ctx)
        if found.year not in self.years or len(value) != len("YYYY-MM-DD"):
            self.fail(say("not_a_day", value=value), param, ctx)
        return found


class Place(click.Path):
    """An existing file or folder, as a Path."""

    def __init__(self, *, folder: bool = True) -> None:
        super().__init__(exists=True, dir_okay=folder, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path."""
        path = Path(value)
        if not path.exists() or (path.is_dir() and not self.dir_okay):
            self.fail(say("no_such_file", path=path), param, ctx)
        return path


class StoreUrl(click.ParamType):
    """The URL of a store."""

    name = "URL"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The URL as written."""
        if not value.startswith(("sqlite:///", "postgresql://", "postgres://")) or value == "sqlite:///":
            self.fail(say("not_a_store", value=value), param, ctx)
        if not value.startswith("sqlite:"):
            import psycopg

            try:
                psycopg.conninfo.conninfo_to_dict(value)
            except (psycopg.ProgrammingError, UnicodeError):
                self.fail(say("not_a_store", value=value), param, ctx)
        return str(value)


def existing_store(url: str) -> str:
    """The URL of a store that is there already: looking must not make an empty one. Raises UsageError."""
    file = url.removeprefix("sqlite:///")
    if file != url and not Path(file).exists():
        raise click.UsageError(say("no_store", path=file))
    return url


paths_argument = click.argument("paths", nargs=-1, required=True, type=Place(), metavar="PATH...")
file_type = Place(folder=False)
out_option = option("-o", "--out", type=click.Path(path_type=Path), metavar="OUT")
on_option = option("--on", type=Moment())
clock_option = option("--on", type=Moment(range(2010, 2100)))
"""The clock of a run: parcels of these years; further away no day can be counted on."""
trust_option = option("--trust", type=file_type, multiple=True, metavar="FILE")
store_option = option("--store", type=StoreUrl(), required=True)
keys_option = option("--keys", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
workers_option = option("--workers", type=Number(1), default=1)


def files_of(paths: tuple[Path, ...], suffixes: tuple[str, ...] = (".xml",)) -> list[Path]:
    """The files named and every *.xml (or other suffixes) below the folders. Raises UsageError when that is nothing."""
    from cebport.channels.folder import files_below

    found = list(files_below(paths, suffixes))
    if not found:
        raise click.UsageError(say("no_files", paths=", ".join(map(str, paths))))
    return found


def write_answer(data: bytes, target: Path | None, name: str, *, several: bool) -> Path | None:
    """Bytes into a file, a folder, or standard output (None); where they went. Files appear whole."""
    if target is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return None
    if several or target.is_dir():
        if target.exists() and not target.is_dir():
            raise click.UsageError(say("many_need_folder"))
        target.mkdir(parents=True, exist_ok=True)
        target = target / name
    half = target.with_name(f".{target.name}.part")
    half.write_bytes(data)
    half.replace(target)
    return target


# ── the end of a command ────────────────────────────────────────────────────────────────────────────


def run(group: click.Group, arguments: list[str]) -> int:
    """Run the command line; the exit code."""
    screen.use_utf8()
    language, rest = _asked_language(arguments)
    screen.choose_language(language)
    try:
        code = group.main(arguments if rest else ["--help"], prog_name="cebport", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (click.Abort, KeyboardInterrupt) as broken:
        return _broken_off(broken, rest)
    except click.ClickException as wrong:
        return _usage(wrong)
    except faults.CebportError as wrong:
        return _refused(wrong)
    except BrokenPipeError:
        sys.stdout = None  # type: ignore[assignment]  # whoever read it has gone; nothing is left to flush
        return DONE
    except ModuleNotFoundError as wrong:
        return _package_missing(wrong)
    except OSError as wrong:
        screen.note(say("disk", what=f"{wrong.filename or ''} {notes.detail(wrong.strerror or str(wrong))}".strip()))
        return DOWN


STORING = ("clear", "demo")
"""Commands that go on where they were broken off."""


def _broken_off(broken: BaseException, rest: list[str]) -> int:
    """The end of the input where a password was asked for, or somebody's Ctrl-C."""
    if isinstance(broken.__context__, EOFError):
        screen.note(say("no_password", password="CEBPORT_PASSWORD", pin="CEBPORT_PIN"))
        return NO
    screen.note(say("broken_off_safe" if rest and rest[0] in STORING else "broken_off"))
    return 130


def _asked_language(arguments: list[str]) -> tuple[str | None, list[str]]:
    """--lang wherever it stands, for help and usage errors come before options are read; and what else is asked."""
    language, rest, skip = None, [], False
    for at, argument in enumerate(arguments):
        if skip:
            skip = False
        elif argument.startswith("--lang="):
            language = argument.removeprefix("--lang=")
        elif argument == "--lang" and at + 1 < len(arguments):
            language, skip = arguments[at + 1], True
        else:
            rest.append(argument)
    return language, rest


def _usage(wrong: click.ClickException) -> int:
    ctx = getattr(wrong, "ctx", None)
    if ctx is not None:
        pieces = " ".join(ctx.command.collect_usage_pieces(ctx))
        screen.note(f"{say('usage')}{ctx.command_path} {pieces}")
    screen.note(say("usage_error", what=_said(wrong)))
    return USAGE


def _said(wrong: click.ClickException) -> str:
    """What click found, in the language of the screen."""
    if isinstance(wrong, click.MissingParameter):
        parameter = wrong.param
        name = parameter.opts[-1] if isinstance(parameter, click.Option) else (
            words.form(parameter.make_metavar(wrong.ctx), screen.language())
            if parameter is not None and wrong.ctx is not None else "")
        return say("missing", name=name)
    if isinstance(wrong, click.NoSuchOption):
        return guessed(say("no_option", name=wrong.option_name), wrong.possibilities)
    if isinstance(wrong, click.BadParameter) and wrong.param is not None:
        if not isinstance(wrong.param, click.Option):
            return wrong.message
        name = wrong.param.opts[-1]
        return say("bad_value", name=name, what=wrong.message)
    return wrong.format_message()


def guessed(text: str, names: Any) -> str:
    """What is wrong, and the nearest names that there are."""
    behind = "；" if screen.language() == "zh" else "; "
    return f"{text}{behind}{say('did_you_mean', names=sorted(names))}" if names else text


def no_command(name: str, names: list[str], ctx: click.Context) -> NoReturn:
    """There is no such command; the nearest names are said. Raises UsageError."""
    from difflib import get_close_matches

    raise click.UsageError(guessed(say("no_command", name=name), get_close_matches(name, names)), ctx)


def _refused(wrong: faults.CebportError) -> int:
    """One of the five exceptions, in the user's language, with every fault that explains it."""
    key, code = {
        faults.Malformed: ("input_bad", NO),
        faults.PolicyError: ("policy_bad", NO),
        faults.SettingsError: ("settings_bad", NO),
        faults.StoreConflict: ("channel_down", DOWN),
        faults.ChannelDown: ("channel_down", DOWN),
    }.get(type(wrong), ("input_bad", NO))
    if wrong.faults:
        key = "card_bad" if isinstance(wrong, faults.SettingsError) else key
        screen.note(f"{say(key)}{'：' if screen.language() == 'zh' else ':'}")
        for fault in wrong.faults:
            screen.fault(fault, "  ", screen.note, values=False)
        return code
    headline, said = notes.explained(str(wrong))
    if code == DOWN and headline == "backup_bad":  # it could not be written
        headline = "disk"
    if headline or key not in ("input_bad", "policy_bad"):
        screen.note(say(headline or key, what=said))
    else:
        screen.note(f"{screen.label(key)}{said}")
    return code


EXTRAS = {"zstandard": "server", "alembic": "server", "sqlalchemy": "server", "psycopg": "postgres", "pkcs11": "pkcs11",
          "openpyxl": "tables", "matplotlib": "report", "duckdb": "report", "pyarrow": "report"}


def _package_missing(wrong: ModuleNotFoundError) -> int:
    extra = EXTRAS.get((wrong.name or "").split(".")[0])
    if extra is None:
        raise wrong
    screen.note(say("package_missing", name=wrong.name, extra=extra))
    return DOWN
