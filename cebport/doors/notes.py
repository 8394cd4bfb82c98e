# ruff: noqa: E501 (a table: a row may be as long as its sentence)
"""What the server says in English, for people who read Chinese (服务端说明的中文).

The server explains what stops it in one English sentence, which also goes into logs. Here each of them finds its
headline and its words in both languages; one without words of its own is told as it is, in brackets behind what is
known of it.
"""

from __future__ import annotations

import logging
import re

from cebport.doors import screen
from cebport.faults import Words

W = Words

NOTES: tuple[tuple[str, str, Words], ...] = (
    (r"backup (?P<path>.+): (cut off or altered, its digest does not fit|has no end)", "backup_bad",
     W("{path} 不完整或被改动过，摘要不符", "{path} is cut off or altered, its digest does not fit")),
    (r"backup (?P<path>.+): (?P<what>\S+, schema \S+; this program has \S+)", "backup_bad",
     W("{path} 是另一版本的备份（{what}）", "{path} is of another version ({what})")),
    (r"backup (?P<path>.+?): (?P<what>.+)", "backup_bad", W("{path}：{what}", "{path}: {what}")),
    (r"store (?P<path>.+): not empty; restore into a new one", "restore_bad",
     W("目标库 {path} 不是空的，请恢复到新的库", "{path} is not empty; restore into a new one")),
    (r"store (?P<path>.+): there is no cebport store", "store_bad",
     W("{path} 里没有 cebport 的数据", "{path} holds no cebport store")),
    (r"store (?P<path>.+): table (?P<table>\w+) has not the rows of the backup", "restore_differs",
     W("{path}：表 {table} 的行数与备份不同", "{path}: table {table} has not the rows of the backup")),
    (r"store (?P<path>.+?): the store is damaged: restore a backup \((?P<what>.+)\)", "store_bad",
     W("{path} 已损坏，或不是数据库文件，请从备份恢复（{what}）", "{path} is damaged, or no database file: restore a backup ({what})")),
    (r"the store is damaged: restore a backup \((?P<what>.+)\)", "store_bad",
     W("数据库已损坏，请从备份恢复（{what}）", "it is damaged: restore a backup ({what})")),
    (r"store (?P<path>.+): it holds another program's tables; name a database of cebport's own", "store_bad",
     W("{path} 里是别的程序的表；请为 cebport 另指定一个库", "{path} holds another program's tables; name a database of cebport's own")),
    (r"store: its schema is not this program's \((?P<what>.+)\)", "store_bad",
     W("库的结构不属于本程序，或出自更新的版本（{what}）", "its schema is not this program's, or of a newer version ({what})")),
    (r"store (?P<path>.+): file is not a database", "store_bad",
     W("{path} 不是数据库文件", "{path} is no database file")),
    (r"store (?P<path>.+?): (?P<difference>\w+ .+: (stored|in the journal), .+|\w+ .+: stored and folded differ)",
     "restore_differs", W("{path}：{difference}", "{path}: {difference}")),
    (r"settings (?P<path>.+): Object contains unknown field `(?P<key>[^`]+)`.*", "settings_bad",
     W("{path}：没有 {key} 这一项", "{path}: there is no key {key}")),
    (r"settings (?P<path>.+): Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)` - at `\$\.(?P<key>[^`]+)`", "settings_bad",
     W("{path}：{key} 的类型应为 {wanted}，实际是 {got}", "{path}: {key} must be of type {wanted}, it is {got}")),
    (r"settings (?P<path>.+): (?P<what>.+) \(at line (?P<line>\d+), column \d+\)", "settings_bad",
     W("{path}:{line}：不是 TOML（{what}）", "{path}:{line}: no TOML ({what})")),
    (r"settings (?P<path>.+?): (?P<what>.+)", "settings_bad", W("{path}：{what}", "{path}: {what}")),
    (r"profile (?P<name>.+): there are (?P<names>.+)", "settings_bad",
     W("没有做法组合 {name}；可用的有 {names}", "no profile {name}; there are {names}")),
    (r"filings (?P<path>.+): entry (?P<number>\d+): code and roles of (?P<roles>.+) are needed, found (?P<found>.+)",
     "filings_bad", W("{path}：第 {number} 项缺少 code 或角色不对（可用：{roles}），实际是 {found}",
                      "{path}: entry {number} needs a code and roles of {roles}; it is {found}")),
    (r"filings (?P<path>.+?): '\w+' object .+", "filings_bad",
     W("{path}：应为 enterprises 下的企业列表", "{path}: a list of enterprises is needed")),
    (r"filings (?P<path>.+?): (?P<what>.+)", "filings_bad", W("{path}：{what}", "{path}: {what}")),
    (r"key file (?P<path>.+) is missing: without it nobody reads what this store holds", "keys_bad",
     W("密钥文件 {path} 不在：没有它，库里的内容谁也读不出", "{path} is missing: without it nobody reads what this store holds")),
    (r"key file (?P<path>.+) is missing: without it nobody reads what the backup holds", "keys_bad",
     W("密钥文件 {path} 不在：没有它，备份里的内容谁也读不出", "{path} is missing: without it nobody reads what the backup holds")),
    (r"master key (?P<key>\S+) is not in (?P<path>.+)", "keys_bad",
     W("{path} 里没有主密钥 {key}", "master key {key} is not in {path}")),
    (r"master key (?P<key>\S+) in (?P<path>.+) is not the key of this store", "keys_bad",
     W("{path} 里的主密钥 {key} 不是这个库的", "master key {key} in {path} is not the key of this store")),
    (r"no key in (?P<path>.+) opens the outbox of this store", "keys_bad",
     W("{path} 里的密钥打不开这个库的发件箱", "no key in {path} opens the outbox of this store")),
    (r"key file (?P<path>.+?): (Expecting|Extra data|Invalid|'|string indices|each key).*", "keys_bad",
     W("{path} 不是密钥文件", "{path} is no key file")),
    (r"key file (?P<path>.+?): (?P<what>.+)", "keys_bad", W("{path}：{what}", "{path}: {what}")),
    (r"folder (?P<path>.+?): (?P<what>.+)", "channel_down", W("目录 {path}：{what}", "folder {path}: {what}")),
    (r"every worker has ended; the messages wait in the store, run again", "channel_down",
     W("工作进程都已结束；报文还在库里，请再运行一次", "every worker has ended; the messages wait in the store, run again")),
    (r"all else is done, but (?P<count>\d+) messages are set aside: (?P<aside>.+)", "channel_down",
     W("其余都已办完，但有 {count} 个报文搁置：{aside}", "all else is done, but {count} messages are set aside: {aside}")),
    (r"all else is done, but (?P<count>\d+) files could not be read: (?P<what>.+); (?P<aside>\d+) messages are set aside: (?P<why>.+)", "channel_down",
     W("其余都已办完，但有 {count} 个文件读不出来：{what}；另有 {aside} 个报文搁置：{why}",
       "all else is done, but {count} files could not be read: {what}; {aside} messages are set aside: {why}")),
    (r"all else is done, but (?P<count>\d+) files could not be read: (?P<what>.+)", "channel_down",
     W("其余都已办完，但有 {count} 个文件读不出来：{what}", "all else is done, but {count} files could not be read: {what}")),
    (r"the archived message is damaged: its seal does not fit", "store_bad",
     W("存档的报文已损坏，封印不符", "an archived message is damaged, its seal does not fit")),
    (r"store '(?P<path>.+)': expected sqlite:///FILE or postgresql://USER@HOST/DATABASE", "settings_bad",
     W("数据库应写作 sqlite:///文件 或 postgresql://用户@主机/库名：{path}",
       "sqlite:///FILE or postgresql://USER@HOST/DATABASE is needed: {path}")),
    (r"store '(?P<path>.+)': expected postgresql://USER@HOST/DATABASE \((?P<what>.+)\)", "settings_bad",
     W("数据库应写作 postgresql://用户@主机/库名：{path}（{what}）", "postgresql://USER@HOST/DATABASE is needed: {path} ({what})")),
    (r"store (?P<path>.+?): (?P<what>.+)", "", W("{path}：{what}", "{path}: {what}")),
)
"""(what the server says, key of the headline or "" for that of the exception, our words)."""

