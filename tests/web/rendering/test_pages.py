"""The pages themselves: what they say, what they escape, what they weigh."""

from __future__ import annotations

import re
import shutil
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from json import loads
from pathlib import Path
from typing import Any

import pytest

from wifidogd.access.open_session import Refusal, Refused
from wifidogd.access.session_view import SessionView
from wifidogd.accounts.mails import MailKind
from wifidogd.accounts.self_service import Outcome
from wifidogd.domain.gateways import Gateway
from wifidogd.domain.guests import OtherDevice
from wifidogd.domain.plans import Allowance, AllowanceOwner, Network, Plan, SignInMethod, TimeCounts
from wifidogd.domain.sessions import Dialect, LoginQuery, Octets, Reason
from wifidogd.web.rendering import notices, session_pages, sign_in_pages, urls
from wifidogd.web.rendering.brand import Page, source_of
from wifidogd.web.rendering.formatting import Size, Span, minutes_to_wait, size, span
from wifidogd.web.rendering.mail_templates import MailTemplates
from wifidogd.web.rendering.notices import MESSAGES, Notice
from wifidogd.web.rendering.pages import FOLDERS, Pages
from wifidogd.web.rendering.session_pages import PortalDetails

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVIL = """"><script>alert('x')</script>{{ 7*7 }}&amp;"""


OUR_SCRIPT = (
    b"<script>" + next(path for path in FOLDERS if path.exists()).joinpath("portal.js").read_bytes() + b"</script>"
)


class Written(bytes):
    """A page in English, with what it was written from."""

    page: Page


class EnglishPages(Pages):
    """Writes each page at once, for tests that read it."""

    def __getattr__(self, name: str) -> Any:
        found = next(
            getattr(module, name) for module in (notices, sign_in_pages, session_pages) if hasattr(module, name)
        )

        def written(*args: Any, **named: Any) -> Written:
            page = found(*args, **named)
            text = Written(self.write(page))
            text.page = page
            return text

        return written

    def policy(self, page: Page | bytes, forms: Sequence[str] = (), images: str | None = None) -> str:
        return super().policy(page.page if isinstance(page, Written) else page, forms, images)


PATH = "/wifidog/"
PAGES: Any = EnglishPages(PATH)
NETWORK = Network("default", "Café Blue", terms={"en": "Be nice.\n" * 440})
ACCOUNTS = replace(NETWORK, methods=(SignInMethod.ACCOUNT,))
EVERY_WAY = replace(NETWORK, methods=(SignInMethod.SPLASH, SignInMethod.ACCOUNT, SignInMethod.VOUCHER))
GATEWAY = Gateway("gw1", "default", "10.0.0.1")
LOGIN_QUERY = LoginQuery("gw1", "10.0.0.9", 2061, "02:00:00:00:00:01", "10.0.0.5", "http://a.example/")
SESSION = SessionView(
    GATEWAY,
    NETWORK,
    online=True,
    mac="02:00:00:00:00:01",
    ip="10.0.0.5",
    since=NOON - timedelta(minutes=80),
    used=Octets(12_000_000, 345_678),
    octets_left=87_654_322,
    time_left=timedelta(minutes=40),
    url="http://a.example/?x=1&y=2",
)
STATE = "s" * 3000
SIGN_UP: dict[str, Any] = {
    "state": STATE[:500],
    "email": "zoe@example.org",
    "login": "/wifidog/login?gw_id=gw1",
    "grace": timedelta(minutes=20),
}

TOKEN = "t" * 32
TABLET = OtherDevice(7, "02:00:00:00:07:07", NOON - timedelta(minutes=5), Octets(1_500_000, 0), is_ending=False)
LEAVING = replace(TABLET, session_id=8, mac=None, is_ending=True)
BUSY = PortalDetails(((TABLET, "u" * 200), (LEAVING, "v" * 200)), NOON + timedelta(days=30))
HOURS = Plan("hours", "Hours", time_limit=timedelta(hours=5), time_counts=TimeCounts.USED)
PAUSABLE = replace(SESSION, allowance=Allowance(1, AllowanceOwner(voucher_id=1), "default", "UTC", HOURS))

