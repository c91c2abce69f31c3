"""What the operator may choose, on the command line and in the environment."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from twisted.logger import formatEvent
from twisted.python.usage import UsageError

from tests.support.builders import NOON
from tests.support.observing import log_lines
from wifidogd.accounts.smtp_server import MailServer, Security
from wifidogd.settings import MailSettings, Options, Settings, TlsFiles, default_data_dir
from wifidogd.web.server.certificates import make_certificate

URL = "postgresql://wifidogd@db.example/wifidogd"
CHOICES = ["listen", "database", "data-dir", "path", "public-url", "mail", "mail-password-file", "mail-from"]
CHOICES += ["workers", "trust-new-gateways", "health-details", "certificate", "key", "https"]


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of whoever runs the tests does not count."""
    for name in [name for name in os.environ if name.startswith("WIFIDOGD_") or name == "STATE_DIRECTORY"]:
        monkeypatch.delenv(name)


def parsed(*arguments: str) -> Settings:
    """Read a command line."""
    options = Options()
    options.parseOptions(list(arguments))
    return options.settings


def value_of(settings: Settings, name: str) -> object:
    """Look up what an option has set."""
    return getattr(settings, name.replace("-", "_"))


def variable(name: str) -> str:
    """Name an option in the environment."""
    return "WIFIDOGD_" + name.upper().replace("-", "_")


def test_nothing_need_be_said() -> None:
    """A server of its own on port 8080."""
    assert parsed() == Settings(
        listen=("tcp:8080",),
        database=None,
        data_dir=default_data_dir(),
        path="/wifidog/",
        public_url=None,
        mail=None,
        workers=1,
        trust_new_gateways=False,
        health_details=False,
    )


SAID = [
    ("listen", "tcp:8081", ("tcp:8081",)),
    ("database", URL, URL),
    ("database", "host=db.example dbname=wifidogd", "host=db.example dbname=wifidogd"),
    ("data-dir", "/srv/wifidogd", Path("/srv/wifidogd")),
    ("data-dir", "/tmp", Path("/tmp")),
    ("path", "/", "/"),
    ("path", "//", "/"),
    ("path", "wifidog", "/wifidog/"),
    ("path", "/a/b-c_d.e~f", "/a/b-c_d.e~f/"),
    ("workers", "1", 1),
    ("workers", "64", 64),
    ("public-url", "http://wifi.example", "http://wifi.example"),
    ("public-url", "http://wifi.example:8080/", "http://wifi.example:8080"),
    ("public-url", "https://192.168.1.2:8443", "https://192.168.1.2:8443"),
    ("public-url", "http://[fd00::2]:8080", "http://[fd00::2]:8080"),
]


@pytest.mark.parametrize(("name", "text", "value"), SAID)
def test_every_option_can_be_said_on_the_command_line(name: str, text: str, value: object) -> None:
    """And comes out ready for use."""
    assert value_of(parsed(f"--{name}", text), name) == value


@pytest.mark.parametrize(("name", "text", "value"), SAID)
def test_every_option_can_be_said_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    """In capitals, with underscores."""
    monkeypatch.setenv(variable(name), text)
    assert value_of(parsed(), name) == value


@pytest.mark.parametrize("name", CHOICES)
def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As service files have them."""
    default = parsed()
    monkeypatch.setenv(variable(name), "")
    assert parsed() == default


def test_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over several endpoints."""
    monkeypatch.setenv("WIFIDOGD_LISTEN", "tcp:1 tcp:2")
    monkeypatch.setenv("WIFIDOGD_PATH", "/environment/")
    settings = parsed("--listen", "tcp:3", "--path", "/line/")
    assert (settings.listen, settings.path) == (("tcp:3",), "/line/")