USAGES: tuple[tuple[str, str, Words], ...] = (
    (r"no test city (?P<name>\S+): there are (?P<names>.+)", "",
     W("没有测试地点 {name}；可用的有 {names}", "no test city {name}; there are {names}")),
    (r"test traffic begins on (?P<first>\S+), not on (?P<day>\S+)", "",
     W("测试报文最早只到 {first}，{day} 太早", "test traffic begins on {first}, {day} is too early")),
    (r"parcels: 1 to (?P<most>\d+), not (?P<count>\d+)", "",
     W("包裹票数应为 1 到 {most}，不能是 {count}", "parcels: 1 to {most}, not {count}")),
)
"""What the maker of test traffic refuses."""

LOGGED: tuple[tuple[str, str, Words], ...] = (
    (r"(?P<note>.+); waiting, nothing is lost", "", W("{note}；正在等待，什么也不会丢", "{note}; waiting, nothing is lost")),
    (r"goes on after (?P<seconds>\d+) s", "", W("{seconds} 秒后恢复，继续", "goes on after {seconds} s")),
    (r"worker (?P<worker>\d+) was ended by signal (?P<signal>\d+); another takes its place", "",
     W("工作进程 {worker} 被信号 {signal} 结束，已另起一个", "worker {worker} was ended by signal {signal}; another takes its place")),
    (r"a batch failed, its messages are tried one by one: (?P<what>.+)", "",
     W("一批报文处理失败，改为逐个处理（{what}）", "a batch failed, its messages are tried one by one: {what}")),
    (r"message (?P<inbox>\d+) \((?P<name>.*)\) is set aside: (?P<what>.+)", "",
     W("报文 {inbox}（{name}）已搁置（{what}）", "message {inbox} ({name}) is set aside: {what}")),
    (r"outbox row (?P<row>\d+) \((?P<kind>.*)\) is set aside: (?P<what>.+)", "",
     W("发件 {row}（{kind}）写不出来，已搁置（{what}）", "outbox row {row} ({kind}) is set aside: {what}")),
    (r"set aside: message (?P<inbox>\d+) \((?P<name>.*)\): (?P<what>.+)", "",
     W("搁置中：报文 {inbox}（{name}）：{what}", "set aside: message {inbox} ({name}): {what}")),
    (r"set aside: receipts (?P<row>\d+) \((?P<kind>.*)\) of message (?P<inbox>\d+): cannot be written", "",
     W("搁置中：报文 {inbox} 的回执 {row}（{kind}）写不出来", "set aside: receipts {row} ({kind}) of message {inbox}: cannot be written")),
    (r"a worker ends: (?P<note>.+)", "", W("一个工作进程结束：{note}", "a worker ends: {note}")),
    (r"no certificate is trusted \(--trust\): every signed message will be refused, and sent again unchanged it stays refused", "",
     W("没有信任任何证书（--trust）：带签名的报文都会被退，原样重发仍算退过",
       "no certificate is trusted (--trust): every signed message will be refused, and sent again unchanged it stays refused")),
    (r"no enterprise is filed \(--filings\): every message will be refused, and sent again unchanged it stays refused", "",
     W("没有任何企业备案（--filings）：报文都会被退，原样重发仍算退过",
       "no enterprise is filed (--filings): every message will be refused, and sent again unchanged it stays refused")),
)
"""What the server logs while it works."""