EVERY_PAGE = {
    "splash": PAGES.sign_in(NETWORK, STATE),
    "account": PAGES.sign_in(ACCOUNTS, STATE),
    "account refused": PAGES.sign_in(ACCOUNTS, STATE, Refused(Refusal.WRONG_PASSWORD), name="anna"),
    "online": PAGES.online(NETWORK, STATE, "http://a.example/"),
    "online, recognized": PAGES.online(NETWORK, STATE, None, "/wifidog/portal?gw_id=gw1&live=1"),
    "portal": PAGES.portal(PATH, SESSION, TOKEN, STATE, PortalDetails(), NOON),
    "portal of many": PAGES.portal(PATH, PAUSABLE, TOKEN, "s" * 200, BUSY, NOON),
    "portal of a recognized browser": PAGES.portal(PATH, PAUSABLE, None, "s" * 200, BUSY, NOON),
    "back": PAGES.back(NETWORK, STATE, "/wifidog/login?gw_id=gw1&form=1", NOON, NOON, can_forget=True),
    "welcome": PAGES.welcome(None),
    "offline": PAGES.offline(PATH, SESSION, "t" * 32),
    "offline before": PAGES.offline(PATH, None, "t" * 32),
    "adopt": PAGES.adopt(LOGIN_QUERY),
    "misnamed": PAGES.misnamed("my <b>router</b> #1", "my-router-1"),
    "moved": PAGES.moved(NETWORK, GATEWAY, LOGIN_QUERY),
    "every way": PAGES.sign_in(EVERY_WAY, STATE[:500]),
    "voucher refused": PAGES.sign_in(
        EVERY_WAY, STATE[:500], Refused(Refusal.MISTYPED_CODE), first=SignInMethod.VOUCHER, code="x"
    ),
    "voucher": PAGES.voucher("7QKM2X4V9RTD", "http://192.0.2.1/v/7QKM2X4V9RTD"),
    "voucher with a typo": PAGES.voucher(None, None),
    "sign up": PAGES.page_of("sign_up.html", NETWORK, **SIGN_UP, why=None, minutes=0),
    "sign up refused": PAGES.page_of("sign_up.html", ACCOUNTS, **SIGN_UP, why="NO_ADDRESS", minutes=0),
    "forgotten": PAGES.page_of("forgotten.html", NETWORK, state=STATE, email="a@b.c", why="BUSY", minutes=0),
    "check mail": PAGES.page_of("check_mail.html", NETWORK, email="zoe@example.org", login="/wifidog/login?gw_id=gw1"),
    "your account": PAGES.page_of(
        "account.html", NETWORK, state=STATE, email="", name="zoe", why="TOO_MANY_TRIES", minutes=2
    ),
    "new password": PAGES.page_of(
        "new_password.html", None, secret="s" * 32, email="zoe@example.org", why="WEAK_PASSWORD", minutes=0
    ),
    **{
        f"confirm {asked.name} {why}": PAGES.page_of(
            "confirm.html",
            None,
            secret="s" * 32,
            asked=asked.name,
            email="zoe@example.org",
            why=why,
            flaw=None,
            minutes=0,
        )
        for asked in (Outcome.ASK_CONFIRMATION, Outcome.ASK_CONFIRMATION_OF_MOVE)
        for why in (None, "WRONG_PASSWORD", "PADDED_PASSWORD")
    },
    **{
        f"link {outcome.name}": PAGES.page_of("validated.html", None, outcome=outcome.name)
        for outcome in (
            Outcome.VALIDATED,
            Outcome.ADDRESS_CHANGED,
            Outcome.PASSWORD_CHANGED,
            Outcome.USED,
            Outcome.NO_LINK,
        )
    },
    "stale": PAGES.stale("/wifidog/login?gw_id=gw1"),
    "forged": PAGES.stale(None),
    **{f"message {name}": PAGES.message(name, None, None) for name in [*sorted(MESSAGES), "other", None]},
    **{
        f"message {name} after {reason.name}": PAGES.message(name, NETWORK, "/wifidog/login?gw_id=gw1", reason)
        for name in (*sorted(MESSAGES), None)
        for reason in Reason
    },
    "message to a guest who is online": PAGES.message("activate", NETWORK, "/login", None, "/wifidog/portal?gw_id=gw1"),
    **{f"notice {notice.value}": PAGES.notice(notice) for notice in Notice},
}


