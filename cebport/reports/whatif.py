"""The report of a what-if (推演报告): a page, tables to take away, a short table for the terminal.

``write_report`` adds to the result folder of a replay::

    report.html       the page: what moves in every link, what is assumed, down to single parcels
    figures.csv       every figure of every dimension, both worlds
    differences.csv   every changed parcel with both explanations

beside the Parquet files that the replay wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from cebport.faults import Words
from cebport.policy import Policy
from cebport.reports import charts, findings, page, wording
from cebport.reports.findings import LINKS, STATES, UNITS, Findings, Move, Pair, Parcel
from cebport.reports.page import Html, element
from cebport.reports.tables import Questions, questions, write_csv

REPORT, FIGURES, DIFFERENCES = "report.html", "figures.csv", "differences.csv"
OPENED_MAX = 20
"""Parcels shown below one move; all of them are in differences.csv."""
MOVES_MAX = 40
FIRST_TOPICS = ("tax.", "postal.", "mode.")
"""What readers look for first in a law that differs in much."""
ROWS_MAX = 12
"""Rows of a table before the rest is folded."""
BARS_MAX = 10
TODAY, SUPPOSED = Words("现行", "today"), Words("假设", "supposed")
STATE_COLOURS = ("#3a8f5d", "#b3261e", "#8795a3", "#d9822b", "#7a5195")
OUTCOMES = ("released", "refused", "waiting", "cancelled", "returned")
TAXES = ("duty", "vat", "consumption")
CNY = "cny"
SHORT = ("parcels", "released", "refused", "waiting", "full_tax", "buyers_at_limit", *TAXES, "tax", "clearance_hours")
"""Columns of the short table in the terminal."""
SPLIT = (
    ("reason", ("refused",)), ("place", ("released", "refused", "waiting", "tax")),
    ("mode", ("released", "refused", "waiting", "tax")), ("goods", ("released", "refused", "tax")),
    ("day", ("released", "refused", "waiting", "tax")), ("guarantor", ("tax",)),
)
"""What each dimension is told by."""


class Study(NamedTuple):
    """What a ready-made study says of itself at the head of its report."""

    title: Words
    question: Words
    expected: Words
    seen: tuple[tuple[Words, Pair, bool], ...] = ()
    """What it said would be seen, the figure in both worlds, and whether it is so."""


def write_report(folder: Path, study: Study | None = None, *, language: str = "zh") -> Path:
    """Write page and tables of a result folder; the path of the page. Raises OSError, ValueError for no result."""
    found = Findings.read(folder)
    with questions() as ask:
        write_csv(folder / FIGURES, FIGURE_HEAD, _figure_rows(found))
        write_csv(folder / DIFFERENCES, findings.DIFFERENCE_HEAD, findings.every_difference(ask, folder))
        return page.write_page(folder / REPORT, _page(found, ask, study, language))


def short_table(folder: Path) -> list[tuple[Words, str, str, str]]:
    """The figures that matter most: (name, today, supposed, difference), for a terminal."""
    found = Findings.read(folder)
    rows = []
    for column in found.summary["columns"]:
        pair = found.figure(column["name"])
        if column["name"] in SHORT and (column["filled"] and (pair.a or pair.b or column["name"] in OUTCOMES[:3])):
            rows.append((_named(column), *_told(pair, column["unit"])))
    rows.append((Words("其中依靠假定的票数", "parcels that rest on an assumption"), "–",
                 f"{found.counts['assumed']:,}", "–"))
    return rows


def signed(value: Decimal, unit: str = "") -> str:
    """A difference with its sign; none is 0."""
    return "0" if not value else ("+" if value > 0 else "−") + amount(abs(value), unit)


def _told(pair: Pair, unit: str) -> tuple[str, str, str]:
    """A figure in both worlds, and the difference."""
    return amount(pair.a, unit), amount(pair.b, unit), signed(pair.difference, unit)


def amount(value: Decimal | None, unit: str) -> str:
    """A figure as people write it; money to the fen."""
    return charts.shown(value, fen=unit == CNY)


def _unit(found: Findings, metric: str) -> str:
    return next((str(column["unit"]) for column in found.summary["columns"] if column["name"] == metric), "")


# ── tables to take away ─────────────────────────────────────────────────────────────────────────────

FIGURE_HEAD = ("link", "metric", "zh", "en", "unit", "dimension", "key", "key_zh", "key_en", "a", "b", "difference",
               "changed_parcels")


def _figure_rows(found: Findings) -> Iterator[tuple[Any, ...]]:
    columns = {column["name"]: column for column in found.summary["columns"]}
    for (metric, dimension, key), pair in found.figures.items():
        column = columns[metric]
        words = found.key_words(dimension, key) if dimension != "all" else Words("", "")
        yield (column["link"], metric, column["zh"], column["en"], column["unit"], dimension, key, words.zh, words.en,
               pair.a, pair.b, pair.difference, pair.changed)


# ── the page ────────────────────────────────────────────────────────────────────────────────────────


def _page(found: Findings, ask: Questions, study: Study | None, language: str) -> str:
    moves = findings.moves(ask, found.folder)
    title = study.title if study else Words("假如规则改了：推演报告", "What if the law were another: a replay")
    parts: list[page.Part] = []
    if study:
        said = ((Words("问题：", "Question: "), study.question),
                (Words("应当看到：", "What it should show: "), study.expected))
        parts.append(page.note(*(element("p", element("b", name), words) for name, words in said)))
        parts.append(_seen(study) if study.seen else None)
    parts += [_figures(found), _exact(found), _supposed(found), _customs(found), _taxation(found), _rest(found),
              _assumed(found, moves), _parcels(found, ask, moves)]
    return page.page(title, *parts, lead=_lead(found), foot=_foot(found), language=language)


def _seen(study: Study) -> Html:
    """Whether what a study says is so in these parcels."""
    marks = {True: page.tag(Words("是", "yes"), "good"), False: page.tag(Words("否", "no"), "bad")}
    rows: list[list[page.Part]] = [
        [words, marks[so], *_told(pair, CNY if pair.a.as_tuple().exponent else "")]
        for words, pair, so in study.seen]
    head = [Words("应当看到", "to be seen"), Words("看到", "seen"), TODAY, SUPPOSED, Words("差", "difference")]
    return page.table(head, rows, right=(2, 3, 4))


def _lead(found: Findings) -> Words:
    """What moved, in one sentence."""
    released, refused, tax = (found.figure(name) for name in ("released", "refused", "tax"))
    parcels, changed = (f"{found.counts[name]:,}" for name in ("parcels", "changed"))
    moved = [amount(value, unit) for pair, unit in ((released, ""), (refused, ""), (tax, CNY)) for value in pair[:2]]
    return Words(
        f"同一批 {parcels} 票包裹，按现行规则和假设规则各判定一遍：{changed} 票有变化。放行 {moved[0]} → {moved[1]}，"
        f"退单 {moved[2]} → {moved[3]}，税款 {moved[4]} → {moved[5]} 元。",
        f"The same {parcels} parcels decided under today's law and under the law supposed: {changed} change. Released "
        f"{moved[0]} → {moved[1]}, refused {moved[2]} → {moved[3]}, tax {moved[4]} → {moved[5]} CNY.")


def _figures(found: Findings) -> Html:
    def card(name: str, words: Words, tone: str = "") -> page.Figure:
        a, b, moved = _told(found.figure(name), _unit(found, name))
        return page.Figure(words, f"{a} → {b}", moved, tone)

    counts = found.counts
    share = Decimal(100 * counts["changed"]) / max(1, counts["parcels"])
    return page.figures([
        page.Figure(Words("有变化的包裹", "parcels that change"), f"{counts['changed']:,}",
                    Words(f"共 {counts['parcels']:,} 票的 {share:.1f}%", f"{share:.1f}% of {counts['parcels']:,}")),
        card("released", Words("放行（票）", "released (parcels)")),
        card("refused", Words("退单（票）", "refused (parcels)")),
        card("waiting", Words("等待（票）", "waiting (parcels)")),
        card("tax", Words("税款（元）", "tax (CNY)")),
        page.Figure(Words("依靠假定的票数", "resting on an assumption"), f"{counts['assumed']:,}",
                    Words("另列，见下", "shown apart below"), "assumed" if counts["assumed"] else ""),
    ])


def _exact(found: Findings) -> Html:
    """Whether today's law gives every stored decision again."""
    counts, missed = found.counts, found.counts.get("not_reproduced", 0)
    if not missed:
        return page.note(Words(
            f"重演精确：按现行规则重判 {counts['decisions']:,} 个已存决定，逐字节相同。",
            f"The replay is exact: today's law gives all {counts['decisions']:,} stored decisions again, byte for "
            "byte."), tone="good")
    rows = [[f"{row['position']}/{row['document']}", str(row["key"]), str(row["stored"]), str(row["again"])]
            for row in found.summary["not_reproduced"][:ROWS_MAX]]
    return page.note(
        Words(f"有 {missed:,} 个已存决定按现行规则重判不出来（共 {counts['decisions']:,} 个）；以下对比须打折扣。",
              f"{missed:,} of {counts['decisions']:,} stored decisions did not come out the same under today's law; "
              "weigh what follows accordingly."),
        page.table([Words("位置", "position"), Words("关键字", "key"), Words("已存", "stored"),
                    Words("重判", "again")], rows), tone="bad")