DIFFERENCES: tuple[tuple[str, str, Words], ...] = (
    (r"journal (?P<row>\d+): cannot be read", "", W("流水 {row}：读不出来", "journal {row}: cannot be read")),
    (r"(?P<row>.+): stored, not in the journal", "", W("{row}：表里有，流水里没有", "{row}: stored, not in the journal")),
    (r"(?P<row>.+): in the journal, not stored", "", W("{row}：流水里有，表里没有", "{row}: in the journal, not stored")),
    (r"inbox (?P<row>\d+): in the journal, not done", "", W("收件 {row}：流水里有，却没有办结", "inbox {row}: in the journal, not done")),
    (r"inbox (?P<row>\d+): done, not in the journal", "", W("收件 {row}：已办结，流水里却没有", "inbox {row}: done, not in the journal")),
    (r"archive (?P<row>\d+): in the inbox, not in the archive", "",
     W("存档 {row}：收件里有，存档里没有", "archive {row}: in the inbox, not in the archive")),
    (r"archive (?P<row>\d+): in the archive, not in the inbox", "",
     W("存档 {row}：存档里有，收件里没有", "archive {row}: in the archive, not in the inbox")),
    (r"timers (?P<row>\d+): has rung, but is not in the inbox", "",
     W("到期事项 {row}：已到期，收件里却没有", "timers {row}: has rung, but is not in the inbox")),
    (r"outbox (?P<row>\d+ \S+): its receivers do not get the same number of receipts", "",
     W("发件 {row}：各收件人的回执份数不同", "outbox {row}: its receivers do not get the same number of receipts")),
    (r"counts (?P<row>\S+): (?P<stored>-?\d+) stored, (?P<folded>\d+) counted", "",
     W("合计 {row}：记为 {stored}，实数 {folded}", "counts {row}: {stored} stored, {folded} counted")),
    (r"(?P<row>.+): stored and folded differ", "",
     W("{row}：表里的与重放的不同", "{row}: what is stored and what the journal gives differ")),
    (r"postings: (?P<stored>\d+) stored, (?P<folded>\d+) in the journal, or their contents differ", "",
     W("postings：表里 {stored} 行，流水里 {folded} 行，或内容不同", "postings: {stored} stored, {folded} in the journal, or their contents differ")),
)
"""What rebuild finds; the table and the key of the row stay as they are."""

