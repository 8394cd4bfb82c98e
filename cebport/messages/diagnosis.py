"""What the doctor found, as data and as plain text in Chinese or English (诊断结果).

``doctor.py`` fills a ``Diagnosis``; its JSON form is ``as_dict``, its report for people ``text``. The words
are in tables/habits.yaml. A diagnosis quotes the message: it is for its sender, not for a log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cebport.faults import ERROR, WARNING, Words
from cebport.messages.certificates import Certificate
from cebport.messages.signature import Verdict
from cebport.messages.source import Place, Source, hexed, visible
from cebport.messages.xmldsig import METHOD_BY_NAME
from cebport.values import BEIJING

EXCERPT_BYTES = 600
LINE_CHARS = 100
SHOWN_BYTES = 300
SHOWN_RUNS_MAX = 3


@lru_cache(1)
def tables() -> Mapping[str, Any]:
    """tables/habits.yaml: habits, remarks, notes, words, declarants."""
    import yaml

    text = (Path(__file__).parent / "tables" / "habits.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def words_of(entry: Mapping[str, str], **values: object) -> Words:
    """The two sentences of an entry with their values filled in."""
    return Words(entry["zh"].format(**values).strip(), entry["en"].format(**values).strip())


# ── the diagnosis as data ───────────────────────────────────────────────────────────────────────────


class Finding(NamedTuple):
    """One thing found: id is a row of habits.yaml; part "digest", "value", "certificate", "reference" or "file".

    certain: a claimed value was reproduced that way, or the fact was read off the file.
    """

    id: str
    part: str
    message: Words
    remedy: Words
    certain: bool = True

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "id": self.id,
            "part": self.part,
            "certain": self.certain,
            "message": self.message._asdict(),
            "remedy": self.remedy._asdict(),
        }


class Trial(NamedTuple):
    """One reading that was tried: which, by which hash, what it gave (base64), whether it fits."""

    part: str
    reading: str
    method: str
    value: str
    fits: bool


class Excerpt(NamedTuple):
    """The surroundings of a byte: where it is, what stands before it, what from it on; white space visible."""

    place: Place
    before: str
    after: str
    hex: str
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            **self.place._asdict(),
            "before": self.before,
            "after": self.after,
            "hex": self.hex,
            "bytes": self.bytes,
        }


class Difference(NamedTuple):
    """The first byte at which two texts part; id says which texts."""

    id: str
    ours: Excerpt
    theirs: Excerpt

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"id": self.id, "ours": self.ours.as_dict(), "theirs": self.theirs.as_dict()}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known about a message's signature.

    causes: habits that reproduce a claimed value, or (not certain) that none does. remarks: facts of the
    file that often matter. trials: every reading tried. differences: the first differing byte of two
    texts. canonical, signed_info: the texts that we hash and verify. owners: for whom the certificate may
    sign (None = any or unknown).
    """

    verdict: Verdict
    source: Source
    lang: str = "zh"
    causes: tuple[Finding, ...] = ()
    remarks: tuple[Finding, ...] = ()
    trials: tuple[Trial, ...] = ()
    differences: tuple[Difference, ...] = ()
    claimed_digest: str = ""
    recovered: str = ""
    certificate: Certificate | None = None
    owners: frozenset[str] | None = None
    declarants: tuple[str, ...] = ()
    canonical: bytes = b""
    signed_info: bytes = b""
    tried: Mapping[str, int] = field(default_factory=dict)

    @property
    def summary(self) -> Words:
        """The answer in one sentence: the verdict and its certain cause, else the first fault."""
        verdict = words_of(tables()["words"]["verdict"][self.verdict.verdict])
        reasons = [finding.message for finding in self.causes]
        if not reasons:
            weight = {ERROR: 0, WARNING: 1}
            faults = sorted(self.verdict.faults, key=lambda fault: weight.get(fault.severity, 2))
            reasons = [] if self.verdict.verdict in ("strict", "unsigned") else [f.message for f in faults[:1]]
        return Words(
            "：".join([verdict.zh, "；".join(reason.zh for reason in reasons)]).rstrip("："),
            ": ".join([verdict.en, "; ".join(reason.en for reason in reasons)]).rstrip(": "),
        )

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; texts are cut to excerpts."""
        return {
            **self.verdict.as_dict(),
            "summary": self.summary._asdict(),
            "causes": [finding.as_dict() for finding in self.causes],
            "remarks": [finding.as_dict() for finding in self.remarks],
            "differences": [difference.as_dict() for difference in self.differences],
            "trials": [trial._asdict() for trial in self.trials],
            "tried": dict(self.tried),
            "digest_claimed": self.claimed_digest,
            "hash_in_signature": self.recovered,
            "certificate": _certificate_facts(self.certificate),
            "owners": None if self.owners is None else sorted(self.owners),
            "declarants": list(self.declarants),
            "source": self.source.as_dict(),
            "canonical": {
                "bytes": len(self.canonical),
                "head": visible(self.canonical[:EXCERPT_BYTES]),
                "tail": visible(self.canonical[-EXCERPT_BYTES:]),
            },
            "signed_info": self.signed_info.decode("utf-8", "replace"),
        }

    def text(self, lang: str | None = None) -> str:
        """The report for people, in ``lang`` ("zh" or "en"); ends with a line feed.

        First the answer, then the cause and what to change, then the differing bytes; the evidence
        (digests, certificate, file, canonical texts) follows for whoever wants to check it.
        """
        chosen = lang or self.lang
        say = _Voice(tables()["words"], chosen)
        lines = [self.summary.at(chosen)]
        for part in (_wrong, _causes, _differences, _digest, _value, _certificate, _remarks, _source, _texts):
            lines += part(self, say)
        return "\n".join(lines) + "\n"


def _certificate_facts(certificate: Certificate | None) -> dict[str, Any] | None:
    """What a certificate says; the card's own extensions masked."""
    if certificate is None:
        return None
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": certificate.serial_hex,
        "key": certificate.algorithm,
        "not_before": certificate.not_before.astimezone(BEIJING).isoformat(),
        "not_after": certificate.not_after.astimezone(BEIJING).isoformat(),
        "sha256": certificate.fingerprint,
        "extensions": certificate.masked_extensions,
    }


