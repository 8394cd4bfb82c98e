"""Charts (图表): SVG drawn by matplotlib, once in each language, the same bytes for the same data.

Every function answers ``Words(zh, en)``, each a whole ``<svg>`` that can stand in a page or alone in a file. Letters
stay text, so that a reader's own fonts show Chinese and a search finds them. No more than five series a chart.

>>> drawn = bars(Words("状态", "states"), [Words("放行", "released")], [Series(Words("现行", "today"), (12,))])
>>> drawn.en.startswith("<svg"), "放行" in drawn.zh, "released" in drawn.en
(True, True, True)
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from hashlib import blake2b
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple

from cebport.faults import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Number = int | float | Decimal
COLOURS = ("#8795a3", "#0b61a4", "#d9822b", "#3a8f5d", "#7a5195")
"""First grey: what is; then blue: what would be."""
INK, DIM, RULE = "#1b2733", "#5a6876", "#d9dfe5"
FONTS = "system-ui, -apple-system, 'Segoe UI', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"
WIDTH_INCHES = 5.4
SIZE, SMALL = 12.0, 11.0
"""Points of text; a chart is 389 points wide, so that on a phone letters keep their size."""
LABEL_CHARS_MAX, FIGURE_INCHES = 26, 0.1
"""How long a label may be; how wide a figure of a number is."""


class Series(NamedTuple):
    """One row of numbers, as many as there are labels; None = not known."""

    name: Words
    values: tuple[Number | None, ...]


class Line(NamedTuple):
    """How one thing went over time: from each day on a value, None = from then on nothing."""

    name: Words
    points: tuple[tuple[date, Number | None], ...]


def shown(value: Number | None, unit: str = "", *, fen: bool = False) -> str:
    """A number as people write it: 12,345 or 0.70; fen: money, always with two digits behind the point."""
    if value is None:
        return "–"
    whole = not fen and value == int(value)
    return (f"{int(value):,}" if whole else f"{value:,.2f}") + unit


def bars(title: Words, labels: Sequence[Words | str], series: Sequence[Series], *, unit: str = "",
         fen: bool = False) -> Words:
    """Bars lying side by side, a group a label, each with its number at the end; fen: they are money."""
    high = max((float(value) for row in series for value in row.values if value is not None), default=0) or 1.0
    low = min((float(value) for row in series for value in row.values if value is not None), default=0)
    count, thick = len(series), 0.78 / max(1, len(series))
    longest = max((len(shown(value, unit, fen=fen)) for row in series for value in row.values), default=1)
    left = _room(labels)
    free = max(0.3, 0.96 - longest * FIGURE_INCHES / (WIDTH_INCHES - left - 0.25))
    height = 0.55 + 0.3 * (count > 1) + len(labels) * (0.16 + 0.22 * count)

    def draw(axes: Axes, lang: str) -> None:
        for at, row in enumerate(series):
            for place, value in enumerate(row.values):
                y = place + (at - (count - 1) / 2) * thick
                width = 0.0 if value is None else float(value)
                axes.barh(y, width, thick * 0.88, color=COLOURS[at])
                axes.text(max(width, 0) + high * 0.015, y, shown(value, unit, fen=fen), va="center", fontsize=SMALL,
                          color=INK)
        axes.set_yticks(range(len(labels)), [short(label, lang) for label in labels])
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_xlim(min(low, 0), high / free)
        axes.xaxis.set_visible(False)
        axes.spines[:].set_visible(False)
        axes.axvline(0, color=DIM, linewidth=0.8)
        axes.tick_params(axis="y", length=0)

    return _drawn(title, height, draw, left=left, names=[row.name for row in series])


def stacked(title: Words, labels: Sequence[Words | str], series: Sequence[Series],
            colours: Sequence[str] | None = None) -> Words:
    """One bar a label, cut into the series: how a whole is made up."""
    painted = tuple(colours or COLOURS)
    sums = [sum(float(row.values[place] or 0) for row in series) for place in range(len(labels))]
    high = max(sums, default=0) or 1.0

    def draw(axes: Axes, lang: str) -> None:
        begun = [0.0] * len(labels)
        for at, row in enumerate(series):
            for place, value in enumerate(row.values):
                width = float(value or 0)
                axes.barh(place, width, 0.62, left=begun[place], color=painted[at % len(painted)])
                if width / high > 0.09:
                    axes.text(begun[place] + width / 2, place, shown(value), va="center", ha="center",
                              fontsize=SMALL, color="#ffffff")
                begun[place] += width
        axes.set_yticks(range(len(labels)), [short(label, lang) for label in labels])
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_xlim(0, high)
        axes.xaxis.set_visible(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(axis="y", length=0)

    names = [row.name for row in series]
    return _drawn(title, 0.85 + 0.42 * len(labels), draw, left=_room(labels), names=names, colours=painted)


def steps(title: Words, lines: Sequence[Line], *, until: date, unit: str = "", marks: bool = True) -> Words:
    """Values that hold from one day to the next, as the law changes; ``until``: where the picture ends."""
    values = [float(value) for line in lines for _, value in line.points if value is not None]

    def draw(axes: Axes, lang: str) -> None:
        for at, line in enumerate(lines):
            points = [*line.points, (until, line.points[-1][1] if line.points else None)]
            y = [float("nan") if value is None else float(value) for _, value in points]
            axes.step([day.toordinal() for day, _ in points], y, where="post", color=COLOURS[(at + 1) % len(COLOURS)],
                      linewidth=2)
            for day, value in line.points if marks else ():
                if value is not None:
                    axes.annotate(shown(value, unit), (day.toordinal(), float(value)), (3, 4), fontsize=SMALL,
                                  textcoords="offset points", color=COLOURS[(at + 1) % len(COLOURS)])
        _years(axes, min((day for line in lines for day, _ in line.points), default=until), until)
        axes.set_ylim(min(0.0, min(values, default=0.0)), (max(values, default=0.0) or 1.0) * 1.18)
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.set_major_formatter(lambda value, _: shown(round(float(value), 6), unit))
        axes.grid(axis="y", color=RULE, linewidth=0.6)

    names = [line.name for line in lines]
    return _drawn(title, 3.2, draw, left=0.85, names=names, colours=(*COLOURS[1:], COLOURS[0]), bottom=0.36)


def curves(title: Words, labels: Sequence[str], series: Sequence[Series]) -> Words:
    """Lines over days or other steps in order."""
    high = max((float(value) for row in series for value in row.values if value is not None), default=0) or 1.0

    def draw(axes: Axes, lang: str) -> None:
        for at, row in enumerate(series):
            y = [float("nan") if value is None else float(value) for value in row.values]
            axes.plot(range(len(labels)), y, color=COLOURS[at], linewidth=2, marker="o", markersize=3.5)
        step = max(1, -(-len(labels) // 6))
        axes.set_xticks(range(0, len(labels), step), labels[::step])
        axes.set_ylim(0, high * 1.15)
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.set_major_formatter(lambda value, _: shown(round(float(value), 6)))
        axes.grid(axis="y", color=RULE, linewidth=0.6)

    return _drawn(title, 3.0, draw, left=0.85, names=[row.name for row in series], bottom=0.36)


def matrix(title: Words, labels: Sequence[Words | str], columns: Sequence[Words | str],
           values: Sequence[Sequence[Number | None]], *, unit: str = "") -> Words:
    """A grid of numbers, the darker the more: labels down, columns across."""
    high = max((float(value) for row in values for value in row if value is not None), default=0) or 1.0

    def draw(axes: Axes, lang: str) -> None:
        for y, row in enumerate(values):
            for x, value in enumerate(row):
                deep = 0.0 if value is None else float(value) / high
                axes.barh(y, 0.94, 0.88, left=x + 0.03, color=_shade(deep))
                axes.text(x + 0.5, y, shown(value, unit), ha="center", va="center", fontsize=SMALL,
                          color="#ffffff" if deep > 0.55 else INK)
        axes.set_yticks(range(len(labels)), [short(label, lang) for label in labels])
        axes.set_xticks([x + 0.5 for x in range(len(columns))], [short(column, lang) for column in columns])
        axes.set_xlim(0, max(1, len(columns)))
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.xaxis.tick_top()
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)

    return _drawn(title, 0.85 + 0.34 * len(labels), draw, left=_room(labels), names=[], top_labels=True)


# ── how it is drawn ─────────────────────────────────────────────────────────────────────────────────


def short(label: Words | str, lang: str) -> str:
    """A label in one language, cut where it is too long for a chart."""
    text = label.at(lang) if isinstance(label, Words) else label
    while _units(text) > LABEL_CHARS_MAX:
        text = text.rstrip("…")[:-1] + "…"
    return text


def _units(text: str) -> int:
    """How wide a text is: a Chinese character is two Latin letters."""
    return sum(2 if ord(letter) > 0x2E7F else 1 for letter in text)


def _room(labels: Sequence[Words | str]) -> float:
    """Inches that the labels need on the left."""
    widest = max((_units(short(label, lang)) for label in labels for lang in ("zh", "en")), default=0)
    return 0.25 + widest * 0.086


def _shade(deep: float) -> str:
    """From nearly white to blue."""
    near, far = (241, 245, 249), (11, 97, 164)
    return "#" + "".join(f"{round(a + (b - a) * deep):02x}" for a, b in zip(near, far, strict=True))


def _years(axes: Axes, since: date, until: date) -> None:
    span = until.year - since.year + 1
    step = max(1, -(-span // 7))
    years = range(since.year, until.year + 2, step)
    axes.set_xticks([date(year, 1, 1).toordinal() for year in years], [str(year) for year in years])
    axes.set_xlim(since.toordinal(), until.toordinal())


def _drawn(title: Words, height: float, draw: Callable[[Axes, str], None], *, left: float, names: Sequence[Words],
           colours: Sequence[str] = COLOURS, top_labels: bool = False, bottom: float = 0.12) -> Words:
    """Draw in both languages: title above, names of the series below it, then the axes."""

    def one(lang: str) -> str:
        with _canvas(height) as figure:
            top = 0.42 + (0.28 if len(names) > 1 else 0) + (0.3 if top_labels else 0)
            axes = figure.add_axes((left / WIDTH_INCHES, bottom / height, 1 - (left + 0.25) / WIDTH_INCHES,
                                    1 - (top + bottom) / height))
            draw(axes, lang)
            figure.text(0.12 / WIDTH_INCHES, 1 - 0.25 / height, title.at(lang), fontsize=13, fontweight="bold",
                        color=INK, va="center")
            x = 0.12
            for at, name in enumerate(names if len(names) > 1 else ()):
                y = 1 - 0.56 / height
                figure.text(x / WIDTH_INCHES, y, "■", fontsize=SIZE, color=colours[at % len(colours)], va="center")
                figure.text((x + 0.2) / WIDTH_INCHES, y, name.at(lang), fontsize=SIZE, color=DIM, va="center")
                x += 0.45 + _units(name.at(lang)) * 0.09
            return _svg(figure, title.at(lang))

    return Words(one("zh"), one("en"))


@contextmanager
def _canvas(height: float) -> Iterator[Figure]:
    """A figure with our style; nothing of it stays behind."""
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none", "svg.hashsalt": "cebport", "font.family": ["sans-serif"], "font.size": SIZE,
        "font.sans-serif": ["DejaVu Sans"], "text.color": INK, "axes.edgecolor": DIM, "xtick.color": DIM,
        "ytick.color": INK, "axes.labelcolor": DIM, "axes.unicode_minus": False, "text.parse_math": False,
    }
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield Figure(figsize=(WIDTH_INCHES, height))


def _svg(figure: Figure, title: str) -> str:
    """The figure as one <svg>: without header, dates and names that nothing points to; ids its own."""
    held = StringIO()
    figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = held.getvalue()
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text[text.index("<svg"):], flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    pointed = set(re.findall(r"""(?:url\(#|href="#)([\w.-]+)""", text))
    mark = "c" + blake2b(f"{title}{text}".encode(), digest_size=5).hexdigest()
    text = re.sub(r' id="([\w.-]+)"', lambda met: f' id="{mark}-{met[1]}"' if met[1] in pointed else "", text)
    text = re.sub(r"""(url\(#|href="#)([\w.-]+)""", rf"\g<1>{mark}-\2", text)
    text = re.sub(r"(font(?:-family)?: [^;\"]*?)'DejaVu Sans'[^;\"]*", lambda met: met[1] + FONTS, text)
    start = text.index(">") + 1
    opening = re.sub(r' (width|height)="[^"]*"', "", text[:start - 1])
    label = escape(title)
    return f'{opening} role="img" aria-label="{label}"><title>{label}</title>{text[start:]}'.strip()
