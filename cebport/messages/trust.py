"""Whose signature counts (信任库): pinned certificates or CAs, revocation lists, who may sign for whom.

A certificate in the store trusts itself (a pin); one that is a CA also trusts what it issued. An entry
says for which declarants (申报单位) the certificate signs and from when to when that holds. A trust.yaml
is a list of entries::

    - certificate: cards/agent.pem        # a PEM or DER file beside the list, or the PEM text itself
      declarants: [3302000TE5]            # or: any
      since: 2026-01-01                   # first day (Beijing), optional
      until: 2027-12-31                   # last day, optional

PEM and DER files named directly are entries for any declarant. A revocation list counts only when a CA
of the store signed it. Loading raises SettingsError with the file in it; judging never raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cebport.faults import Fault, SettingsError
from cebport.messages.certificates import (
    Certificate,
    RevocationList,
    read_certificate,
    read_crl,
    read_pem,
    sign_fault,
)
from cebport.values import BEIJING, beijing_day

ANY = "any"
RESULTS_CACHED_MAX = 16384
FILE_BYTES_MAX = 64 * 1024 * 1024
NOBODY: frozenset[str] = frozenset()
_ENTRY_KEYS = {"certificate", "declarants", "since", "until", "note"}
_CERTIFICATE_LABELS = {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"}


@cache
def declarant_fields() -> Mapping[str, tuple[str, ...]]:
    """Message type -> fields of the document's head: one of them must be a declarant of the certificate that signs."""
    import yaml

    table = yaml.safe_load((Path(__file__).parent / "tables" / "declarants.yaml").read_text(encoding="utf-8"))
    return {kind: tuple(fields) for kind, fields in table.items()}


class Entry(NamedTuple):
    """One line of trust. declarants None = any; since and until are days in Beijing, both included."""

    certificate: Certificate
    declarants: frozenset[str] | None = None
    since: date | None = None
    until: date | None = None

    def is_in_force(self, day: date | None) -> bool:
        """Whether the entry holds on the day; without a day its dates do not count."""
        return day is None or ((self.since is None or self.since <= day) and (self.until is None or day <= self.until))


class Judgement(NamedTuple):
    """What the store says of a certificate: status "trusted" | "untrusted" | "expired" | "revoked", why,
    and for which declarants it may sign (None = any, empty = nobody).
    """

    status: str
    faults: tuple[Fault, ...]
    owners: frozenset[str] | None