@pytest.mark.parametrize(
    ("listen", "added"),
    [
        (["tcp:80"], ["tcp:443"]),
        (["tcp:80:interface=127.0.0.1", "tcp6:80"], ["tcp:443:interface=127.0.0.1", "tcp6:443"]),
        (["tcp:interface=127.0.0.1:port=80", "tcp:8080"], ["tcp:interface=127.0.0.1:port=443"]),
        (["haproxy:tcp:80"], ["haproxy:tcp:443"]),
    ],
)
def test_port_443_comes_beside_port_80(monkeypatch: pytest.MonkeyPatch, listen: list[str], added: list[str]) -> None:
    """With --https, or as the environment says."""
    arguments = [f"--listen={text}" for text in listen]
    assert parsed(*arguments, "--https").listen == (*listen, *added)
    monkeypatch.setenv("WIFIDOGD_HTTPS", "yes")
    assert parsed(*arguments).listen == (*listen, *added)


@pytest.mark.parametrize(
    ("listen", "instead"),
    [
        ([], "write --listen tcp:80"),
        (["tcp:8080"], "write --listen tcp:80"),
        (["tcp:8080:interface=80.0.0.1"], "write --listen tcp:80"),
        (["unix:/run/80"], "write --listen tcp:80"),
        (["tcp:80", "tcp:443"], "leave out one"),
    ],
)
def test_port_443_needs_port_80_beside_it(listen: list[str], instead: str) -> None:
    """And nobody else at 443."""
    with pytest.raises(UsageError, match=instead):
        parsed(*(f"--listen={text}" for text in listen), "--https")


def test_a_certificate_has_a_key(tmp_path: Path) -> None:
    """Both are read at the start, so that a mistake is noticed then."""
    made, other = (make_certificate("wifi.example", NOON) for _ in range(2))
    names = {"made": made.certificate, "key": made.private_key, "other": other.private_key, "none": ""}
    files = {name: tmp_path / f"{name}.pem" for name in names}
    for name, text in names.items():
        files[name].write_text(text)
    settings = parsed(f"--certificate={files['made']}", f"--key={files['key']}")
    assert settings.tls_files == TlsFiles(files["made"], files["key"])
    files["gone"] = tmp_path / "gone"
    for certificate, key in (("made", "other"), ("key", "made"), ("none", "key"), ("made", "none"), ("gone", "key")):
        with pytest.raises(UsageError, match="name files in PEM"):
            parsed(f"--certificate={files[certificate]}", f"--key={files[key]}")
    for alone in ("certificate", "key"):
        with pytest.raises(UsageError, match="belong together"):
            parsed(f"--{alone}={files['made']}")


def test_several_endpoints_can_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """By repeating the option, or with spaces in the environment."""
    assert parsed("--listen", "tcp:1", "--listen", "tcp6:2").listen == ("tcp:1", "tcp6:2")
    monkeypatch.setenv("WIFIDOGD_LISTEN", " tcp:1  tcp6:2 ")
    assert parsed().listen == ("tcp:1", "tcp6:2")


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp:8080:interface=127.0.0.1",
        "tcp:port=8080",
        "tcp:interface=127.0.0.1:port=8080",
        "tcp:8080:backlog=500",
        "tcp6:8080",
        "tcp:65535",
        "tcp:0",
        "unix:/run/wifidogd.sock",
        "haproxy:tcp:8080",
    ],
)
def test_endpoints_are_written_as_twisted_reads_them(endpoint: str) -> None:
    """Port 0 lets the system choose, as tests do."""
    assert parsed("--listen", endpoint).listen == (endpoint,)


FLAGS = pytest.mark.parametrize("flag", ["trust-new-gateways", "health-details"])


@FLAGS
@pytest.mark.parametrize("said", ["1", "yes", "true", "on", "YES", "True"])
def test_flags_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch, said: str, flag: str) -> None:
    """In the words that people use."""
    monkeypatch.setenv(variable(flag), said)
    assert value_of(parsed(), flag) is True


@FLAGS
@pytest.mark.parametrize("said", ["0", "no", "false", "off", ""])
def test_flags_can_be_left_off_in_the_environment(monkeypatch: pytest.MonkeyPatch, said: str, flag: str) -> None:
    """Unless the command line says otherwise."""
    monkeypatch.setenv(variable(flag), said)
    assert value_of(parsed(), flag) is False
    assert value_of(parsed(f"--{flag}"), flag) is True


