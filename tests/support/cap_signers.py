"""Keys, certificates and authorities made for a test, and documents signed with them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from alertd.cap.sealing import Signer as Sealer
from alertd.cap.sealing import load_key, load_own
from alertd.cap.trust import Trust

AT = datetime(2026, 11, 22, 6, tzinfo=UTC)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Signer:
    """A key and its certificate, of its own or of an authority, from a day before `at` for `days`."""

    def __init__(
        self,
        key: Key,
        name: str,
        authority: "Signer | None" = None,
        *,
        ca: bool = False,
        at: datetime = AT,
        days: float = 30,
        signs: bool = True,
    ) -> None:
        self.key, self.name = key, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = authority or self
        usage = x509.KeyUsage(signs and not ca, not signs, False, False, False, ca, ca, False, False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - timedelta(days=1))
            .not_valid_after(at + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("comune.example.it")]), critical=False)
        )
        self.certificate = builder.sign(issuer.key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(Encoding.PEM)
        self.key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.at = at

    @property
    def sealer(self) -> Sealer:
        key = load_key(self.key_pem)
        return Sealer.of(key, load_own(self.pem, key, self.at))

    def sign(self, document: bytes) -> bytes:
        return self.sealer.sign(document)

    @property
    def trusted(self) -> tuple[x509.Certificate, ...]:
        return (self.certificate,)

    def trust(self, *, required: bool = False) -> Trust:
        return Trust(self.trusted, required=required)

    def write(self, folder: Path, name: str = "cap") -> tuple[Path, Path]:
        """The files of key and certificate."""
        key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
        key.write_bytes(self.key_pem)
        certificate.write_bytes(self.pem)
        return key, certificate


def now() -> datetime:
    return datetime.now(UTC)


def elliptic(name: str = "Comune", **more: object) -> Signer:
    return Signer(ec.generate_private_key(ec.SECP256R1()), name, **more)  # type: ignore[arg-type]


def classic(name: str = "Comune", **more: object) -> Signer:
    return Signer(rsa.generate_private_key(65537, 2048), name, **more)  # type: ignore[arg-type]