class _Standing(NamedTuple):
    """What holds of a certificate the whole day: its entries in force, and why there are none."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]


class TrustStore:
    """The certificates that count. ``load`` makes one from files; ``TrustStore(entries, crls)`` from records.

    Raises SettingsError when no CA among the entries signed one of the lists.
    """

    def __init__(self, entries: Iterable[Entry] = (), crls: Iterable[RevocationList] = ()) -> None:
        self.entries = tuple(entries)
        self.crls = tuple(crls)
        self._pins: dict[bytes, list[Entry]] = {}
        self._issuers: dict[bytes, list[Entry]] = {}
        for entry in self.entries:
            self._pins.setdefault(entry.certificate.der, []).append(entry)
            if entry.certificate.is_ca:
                self._issuers.setdefault(entry.certificate.subject_der, []).append(entry)
        self._lists: dict[bytes, list[RevocationList]] = {}
        for crl in self.crls:
            issuers = self._issuers.get(crl.issuer_der, ())
            if not any(crl.is_signed_by(entry.certificate) for entry in issuers):
                raise SettingsError(sign_fault("CEB-SIGN-065", found=crl.issuer))
            self._lists.setdefault(crl.issuer_der, []).append(crl)
        self._standings: dict[tuple[str, date | None], _Standing] = {}

    @classmethod
    def load(cls, paths: str | Path | Iterable[str | Path]) -> TrustStore:
        """The store of PEM and DER certificates, CRLs and trust.yaml lists. Raises SettingsError."""
        if isinstance(paths, str | Path):
            paths = [paths]
        entries: list[Entry] = []
        crls: list[RevocationList] = []
        for path in map(Path, paths):
            if path.suffix.lower() in (".yaml", ".yml"):
                entries += _read_list(path)
            else:
                certificates, lists = _read_file(path)
                entries += map(Entry, certificates)
                crls += lists
        return cls(entries, crls)

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Every certificate in the store, once."""
        return tuple({entry.certificate.der: entry.certificate for entry in self.entries}.values())

    def owners(self, cert_der: bytes, on: date | datetime | None = None) -> frozenset[str] | None:
        """The declarant codes that the certificate may sign for on that day; None = any, empty = nobody.

        Validity and revocation do not count here: ``judge`` weighs them. Raises ValueError for bytes
        that are no certificate.
        """
        return _owners(self._standing(read_certificate(cert_der), _day(on)).entries)

    def judge(self, certificate: Certificate, on: datetime | None = None) -> Judgement:
        """Whether the certificate counts at that moment. Without a moment no date is looked at."""
        standing = self._standing(certificate, _day(on))
        if not standing.entries:
            return Judgement("untrusted", standing.faults, NOBODY)
        verdicts = [self._judge_entry(certificate, entry, on) for entry in standing.entries]
        best = next((verdict for verdict in verdicts if verdict[0] == "trusted"), verdicts[0])
        good = [entry for entry, verdict in zip(standing.entries, verdicts, strict=True) if verdict[0] == "trusted"]
        return Judgement(best[0], tuple(best[1]), _owners(good))

    def _judge_entry(self, certificate: Certificate, entry: Entry, on: datetime | None) -> tuple[str, list[Fault]]:
        """(status, faults) along one path: the certificate, and its CA where it is no pin."""
        path = [certificate] if entry.certificate.der == certificate.der else [certificate, entry.certificate]
        stale: dict[Fault, None] = {}
        for link in path:
            for crl in self._lists.get(link.issuer_der, ()):
                since = crl.revoked.get(link.serial)
                if since is not None and (on is None or since <= on):
                    fault = sign_fault("CEB-SIGN-056", found=link.serial_hex, expected=_time(since))
                    return "revoked", [fault]
                if on is not None and crl.next_update is not None and crl.next_update < on:
                    stale[sign_fault("CEB-SIGN-057", found=_time(crl.next_update), expected=_time(on))] = None
        if on is not None:
            for link in path:
                if not link.is_valid_at(on):
                    return "expired", [validity_fault(link, on, is_issuer=link is not certificate)]
        return "trusted", list(stale)

    def _standing(self, certificate: Certificate, day: date | None) -> _Standing:
        key = (certificate.fingerprint, day)
        found = self._standings.get(key)
        if found is None:
            if len(self._standings) >= RESULTS_CACHED_MAX:
                self._standings.clear()
            found = self._standings[key] = self._find_standing(certificate, day)
        return found

    def _find_standing(self, certificate: Certificate, day: date | None) -> _Standing:
        issuers = [
            entry for entry in self._issuers.get(certificate.issuer_der, ()) if entry.certificate.der != certificate.der
        ]
        known = [
            *self._pins.get(certificate.der, ()),
            *(entry for entry in issuers if entry.certificate.issued(certificate)),
        ]
        in_force = tuple(entry for entry in known if entry.is_in_force(day))
        if in_force:
            return _Standing(in_force, ())
        if known:
            span = "; ".join(f"{entry.since or ''}..{entry.until or ''}" for entry in known)
            return _Standing((), (sign_fault("CEB-SIGN-053", found=str(day), expected=span),))
        if issuers:
            found, expected = certificate.subject, certificate.issuer
            return _Standing((), (sign_fault("CEB-SIGN-052", found=found, expected=expected),))
        return _Standing((), (_unknown_fault(certificate),))


def _unknown_fault(certificate: Certificate) -> Fault:
    """The store knows neither the certificate nor its issuer; a self-signed one has no other issuer to name."""
    issuer = "" if certificate.issuer_der == certificate.subject_der else certificate.issuer
    return sign_fault(
        "CEB-SIGN-051",
        found=certificate.subject,
        expected=issuer,
        issuer_zh=f"，也没有其颁发者 {issuer}" if issuer else "",
        issuer_en=f", nor its issuer {issuer}" if issuer else "",
    )


def validity_fault(certificate: Certificate, on: datetime, *, is_issuer: bool = False) -> Fault:
    """Why the certificate is not valid at the moment: over, not yet begun, or its CA's is."""
    if is_issuer:
        code = "CEB-SIGN-058"
    else:
        code = "CEB-SIGN-055" if on < certificate.not_before else "CEB-SIGN-054"
    span = f"{_time(certificate.not_before)} .. {_time(certificate.not_after)}"
    return sign_fault(code, found=_time(on), expected=span)


