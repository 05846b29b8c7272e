"""Certificates for the machines of a farm: who may read them, whom they name, what is wrong with others."""

import ipaddress
import os
import stat
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cli import main
from render_worker.ray_farm import certificates
from render_worker.ray_farm.certificates import make_certificates
from render_worker.ray_farm.tls import require_sound_tls
from shared.errors import ConfigError, StorageError
from shared.seams.farm_tls import FILES, SWITCH, switch_tls_on


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the environment as they were, in the end."""
    for variable in (SWITCH, *FILES):
        monkeypatch.setenv(variable, "")


@pytest.fixture
def farm(tmp_path: Path) -> Path:
    """An authority, and the folder of a machine."""
    make_certificates(tmp_path / "farm", ["gpu-box,10.0.0.6"], days=30)
    return tmp_path / "farm"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names_in(path: Path) -> list[str]:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    ]


def test_keys_are_for_their_owner_only_and_the_authoritys_stays_where_it_is(farm: Path) -> None:
    keys = sorted(path for path in farm.rglob("*.key"))
    assert [path.relative_to(farm).as_posix() for path in keys] == ["ca.key", "gpu-box/machine.key"]
    assert {mode_of(path) for path in keys} == {0o600}
    assert {mode_of(folder) for folder in (farm, farm / "gpu-box")} == {0o700}


def test_a_machine_is_known_by_its_names_and_by_those_it_calls_itself(farm: Path) -> None:
    assert names_in(farm / "gpu-box/machine.crt") == ["gpu-box", "localhost", "10.0.0.6", "127.0.0.1", "::1"]


def test_machines_that_are_added_later_trust_those_before(farm: Path) -> None:
    authority = (farm / "ca.crt").read_bytes()
    make_certificates(farm, ["10.0.0.9"], days=30)
    assert (farm / "ca.crt").read_bytes() == authority == (farm / "10.0.0.9/ca.crt").read_bytes()
    switch_tls_on(farm / "10.0.0.9")
    require_sound_tls("10.0.0.9")


def test_certificates_made_anew_replace_a_link_and_leave_where_it_leads_alone(
    farm: Path, tmp_path: Path
) -> None:
    (tmp_path / "somebody's").write_text("notes")
    (farm / "gpu-box/ca.crt").unlink()
    (farm / "gpu-box/ca.crt").symlink_to(tmp_path / "somebody's")
    make_certificates(farm, ["gpu-box,10.0.0.6"], days=30)
    assert (tmp_path / "somebody's").read_text() == "notes"
    assert not (farm / "gpu-box/ca.crt").is_symlink()
    switch_tls_on(farm / "gpu-box")
    require_sound_tls("gpu-box")


def test_one_certificate_is_enough_for_the_containers_of_a_network(farm: Path) -> None:
    make_certificates(farm, ["trainer,172.28.0.0/24"], days=30)
    names = names_in(farm / "trainer/machine.crt")
    assert {str(address) for address in ipaddress.ip_network("172.28.0.0/24")} <= {*names}
    with pytest.raises(ConfigError, match=r"--for 10.0.0.0/8: expected at most 1024 addresses"):
        make_certificates(farm, ["10.0.0.0/8"], days=30)


@pytest.mark.parametrize("name", ["", " , ", "a b", "../up", "10.0.0.0/99", "x" * 300, "ä"])
def test_what_is_no_name_is_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="--for"):
        make_certificates(tmp_path / "farm", ["good", name], days=30)
    assert not (tmp_path / "farm").exists()


def test_an_authority_whose_key_is_another_one_signs_nothing(farm: Path, tmp_path: Path) -> None:
    make_certificates(tmp_path / "other", ["x"], days=30)
    (farm / "ca.key").write_bytes((tmp_path / "other/ca.key").read_bytes())
    with pytest.raises(
        StorageError, match=r"expected the ca.crt and ca.key that were made together, found: a k"
    ):
        make_certificates(farm, ["late"], days=30)


def test_a_link_in_place_of_a_key_is_not_written_through(farm: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (farm / "gpu-box/machine.key").unlink()
    (farm / "gpu-box/machine.key").symlink_to(precious)
    make_certificates(farm, ["gpu-box"], days=30)
    assert precious.read_text() == "mine"


def test_without_tls_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")
    require_sound_tls()


def test_sound_certificates_are_accepted_and_those_that_end_soon_are_said_so(
    farm: Path, caplog: pytest.LogCaptureFixture
) -> None:
    switch_tls_on(farm / "gpu-box")
    require_sound_tls("10.0.0.6")
    assert caplog.text == ""
    make_certificates(farm, ["gpu-box"], days=3)
    require_sound_tls("gpu-box")
    assert "machine.crt expires on" in caplog.text


class LongAgo(datetime):
    """A clock of another year."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls(2021, 3, 4, tzinfo=tz)


