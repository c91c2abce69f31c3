"""Requests for a fuzzer to begin with, and what it breaks them with."""

from __future__ import annotations

from itertools import pairwise
from operator import itemgetter
from random import Random

from wifidogd.domain.sessions import LoginQuery
from wifidogd.domain.voucher_codes import mint_code
from wifidogd.web.portal.form_state import FormState

_QUERY = b"gw_address=10.0.0.1&gw_port=2060&gw_id=gw1&ip=10.0.0.5&mac=02:00:00:00:00:01&url=http%3A%2F%2Fa.example%2F"
_REPORT = b"ip=10.0.0.5&mac=02:00:00:00:00:01&token=f96c46abdad84bf288d6b5f366b06555&incoming=7&outgoing=9&gw_id=gw1"
_APFREE = (
    b"ip=N/A&mac=02:00:00:00:00:01&token=f96c46abdad84bf288d6b5f366b06555&incoming_bytes=7&outgoing_bytes=9"
    b"&incoming_bytes_v6=1&outgoing_bytes_v6=1&first_login=1795331901&gw_id=gw1&gw_channel=c&device_id=d"
)
_MACHINE = b" HTTP/1.0\r\nUser-Agent: WiFiDog 1.3.0\r\nHost: auth.example\r\n\r\n"
_HUMAN = (
    b" HTTP/1.1\r\nHost: wifi.example:8080\r\nUser-Agent: Mozilla/5.0\r\nAccept-Language: de-AT,de;q=0.8,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate;q=0.5\r\nCookie: device-default=0123456789abcdefghijklmnopqrstuv\r\n\r\n"
)

_CODE = mint_code(choose=itemgetter(7)).encode()

_TARGETS = (
    b"/wifidog/",
    b"/wifidog/login/?" + _QUERY,
    b"/wifidog/portal/?gw_id=gw1&token=f96c46abdad84bf288d6b5f366b06555&mac=02:00:00:00:00:01&live=1",
    b"/wifidog/portal.json?token=f96c46abdad84bf288d6b5f366b06555",
    b"/wifidog/gw_message.php?message=denied&gw_id=gw1",
    b"/wifidog/v/" + _CODE + b"?" + _QUERY,
    b"/wifidog/p/f96c46abdad84bf288d6b5f366b06555",
    b"/wifidog/mail/0123456789abcdefghijklmnopqrstuv",
    b"/wifidog/sign-up?state=%(login_query)s&lang=fr",
    b"/wifidog/forgotten?state=%(login_query)s",
    b"/wifidog/account?state=%(login_query)s",
    b"/wifidog/preview?state=%(preview)s&page=portal",
    b"/healthz",
    b"/nowhere",
)

_FORMS = (
    (b"login", b"state=%(login_query)s&name=zoe&password=correct+horse&remember=1"),
    (b"login", b"state=%(login_query)s&again=1&code=" + _CODE),
    (b"login", b"state=%(login_query)s&back=1"),
    (b"logout", b"state=%(token)s"),
    (b"forget", b"state=%(token)s"),
    (b"disconnect", b"state=%(other_device)s"),
    (b"my-data", b"state=%(token)s&erase=sure&password=x"),
    (b"sign-up", b"state=%(login_query)s&email=zoe%%40mail.example&password=correct+horse"),
    (b"forgotten", b"state=%(login_query)s&email=zoe%%40mail.example&want=validate"),
    (b"account", b"state=%(login_query)s&name=zoe&password=x&new_password=correct+horse"),
    (b"mail/0123456789abcdefghijklmnopqrstuv", b"password=correct+horse"),
)