def _owners(entries: Sequence[Entry]) -> frozenset[str] | None:
    if any(entry.declarants is None for entry in entries):
        return None
    return NOBODY.union(*(entry.declarants or NOBODY for entry in entries))


def _day(on: date | datetime | None) -> date | None:
    return beijing_day(on) if isinstance(on, datetime) else on


def _time(moment: datetime) -> str:
    return moment.astimezone(BEIJING).isoformat(timespec="seconds")


# ── files ───────────────────────────────────────────────────────────────────────────────────────────


def _refuse(path: Path, reason: object, code: str = "CEB-SIGN-063") -> SettingsError:
    return SettingsError(sign_fault(code, path=str(path), found=reason))


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise _refuse(path, f"超过 {FILE_BYTES_MAX} 字节 / more than {FILE_BYTES_MAX} bytes")
        return path.read_bytes()
    except OSError as problem:
        raise _refuse(path, f"打不开 / cannot be opened ({problem.strerror or problem})") from problem


def _read_file(path: Path) -> tuple[list[Certificate], list[RevocationList]]:
    """The certificates and lists of a PEM or DER file."""
    return _read_blocks(path, _bytes_of(path))


def _read_blocks(path: Path, data: bytes) -> tuple[list[Certificate], list[RevocationList]]:
    certificates: list[Certificate] = []
    crls: list[RevocationList] = []
    try:
        if b"-----BEGIN" not in data:
            return _read_der(data)
        for block in read_pem(data):
            if block.label in _CERTIFICATE_LABELS:
                certificates.append(read_certificate(block.der))
            elif block.label == "X509 CRL":
                crls.append(read_crl(block.der))
            else:
                raise ValueError(f"不能有 PEM 段 {block.label} / a PEM block {block.label} may not stand in it")
    except ValueError as problem:
        raise _refuse(path, problem) from problem
    if not certificates and not crls:
        raise _refuse(path, "里面没有证书 / no certificate in it")
    return certificates, crls


def _read_der(data: bytes) -> tuple[list[Certificate], list[RevocationList]]:
    try:
        return [read_certificate(data)], []
    except ValueError as reason:
        try:
            return [], [read_crl(data)]
        except ValueError:
            raise reason from None


def _read_list(path: Path) -> list[Entry]:
    """The entries of a trust.yaml."""
    import yaml

    try:
        rows = yaml.load(_bytes_of(path), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as problem:
        raise _refuse(path, problem) from problem
    if not isinstance(rows, list):
        raise _refuse(path, "不是列表 / not a list", "CEB-SIGN-064")
    entries: list[Entry] = []
    for number, row in enumerate(rows, 1):
        try:
            entries += _entries_of(path, row)
        except ValueError as problem:
            raise _refuse(path, f"[{number}] {problem}", "CEB-SIGN-064") from problem
    return entries


def _entries_of(path: Path, row: Any) -> list[Entry]:
    if not isinstance(row, dict) or not isinstance(row.get("certificate"), str):
        raise ValueError("缺少 certificate / certificate is missing")
    unknown = sorted(map(str, set(row) - _ENTRY_KEYS))
    if unknown:
        raise ValueError(f"不认识的项 {', '.join(unknown)} / unknown key")
    text = row["certificate"]
    if "-----BEGIN" in text:
        certificates, crls = _read_blocks(path, text.encode())
    else:
        certificates, crls = _read_file(path.parent / text)
    if crls or not certificates:
        raise ValueError("certificate 里不全是证书 / certificate holds something else than certificates")
    since, until = _date_of(row, "since"), _date_of(row, "until")
    return [Entry(certificate, _declarants_of(row), since, until) for certificate in certificates]


def _declarants_of(row: dict[str, Any]) -> frozenset[str] | None:
    codes = row.get("declarants")
    if codes == ANY:
        return None
    if not isinstance(codes, list) or not codes or not all(isinstance(code, str) and code for code in codes):
        raise ValueError("declarants 应为加引号的编码列表或 any / declarants should be a list of quoted codes or any")
    return frozenset(codes)


def _date_of(row: dict[str, Any], key: str) -> date | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, datetime):
        return beijing_day(value if value.tzinfo else value.replace(tzinfo=BEIJING))
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        return date.fromisoformat(value)
    raise ValueError(f"{key} 不是日期 / {key} is not a day")
