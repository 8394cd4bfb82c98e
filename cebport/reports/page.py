"""Pages to read (报告页面): one self-contained HTML file in Chinese and English, for a phone and a desk.

A page is put together from elements; everything that is no ``Html`` yet is escaped, and ``Words`` stand in both
languages of which the reader sees one. No script, no other file, no network: a page can be mailed and kept.

>>> element("p", "a < b", class_="note")
'<p class="note">a &lt; b</p>'
>>> element("b", Words("放行", "released"))
'<b><span class="zh" lang="zh-CN">放行</span><span class="en" lang="en">released</span></b>'
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import NamedTuple

from cebport.faults import Words

STYLE = Path(__file__).with_name("tables") / "page.css"
EMPTY = frozenset({"br", "col", "hr", "img", "input", "meta"})
"""Elements without an end tag."""
SWITCH = Words("中文", "English")


class Html(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


Part = Html | Words | str | None
"""What may stand in a page; None is nothing."""


def said(part: Part | int) -> Html:
    """One part as HTML."""
    if isinstance(part, Html):
        return part
    if isinstance(part, Words):
        if part.zh == part.en:
            return Html(escape(part.zh))
        zh, en = escape(part.zh), escape(part.en)
        return Html(f'<span class="zh" lang="zh-CN">{zh}</span><span class="en" lang="en">{en}</span>')
    return Html("" if part is None else escape(str(part)))


def both(zh: Html, en: Html) -> Html:
    """Two pieces of HTML of which the reader sees the one of the language chosen: charts, long texts."""
    return Html(f'<div class="zh" lang="zh-CN">{zh}</div><div class="en" lang="en">{en}</div>')


def element(tag: str, *parts: Part, **attributes: str | bool | None) -> Html:
    """One element. Attributes: ``class_`` is class, None and False are left out, True stands alone."""
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(value)}"')
        for name, value in attributes.items() if value is not None and value is not False)
    if tag in EMPTY:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{''.join(map(said, parts))}</{tag}>")


def joined(parts: Iterable[Part]) -> Html:
    """Several parts, one after the other."""
    return Html("".join(map(said, parts)))


# ── what pages are made of ──────────────────────────────────────────────────────────────────────────


class Figure(NamedTuple):
    """A number to see at once. tone: "" or "good", "bad", "assumed"."""

    label: Words
    value: str
    note: Part = None
    tone: str = ""


def section(title: Words, *parts: Part, name: str | None = None) -> Html:
    """A part of a page with its heading; ``name`` can be linked to."""
    return element("section", element("h2", title), *parts, id=name)


def figures(shown: Iterable[Figure]) -> Html:
    """Cards with the numbers that matter most."""
    return element("div", *(
        element("div", element("div", each.label, class_="label"), element("div", each.value, class_="value"),
                element("div", each.note, class_="small") if each.note else None,
                class_=f"card {each.tone}".rstrip())
        for each in shown), class_="cards")


def table(head: Sequence[Part], rows: Iterable[Sequence[Part | int]], *, right: Iterable[int] = (),
          title: Part = None, tones: Sequence[str] | None = None) -> Html:
    """A table that scrolls sideways by itself where the screen is narrow. right: columns of numbers; tones: a class
    a row ("", "good", "bad", "assumed")."""
    numbers = frozenset(right)

    def line(tag: str, cells: Sequence[Part | int], tone: str = "") -> Html:
        made = (element(tag if at or tag == "th" else "th", said(cell), class_="number" if at in numbers else None,
                        scope="col" if tag == "th" else None if at else "row") for at, cell in enumerate(cells))
        return element("tr", *made, class_=tone or None)

    body = joined(line("td", row, tones[at] if tones else "") for at, row in enumerate(rows))
    caption = element("caption", title) if title else None
    return element("div", element("table", caption, element("thead", line("th", head)), element("tbody", body)),
                   class_="scroll", tabindex="0")


def chart(drawn: Words, note: Part = None) -> Html:
    """A chart of ``reports.charts``: its SVG in either language."""
    held = both(Html(drawn.zh), Html(drawn.en)) if drawn.zh != drawn.en else Html(drawn.zh)
    return element("figure", held, element("figcaption", note) if note else None)


def side_by_side(*parts: Part) -> Html:
    """Parts beside each other, one below the other on a phone."""
    return element("div", *(element("div", part) for part in parts), class_="beside")


def charts(*drawn: Part) -> Html:
    """Charts beside each other where there is room: two on a desk, one on a phone."""
    return element("div", *drawn, class_="beside charts")


def fold(summary: Part, *parts: Part, opened: bool = False) -> Html:
    """What opens when the reader asks for it."""
    return element("details", element("summary", summary), *parts, open=opened)


def note(*parts: Part, tone: str = "") -> Html:
    """A paragraph set apart: "" plain, "assumed", "bad", "good"."""
    return element("div", *parts, class_=f"note {tone}".rstrip())


def tag(text: Part, tone: str = "") -> Html:
    """A word in a small frame."""
    return element("span", text, class_=f"tag {tone}".rstrip())


def bullets(items: Iterable[Part]) -> Html:
    """A list."""
    return element("ul", *(element("li", item) for item in items))


@cache
def style() -> str:
    """The style sheet that every page carries inside."""
    return STYLE.read_text(encoding="utf-8")


def page(title: Words, *parts: Part, lead: Part = None, foot: Part = None, language: str = "zh") -> str:
    """A whole page as text. language: the one shown first ("zh" or "en"); the reader can change it on the page."""
    choices = [element("input", type="radio", name="language", id=f"in-{lang}", class_="choice",
                       checked=lang == language) for lang in ("zh", "en")]
    labels = element("nav", *(element("label", SWITCH.at(lang), for_=f"in-{lang}", class_=f"to-{lang}")
                              for lang in ("zh", "en")), class_="languages", aria_label="language")
    header = element("header", labels, element("h1", title), element("p", lead, class_="lead") if lead else None)
    footer = element("footer", foot) if foot else None
    head = element(
        "head", element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title.zh} · {title.en}"), Html(f"<style>{style()}</style>"))
    body = element("body", *choices, header, element("main", *parts), footer)
    return f'<!doctype html>\n<html lang="{"zh-CN" if language == "zh" else "en"}">{head}{body}</html>\n'


def write_page(path: Path, text: str) -> Path:
    """Write a page; its path. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