DETAILS: dict[str, str] = {
    "No space left on device": "磁盘已满", "database or disk is full": "磁盘已满", "Permission denied": "没有权限",
    "No such file or directory": "文件或目录不存在", "Is a directory": "是目录，不是文件", "Not a directory": "不是目录",
    "File exists": "已有同名文件", "Read-only file system": "只读文件系统", "File name too long": "文件名过长",
    "Connection refused": "连接被拒绝", "could not translate host name": "找不到主机",
    "password authentication failed": "口令不对", "unable to open database file": "打不开数据库文件",
    "file is not a database": "不是数据库文件", "database is locked": "数据库被占用", "disk I/O error": "磁盘读写出错",
    "readonly database": "数据库只读", "database disk image is malformed": "数据库文件已损坏",
    "does not exist": "不存在", "server closed the connection": "服务器断开了连接",
}  # fmt: skip
"""What systems and databases say in English, as far as it needs a Chinese word -> that word."""


def explained(note: str) -> tuple[str, str]:
    """(key of the headline, "" = that of the exception; the sentence) for what the server said."""
    return _told(note, NOTES)


def usage(note: str) -> str:
    """What the maker of test traffic refused, in the language of the screen."""
    return _told(note, USAGES)[1]


def difference(text: str) -> str:
    """One difference that rebuild found, in the language of the screen."""
    return _told(text, DIFFERENCES)[1]


def detail(text: str) -> str:
    """Words of a system, behind the Chinese for them where we know it."""
    if screen.language() != "zh":
        return text
    known = next((zh for said, zh in DETAILS.items() if said in text), None)
    return text if known is None else f"{known}（{text}）"


def _told(text: str, table: tuple[tuple[str, str, Words], ...]) -> tuple[str, str]:
    text = " ".join(text.split())
    for pattern, headline, pair in table:
        found = re.fullmatch(pattern, text)
        if found:
            values = {name: _value(name, value) for name, value in found.groupdict().items()}
            return headline, screen.spoken(pair).format(**values)
    return "", detail(text)


def _value(name: str, value: str) -> str:
    if name == "what":
        return detail(value)
    if name == "difference":
        return difference(value)
    return explained(value)[1] if name == "note" else value


class Spoken(logging.Formatter):
    """Lines of the server's log in the language of the screen."""

    def format(self, record: logging.LogRecord) -> str:
        """How bad it is, and what."""
        said = _told(record.getMessage(), LOGGED)[1]
        return f"{screen.label('error' if record.levelno >= logging.ERROR else 'warning')}{said}"