# ── the report ───────────────────────────────────────────────────────────────────────────────────────


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
        computed = finding.part in ("digest", "value") and finding.id != "changed_after_signing"
        sign, word = ("✗", "certain" if computed else "certain_fact") if finding.certain else ("?", "uncertain")
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
        names = ("this_file", "reference") if difference.id.startswith("reference") else ("ours", "theirs")
        for name, excerpt in zip(names, (ours, theirs), strict=True):
            found = f"{excerpt.before}▌{excerpt.after}" if excerpt.after else f"{excerpt.before}▌{say('end_of_text')}"
            yield f"    {say(name)}: {found}"
            yield f"      {excerpt.hex or '-'}   ({excerpt.bytes} {say('bytes')})"


def _shown(diagnosis: Diagnosis, part: str) -> list[Trial]:
    """The trials worth showing: the strict one alone where it fits, else those of the message's own hash."""
    trials = [trial for trial in dict.fromkeys(diagnosis.trials) if trial.part == part]
    strict = [trial for trial in trials if trial.fits and not trial.reading]
    method = METHOD_BY_NAME.get(diagnosis.verdict.algorithm)
    own = None if method is None or part == "value" else method.digest_hash
    return strict or [trial for trial in trials if trial.fits or not trial.reading or own in (None, trial.method)]


def _digest(diagnosis: Diagnosis, say: _Voice) -> Iterator[str]:
    trials = _shown(diagnosis, "digest")
    if not trials:
        return
    yield from say.heading("digest")
    yield say.pair("claimed", diagnosis.claimed_digest)
    for trial in trials:
        reading = trial.reading or say("as_read")
        yield f"  {say('computed')} {trial.method:6} {trial.value}  [{reading}] {say('fits' if trial.fits else 'not')}"
    if "digest" in diagnosis.tried:
        yield say.pair("texts", diagnosis.tried["digest"])


def _value(diagnosis: Diagnosis, say: _Voice) -> Iterator[str]:
    trials = _shown(diagnosis, "value")
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
    for oid, text in certificate.masked_extensions.items():
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
    for run in source.inside[:SHOWN_RUNS_MAX]:
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
