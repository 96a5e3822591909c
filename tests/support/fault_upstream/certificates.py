"""Certificates with one thing wrong, made anew for every run."""

import datetime
import ipaddress
import ssl
import tempfile
from pathlib import Path
from typing import Literal, TypeAlias, assert_never

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TLSFault: TypeAlias = Literal["none", "expired", "self_signed", "wrong_name"]


@attrs.frozen(kw_only=True)
class Authority:
    """A certificate authority that nobody trusts unless told to."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        name = _name("lor3 test authority")
        certificate = (
            _builder(name, name, key, now - datetime.timedelta(days=30), now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(key=key, certificate=certificate)

    @property
    def pem(self) -> str:
        """For a client that shall trust it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server_context(self, fault: TLSFault) -> ssl.SSLContext:
        """A server's side with a certificate for 127.0.0.1 that has just this fault."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        begin, end = now - 20 * day, now + day
        issuer, signer = self.certificate.subject, self.key
        match fault:
            case "none":
                pass
            case "expired":
                end = now - day
            case "self_signed":
                issuer, signer = _name("lor3 test server"), key
            case "wrong_name":
                names = [x509.DNSName("somewhere.else.invalid")]
            case _:
                assert_never(fault)
        certificate = (
            _builder(_name("lor3 test server"), issuer, key, begin, end)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
            .sign(signer, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:  # the ssl module reads keys from files only
            path = Path(folder) / "server.pem"
            path.write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
                + certificate.public_bytes(serialization.Encoding.PEM)
            )
            context.load_cert_chain(path)
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