def _supposed(found: Findings) -> Html:
    meta = found.meta
    policy = Policy.load()
    rows: list[list[page.Part]] = [
        [_topic(policy, row["topic"]), _place(policy, row.get("place", "")),
         *wording.sides(row["a"], row["b"], wording.topic_of(policy, row["topic"]))]
        for row in sorted(meta.get("topics", []), key=lambda row: not row["topic"].startswith(FIRST_TOPICS))]
    head = [Words("主题", "topic"), Words("地点", "where"), TODAY, SUPPOSED]
    asked = [Words(meta["about"]["zh"], meta["about"]["en"])] if meta.get("about") else []
    if meta.get("overlay"):
        asked.append(Words(f"叠加文件：{meta['overlay']}", f"overlay: {meta['overlay']}"))
    if meta.get("law_of"):
        asked.append(Words(f"全部改按 {meta['law_of']} 的规则", f"all under the law of {meta['law_of']}"))
    shown = page.table(head, rows[:ROWS_MAX]) if rows else page.note(Words("两边规则相同。", "Both laws are the same."))
    rest = page.fold(_rest_words(len(rows) - ROWS_MAX), page.table(head, rows[ROWS_MAX:])) if rows[ROWS_MAX:] else None
    unweighed = page.note(Words(
        "假设的规则改动了签名规定，但没有给出信任的证书：签名没有重新衡量。",
        "The law supposed weighs signatures otherwise, but no certificates to trust were given: they were not weighed "
        "again."), tone="bad") if meta.get("unweighed") else None
    return page.section(Words("改了什么", "What is supposed"), page.bullets(asked) if asked else None, unweighed, shown,
                        rest)