IMPOSSIBLE = [
    *(
        ("listen", endpoint, "such as tcp:8080")
        for endpoint in (
            "8080",
            "tcp:",
            "tcp:http",
            "tcp:-1",
            "tcp:65536",
            "tcp:interface=127.0.0.1",
            "tcp:interface=127.0.0.1:port=65536",
            "tcp:99999999999999999999",
            "haproxy:tcp:65536",
            "haproxy:tcp:interface=127.0.0.1",
            "tcp:8080:nonsense=1",
            "http:80",
            "ssl:443:privateKey=/nowhere.pem:certKey=/nowhere.pem",
        )
    ),
    *(
        ("database", dsn, "write it like")
        for dsn in ("wifidogd", "nonsense=1", "http://db.example/", "host='x")
    ),
    *(
        ("data-dir", path, "name a directory")
        for path in ("/etc/passwd", "/etc/passwd/below", "~nobody-of-this-name/x", "/tmp/" + "x" * 300)
    ),
    *(
        ("path", path, "such as /wifidog/")
        for path in ("a b", "a?b", "a#b", "a%20b", "a//b", "..", "/.", "/a/../b", "ä", "/wifidog\n", 'a"b', "<a>")
    ),
    *(
        ("public-url", url, "such as http://wifi.example:8080")
        for url in (
            "wifi.example",
            "wifi.example:8080",
            "ftp://wifi.example",
            "http://",
            "http://:8080",
            "http://wifi.example:",
            "http://wifi.example:0",
            "http://wifi.example:65536",
            "http://wifi.example:http",
            "http://wifi.example:８０",
            "http://wifi.example/wifidog/",
            "http://wifi.example?a",
            "http://wifi.example#a",
            "http://me@wifi.example",
            "http://me:secret@wifi.example",
            "http://wifi example",
            " http://wifi.example",
            "http://wifi.\nexample",
            "http://wifi.example\\x",
            "http://wifi<.example",
            "http://wifí.example",
            "http://[::1",
            "http://[nonsense]",
            "http://[fe80::1%25eth0]",
            "http://.",
        )
    ),
    *(
        ("mail", url, "such as smtp+tls://user@mail.example:587")
        for url in (
            "mail.example",
            "mail.example:587",
            "http://mail.example",
            "smtp+tls://",
            "smtp+tls://:587",
            "smtps://mail.example/inbox",
            "smtps://mail.example?x",
            "smtps://mail.example#x",
        )
    ),
    *(
        ("mail", url, "something like smtp+tls://")
        for url in ("smtps://mail.example:0", "smtps://mail.example:65536", "smtps://mail.example:x", "smtps://[::1",
                    "smtps://mail example", "smtps://mail.example\n")
    ),
    *(
        ("mail", url, "write smtp+tls:// or smtps://")
        for url in ("smtp://mail.example", "smtp://192.0.2.1", "smtp://localhost.example", "smtp://[2001:db8::1]:25")
    ),
    *(("workers", number, "such as 2") for number in ("0", "-1", "65", "100", "two", "1.5", "02", "2 ", "٢")),
    ("mail", "smtps://me:secret@mail.example", "write the password into a file"),
    ("mail", "smtps://me@mail.example", "--mail-password-file"),
    ("mail", "smtps://mail.example", "such as --public-url http://wifi.example:8080"),
    ("mail-from", "wifi@hotel.example", "without --mail"),
    ("mail-password-file", "/etc/hostname", "without --mail"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "instead"), IMPOSSIBLE)
def test_an_impossible_value_is_refused_with_what_to_write_instead(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, instead: str
) -> None:
    """In one sentence, wherever it was said."""
    with pytest.raises(UsageError) as refused:
        parsed(f"--{name}", text)
    assert instead in str(refused.value)
    assert str(refused.value).endswith((".", '".'))
    monkeypatch.setenv(variable(name), text)
    with pytest.raises(UsageError) as refused_again:
        parsed()
    assert str(refused_again.value) == str(refused.value)


