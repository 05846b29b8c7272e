"""Ray's own TLS between the machines of a farm: whether it is on, and whether what it needs is in order.

Ray reads four variables of the environment, in every process: RAY_USE_TLS, and the files that
RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY and RAY_TLS_CA_CERT name. ``--tls DIR`` sets them. Without a look at
the files beforehand, a wrong one is a process of Ray that ends without a word, or that waits for ever.
"""

import logging
import os
import ssl
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from shared.errors import ConfigError
from shared.seams.farm_tls import FILES, SWITCH
from shared.storage.regular_file import read_regular_file

logger = logging.getLogger(__name__)

_ON: Final = ("1", "true")
_WARN_WITHIN: Final = timedelta(days=14)
_COPY: Final = (
    "Copy this machine's folder from where `meshcycle render-workers --make-certificates` wrote it, "
    "and give it with --tls."
)
_NOT_OURS: Final = (2, 7, 18, 19, 20, 21)
"""OpenSSL's numbers of signatures that lead to no known authority."""
_MAKE: Final = "Make another one with `meshcycle render-workers --make-certificates`."


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a machine shows to the others, and by what it knows them, in the order of Ray's variables.

    Attributes:
        certificate: Of this machine; those between it and the authority may follow.
        key: Of that certificate.
        authority: Certificates that others must be signed by.
    """

    certificate: Path
    key: Path
    authority: Path

    @classmethod
    def in_use(cls) -> Self | None:
        """Return the files that Ray will use, or None if its connections are not encrypted.

        Raises:
            ConfigError: One of them is not named.
        """
        if os.environ.get(SWITCH, "0").lower() not in _ON:
            return None
        for name in FILES:
            if not os.environ.get(name):
                raise ConfigError(
                    f"{name} in the environment: expected a file, because {SWITCH} is set, found nothing.",
                    remedy="Give --tls DIR, which sets all that Ray needs.",
                )
        return cls(*(Path(os.environ[name]) for name in FILES))

    def client(self) -> ssl.SSLContext:
        """Return how to connect to another machine, as Ray does."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority)
        context.load_cert_chain(self.certificate, self.key)
        context.set_alpn_protocols(["h2"])
        return context


def require_sound_tls(own_address: str | None = None) -> None:
    """Make sure that Ray's TLS, where it is on, has what it needs; before anything is begun that needs it.

    Args:
        own_address: Under which the others, and this machine's own processes, will call it; if it is known.

    Raises:
        ConfigError: A file is missing, damaged, expired, or does not belong to the others; others on this
            machine can read the key; or the certificate is not for this machine.
    """
    files = TlsFiles.in_use()
    if files is None:
        return
    chain, authorities = _certificates(files.certificate), _certificates(files.authority)
    _require_private(files.key)
    try:
        key = serialization.load_pem_private_key(_content(files.key), password=None)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{files.key}: expected a private key in PEM without a password, found: {error}.", remedy=_COPY
        ) from error
    if key.public_key() != chain[0].public_key():
        raise ConfigError(
            f"{files.key}: expected the key of {files.certificate}, found another one.", remedy=_COPY
        )
    _require_signed(chain, authorities, files)
    for path, certificate in ((files.certificate, chain[0]), (files.authority, authorities[0])):
        _require_valid_now(path, certificate)
    if own_address is not None:
        _require_named(files.certificate, chain[0], own_address)


def refusal_of(error: ssl.SSLError) -> str:
    """Return in words why a head and this machine do not trust one another."""
    if isinstance(error, ssl.SSLCertVerificationError):
        foreign = "signed by another authority" if error.verify_code in _NOT_OURS else error.verify_message
        return f"a certificate that is not to be trusted: {foreign}"
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "no TLS, so that it was started without --tls"
    return f"that it refuses the certificate of this machine ({(error.reason or str(error)).lower()})"


def _content(path: Path) -> bytes:
    try:
        return read_regular_file(path)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: expected a file for TLS, found none.", remedy=_COPY) from error
    except OSError as error:
        raise ConfigError(
            f"{path}: expected a file for TLS, found: {error.strerror or error}.", remedy=_COPY
        ) from error


def _certificates(path: Path) -> list[x509.Certificate]:
    content = _content(path)
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise ConfigError(
            f"{path}: expected a certificate in PEM, found: {str(error).splitlines()[0]}.", remedy=_COPY
        ) from error


def _require_private(path: Path) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return  # whoever reads it says why
    if mode & 0o077:
        raise ConfigError(
            f"{path}: expected a key that only its owner can read, found that others can (mode {mode:o}).",
            remedy=f"chmod 600 {path}, and make another one if somebody may have read it.",
        )


def _require_signed(
    chain: list[x509.Certificate], authorities: list[x509.Certificate], files: TlsFiles
) -> None:
    """Make sure that one of the authorities signed the certificate, or one of those that follow it."""
    for certificate, signer in zip(chain, [*chain[1:], None], strict=True):
        if any(_signed(certificate, authority) for authority in authorities):
            return
        if signer is None or not _signed(certificate, signer):
            break
    raise ConfigError(
        f"{files.certificate}: expected a certificate that {files.authority} signed, found one of "
        f"another authority ({chain[0].issuer.rfc4514_string()}).",
        remedy=_COPY,
    )


def _signed(certificate: x509.Certificate, signer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _require_named(path: Path, certificate: x509.Certificate, address: str) -> None:
    """Make sure that a certificate is for an address, without which Ray's processes wait for each other."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    known = [
        *map(str, names.get_values_for_type(x509.IPAddress)),
        *names.get_values_for_type(x509.DNSName),
    ]
    if address not in known:
        shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")  # a network has hundreds
        raise ConfigError(
            f"{path}: expected a certificate for {address}, as this machine is called, found one for "
            f"{shown or 'no name'}.",
            remedy=f"Make one with `meshcycle render-workers --make-certificates DIR --for NAME,{address}`.",
        )


def _require_valid_now(path: Path, certificate: x509.Certificate) -> None:
    now, last = datetime.now(UTC), certificate.not_valid_after_utc
    if now > last:
        raise ConfigError(
            f"{path}: expected a certificate that is valid today, found that it expired on {last:%Y-%m-%d}.",
            remedy=_MAKE,
        )
    if now < certificate.not_valid_before_utc:
        raise ConfigError(
            f"{path}: expected a certificate that is valid today, found one that begins on "
            f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC.",
            remedy="Set the clock of this machine.",
        )
    if now + _WARN_WITHIN > last:
        logger.warning("%s expires on %s. %s", path, f"{last:%Y-%m-%d}", _MAKE)