def _topic(policy: Policy, name: str) -> Html:
    """A topic of the law in words, its name below."""
    topic = wording.topic_of(policy, name)
    words = element("div", Words(topic.zh, topic.en)) if topic is not None else None
    return page.joined([words, element("code", name)])


def _place(policy: Policy, key: str) -> Words:
    place = policy.places.get(key)
    return Words(place.zh, place.en) if place is not None else Words(key, key)


# ── link by link ────────────────────────────────────────────────────────────────────────────────────


def _customs(found: Findings) -> Html:
    worlds = [TODAY, SUPPOSED]
    met = [name for name in OUTCOMES if any(found.figure(name)[:2])]
    names = {column["name"]: Words(column["zh"], column["en"]) for column in found.columns("customs")}
    drawn = [page.chart(charts.stacked(
        Words("包裹的结果（票）", "What becomes of the parcels"), worlds,
        [charts.Series(names[name], found.figure(name)[:2]) for name in met],
        [STATE_COLOURS[OUTCOMES.index(name)] for name in met]))]
    drawn += _split_chart(found, "reason", "refused", Words("退单原因（票）", "Refused, by reason (parcels)"))
    drawn += _split_chart(found, "place", "released", Words("各地放行（票）", "Released, by place (parcels)"))
    days = [day for day in found.keys("day", ("released",)) if day]
    if len(days) > 1:
        rows = [found.figure("released", "day", day) for day in days]
        drawn.append(page.chart(charts.curves(
            Words("每日放行（票）", "Released, by day (parcels)"), [day[5:] for day in days],
            _both_worlds(rows))))
    return page.section(LINKS["customs"], page.charts(*drawn), _columns(found, "customs"), *_splits(found, "customs"),
                        name="customs")