def test_workers_share_only_what_can_be_inherited() -> None:
    """TCP, with or without TLS or a proxy in front, and Unix sockets; one process accepts anywhere."""
    for endpoint in ("tcp:1", "tcp6:2", "unix:/x", "haproxy:tcp:1"):
        assert parsed("--workers", "2", "--listen", endpoint).workers == 2
    assert parsed("--workers", "1", "--listen", "stdio:").workers == 1
    with pytest.raises(UsageError, match="--listen stdio: cannot be shared; write tcp"):
        parsed("--workers", "2", "--listen", "tcp:1", "--listen", "stdio:")


def test_one_impossible_endpoint_is_enough() -> None:
    """All are looked at."""
    with pytest.raises(UsageError, match="tcp:http"):
        parsed("--listen", "tcp:8080", "--listen", "tcp:http")


def test_trust_is_a_matter_of_yes_or_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody trusts by a misspelling."""
    monkeypatch.setenv("WIFIDOGD_TRUST_NEW_GATEWAYS", "perhaps")
    with pytest.raises(UsageError, match="write yes or no"):
        parsed()


def test_a_dsn_is_not_repeated_when_refused() -> None:
    """It may hold a password, and what is refused is often logged."""
    with pytest.raises(UsageError) as refused:
        parsed("--database", "password=secret host='x")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("dsn", "is_seen"),
    [
        ("postgresql://wifidogd:secret@db.example/wifidogd", True),
        ("host=db.example password=secret", True),
        ("host=db.example passfile=/etc/wifidogd.pgpass", False),
        (URL, False),
    ],
)
def test_a_password_that_everybody_can_read_is_pointed_out(
    monkeypatch: pytest.MonkeyPatch, dsn: str, is_seen: bool
) -> None:
    """On the command line, not in the environment; without repeating it, and it is used all the same."""
    with log_lines("wifidogd.settings") as events:
        assert parsed("--database", dsn).database == dsn
    said = [formatEvent(event) for event in events]
    assert ["WIFIDOGD_DATABASE" in text for text in said] == [True] * is_seen
    assert "secret" not in str(said)
    monkeypatch.setenv("WIFIDOGD_DATABASE", dsn)
    with log_lines("wifidogd.settings") as events:
        parsed()
    assert events == []


def test_a_password_in_a_url_is_not_repeated_when_refused() -> None:
    """It belongs into a file, and what is refused is often logged."""
    with pytest.raises(UsageError) as refused:
        parsed("--mail", "smtps://me:secret@mail.example")
    assert "secret" not in str(refused.value)


HERE = ["--public-url", "http://wifi.example"]


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp+tls://me@mail.example", MailServer("mail.example", 587, Security.STARTTLS, "me", "secret word")),
        ("smtp+tls://me@mail.example:25/", MailServer("mail.example", 25, Security.STARTTLS, "me", "secret word")),
        (
            "smtps://wifi%40hotel.example@Mail.Example",
            MailServer("mail.example", 465, Security.TLS, "wifi@hotel.example", "secret word"),
        ),
        ("smtp://me@127.0.0.1:2525", MailServer("127.0.0.1", 2525, Security.NONE, "me", "secret word")),
        ("smtp://me@[::1]", MailServer("::1", 25, Security.NONE, "me", "secret word")),
    ],
)
def test_mail_goes_where_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, server: MailServer
) -> None:
    """With the first line of the file as password, on the command line and from the environment."""
    file = tmp_path / "password"
    file.write_text("secret word\nmore\n", "utf-8")
    said = ["--mail", url, "--mail-password-file", str(file), "--mail-from", "WiFi@Hotel.example", *HERE]
    assert parsed(*said).mail == MailSettings(server, "wifi@hotel.example")
    for option, value in zip(said[::2], said[1::2], strict=True):
        monkeypatch.setenv(variable(option.lstrip("-")), value)
    assert parsed().mail == MailSettings(server, "wifi@hotel.example")
    assert "secret" not in repr(parsed())


def test_mail_comes_from_the_user_if_that_is_an_address(tmp_path: Path) -> None:
    """Otherwise somebody must say from whom."""
    file = tmp_path / "password"
    file.write_text("secret", "utf-8")
    said = ["--mail-password-file", str(file), *HERE]
    mail = parsed("--mail", "smtps://wifi@hotel.example@mail.example", *said).mail
    assert mail is not None
    assert mail.sender == "wifi@hotel.example"
    for wrong in (["--mail", "smtps://me@mail.example"], ["--mail", "smtps://me@mail.example", "--mail-from", "me"]):
        with pytest.raises(UsageError, match="write the address that mails come from"):
            parsed(*wrong, *said)
    nobody = parsed("--mail", "smtp://localhost", "--mail-from", "a@b.example", *HERE).mail
    assert nobody is not None
    assert nobody.server.user is None


@pytest.mark.parametrize("content", [None, b"", b"\nsecond line", b"\xff\xfe"])
def test_a_password_file_that_holds_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Or is not there."""
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match="--mail-password-file"):
        parsed("--mail", "smtps://a@b.example@mail.example", "--mail-password-file", str(file), *HERE)