_WORDS = r"""
\x00 \xff \xc3 \xc3\xa9 \xed\xa0\x80 \xf0\x9f\x92\xa9 \xe2\x80\xae \x7f \x1b[2J %00 %ff % %0 %0d%0a %u0000
%ed%a0%80 %F0%9F%92%A9 %2F %3Czzz%3E %25 \r\n \n \r \r\n\r\n \x20 \t : :\x20 , ; & = ? # // /../ -1 0
9223372036854775807 9223372036854775808 18446744073709551616 1e309 NaN 0x10 N/A null Auth:\x201 Pong ' " <zzz>
{{7*7}} ${7} %s {} \\ [::1] :: GET\x20 POST\x20 HEAD\x20 OPTIONS\x20 CONNECT\x20 TRACE\x20 \x20HTTP/1.0
\x20HTTP/1.1 \x20HTTP/2.0 PRI\x20*\x20 \r\nContent-Length:\x205 \r\nContent-Length:\x2099999999999999999999
\r\nContent-Length:\x20+1 \r\nContent-Length: \r\nTransfer-Encoding:\x20chunked
\r\nTransfer-Encoding:\x20identity \r\nTransfer-Encoding:\x20gzip,\x20chunked \r\nExpect:\x20100-continue
\r\nConnection:\x20close \r\nConnection:\x20keep-alive,\x20Upgrade \r\nUpgrade:\x20h2c \r\nHost:\x20
\r\nHost:\x20[::1]:80 \r\nHost:\x20a:99999 \r\nHost:\x20\xe9 \r\nCookie:\x20a=b;\x20device-x= \r\n\x20folded
\r\nAccept-Language:\x20zh-Hant-TW,x-y;q=2,* \r\nAccept-Encoding:\x20*;q=0.001 \r\nRange:\x20bytes=0-
\r\nVia:\x201.1\x20a 5\r\nhello\r\n 0\r\n\r\n 0\r\nX:\x20y\r\n\r\n ffffffffffffffffffff\r\n 1;a=b\r\nx\r\n
-1\r\n g\r\n stage= login logout counters counters_v2 lang= lang=ar gw_id= state= token=
"""

WORDS = [word.encode().decode("unicode_escape").encode("latin-1") for word in _WORDS.split()]
"""What is put in, or in place of something: what has broken parsers before, and what ours know."""

LONG = (
    *(b"a" * 1100, b"a" * 17_000, b"%" * 4000, b"&" * 10_000, b"a=b&" * 10_000),
    *(b"X: y\r\n" * 600, b"\0" * 70_000, b"," * 3000, b"1\r\nx\r\n" * 300),
)
"""The same, less often."""


TOKEN = "f96c46abdad84bf288d6b5f366b06555"
LOGIN_QUERY = LoginQuery("gw1", "10.0.0.1", 2060, "02:00:00:00:00:01", "10.0.0.5", "http://a.example/?é")


def sign(state: FormState) -> dict[bytes, bytes]:
    """Sign a state for each kind of form."""
    signed = {
        b"login_query": state.seal_login_query(LOGIN_QUERY),
        b"token": state.seal_token(TOKEN),
        b"other_device": state.seal_other_device(TOKEN, 7),
        b"preview": state.seal_preview("default"),
    }
    return {name: text.encode() for name, text in signed.items()}