def another_authority(machine: Path) -> None:
    make_certificates(machine.parent.parent / "other", ["x"], days=30)
    (machine / "ca.crt").write_bytes((machine.parent.parent / "other/ca.crt").read_bytes())


def another_key(machine: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (machine / "machine.key").write_bytes(pem)


def expired(machine: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(certificates, "datetime", LongAgo)
        make_certificates(machine.parent, ["gpu-box,10.0.0.6"], days=30)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda machine: (machine / "machine.key").unlink(),
            r"machine\.key: expected a file for TLS, found none",
        ),
        (lambda machine: (machine / "ca.crt").unlink(), r"ca\.crt: expected a file for TLS, found none"),
        (lambda machine: (machine / "machine.key").chmod(0o640), r"found that others can \(mode 640\)"),
        (lambda machine: (machine / "machine.key").write_text("no"), "expected a private key in PEM"),
        (lambda machine: (machine / "machine.crt").write_text("no"), "expected a certificate in PEM"),
        (another_key, r"expected the key of .*machine\.crt, found another one"),
        (another_authority, r"expected a certificate that .*ca\.crt signed, found one of another authority"),
        (expired, r"expected a certificate that is valid today, found that it expired on 20"),
    ],
    ids=["no key", "no authority", "readable", "no PEM key", "no PEM", "other key", "foreign", "expired"],
)
def test_what_is_wrong_with_certificates_is_said_before_ray_starts(
    farm: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(farm / "gpu-box")
    switch_tls_on(farm / "gpu-box")
    with pytest.raises(ConfigError, match=said):
        require_sound_tls("10.0.0.6")


def test_a_certificate_for_another_machine_is_refused(farm: Path) -> None:
    """Ray's own processes would wait for one another without a word."""
    switch_tls_on(farm / "gpu-box")
    with pytest.raises(
        ConfigError, match=r"expected a certificate for 10\.0\.0\.7, as .* found one for 10\.0\.0\.6"
    ):
        require_sound_tls("10.0.0.7")


def test_a_variable_of_ray_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "1")
    with pytest.raises(ConfigError, match="RAY_TLS_SERVER_CERT in the environment: expected a file"):
        require_sound_tls()


def test_the_command_makes_certificates_and_starts_nothing(tmp_path: Path) -> None:
    command = ["render-workers", "--make-certificates", str(tmp_path / "farm"), "--for", "10.0.0.5", "--json"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "farm/10.0.0.5/machine.key").exists()
    without_names = CliRunner().invoke(main, command[:3])
    assert without_names.exit_code == 2
    assert "Give --make-certificates DIR and --for NAME together." in without_names.output


def test_no_key_is_ever_readable_for_others_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even for the moment between its creation and a chmod."""
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    make_certificates(tmp_path / "farm", ["one"], days=30)
    assert {mode_of(path) for path in (tmp_path / "farm").rglob("*.key")} <= {0o600, 0o400}