def text_of(page: bytes) -> str:
    """Return the visible text of a page, in one line."""
    main = page.decode().partition("<main>")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", main)).strip()


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_a_page_is_complete_and_small(name: str) -> None:
    """In one response below 14 kB, nothing from elsewhere, nothing that a policy would have to allow."""
    page = EVERY_PAGE[name].decode()
    assert len(page.encode()) < 14_000
    page = page.replace(OUR_SCRIPT.decode(), "")
    assert page.startswith("<!DOCTYPE html>\n<html lang=")
    assert re.search(r"<title>\S.*</title>", page)
    assert page.count("<h1>") == 1
    assert 'name="viewport"' in page
    assert not re.search(r"<script|<link|<iframe|@import|url\(|\sstyle=|\son[a-z]+=", page)
    assert "Pong" not in page
    assert "Auth: " not in page


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_a_page_has_the_style_that_its_policy_allows(name: str) -> None:
    """By the hash of exactly what stands between the tags."""
    style = EVERY_PAGE[name].decode().partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in PAGES.policy(EVERY_PAGE[name])


def test_the_policy_allows_what_is_asked_and_no_more() -> None:
    """A form may lead to us and the gateway, an image may come from the gateway."""
    policy = PAGES.policy(PAGES.welcome(None), forms=("http://10.0.0.1:2060",), images="http://10.0.0.1:2060")
    assert policy.startswith("default-src 'none'; ")
    assert "form-action 'self' http://10.0.0.1:2060;" in policy
    assert "img-src http://10.0.0.1:2060;" in policy
    assert policy.endswith("base-uri 'none'; frame-ancestors 'none'")
    assert "unsafe" not in policy
    assert "script-src" not in policy


def test_the_look_of_a_network_is_in_its_pages_and_their_policy() -> None:
    """A colour as style that is allowed by what it says, a logo as a picture inside the page."""
    dressed = PAGES.sign_in(replace(NETWORK, colour="#003366", logo=b"<svg/>"), "s" * 500)
    ours, theirs = re.findall("<style>(.*?)</style>", dressed.decode(), re.DOTALL)
    assert "--main: #003366" in theirs
    assert f"style-src {source_of(ours)} {source_of(theirs)};" in PAGES.policy(dressed)
    assert 'src="data:image/svg+xml;base64,' in dressed.decode()
    assert "img-src data:;" in PAGES.policy(dressed)
    assert "img-src" not in PAGES.policy(PAGES.welcome(None))


def test_a_page_with_the_largest_logo_is_small() -> None:
    """With a short text of terms."""
    network = replace(NETWORK, colour="#003366", logo=b"x" * 4096, terms={"en": "Be nice.\n" * 100})
    assert len(PAGES.sign_in(network, "s" * 500)) < 14_000


@pytest.mark.parametrize(
    "page",
    [
        PAGES.sign_in(replace(NETWORK, title=EVIL, terms={"en": EVIL}), EVIL),
        PAGES.sign_in(replace(ACCOUNTS, title=EVIL, terms={"en": EVIL}), EVIL, name=EVIL),
        PAGES.online(replace(NETWORK, title=EVIL), EVIL, "http://a.example/" + EVIL),
        PAGES.portal(
            PATH,
            replace(SESSION, network=replace(NETWORK, title=EVIL), url="http://a.example/" + EVIL),
            EVIL,
            EVIL,
            PortalDetails(((replace(TABLET, mac=EVIL), EVIL),)),
            NOON,
        ),
        PAGES.back(replace(NETWORK, title=EVIL), EVIL, EVIL, NOON, NOON, can_forget=True),
        PAGES.offline(PATH, replace(SESSION, network=replace(NETWORK, title=EVIL)), EVIL),
        PAGES.message(EVIL, replace(NETWORK, title=EVIL), EVIL),
        PAGES.welcome(replace(NETWORK, title=EVIL)),
        PAGES.adopt(replace(LOGIN_QUERY, gw_id=EVIL, gw_address=EVIL)),
        PAGES.moved(NETWORK, GATEWAY, replace(LOGIN_QUERY, gw_address=EVIL)),
        PAGES.sign_in(replace(EVERY_WAY, title=EVIL, terms={"en": EVIL}), EVIL, name=EVIL, code=EVIL),
        PAGES.voucher(EVIL, EVIL),
        PAGES.stale(EVIL),
        PAGES.redirect(EVIL),
    ],
)
def test_every_text_is_escaped(page: bytes) -> None:
    """Whoever wrote it."""
    assert b"<script" not in page.replace(OUR_SCRIPT, b"")
    assert b'""' not in page.replace(b'alt=""', b"").replace(b'value=""', b"")
    assert b"49" not in page.partition(b"<main>")[2]


