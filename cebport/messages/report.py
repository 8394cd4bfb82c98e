"""The diagnosis of ``doctor.py`` as plain text (诊断报告), in Chinese or English: for one read.

First the answer, then the cause and what to change, then the differing bytes; the evidence (digests,
certificate, file, canonical texts) follows for whoever wants to check it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cebport.faults import WARNING
from cebport.messages.source import hexed, visible
from cebport.messages.xmldsig import METHOD_BY_NAME
from cebport.values import BEIJING

if TYPE_CHECKING:
    from cebport.messages.doctor import Diagnosis

LINE_CHARS = 100
SHOWN_BYTES = 300


class _Voice:
    """The words of one language, and lines with a heading."""

    def __init__(self, words: Mapping[str, Any], lang: str) -> None:
        self._words, self.lang = words, "zh" if lang == "zh" else "en"

    def __call__(self, name: str) -> str:
        return self._words["label"][name][self.lang]

    def heading(self, name: str) -> list[str]:
        text = self._words["heading"][name][self.lang]
        return ["", text, "─" * sum(2 if ord(char) > 0x2E80 else 1 for char in text)]

    def part(self, name: str) -> str:
        return self._words["heading"][name][self.lang]

    def difference(self, name: str) -> str:
        return self._words["difference"][name][self.lang]

    def pair(self, name: str, value: object) -> str:
        colon = "：" if self.lang == "zh" else ": "
        return f"  {self(name)}{colon}{value}"


def write_report(diagnosis: Diagnosis, lang: str, words: Mapping[str, Any]) -> str:
    """The whole report; ends with a line feed."""
    say = _Voice(words, lang)
    lines = [diagnosis.summary.at(lang)]
    for part in (_wrong, _causes, _differences, _digest, _value, _certificate, _remarks, _source, _texts):
        lines += part(diagnosis, say)
    return "\n".join(lines) + "\n"


def _wrong(diagnosis: Diagnosis, say: _Voice) -> Iterator[str]:
    if not diagnosis.verdict.faults:
        return
    yield from say.heading("wrong")
    for fault in diagnosis.verdict.faults:
        sign = "!" if fault.severity == WARNING else "✗"
        yield f"{sign} {fault.code}  {fault.message.at(say.lang)}"
        if not diagnosis.causes:
            yield f"    → {fault.remedy.at(say.lang)}"


def _causes(diagnosis: Diagnosis, say: _Voice) -> Iterator[str]:
    if not diagnosis.causes:
        return
    yield from say.heading("cause")
    for finding in diagnosis.causes:
        sign, word = ("✗", "certain") if finding.certain else ("?", "uncertain")
        yield f"{sign} [{say.part(finding.part)}] {finding.message.at(say.lang)}  ({say(word)})"
        yield f"    → {finding.remedy.at(say.lang)}"


def _differences(diagnosis: Diagnosis, say: _Voice) -> Iterator[str]:
    if not diagnosis.differences:
        return
    yield from say.heading("differences")
    for difference in diagnosis.differences:
        ours, theirs = difference.ours, difference.theirs
        yield f"  {say.difference(difference.id)}"
        yield f"  {say('at')} {ours.place.offset} ({say('line')} {ours.place.line}:{ours.place.column})"
        for name, excerpt in (("ours", ours), ("theirs", theirs)):
            found = f"{excerpt.before}▌{excerpt.after}" if excerpt.after else f"{excerpt.before}▌{say('end_of_text')}"
            yield f"    {say(name)}: {found}"
            yield f"      {excerpt.hex or '-'}   ({excerpt.bytes} {say('bytes')})"


def _digest(diagnosis: Diagnosis, say: _Voice) -> Iterator[str]:
    trials = [trial for trial in diagnosis.trials if trial.part == "digest"]
    if not trials:
        return
    yield from say.heading("digest")
    yield say.pair("claimed", diagnosis.claimed_digest)
    method = METHOD_BY_NAME.get(diagnosis.verdict.algorithm)
    for trial in dict.fromkeys(trials):
        if not (trial.fits or not trial.reading or method is None or trial.method == method.digest_hash):
            continue
        reading = trial.reading or say("as_read")
        yield f"  {say('computed')} {trial.method:6} {trial.value}  [{reading}] {say('fits' if trial.fits else 'not')}"
        if trial.fits and not trial.reading:
            break
    if "digest" in diagnosis.tried:
        yield say.pair("texts", diagnosis.tried["digest"])


def _value(diagnosis: Diagnosis, say: _Voice) -> Iterator[str]:
    trials = [trial for trial in diagnosis.trials if trial.part == "value"]
    if not trials and not diagnosis.recovered:
        return
    yield from say.heading("value")
    for trial in trials:
        reading = trial.reading or say("as_read")
        yield f"  {trial.method}  [{reading}] {say('fits' if trial.fits else 'not')}"
    if diagnosis.recovered:
        yield say.pair("recovered", diagnosis.recovered)
    if "value" in diagnosis.tried:
        yield say.pair("texts", diagnosis.tried["value"])


def _certificate(diagnosis: Diagnosis, say: _Voice) -> Iterator[str]:
    certificate = diagnosis.certificate
    if certificate is None:
        return
    from cebport.messages.doctor import masked_extensions

    span = (moment.astimezone(BEIJING).date().isoformat() for moment in (certificate.not_before, certificate.not_after))
    yield from say.heading("certificate")
    yield say.pair("subject", certificate.subject)
    yield say.pair("issuer", certificate.issuer)
    yield say.pair("serial", certificate.serial_hex)
    yield say.pair("key_name", diagnosis.verdict.key_name or say("nothing"))
    yield say.pair("key", certificate.algorithm)
    yield say.pair("valid", " .. ".join(span))
    if diagnosis.owners is not None:
        yield say.pair("signs_for", ", ".join(sorted(diagnosis.owners)) or say("nobody"))
    if diagnosis.declarants:
        yield say.pair("declarant", ", ".join(diagnosis.declarants))
    for oid, text in masked_extensions(certificate).items():
        yield say.pair("extensions", f"{oid} = {text}")


def _remarks(diagnosis: Diagnosis, say: _Voice) -> Iterator[str]:
    if not diagnosis.remarks:
        return
    yield from say.heading("remarks")
    for finding in diagnosis.remarks:
        yield f"· {finding.message.at(say.lang)}"
        yield f"    → {finding.remedy.at(say.lang)}"


def _source(diagnosis: Diagnosis, say: _Voice) -> Iterator[str]:
    source = diagnosis.source
    yield from say.heading("source")
    yield say.pair("size", f"{source.size} {say('bytes')}")
    yield say.pair("declaration", source.declaration or say("nothing"))
    yield say.pair("line_ends", f"LF {source.lf}, CR LF {source.crlf}, CR {source.cr}")
    yield say.pair("root_tag", visible(source.root_tag[:SHOWN_BYTES]))
    for name, run in (("before", source.before), ("after", source.after)):
        if run is not None:
            shown = f"{visible(run.data)}  {hexed(run.data)}" if run.data else say("nothing")
            yield say.pair(name, f"{shown}  ({say('at')} {run.offset})")
    for run in source.inside[:3]:
        yield say.pair("inside", f"{visible(run.data)}  {hexed(run.data)}  ({say('at')} {run.offset})")


def _texts(diagnosis: Diagnosis, say: _Voice) -> Iterator[str]:
    for name, text in (("canonical", diagnosis.canonical), ("signed_info", diagnosis.signed_info)):
        if not text:
            continue
        yield from say.heading(name)
        yield f"  {len(text)} {say('bytes')}"
        shown = (
            visible(text)
            if len(text) <= 2 * SHOWN_BYTES or name == "signed_info"
            else (f"{visible(text[:SHOWN_BYTES])} … {visible(text[-SHOWN_BYTES:])}")
        )
        for at in range(0, len(shown), LINE_CHARS):
            yield f"  {shown[at : at + LINE_CHARS]}"