def test_a_password_needs_a_user(tmp_path: Path) -> None:
    """Or it would be forgotten in silence."""
    file = tmp_path / "password"
    file.write_text("secret", "utf-8")
    with pytest.raises(UsageError, match="needs a user"):
        parsed("--mail", "smtps://mail.example", "--mail-password-file", str(file), *HERE)


@pytest.mark.parametrize("arguments", [["--nonsense"], ["stray"], ["--listen"], ["--trust-new-gateways=yes"]])
def test_what_is_no_option_is_refused(arguments: list[str]) -> None:
    """As by every Twisted program."""
    with pytest.raises(UsageError):
        parsed(*arguments)


def test_a_data_dir_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A daemon leaves the directory it was started in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert parsed("--data-dir", "state").data_dir == tmp_path / "state"
    assert parsed("--data-dir", "~/state").data_dir == Path("/home/somebody/state")
    monkeypatch.setenv("STATE_DIRECTORY", "given")
    assert parsed().data_dir == tmp_path / "given"


@pytest.mark.parametrize(
    ("given", "uid", "path"),
    [
        ("/var/lib/private/wifidogd", 0, "/var/lib/private/wifidogd"),
        ("/var/lib/private/wifidogd", 1000, "/var/lib/private/wifidogd"),
        ("/var/lib/one:/var/lib/two", 1000, "/var/lib/one"),
        ("", 0, "/var/lib/wifidogd"),
        ("", 1000, "/home/somebody/state/wifidogd"),
    ],
)
def test_the_usual_data_dir_depends_on_who_starts_the_server(
    monkeypatch: pytest.MonkeyPatch, given: str, uid: int, path: str
) -> None:
    """systemd's, else the system's for root, else the user's."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setenv("STATE_DIRECTORY", given)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/somebody/state")
    assert default_data_dir() == Path(path)


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """With its default and how to say it in the environment."""
    with pytest.raises(SystemExit):
        parsed("--help")
    shown = capsys.readouterr().out
    for name in CHOICES:
        assert f"--{name}" in shown
    assert "WIFIDOGD_DATA_DIR" in shown


def test_settings_stay_as_they_are() -> None:
    """Everything that is made from them can rely on that."""
    with pytest.raises(FrozenInstanceError):
        parsed().path = "/elsewhere/"  # type: ignore[misc]


def test_settings_show_no_password(tmp_path: Path) -> None:
    """Neither that of the database nor that of the mail server, wherever they are printed."""
    file = tmp_path / "password"
    file.write_text("secret word", "utf-8")
    mail = ["--mail", "smtps://wifi@hotel.example@mail.example", "--mail-password-file", str(file), *HERE]
    assert "secret" not in repr(parsed("--database", "postgresql://me:secret@db.example/x", *mail))