def test_the_splash_page_is_one_button() -> None:
    """With the terms below it, to unfold."""
    page = EVERY_PAGE["splash"].decode()
    assert page.count("<button") == 1
    assert "<summary>Terms of use</summary>" in page
    assert "Accept and connect" in page
    assert '<form method="post" action="/wifidog/login">' in page


def test_without_terms_there_is_nothing_to_accept() -> None:
    """And nothing to unfold."""
    page = PAGES.sign_in(replace(NETWORK, terms={}), STATE).decode()
    assert "<details" not in page
    assert "ccept" not in page


def test_the_account_form_helps_password_managers_and_keyboards() -> None:
    """Names are not capitalised, passwords are kept for this site."""
    page = EVERY_PAGE["account"].decode()
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert 'autocapitalize="none"' in page
    assert '<label for="name">' in page
    assert '<label for="password">' in page


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        (Refused(Refusal.WRONG_PASSWORD), "do not go together"),
        (Refused(Refusal.TOO_MANY_TRIES, timedelta(seconds=60)), "Please wait a minute, then"),
        (Refused(Refusal.TOO_MANY_TRIES, timedelta(seconds=61)), "Please wait 2 minutes"),
        (Refused(Refusal.BUSY), "wait a few seconds"),
    ],
)
def test_a_refusal_says_what_to_do(refused: Refused, sentence: str) -> None:
    """With what the guest typed still there, except the password."""
    page = PAGES.sign_in(ACCOUNTS, STATE, refused, name="anna").decode()
    assert sentence in page
    assert 'role="alert"' in page
    assert 'value="anna"' in page


def test_the_portal_shows_used_and_left() -> None:
    """In the words of people."""
    text = text_of(EVERY_PAGE["portal"])
    assert "Online for 1 hour 20 minutes" in text
    assert "Time left 40 minutes" in text
    assert "Data used 12.3 MB" in text
    assert "Data left 87.6 MB" in text
    assert "Go on to a.example" in text


def test_no_limit_is_said_and_nothing_left_is_zero() -> None:
    """None and 0 are different news."""
    spent = replace(SESSION, octets_left=0, time_left=None)
    text = text_of(PAGES.portal(PATH, spent, TOKEN, STATE, PortalDetails(), NOON))
    assert "Time left no limit" in text
    assert "Data left 0 kB" in text


def test_the_portal_follows_what_is_used() -> None:
    """With a script that the policy knows by its text and that may ask us only; without by asking for the page."""
    page = EVERY_PAGE["portal"].decode()
    again = (
        f"/wifidog/portal?gw_id=gw1&amp;token={TOKEN}&amp;mac=02%3A00%3A00%3A00%3A00%3A01&amp;ip=10.0.0.5&amp;live=1"
    )
    assert f'<noscript><meta http-equiv="refresh" content="60; url={again}"></noscript>' in page
    assert f'data-source="/wifidog/portal.json?token={TOKEN}" data-refresh="{again}"' in page
    assert OUR_SCRIPT in EVERY_PAGE["portal"]
    policy = PAGES.policy(EVERY_PAGE["portal"])
    assert f"script-src {source_of(OUR_SCRIPT[8:-9].decode())}; connect-src 'self';" in policy


