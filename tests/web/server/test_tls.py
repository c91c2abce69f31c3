"""What can be spoken at our TLS ports, by connecting with one cipher at a time."""

from __future__ import annotations

import ssl
from pathlib import Path
from socket import create_connection

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Port
from twisted.internet.threads import deferToThread

from tests.support.deadline import within
from tests.support.testbed.certificate import write_certificate
from wifidogd.web.server.tls import StrictTls

pytestmark = pytest.mark.filterwarnings("ignore:Passing (pyOpenSSL|method)")  # Twisted's parser of ssl: does

DH = """-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


def client(ciphers: str, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a client that speaks one version, and nothing else if it is an old one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


def spoken(port: int, context: ssl.SSLContext) -> str | None:
    """Connect; return the cipher that was agreed on, None if there was none."""
    with create_connection(("127.0.0.1", port), 5) as raw:
        try:
            with context.wrap_socket(raw) as wire:
                agreed = wire.cipher()
                return agreed[0] if agreed else None
        except (ssl.SSLError, ConnectionError):
            return None


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("more", ["", ":sslmethod=TLS_METHOD", ":dhParameters={folder}/dh.pem"])
@ensureDeferred
async def test_only_ciphers_that_protect_what_was_said_are_spoken(tmp_path: Path, more: str) -> None:
    """Nothing without authentication of what is encrypted, nothing that a stolen key opens later, nothing old."""
    write_certificate(tmp_path)
    (tmp_path / "dh.pem").write_text(DH)
    text = f"ssl:0:interface=127.0.0.1:privateKey={tmp_path}/both.pem{more.format(folder=tmp_path)}"
    listener: Port = await serverFromString(StrictTls(reactor), text).listen(Factory.forProtocol(Protocol))
    port = listener.getHost().port
    names = [each["name"] for each in client("ALL:COMPLEMENTOFALL", ssl.TLSVersion.TLSv1_2).get_ciphers()]
    agreed = set()
    for name in names:
        if not name.startswith("TLS_"):
            agreed.add(await within(10, deferToThread(spoken, port, client(name, ssl.TLSVersion.TLSv1_2))))
    agreed -= {None}
    assert agreed
    assert {name for name in agreed if not name.startswith("ECDHE-")} == set()
    assert {name for name in agreed if not name.endswith(("GCM-SHA256", "GCM-SHA384", "POLY1305"))} == set()
    assert await within(10, deferToThread(spoken, port, client("ALL", ssl.TLSVersion.TLSv1_3))) is not None
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        assert await within(10, deferToThread(spoken, port, client("ALL", old))) is None
    await within(5, listener.stopListening())