def _taxation(found: Findings) -> Html:
    columns = {column["name"]: Words(column["zh"], column["en"]) for column in found.columns("taxation")}
    met = [name for name in TAXES if any(found.figure(name)[:2])]
    drawn = []
    if met:
        drawn.append(page.chart(charts.bars(
            Words("税款，按税种（元）", "Tax by kind (CNY)"), [columns[name] for name in met],
            _both_worlds([found.figure(name) for name in met]), fen=True)))
    drawn += _split_chart(found, "place", "tax", Words("各地税款（元）", "Tax by place (CNY)"))
    return page.section(LINKS["taxation"], page.charts(*drawn) if drawn else None, _columns(found, "taxation"),
                        *_splits(found, "taxation"), name="taxation")


def _rest(found: Findings) -> Html:
    """The links that bring only their registered columns so far."""
    return page.joined(page.section(LINKS[link], _columns(found, link), name=link) for link in ("inspection", "forex"))


def _split_chart(found: Findings, dimension: str, metric: str, title: Words) -> list[Html]:
    keys = found.keys(dimension, (metric,))
    if dimension == "reason":
        keys = [key for key in keys if found.figure(metric, dimension, key).difference] or keys
    keys = keys[:BARS_MAX]
    if len(keys) < (1 if dimension == "reason" else 2):
        return []
    rows = [found.figure(metric, dimension, key) for key in keys]
    labels = [found.key_words(dimension, key, short=True) for key in keys]
    return [page.chart(charts.bars(title, labels, _both_worlds(rows), fen=_unit(found, metric) == CNY))]


def _both_worlds(rows: Sequence[Pair]) -> list[charts.Series]:
    return [charts.Series(TODAY, tuple(row.a for row in rows)), charts.Series(SUPPOSED, tuple(row.b for row in rows))]


def _columns(found: Findings, link: str) -> Html:
    """Every registered column of a link that moved, then those that did not; one that nothing fills yet says so."""
    rows: list[list[page.Part]] = []
    tones: list[str] = []
    still: list[Words] = []
    for column in found.columns(link):
        pair = found.figure(column["name"])
        if column["filled"] and not pair.difference:
            if pair.a:
                named, value = _named(column), amount(pair.a, column["unit"])
                still.append(Words(f"{named.zh} {value}", f"{named.en} {value}"))
            continue
        said = (*_told(pair, column["unit"]), f"{pair.changed:,}")
        rows.append([_named(column), *(said if column["filled"] else (NOT_YET, "", "", ""))])
        tones.append("" if column["filled"] else "dim")
    head = [Words("指标", "figure"), TODAY, SUPPOSED, Words("差", "difference"), MOVED]
    alike = element("p", Words("不变：" + "、".join(each.zh for each in still),
                               "unchanged: " + ", ".join(each.en for each in still)), class_="small") if still else None
    return page.joined([page.table(head, rows, right=(1, 2, 3, 4), tones=tones) if rows else None, alike])


def _named(column: Mapping[str, Any]) -> Words:
    """A column with its unit, where that is not parcels."""
    if column["unit"] == "parcels":
        return Words(column["zh"], column["en"])
    unit = UNITS[column["unit"]]
    return Words(f"{column['zh']}（{unit.zh}）", f"{column['en']} ({unit.en})")


NOT_YET, MOVED = Words("尚不能推演", "not replayed yet"), Words("变化票数", "parcels moved")


