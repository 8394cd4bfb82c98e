"""What a person sees (屏幕输出): language, sentences, tables, progress, faults; and JSON lines for programs.

Answers go to standard output, everything about the work to standard error, both in UTF-8 on every system.
rich is loaded only where a table or a progress bar is drawn on a terminal.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cebport.doors import words
from cebport.faults import ERROR, WARNING, Fault, Words

LANGUAGES = ("zh", "en")
HELP_COLUMNS = 96
_COLOURS = {ERROR: "31", WARNING: "33"}
_language = "en"


# ── language ────────────────────────────────────────────────────────────────────────────────────────


def language_of_locale() -> str:
    """zh when the locale (or, on Windows, the system) is Chinese, else en."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return "zh" if value.lower().startswith(("zh", "chinese")) else "en"
    if sys.platform == "win32":
        import locale

        held = (locale.getlocale()[0] or "").lower()
        return "zh" if held.startswith(("zh", "chinese")) else "en"
    return "en"


def choose_language(lang: str | None) -> None:
    """Speak this language from now on; None = the locale's."""
    global _language
    _language = lang if lang in LANGUAGES else language_of_locale()


def language() -> str:
    """The language that is spoken now."""
    return _language


def say(key: str, **values: object) -> str:
    """The sentence of a key in the language of the screen, with its values."""
    text = words.find(key).at(_language)
    return text.format(**values) if values else text


def spoken(pair: Words) -> str:
    """A pair of words in the language of the screen."""
    return pair.at(_language)


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────


def use_utf8() -> None:
    """Write UTF-8 whatever the locale or code page: Chinese names must come out of every pipe."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def out(text: str = "") -> None:
    """A line of the answer."""
    print(text, file=sys.stdout)


def note(text: str) -> None:
    """A line about the work, on standard error."""
    print(text, file=sys.stderr)


def emit(answer: dict[str, Any]) -> None:
    """One JSON line. It is written at once: whoever reads the pipe sees each file as it is done."""
    print(json.dumps(answer, ensure_ascii=False, separators=(",", ":")), file=sys.stdout, flush=True)


def coloured(text: str, colour: str, stream: Any = None) -> str:
    """The text in an ANSI colour where a terminal shows it (NO_COLOR is obeyed)."""
    stream = stream or sys.stdout
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


# ── width: a Chinese character takes two columns ────────────────────────────────────────────────────


def width(text: str) -> int:
    """Columns on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """The text with blanks up to so many columns."""
    blanks = " " * max(0, columns - width(text))
    return blanks + text if right else text + blanks


def wrapped(text: str, columns: int) -> list[str]:
    """Lines of at most so many columns: Latin breaks at blanks, Chinese anywhere but before punctuation."""
    lines: list[str] = []
    line = ""
    for piece in _pieces(text):
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _pieces(text: str) -> Iterator[str]:
    """Unbreakable pieces: a Latin word with the blank behind it, or one wide character with its punctuation."""
    piece = ""
    for char in text:
        wide = unicodedata.east_asian_width(char) in "WF"
        closing = char in "，。；：、！？）」』》”’"
        if piece and not closing and (wide or piece[-1] == " " or unicodedata.east_asian_width(piece[-1]) in "WF"):
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", right: Iterable[int] = ()
) -> None:
    """An aligned table. ``right``: columns of numbers. On a terminal drawn by rich, else plain text."""
    cells = [[_cell(value) for value in row] for row in rows]
    rights = frozenset(right)
    if sys.stdout.isatty():
        _rich_table(columns, cells, title, rights)
        return
    widths = [max(width(row[at]) for row in [list(columns), *cells]) for at in range(len(columns))]
    if title:
        out(title)
    for row in [list(columns), ["-" * columns_wide for columns_wide in widths], *cells]:
        out("  ".join(padded(cell, widths[at], right=at in rights) for at, cell in enumerate(row)).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _rich_table(columns: Sequence[str], cells: list[list[str]], title: str, rights: frozenset[int]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for at, name in enumerate(columns):
        drawn.add_column(name, justify="right" if at in rights else "left", overflow="fold")
    for row in cells:
        drawn.add_row(*map(Text, row))
    Console(file=sys.stdout).print(drawn)


# ── progress ────────────────────────────────────────────────────────────────────────────────────────

Step = Callable[[int], None]


@contextmanager
def progress(text: str, total: int | None = None, *, quiet: bool = False) -> Iterator[Step]:
    """A bar on standard error while long work runs; the caller reports how much more is done.

    Nothing is drawn when standard error is no terminal or ``quiet``.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shown, console=Console(file=sys.stderr), transient=True) as bars:
        bar = bars.add_task(text, total=total)
        yield lambda done: bars.advance(bar, done)


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────


def fault(found: Fault, indent: str = "  ", line: Callable[[str], None] = out) -> None:
    """One fault: severity, code, where; what is wrong; found and expected; by which text; what to do."""
    where = found.path or say("whole_message")
    if found.document is not None:
        where = f"{say('document_no', number=found.document)} {found.path}".rstrip()
    stream = sys.stdout if line is out else sys.stderr
    heading = coloured(say(found.severity), _COLOURS.get(found.severity, "36"), stream)
    line(f"{indent}{heading} {found.code}  {where}")
    inner = indent + "    "
    line(f"{inner}{spoken(found.message)}")
    if found.found or found.expected:
        line(f"{inner}{say('found')}: {found.found or '-'}   {say('expected')}: {found.expected or '-'}")
    line(f"{inner}{say('source')}: {found.source}")
    line(f"{inner}{say('remedy')}: {spoken(found.remedy)}")


def faults(found: Iterable[Fault], indent: str = "  ") -> None:
    """Every fault, one after the other, as the answer."""
    for each in found:
        fault(each, indent)


def faults_noted(found: Iterable[Fault]) -> None:
    """Every fault on standard error: standard output is taken by bytes."""
    for each in found:
        fault(each, "  ", note)
