"""`[cap]`: how what alertd publishes is signed, and whose signatures it believes; keys and certificates are read here,
once, and never again until the next reload."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, SecretStr

from alertd.cap.sealing import Signer, SigningKey, load_key, load_own
from alertd.cap.signature import MISSING
from alertd.cap.trust import Certificate, Trust, load_anchors
from alertd.settings.coerce import validated
from alertd.settings.errors import shown
from alertd.settings.findings import Findings
from alertd.settings.model import Section
from alertd.settings.report import unknown_keys
from alertd.settings.secret import resolve
from alertd.settings.source import Key

CAP: Final = "cap"
MAY_FAIL: Final = frozenset({"cap.sign", "cap.key", "cap.certificate", "cap.trusted"})
"""What a file, the calendar or an installation can make faulty overnight: it keeps no daemon from starting."""
SOON: Final = timedelta(days=30)
"""So long before a certificate ends the operators are told."""
_INSTALL: Final = "pip install 'alertd[cap-sign]'"
_REFERENCE: Final = '{credential = "NAME"} or {file = "PATH"}, of'
Signed = Literal["optional", "required"]
SIGNED: Final = '"required" or "optional"'
TRUSTED: Final = "the path of a file with certificates (PEM): of those who sign, or of their authorities"


class CapSection(Section):
    """As it is written."""

    sign: bool = Field(default=False, description="true to sign every CAP document that is published")
    key: SecretStr | None = Field(default=None, description=f"{_REFERENCE} an unencrypted private key in PEM")
    certificate: str | None = Field(
        default=None, description=f"{_REFERENCE} the key's certificate in PEM, its authorities' after it"
    )
    trusted: Path | None = Field(default=None, description=TRUSTED)
    signed: Signed = Field(default="optional", description=f"{SIGNED}: the documents that other systems post")


@dataclass(frozen=True, slots=True)
class CapTerms:
    """`signer` is None where nothing is signed. `trust` is for what other systems post; sources that name nobody of
    their own believe its anchors too."""

    signer: Signer | None = None
    trust: Trust = field(default_factory=Trust)

    def seal(self, document: bytes) -> bytes:
        return document if self.signer is None else self.signer.sign(document)

    @property
    def mark(self) -> str:
        return "" if self.signer is None else self.signer.mark

    def fading(self, now: datetime) -> Iterator[str]:
        """Which of its certificates end soon or have ended, without a name: anybody may read it."""
        if self.signer is not None:
            yield from _fading("the certificate that CAP documents are signed with", self.signer.not_after, now)
        for anchor in self.trust.anchors:
            yield from _fading("a certificate in cap.trusted", anchor.not_valid_after_utc, now)


def read_cap(environ: Mapping[str, str], findings: Findings) -> CapTerms | None:
    """What can be used of it, None where it is not even understood; what is wrong is among the findings. Without a
    usable key and certificate nothing is signed; without certificates that can be read nobody is trusted."""
    table = findings.source.tree.get(CAP, {})
    if not isinstance(table, dict):
        return None  # said elsewhere
    unknown_keys(table, CapSection, (CAP,), findings)
    section = validated(CapSection, resolve(table, (CAP,), environ, findings), (CAP,), findings)
    if section is None:
        return None
    required = section.signed == "required"
    anchors = read_anchors(section.trusted, (CAP, "trusted"), findings)
    if required and section.trusted is None:
        findings.refuse((CAP, "trusted"), "is missing: nothing can be validly signed where nobody is trusted", TRUSTED)
    return CapTerms(_signer(section, table, findings), Trust(anchors, required=required))


def read_anchors(path: Path | None, key: Key, findings: Findings) -> tuple[Certificate, ...]:
    """The certificates in a file; none where there is none, or it cannot be used, which is then a finding."""
    if path is None:
        return ()
    file, given = findings.source.folder / path.expanduser(), shown(str(path))
    if find_spec("signxml") is None:
        findings.refuse(key, MISSING, _INSTALL, given)
        return ()
    try:
        return load_anchors(file.read_bytes())
    except OSError as error:
        findings.refuse(key, f"{file} cannot be read: {error.strerror}", TRUSTED, given)
    except ValueError as error:
        findings.refuse(key, f"{file} {error}", TRUSTED, given)
    return ()


def _signer(section: CapSection, written: Mapping[str, Any], findings: Findings) -> Signer | None:
    if not section.sign:
        return None
    if find_spec("signxml") is None:
        findings.refuse((CAP, "sign"), MISSING, _INSTALL, "true")
        return None
    before = len(findings.problems)
    for name, text in (("key", section.key), ("certificate", section.certificate)):
        if text is None:
            findings.refuse(
                (CAP, name), "is missing, and sign is true", CapSection.model_fields[name].description or ""
            )
    if section.key is None or section.certificate is None or len(findings.problems) > before:
        return None
    return _pair(section.key.get_secret_value(), section.certificate, written, findings)


def _pair(key_pem: str, cert_pem: str, written: Mapping[str, Any], findings: Findings) -> Signer | None:
    """What could not be looked up is empty and was said."""
    if not key_pem or not cert_pem:
        return None
    name = "key"
    try:
        key: SigningKey = load_key(key_pem.encode())
        name = "certificate"
        chain = load_own(cert_pem.encode(), key, datetime.now(UTC))
        name = "key"
        return Signer.of(key, chain)
    except ValueError as error:
        right = CapSection.model_fields[name].description or ""
        findings.refuse((CAP, name), f"{_whence(written.get(name), findings)}{error}", right, _given(written.get(name)))
    return None


def _whence(reference: object, findings: Findings) -> str:
    """The file it came from, where it names one."""
    match reference:
        case {"file": str(name)}:
            return f"{findings.source.folder / Path(name).expanduser()}: "
        case {"credential": str(name)}:
            return f"credential {name}: "
        case _:
            return ""


def _given(reference: object) -> str | None:
    """As it was written, unless that is the key itself."""
    match reference:
        case {"file": str(name)}:
            return f'{{file = "{name}"}}'
        case {"credential": str(name)}:
            return f'{{credential = "{name}"}}'
        case _:
            return None


def _fading(what: str, ends: datetime, now: datetime) -> Iterator[str]:
    if ends <= now:
        yield f"{what} expired on {ends:%Y-%m-%d}"
    elif ends - now <= SOON:
        yield f"{what} ends on {ends:%Y-%m-%d}, in {(ends - now).days} days"
