"""A private CA and what it signs, made anew for each test run."""

import datetime
import ipaddress
import pathlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    def __init__(self, folder, name="test CA"):
        self.folder = pathlib.Path(folder)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(name, self.key, authority=True, issuer=_name(name))
        self.path = self._write(f"{name}.pem", self.certificate)

    def _sign(self, name, key, authority=False, issuer=None, alternatives=(), days=10):
        now = datetime.datetime.now(datetime.timezone.utc)
        end = now + datetime.timedelta(days=days)
        builder = (x509.CertificateBuilder().subject_name(_name(name)).issuer_name(issuer or self.certificate.subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(min(now, end) - datetime.timedelta(days=1)).not_valid_after(end)
                   .add_extension(x509.BasicConstraints(authority, None), critical=True))
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def _write(self, name, *objects):
        path = self.folder / name
        text = b""
        for item in objects:
            if isinstance(item, x509.Certificate):
                text += item.public_bytes(serialization.Encoding.PEM)
            else:
                text += item.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption())
        path.write_bytes(text)
        path.chmod(0o600)
        return path

    def issue(self, name, address="127.0.0.1", days=10):
        """A file with certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName(name)]
        return self._write(f"{name}.pem", self._sign(name, key, alternatives=alternatives, days=days), key)

    def server(self, file, clients=False):
        """A context for a server; with `clients`, one that asks for a certificate of this CA."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.path)
        return context