def _splits(found: Findings, link: str) -> Iterator[Html]:
    inside = {column["name"]: Words(column["zh"], column["en"]) for column in found.columns(link)}
    for dimension, metrics in SPLIT:
        told = [name for name in metrics if name in inside]
        keys = found.keys(dimension, told)
        if not told or not keys:
            continue
        head: list[page.Part] = [findings.DIMENSIONS[dimension], *(inside[name] for name in told), MOVED]
        rows: list[list[page.Part]] = []
        for key in keys:
            pairs = [found.figure(name, dimension, key) for name in told]
            cells = [_cell(pair, _unit(found, name)) for name, pair in zip(told, pairs, strict=True)]
            rows.append([found.key_words(dimension, key), *cells, f"{max(p.changed for p in pairs):,}"])
        right = range(1, len(head))
        words = findings.DIMENSIONS[dimension]
        yield page.fold(
            Words(f"按{words.zh}（{len(rows)}）", f"By {words.en.lower()} ({len(rows)})"),
            page.table(head, rows[:ROWS_MAX], right=right),
            page.fold(_rest_words(len(rows) - ROWS_MAX), page.table(head, rows[ROWS_MAX:], right=right))
            if rows[ROWS_MAX:] else None)


def _cell(pair: Pair, unit: str) -> Html:
    a, b, moved = _told(pair, unit)
    return page.joined([f"{a} → {b} ", page.tag(moved)]) if pair.difference else page.said(a)


def _rest_words(count: int) -> Words:
    return Words(f"其余 {count} 行", f"{count} more rows")


# ── assumed and observed, down to the parcel ────────────────────────────────────────────────────────


def _assumed(found: Findings, moves: list[Move]) -> Html:
    """What was observed and what only an assumption gives, apart."""
    def total(assumed: bool) -> tuple[int, Decimal, Decimal]:
        rows = [move for move in moves if move.assumed is assumed]
        return (sum(row.parcels for row in rows), sum((row.tax_a for row in rows), Decimal(0)),
                sum((row.tax_b for row in rows), Decimal(0)))

    rows: list[list[page.Part]] = []
    tones: list[str] = []
    for assumed, words in ((False, Words("只凭日志里已有的事件", "from events that the journal holds")),
                           (True, Words("须靠假定的事件", "by an event that is assumed"))):
        parcels, tax_a, tax_b = total(assumed)
        rows.append([words, f"{parcels:,}", amount(tax_a, CNY), amount(tax_b, CNY), signed(tax_b - tax_a, CNY)])
        tones.append("assumed" if assumed else "")
    explained = page.note(Words(
        "假设规则要求、而日志里没有的事件（理货、关员审核）取自规则表的假定行（assume.*）：结果和时长都是设定的，不是观察到的。",
        "An event that the law supposed requires and the journal lacks (a tally, an officer's answer) comes from an "
        "assumption row (assume.*): its outcome and duration are set, not observed."), tone="assumed")
    return page.section(
        Words("观察到的与假定的", "What was observed, what is assumed"), explained if found.counts["assumed"] else None,
        page.table([Words("变化的包裹", "parcels that change"), Words("票", "parcels"),
                    Words("现行税款（元）", "tax today (CNY)"), Words("假设税款（元）", "tax supposed (CNY)"),
                    Words("差", "difference")], rows, right=(1, 2, 3, 4), tones=tones), name="assumed")


def _parcels(found: Findings, ask: Questions, moves: list[Move]) -> Html:
    """Every way that parcels went, each opened down to parcels."""
    folded = []
    for move in moves[:MOVES_MAX]:
        shown = findings.parcels_of(ask, found.folder, move, OPENED_MAX)
        more = move.parcels - len(shown)
        folded.append(page.fold(
            _move_words(found, move), *(_parcel(found, parcel, move) for parcel in shown),
            element("p", Words(f"另有 {more:,} 票，见 {DIFFERENCES}。", f"{more:,} more in {DIFFERENCES}."),
                    class_="small") if more else None))
    if moves[MOVES_MAX:]:
        folded.append(page.note(Words(f"另有 {len(moves) - MOVES_MAX} 类变化，见 {DIFFERENCES}。",
                                      f"{len(moves) - MOVES_MAX} more kinds of change in {DIFFERENCES}.")))
    if not folded:
        folded.append(page.note(Words("没有一票有变化。", "No parcel changes."), tone="good"))
    return page.section(Words("逐票打开", "Down to single parcels"), *folded, name="parcels")