def test_the_figures_are_the_words_of_the_page() -> None:
    """So that the script needs no language."""
    assert loads(PAGES.figures(SESSION, NOON)) == {
        "online": True,
        "figures": {
            "online_for": "1 hour 20 minutes",
            "time_left": "40 minutes",
            "used": "12.3 MB",
            "data_left": "87.6 MB",
        },
    }
    assert loads(PAGES.figures(replace(SESSION, time_left=None), NOON))["figures"]["time_left"] == "no limit"
    assert loads(PAGES.figures(None, NOON)) == {"online": False}


def test_the_portal_shows_the_other_devices_of_the_guest() -> None:
    """Each with its own button, except one that is on its way out."""
    page, text = EVERY_PAGE["portal of many"].decode(), text_of(EVERY_PAGE["portal of many"])
    assert "Device 07:07 5 minutes, 1.50 MB" in text
    assert page.count('action="/wifidog/disconnect"') == 1
    assert 'aria-label="Disconnect Device 07:07"' in page
    assert "Device 2 5 minutes, 1.50 MB disconnecting" in text
    assert "other devices" not in text_of(EVERY_PAGE["portal"])


def test_a_remembered_device_can_be_forgotten() -> None:
    """On the portal and before it comes back."""
    assert "This device is remembered Until Tue, Dec 22" in text_of(EVERY_PAGE["portal of many"])
    for name in ("portal of many", "back"):
        assert '<form method="post" action="/wifidog/forget">' in EVERY_PAGE[name].decode()
    assert "remembered" not in text_of(EVERY_PAGE["portal"])
    unsure = PAGES.back(NETWORK, STATE, "/", NOON, NOON, can_forget=False).decode()
    assert "forget" not in unsure.partition("<main>")[2]


def test_time_that_stops_while_offline_can_be_paused() -> None:
    """Which is a log-out that says what it is good for."""
    assert "Pause Your time stops while you are offline" in text_of(EVERY_PAGE["portal of many"])
    assert "Log out" not in text_of(EVERY_PAGE["portal of many"])
    assert "Pause" not in text_of(EVERY_PAGE["portal"])


def test_the_box_is_there_where_devices_are_remembered() -> None:
    """Not ticked, except by the guest."""
    network = replace(ACCOUNTS, methods=(SignInMethod.ACCOUNT, SignInMethod.VOUCHER), remember=timedelta(days=30))
    page = PAGES.sign_in(network, STATE)
    assert text_of(page).count("Remember this device for 30 days") == 2
    assert b'name="remember" value="1">' in page
    assert b'name="remember" value="1" checked>' in PAGES.sign_in(network, STATE, remember=True)
    assert b"remember" not in EVERY_PAGE["account"].partition(b"<main>")[2]


def test_logging_out_calls_the_gateway_unseen() -> None:
    """By an image, because the gateway answers nothing that could be shown."""
    page = EVERY_PAGE["offline"].decode()
    assert f'<img src="http://10.0.0.1:2060/wifidog/auth?logout=1&amp;token={"t" * 32}&amp;gw_id=gw1" alt=""' in page
    assert "within a minute" in page
    assert "/wifidog/login?gw_address=10.0.0.1&amp;gw_port=2060&amp;gw_id=gw1" in page


@pytest.mark.parametrize("message", ["<b>free money</b>", "Denied", "denied ", "x" * 5000])
def test_an_unknown_message_is_never_repeated(message: str) -> None:
    """It gets the same page as none at all."""
    assert PAGES.message(message, None, None) == PAGES.message(None, None, None)


def test_each_message_has_its_own_page() -> None:
    """And each says what to do next."""
    assert len({PAGES.message(name, None, None) for name in [*MESSAGES, None]}) == 5


def test_the_owner_of_an_unknown_gateway_gets_the_exact_command() -> None:
    """To paste into a terminal."""
    assert "<code>wifidogctl gateway adopt gw1 --address 10.0.0.9 --port 2061</code>" in EVERY_PAGE["adopt"].decode()
    misnamed = EVERY_PAGE["misnamed"].decode()
    assert "<code>my &lt;b&gt;router&lt;/b&gt; #1</code>" in misnamed
    assert "<code>GatewayID my-router-1</code>" in misnamed
    bare = PAGES.adopt(LoginQuery("gw1")).decode()
    assert "<code>wifidogctl gateway adopt gw1 --address ADDRESS --port 2060</code>" in bare


