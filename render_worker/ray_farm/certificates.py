"""Certificates for a farm whose network strangers can listen to: an authority, and one certificate a machine.

Ray has both sides of every connection prove that the farm's own authority knows them. So whoever holds the
authority's key, or a machine's folder, is a part of the farm; both are for their owner only.

    DIR/ca.crt, ca.key                          the authority; its key stays where it was made
    DIR/NAME/ca.crt, machine.crt, machine.key   for the machine called NAME: what `--tls` takes there
"""

import ipaddress
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.errors import ConfigError, StorageError
from shared.seams.farm_tls import AUTHORITY, MACHINE, MACHINE_KEY
from shared.storage.files import written_aside
from shared.storage.regular_file import read_regular_file

AUTHORITY_KEY: Final = "ca.key"
_ITSELF: Final = ("localhost", "127.0.0.1", "::1")
"""Names under which every machine talks to itself."""
_MOST_ADDRESSES: Final = 1024
"""Of one certificate: each costs six bytes in every handshake, whose size is limited."""
_AUTHORITY_DAYS: Final = 3650
_BACKDATED: Final = timedelta(hours=1)
"""Clocks of machines differ."""


@dataclass(frozen=True, slots=True)
class MadeCertificates:
    """What was made.

    Attributes:
        authority: Its folder, whose key lets whoever has it into the farm.
        machines: A folder for each machine.
    """

    authority: Path
    machines: tuple[Path, ...]

    def to_text(self) -> str:
        """Return what to do with them."""
        lines = [
            f"{folder}: copy it to that machine, and give it with --tls there." for folder in self.machines
        ]
        return "\n".join(
            [*lines, f"{self.authority / AUTHORITY_KEY}: stays here; it signs further machines."]
        )

    def to_json(self) -> dict[str, object]:
        """Return the folders."""
        return {"authority": self.authority, "machines": self.machines}


def make_certificates(folder: Path, machines: Sequence[str], *, days: int) -> MadeCertificates:
    """Make a certificate for every machine, by the authority in a folder, which is made if it is missing.

    Args:
        folder: Of the authority. It may exist; machines that have certificates there get new ones.
        machines: The names and addresses of each, with commas between them, the first of which names its
            folder. An address may be a network, ``172.28.0.0/24``: one certificate for whoever is in there.
        days: How long they are valid; the authority for ten years, or as long.

    Raises:
        ConfigError: A machine has no name, or one that is neither a name nor an address.
        StorageError: The authority there is damaged, or nothing can be written.
    """
    named = {names[0]: names for names in map(_names_of, machines)}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority, key = _authority(folder, days=days)
        made = []
        for name, names in named.items():
            place = folder / name.replace("/", "_")
            place.mkdir(mode=0o700, exist_ok=True)
            own_key = ec.generate_private_key(ec.SECP256R1())
            certificate = _certificate(
                name, own_key, signed_by=(authority.subject, key), names=names, days=days
            )
            _write(place / MACHINE_KEY, _key_pem(own_key), mode=0o600)
            _write(place / MACHINE, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
            _write(place / AUTHORITY, authority.public_bytes(serialization.Encoding.PEM), mode=0o644)
            made.append(place)
    except OSError as error:
        raise StorageError(
            f"{folder}: expected to write certificates there, found: {error.strerror or error}."
        ) from error
    return MadeCertificates(folder, tuple(made))


def _names_of(machine: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in machine.split(",") if name.strip())
    if not names:
        raise ConfigError(
            f"--for {machine!r}: expected names or addresses of a machine, found none.",
            remedy="Write, for example, 10.0.0.5,gpu-box.",
        )
    list(_alternatives(names))  # a wrong one is reported before anything is made
    return names


def _alternatives(names: Sequence[str]) -> Iterator[x509.GeneralName]:
    """Yield names and addresses as a certificate holds them."""
    for name in dict.fromkeys([*names, *_ITSELF]):
        try:
            network = ipaddress.ip_network(name)
        except ValueError as error:
            if "/" in name or not _is_host_name(name):
                raise ConfigError(
                    f"--for {name}: expected a host name, an address or a network, found neither.",
                    remedy="Write, for example, 10.0.0.5,gpu-box or 172.28.0.0/24.",
                ) from error
            yield x509.DNSName(name)
            continue
        if network.num_addresses > _MOST_ADDRESSES:
            raise ConfigError(
                f"--for {name}: expected at most {_MOST_ADDRESSES} addresses, found {network.num_addresses}.",
                remedy="Give a smaller network, or every machine a certificate of its own.",
            )
        yield from map(x509.IPAddress, network)


def _is_host_name(name: str) -> bool:
    parts = name.split(".")
    return len(name) < 254 and all(
        0 < len(part) < 64 and part.isascii() and part.replace("-", "").replace("_", "").isalnum()
        for part in parts
    )


def _authority(folder: Path, *, days: int) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Read the authority in a folder, or make it."""
    certificate_path, key_path = folder / AUTHORITY, folder / AUTHORITY_KEY
    if not certificate_path.exists() and not key_path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        name = f"meshcycle farm {secrets.token_hex(4)}"  # authorities of two farms are told apart
        certificate = _certificate(name, key, signed_by=None, names=(), days=max(days, _AUTHORITY_DAYS))
        _write(key_path, _key_pem(key), mode=0o600)
        _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        return certificate, key
    found: object = "another kind of key"
    try:
        certificate = x509.load_pem_x509_certificate(read_regular_file(certificate_path))
        loaded = serialization.load_pem_private_key(read_regular_file(key_path), password=None)
        if isinstance(loaded, ec.EllipticCurvePrivateKey):
            if certificate.public_key() == loaded.public_key():
                return certificate, loaded
            found = "a key of another one"
    except (OSError, ValueError, TypeError) as error:
        found = error
    raise StorageError(
        f"{folder}: expected the {AUTHORITY} and {AUTHORITY_KEY} that were made together, found: {found}.",
        remedy="Bring them back, or make new ones for all machines in an empty folder.",
    )


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    signed_by: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None,
    names: Sequence[str],
    days: int,
) -> x509.Certificate:
    """Make a certificate, of an authority if nobody else signs it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    issuer, issuer_key = signed_by or (subject, key)
    is_authority = signed_by is None
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False)
        .add_extension(_key_usage(is_authority=is_authority), True)
    )
    if not is_authority:
        both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(both, False)
        builder = builder.add_extension(x509.SubjectAlternativeName(_alternatives(names)), False)
    return builder.sign(issuer_key, hashes.SHA256())


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file that nobody can read before it has its mode, and that is never written through a link."""
    with written_aside(path) as temporary:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
