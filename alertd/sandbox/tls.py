"""A certificate authority of the sandbox's own, kept in its folder so that a restart is trusted as before."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Tls:
    """`ca_file` is what a client trusts; `server` makes what a stand-in speaks, one each, for ALPN names differ."""

    ca_file: Path
    certificate: trustme.LeafCert

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certificate.configure_cert(context)
        return context


def make_tls(folder: Path) -> Tls:
    """Make the authority, or read it back, and issue a certificate for the loopback names."""
    ca_file, key_file = folder / "ca.pem", folder / "ca.key"
    if ca_file.exists() and key_file.exists():
        authority = trustme.CA.from_pem(ca_file.read_bytes(), key_file.read_bytes())
    else:
        authority = trustme.CA(organization_name="alertd sandbox")
        key_file.touch(mode=0o600)
        key_file.write_bytes(authority.private_key_pem.bytes())
        ca_file.write_bytes(authority.cert_pem.bytes())
    return Tls(ca_file, authority.issue_cert("127.0.0.1", "::1", "localhost"))