def _move_words(found: Findings, move: Move) -> Html:
    taxes = [amount(move.tax_a, CNY), amount(move.tax_b, CNY)]
    return page.joined([
        page.tag(f"{move.parcels:,}"), " ", STATES[move.state_a], " → ", STATES[move.state_b], ": ",
        found.rule_words(move.rule) if move.rule else
        Words("税款、额度或时间有变", "tax, the year's limit or the time moves"), " ",
        Words(f"· 税款 {taxes[0]} → {taxes[1]} 元 ", f"· tax {taxes[0]} → {taxes[1]} CNY ")
        if move.tax_a != move.tax_b else None,
        page.tag(Words("假定", "assumed"), "assumed") if move.assumed else None])


def _parcel(found: Findings, parcel: Parcel, move: Move) -> Html:
    place = found.key_words("place", parcel.place)
    value = amount(parcel.value, CNY)
    facts = page.joined([
        element("code", parcel.order_no), " ", place, " · ", parcel.mode or "–", " · ",
        Words(f"{value} 元", f"{value} CNY")])
    goods = ", ".join(parcel.goods)
    details = element("p", Words(f"电商平台 {parcel.ebp_code} · 申报日 {parcel.day or '–'} · 商品 {goods}",
                                 f"platform {parcel.ebp_code} · declared {parcel.day or '–'} · goods {goods}"),
                      class_="small")
    return page.fold(facts, details, page.side_by_side(
        _world(TODAY, move.state_a, parcel.why_a, parcel.tax_a, parcel.hours_a, parcel.receipts_a),
        _world(SUPPOSED, move.state_b, parcel.why_b, parcel.tax_b, parcel.hours_b, parcel.receipts_b,
               assumed=move.assumed)))


def _world(name: Words, state: str, why: tuple[Words, ...], tax: Decimal, hours: float | None, receipts: Any, *,
           assumed: bool = False) -> Html:
    """What one law made of a parcel, and why."""
    tone = {"refused": "bad", "released": "good", "closed": "good"}.get(state, "")
    time = "–" if hours is None else f"{hours:,.2f}"
    return page.joined([
        element("h3", name, " ", page.tag(STATES[state], tone),
                page.joined([" ", page.tag(Words("含假定", "assumed in part"), "assumed")]) if assumed else None),
        page.bullets(why) if why else element("p", Words("无话可说。", "Nothing to say.")),
        element("p", Words(f"税款 {amount(tax, CNY)} 元 · 放行用时 {time} 小时",
                           f"tax {amount(tax, CNY)} CNY · {time} hours to release"), class_="small"),
        element("p", Words("回执：", "receipts: "), ", ".join(receipts) or "–", class_="small")])


def _foot(found: Findings) -> Html:
    """How it was made: what somebody needs who wants to make it again."""
    meta = found.meta
    editions = [element("code", str(meta.get(name))[:16]) for name in ("edition_a", "edition_b")]
    return page.joined([
        element("p", Words(
            f"期间 {meta.get('since')} 至 {meta.get('until')} · 引擎 {meta.get('engine')} × {meta.get('workers')} · "
            f"重读原始报文：{meta.get('deep')}",
            f"{meta.get('since')} to {meta.get('until')} · engine {meta.get('engine')} × {meta.get('workers')} · "
            f"read again from the archive: {meta.get('deep')}")),
        element("p", Words("规则表版本：现行 ", "edition of the tables: today "), editions[0],
                Words(" · 假设 ", " · supposed "), editions[1]),
        element("p", Words(f"同一目录：{FIGURES}（全部指标）、{DIFFERENCES}（全部有变化的包裹）、*.parquet。",
                           f"In the same folder: {FIGURES} (every figure), {DIFFERENCES} (every changed parcel), "
                           "*.parquet."))])