def seeds(states: dict[bytes, bytes]) -> list[bytes]:
    """
    Write requests as gateways and browsers do.

    @param states: of forms, as L{sign} makes them.
    """
    reports = [b"auth/?stage=" + stage + b"&" + _REPORT for stage in (b"login", b"counters", b"logout")]
    machine = [b"ping/?gw_id=gw1&sys_uptime=1&sys_memfree=2&sys_load=0.5&wifidog_uptime=3", *reports]
    found = [b"GET /wifidog/" + target + _MACHINE for target in machine]
    found.append(
        b"GET /wifidog/auth/?stage=counters&" + _APFREE + b" HTTP/1.1\r\nHost: a\r\nUser-Agent: ApFree-WiFiDog\r\n\r\n"
    )
    found += [b"GET " + (target % states if b"%(" in target else target) + _HUMAN for target in _TARGETS]
    found += [_posted(name, form % states) for name, form in _FORMS]
    found += [_chunked(name, form % states) for name, form in _FORMS[:2]]
    found += [
        b"POST /wifidog/auth/?stage=%b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (stage, len(body), body)
        for stage, body in LISTS
    ]
    found += [b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", b"HEAD /wifidog/portal" + _HUMAN, found[0] + found[1]]
    return found


def _posted(name: bytes, form: bytes) -> bytes:
    head = b"POST /wifidog/" + name + _HUMAN[:-2] + b"Content-Type: application/x-www-form-urlencoded\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(form) + form


def _chunked(name: bytes, form: bytes) -> bytes:
    head = b"POST /wifidog/" + name + _HUMAN[:-2] + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    return head + b"%x\r\n" % len(form) + form + b"\r\n0\r\n\r\n"


LISTS = (
    (
        b"counters_v2",
        b'{ "device_id": "d1", "gateway": [ { "gw_id": "gw1", "gw_channel": "c", "clients": [ { "id": 1,'
        b' "ip": "10.0.0.5", "ip6": "N\\/A", "mac": "02:00:00:00:00:01", "token": "f96c46abdad84bf288d6b5f366b06555",'
        b' "name": "N\\/A", "incoming_bytes": 3385, "outgoing_bytes": 310720, "incoming_packets": 53,'
        b' "outgoing_packets": 44, "incoming_bytes_v6": 0, "outgoing_bytes_v6": 0,'
        b' "first_login": 1796041255, "is_online": true } ] } ] }',
    ),
    (
        b"counters_v2",
        b'{"gw_id":"gw1","clients":[{"id":7,"ip":"10.0.0.5","mac":"02:00:00:00:00:01","token":"t","incoming":1,'
        b'"outgoing":2}]}',
    ),
    (
        b"counters&gw_id=gw1",
        b'{"counters":[{"ip":"10.0.0.5","mac":"02:00:00:00:00:01","token":"t","uptime":2,"incoming":-9,"outgoing":2}]}',
    ),
)
"""Lists of clients, with the stage that they are sent for."""


class Babble:
    """
    Writes what no well-meaning client would; the same for the same seed.

    @ivar chance: decides.
    """

    def __init__(self, begin_with: list[bytes], seed: int) -> None:
        self._begin_with = begin_with
        self.chance = Random(seed)

    def conversation(self) -> list[bytes]:
        """Return what a client sends on one connection, in the pieces in which it arrives."""
        chance = self.chance
        said = b"".join(self.request() for _ in range(chance.choice((1, 1, 1, 2, 3))))
        if chance.random() < 0.02:
            said *= chance.choice((10, 100))
        return self._torn(said)

    def request(self) -> bytes:
        """Take one of the beginnings and break it in some places, or in none."""
        chance = self.chance
        said = bytearray(chance.choice(self._begin_with))
        for _ in range(chance.choice((0, 1, 1, 2, 3, 6))):
            self._break(said)
        return bytes(said)

    def _break(self, said: bytearray) -> None:
        chance = self.chance
        begin = chance.randrange(len(said) + 1)
        end = min(len(said), begin + int(chance.expovariate(0.2)))
        way = chance.random()
        if way < 0.4:
            said[begin:begin] = chance.choice(WORDS)
        elif way < 0.6:
            said[begin:end] = chance.choice(WORDS)
        elif way < 0.75:
            said[begin:end] = b""
        elif way < 0.85:
            said[begin:end] = said[begin:end] * chance.choice((2, 3, 50))
        elif way < 0.95:
            said[begin:end] = chance.randbytes(end - begin)
        elif way < 0.98:
            del said[begin:]
        else:
            said[begin:begin] = chance.choice(LONG)

    def _torn(self, said: bytes) -> list[bytes]:
        """Tear what is said into pieces, sometimes into single bytes."""
        chance = self.chance
        if chance.random() < 0.02:
            return [said[at : at + 1] for at in range(min(len(said), 3000))]
        cuts = sorted(chance.randrange(len(said) + 1) for _ in range(chance.choice((0, 0, 1, 2, 5))))
        return [said[begin:end] for begin, end in pairwise([0, *cuts, len(said)]) if begin < end]