def test_the_owner_of_a_moved_gateway_learns_both_addresses() -> None:
    """And the guest gets no form."""
    page = EVERY_PAGE["moved"].decode()
    assert "10.0.0.1:2060" in page
    assert "10.0.0.9:2061" in page
    assert "<form" not in page


def test_no_owner_is_told_to_send_guests_to_the_internet() -> None:
    """Whatever the URL says: it may come from somebody who wants their tokens."""
    login_query = replace(LOGIN_QUERY, gw_address="203.0.113.7")
    for page in (PAGES.adopt(login_query), PAGES.moved(NETWORK, GATEWAY, login_query)):
        assert "--address ADDRESS" in page.decode()


def test_templates_are_found_in_package_or_checkout() -> None:
    """One of the two is there."""
    assert any((folder / "base.html").exists() for folder in FOLDERS)


def test_templates_are_read_before_the_first_request(tmp_path: Path) -> None:
    """Whoever root becomes after that may not be let into where they are."""
    source = next(folder for folder in FOLDERS if folder.exists())
    copy = shutil.copytree(source, tmp_path / "templates")
    pages, letters = Pages("/", [copy]), MailTemplates([copy])
    shutil.rmtree(copy)
    assert b"Hello" in pages.write(notices.notice(Notice.HOME))
    assert "link" in letters.write(MailKind.RECOVER, "ja", title="t", name="n", link="link", minutes=1)[1]


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (0, Size("0", "kilobyte")),
        (999, Size("0.99", "kilobyte")),
        (1000, Size("1.00", "kilobyte")),
        (12_345, Size("12.3", "kilobyte")),
        (999_999, Size("999", "kilobyte")),
        (1_999_999, Size("1.99", "megabyte")),
        (5_000_000_000, Size("5.00", "gigabyte")),
        (2**63 - 1, Size("9223", "petabyte")),
        (2**64 * 1000, Size("18446744", "petabyte")),
    ],
)
def test_sizes_have_three_digits(octets: int, said: Size) -> None:
    """Rounded down."""
    assert size(octets) == said


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=-5), Span(0, 0, 0)),
        (timedelta(seconds=59), Span(0, 0, 0)),
        (timedelta(seconds=119), Span(0, 0, 1)),
        (timedelta(hours=2), Span(0, 2, 0)),
        (timedelta(days=1, hours=2, minutes=3), Span(1, 2, 0)),
    ],
)
def test_lengths_have_two_units(length: timedelta, said: Span) -> None:
    """Rounded down."""
    assert span(length) == said


@pytest.mark.parametrize(
    ("wait", "minutes"), [(None, 1), (timedelta(), 1), (timedelta(seconds=1), 1), (timedelta(seconds=121), 3)]
)
def test_waiting_is_rounded_up(wait: timedelta | None, minutes: int) -> None:
    """Nobody comes back too early."""
    assert minutes_to_wait(wait) == minutes


@pytest.mark.parametrize(
    ("address", "location"),
    [
        ("10.0.0.1", "http://10.0.0.1:2060/wifidog/auth?token=t&gw_id=a%3Ab"),
        ("2001:db8::1", "http://[2001:db8::1]:2060/wifidog/auth?token=t&gw_id=a%3Ab"),
    ],
)
def test_guests_go_to_the_registered_gateway(address: str, location: str) -> None:
    """Token first; addresses of version 6 in brackets."""
    assert urls.admitting(Gateway("a:b", "default", address), "t") == location


def test_the_portal_shows_no_data_where_the_router_reports_none() -> None:
    """Nothing used would not be true, and a pause would save no time."""
    unreported = replace(PAUSABLE, gateway=replace(GATEWAY, dialect=Dialect.WIFIDOG_NG_2))
    body = PAGES.portal(PATH, unreported, TOKEN, STATE, PortalDetails(), NOON).decode()
    assert "Time left" in body
    assert all(text not in body for text in ("Data used", "Data left", "delay of about a minute", "Pause"))
    assert "Data used" in PAGES.portal(PATH, PAUSABLE, TOKEN, STATE, PortalDetails(), NOON).decode()
