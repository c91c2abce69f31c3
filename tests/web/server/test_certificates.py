"""The certificate of ports of plain HTTP: made once and renewed in time, or the operator's, which may change."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, gatherResults

from tests.support.builders import NOON, rows
from tests.support.deadline import within
from tests.support.observing import log_lines
from wifidogd.store.driver.database import Database
from wifidogd.store.gateways.server_certificates import StoredCertificate
from wifidogd.web.server.certificates import CertificateFiles, SelfMadeCertificate, make_certificate
from wifidogd.web.server.tls import PlainPortTls

LOGGED = "wifidogd.web.server.certificates"


def read(made: StoredCertificate) -> x509.Certificate:
    """Return a certificate as clients see it."""
    return x509.load_pem_x509_certificate(made.certificate.encode())


def shown(tls: PlainPortTls) -> x509.Certificate:
    """Return the certificate that clients are shown."""
    connection = tls.serverConnectionForTLS(None)
    found = connection.get_certificate(as_cryptography=True)
    assert isinstance(found, x509.Certificate)
    return found


def write(folder: Path, host: str) -> tuple[Path, Path]:
    """Write a certificate and its key into files."""
    made, files = make_certificate(host, datetime.now(UTC)), (folder / "fullchain.pem", folder / "privkey.pem")
    for file, text in zip(files, (made.certificate, made.private_key), strict=True):
        temporary = file.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(file)
    return files


@pytest.mark.parametrize(
    ("host", "kind", "value"),
    [
        ("wifi.example", x509.DNSName, "wifi.example"),
        ("wifi", x509.DNSName, "wifi"),
        ("192.0.2.1", x509.IPAddress, IPv4Address("192.0.2.1")),
        ("2001:db8::1", x509.IPAddress, IPv6Address("2001:db8::1")),
        (f"{'a' * 63}.{'b' * 63}.example", x509.DNSName, f"{'a' * 63}.{'b' * 63}.example"),
    ],
)
def test_it_is_for_the_host_that_guests_use(host: str, kind: type[x509.GeneralName], value: object) -> None:
    """For no more than 397 days, and for a guest whose clock is a day behind; it vouches for no other."""
    made = make_certificate(host, NOON)
    found = read(made)
    [name] = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert isinstance(name, kind)
    assert name.value == value
    assert found.not_valid_before_utc == NOON - timedelta(days=1)
    assert found.not_valid_after_utc == made.expires_at
    assert found.not_valid_after_utc - found.not_valid_before_utc + timedelta(seconds=1) == timedelta(days=397)
    assert found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert isinstance(found.public_key(), ec.EllipticCurvePublicKey)
    assert made.private_key not in repr(made)


@ensureDeferred
async def test_all_servers_show_the_same(database: Database) -> None:
    """Whoever comes first makes it; that for another name is another."""
    servers = [PlainPortTls() for _ in range(4)]
    refreshing = [
        Deferred.fromCoroutine(SelfMadeCertificate(database, tls, "wifi.example", utc_now=lambda: NOON).refresh())
        for tls in servers
    ]
    await within(10, gatherResults(refreshing))
    assert len({shown(tls).serial_number for tls in servers}) == 1
    other = PlainPortTls()
    await within(5, SelfMadeCertificate(database, other, "10.0.0.1", utc_now=lambda: NOON).refresh())
    assert shown(other) != shown(servers[0])
    assert await rows(database, "SELECT host FROM server_certificates ORDER BY host") == [
        ("10.0.0.1",),
        ("wifi.example",),
    ]


@ensureDeferred
async def test_it_is_renewed_in_time(database: Database) -> None:
    """A month before it expires, by one server; the others follow."""
    now = NOON
    one, other = PlainPortTls(), PlainPortTls()
    certificates = [SelfMadeCertificate(database, tls, "wifi.example", utc_now=lambda: now) for tls in (one, other)]
    for certificate in certificates:
        await within(5, certificate.refresh())
    first = shown(one)
    now += timedelta(days=365)
    await within(5, certificates[0].refresh())
    assert shown(one) == first
    now += timedelta(days=2)
    await within(5, certificates[0].refresh())
    assert shown(one).not_valid_after_utc > first.not_valid_after_utc
    await within(5, certificates[1].refresh())
    assert shown(other) == shown(one)
    assert await rows(database, "SELECT count(*) FROM server_certificates") == [(1,)]


@ensureDeferred
async def test_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    """Also where they are links that lead elsewhere from now on, as those of certbot."""
    tls, old, new = PlainPortTls(), tmp_path / "1", tmp_path / "2"
    for folder, host in ((old, "old.example"), (new, "new.example")):
        folder.mkdir()
        write(folder, host)
    live = tmp_path / "live"
    live.symlink_to(old)
    files = CertificateFiles(tls, live / "fullchain.pem", live / "privkey.pem")
    files.look()
    assert "old.example" in shown(tls).subject.rfc4514_string()
    live.unlink()
    live.symlink_to(new)
    with log_lines(LOGGED) as lines:
        await files.refresh()
        await files.refresh()
    assert "new.example" in shown(tls).subject.rfc4514_string()
    assert len(lines) == 1


@pytest.mark.parametrize("damage", ["gone", "empty", "half", "another's key", "a folder"])
@ensureDeferred
async def test_new_files_that_are_of_no_use_replace_nothing(tmp_path: Path, damage: str) -> None:
    """One line in the log says so, without what is in them; once they are mended they are used."""
    tls = PlainPortTls()
    certificate, key = write(tmp_path, "old.example")
    files = CertificateFiles(tls, certificate, key)
    files.look()
    before = shown(tls)
    secret = key.read_text()
    if damage in ("gone", "a folder"):
        key.unlink()
    if damage == "a folder":
        key.mkdir()
    if damage in ("empty", "half"):
        key.write_text("" if damage == "empty" else secret[: len(secret) // 2])
    if damage == "another's key":
        key.write_text(make_certificate("other.example", NOON).private_key)
    with log_lines(LOGGED) as lines:
        for _ in range(3):
            await files.refresh()
    assert shown(tls) == before
    [line] = lines
    assert line["log_level"].name == "warn"
    assert secret.split("\n")[1] not in str(line)
    if damage == "a folder":
        shutil.rmtree(key)
    write(tmp_path, "new.example")
    await files.refresh()
    assert "new.example" in shown(tls).subject.rfc4514_string()
