"""What a person sees (屏幕输出): language, sentences, tables, progress, faults; and JSON lines for programs.

Answers go to standard output, everything about the work to standard error, both in UTF-8 on every system.
rich is loaded only where a table or a progress bar is drawn on a terminal.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cebport.doors import words
from cebport.faults import ERROR, WARNING, Fault, Words

LANGUAGES = ("zh", "en")
HELP_COLUMNS = 80
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
    """The sentence of a key in the language of the screen, with its values; a list is joined."""
    text = words.find(key).at(_language)
    joined = {name: listed(value) if isinstance(value, list | tuple) else value for name, value in values.items()}
    return text.format(**joined) if joined else text


def label(key: str) -> str:
    """The words of a key as a label before a value: with the colon of the language."""
    return labelled(say(key))


def labelled(text: str) -> str:
    """Words with the colon of the language behind them."""
    return f"{text}：" if _language == "zh" else f"{text}: "


def listed(items: Iterable[object]) -> str:
    """Things in a row, with the comma of the language."""
    return ("、" if _language == "zh" else ", ").join(map(str, items))


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
    """Lines of at most so many columns: Latin breaks at blanks, Chinese anywhere but before punctuation.

    Only a word that is longer than a line is cut.
    """
    lines: list[str] = []
    line = ""
    for piece in _pieces(text):
        while len(piece.rstrip()) > columns and piece.isascii():
            lines += [line.rstrip()] if line.strip() else []
            lines.append(piece[:columns])
            line, piece = "", piece[columns:]
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
        closing = char in "，。；：、！？）〕】」』》”’"
        opened = piece and piece[-1] in "（〔【「『《“‘"
        ended = piece and (piece[-1] == " " or unicodedata.east_asian_width(piece[-1]) in "WF")
        if piece and not closing and not opened and (wide or ended):
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

    console = Console(file=sys.stdout)
    cells = _fitted(columns, cells, console.width)
    drawn = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False,
                  show_edge=False, padding=(0, 1, 0, 0))
    for at, name in enumerate(columns):
        drawn.add_column(name, justify="right" if at in rights else "left", overflow="fold")
    for row in cells:
        drawn.add_row(*map(Text, row))
    console.print(drawn)


_GAP = 2
_PROSE_COLUMNS_MIN = 16


def _fitted(columns: Sequence[str], cells: list[list[str]], columns_wide: int) -> list[list[str]]:
    """The cells, those of the widest column broken between words so that the others keep theirs on one line."""
    widths = [max(width(row[at]) for row in [list(columns), *cells]) for at in range(len(columns))]
    prose = max(range(len(widths)), key=widths.__getitem__)
    left = columns_wide - sum(widths) + widths[prose] - _GAP * (len(widths) - 1)
    if left >= widths[prose] or left < _PROSE_COLUMNS_MIN:
        return cells
    return [["\n".join(wrapped(cell, left)) if at == prose else cell for at, cell in enumerate(row)] for row in cells]


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


def fault(found: Fault, indent: str = "  ", line: Callable[[str], None] = out, *, documents: Sequence[int] = (),
          place: str = "", values: bool = True) -> None:
    """One fault: severity, code, where; what is wrong; found and expected; by which text; what to do.

    ``documents``: all that have it, where several do, and at which ``place``. ``values``: found and expected on a
    line of their own.
    """
    path = found.path
    if len(documents) > 1:
        path = f"{say('document_nos', numbers=ranges(documents), count=len(documents))} {place}".rstrip()
    elif found.document is not None:
        path = f"{say('document_no', number=found.document)} {path}".rstrip()
    stream = sys.stdout if line is out else sys.stderr
    heading = coloured(say(found.severity), _COLOURS.get(found.severity, "36"), stream)
    line(f"{indent}{heading} {found.code}  {path or say('whole_message')}")
    inner = indent + "    "
    line(f"{inner}{without_path(spoken(found.message), found.path)}")
    if values and (found.found or found.expected):
        behind = f"   {say('masked')}" if found.found == found.expected and "*" in found.found else ""
        line(f"{inner}{label('found')}{found.found or '-'}   {label('expected')}{found.expected or '-'}{behind}")
    line(f"{inner}{label('source')}{found.source}")
    line(f"{inner}{label('remedy')}{without_path(spoken(found.remedy), found.path)}")


_INDEX = re.compile(r"\[\d+\]")
_RANGES_MAX = 12


def without_path(text: str, path: str) -> str:
    """The sentence for a reader who has the path before his eyes: left out, or only its last name is said."""
    if len(path) < 2:
        return text
    for said in (f"{path}：", f"{path}: ", f"（{path}）", f" ({path})"):
        text = text.replace(said, "")
    name = path.rsplit("/", 1)[-1] if " " not in path else path
    return text.replace(path, name)


def ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as a reader writes them: ``1–9, 12``; of very many ranges only the first ones."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    said = [str(first) if first == last else f"{first}–{last}" for first, last in runs[:_RANGES_MAX]]
    return listed([*said, "…"] if len(runs) > _RANGES_MAX else said)


def faults(found: Iterable[Fault], indent: str = "  ", line: Callable[[str], None] = out) -> None:
    """Every fault as the answer; the same one in many documents is told once, with their numbers."""
    groups: dict[tuple[Any, ...], list[Fault]] = {}
    for each in found:
        path = _INDEX.sub("[*]", each.path) if each.document is not None else each.path
        said = without_path(each.message.en, each.path)
        groups.setdefault((each.code, each.severity, path, each.found, each.expected, said), []).append(each)
    for group in groups.values():
        numbers = sorted({each.document for each in group if each.document is not None})
        if len(numbers) > 1:
            places = {_INDEX.sub("[*]", each.path, count=1) for each in group}
            place = places.pop() if len(places) == 1 else _INDEX.sub("[*]", group[0].path)
            fault(group[0], indent, line, documents=numbers, place=place)
            continue
        for each in group:
            fault(each, indent, line)


def faults_noted(found: Iterable[Fault]) -> None:
    """Every fault on standard error: standard output is taken by bytes."""
    faults(found, "  ", note)
