"""From the queries of gateways to reports, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifidogd.domain.errors import MalformedRequest
from wifidogd.domain.sessions import MAX_OCTETS, AuthCode, Counters, Dialect, Octets, Report, Stage
from wifidogd.web.gateway.classic import auth_line, unsettled_line
from wifidogd.web.gateway.dialects import read_dialect, read_report, read_stage
from wifidogd.web.server.query import read_query

TOKEN = "f96c46abdad84bf288d6b5f366b06555"
MAC = "02:ab:cd:ef:01:01"

NONSENSE = [
    "",
    "N/A",
    "null",
    "-1",
    "+1",
    "1e3",
    "1.0",
    "0x10",
    "1 ",
    " 1",
    "1\n",
    "1_000",
    "９",
    "٣",
    "²",
    "1\0",
    str(2**63),
    str(2**64 - 1),
    "9" * 30,
    "0" * 20,
]
"""What is no count from 0 to 2^63-1, in at most as many digits as that has."""


def report_of(query: bytes, dialect: Dialect = Dialect.WIFIDOG, key: str | None = None) -> Report:
    """Read a query as it arrives."""
    return read_report(read_query(query), dialect, key)


def octets_of(**fields: str) -> Octets | None:
    """Read the counters among the fields of a query."""
    return read_report({"stage": "counters", **fields}, Dialect.OTHER, None).octets


@pytest.mark.parametrize(
    ("user_agent", "dialect"),
    [
        ("WiFiDog 1.3.0", Dialect.WIFIDOG),
        ("WiFiDog 20090925", Dialect.WIFIDOG),
        ("ApFree-WiFiDog", Dialect.APFREE),
        ("ApFree-WiFiDog 9.07", Dialect.APFREE),
        ("wifidog 1.3.0", Dialect.OTHER),
        ("WiFiDogma", Dialect.OTHER),
        ("LuaSocket 3.0", Dialect.WIFIDOG_NG_2),
        ("", Dialect.OTHER),
    ],
)
def test_gateways_are_told_apart_by_their_user_agent(user_agent: str, dialect: Dialect) -> None:
    """Anything unknown is other."""
    assert read_dialect(user_agent) is dialect


@pytest.mark.parametrize("stage", list(Stage))
def test_a_stage_is_read(stage: Stage) -> None:
    """Each by its name on the wire."""
    assert read_stage({"stage": stage.value}) is stage


@pytest.mark.parametrize(
    "stage", [None, "", "LOGIN", "Login", " login", "login\0", "counters_v2", "roam", "x" * 10_000]
)
def test_an_unknown_stage_is_refused(stage: str | None) -> None:
    """The refusal names the parameter and does not repeat what a stranger wrote."""
    with pytest.raises(MalformedRequest) as refused:
        read_stage({} if stage is None else {"stage": stage})
    assert refused.value.parameter == "stage"
    assert len(refused.value.problem) < 100


def test_a_report_of_the_reference_gateway_is_read() -> None:
    """As recorded from wifidog-gateway 1.3.0, with DeltaTraffic."""
    query = (
        f"stage=counters&ip=10.11.0.101&mac={MAC}&token={TOKEN}&incoming=304329&outgoing=3842"
        "&incomingdelta=7&outgoingdelta=9&gw_id=netlab-gw1"
    )
    assert report_of(query.encode()) == Report(
        Stage.COUNTERS, Dialect.WIFIDOG, TOKEN, "netlab-gw1", MAC, "10.11.0.101", Octets(304329, 3842)
    )


def test_a_report_of_apfree_is_read_with_the_directions_exchanged() -> None:
    """As recorded from apfree-wifidog 9.07: what it calls outgoing is the guest's download; IPv6 counts too."""
    query = (
        f"stage=counters&ip=N/A&mac={MAC}&token={TOKEN}&incoming_bytes=3842&outgoing_bytes=304329"
        "&incoming_packets=1&outgoing_packets=1&incoming_bytes_v6=58&outgoing_bytes_v6=671"
        "&incoming_packets_v6=1&outgoing_packets_v6=1&first_login=1795331901&online_time=0&gw_id=netlab-apf1"
        "&gw_channel=chan1&name=N/A&wired=4294967295&device_id=netlabdev1&incoming_rate=0&outgoing_rate=0"
    )
    assert report_of(query.encode(), Dialect.APFREE) == Report(
        Stage.COUNTERS,
        Dialect.APFREE,
        TOKEN,
        "netlab-apf1",
        MAC,
        None,
        Octets(305000, 3900),
        packets=Octets(2, 2),
        read_as=Counters.SWAPPED,
    )


def test_a_report_says_as_little_as_it_likes() -> None:
    """Ancient gateways have no gw_id; what is absent is None, an absent token is one that nobody has."""
    assert report_of(b"stage=logout") == Report(Stage.LOGOUT, Dialect.WIFIDOG, "")


@pytest.mark.parametrize(
    "query",
    [
        b"stage=login&gw_id=&mac=&ip=&incoming=&outgoing=",
        b"stage=login&mac=00:00:00:00:00:00&ip=N/A&incoming=N/A&outgoing=N/A",
        b"stage=login&mac=%00&ip=%ff&incoming=-1&outgoing=-1",
    ],
)
def test_placeholders_are_as_good_as_absent(query: bytes) -> None:
    """A gateway's slip never hurts the guest."""
    assert report_of(query) == Report(Stage.LOGIN, Dialect.WIFIDOG, "")


def test_the_first_of_repeated_parameters_wins() -> None:
    """Everywhere alike."""
    query = b"stage=login&stage=logout&token=one&token=two&incoming=1&incoming=x&outgoing=2&gw_id=a&gw_id=b%20c"
    report = report_of(query)
    assert (report.stage, report.token, report.octets, report.gw_id) == (Stage.LOGIN, "one", Octets(1, 2), "a")


@pytest.mark.parametrize(
    ("path", "query", "key"),
    [
        (None, b"", None),
        ("secret", b"", "secret"),
        (None, b"&k=secret", "secret"),
        ("secret", b"&k=other", "secret"),
    ],
)
def test_a_key_may_be_in_the_path_or_the_query(path: str | None, query: bytes, key: str | None) -> None:
    """The path wins."""
    assert report_of(b"stage=login" + query, key=path).key == key


def test_secrets_are_not_shown() -> None:
    """A report may be logged."""
    assert "secret" not in repr(report_of(b"stage=login&token=secret&k=secret"))


@pytest.mark.parametrize("gw_id", [b"my%20router", b"a/b", b"x" * 65, b"%00"])
def test_a_gateway_that_cannot_exist_is_refused(gw_id: bytes) -> None:
    """Such a name has never been adopted."""
    with pytest.raises(MalformedRequest) as refused:
        report_of(b"stage=login&gw_id=" + gw_id)
    assert refused.value.parameter == "gw_id"


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("1", 1), ("007", 7), (str(2**32), 2**32), (str(MAX_OCTETS), MAX_OCTETS)]
)
def test_counts_go_to_the_largest_that_can_be_stored(text: str, count: int) -> None:
    """In both directions."""
    assert octets_of(incoming=text, outgoing="5") == Octets(count, 5)
    assert octets_of(incoming="5", outgoing=text) == Octets(5, count)


@pytest.mark.parametrize(("text", "count"), [("-2", -2), ("-2147483648", -(2**31)), ("-2147483649", None)])
def test_a_counter_of_32_bits_may_be_printed_as_signed(text: str, count: int | None) -> None:
    """What it means depends on what was reported before."""
    expected = None if count is None else Octets(count, 5)
    assert octets_of(incoming=text, outgoing="5") == expected
    assert octets_of(outgoing_bytes=text, incoming_bytes="5") is None


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_no_data(text: str) -> None:
    """In either direction, under either name; half a report is none."""
    assert octets_of(incoming=text, outgoing="5") is None
    assert octets_of(incoming="5", outgoing=text) is None
    assert octets_of(incoming_bytes=text, outgoing_bytes="5") is None
    assert octets_of(incoming_bytes="5", outgoing_bytes=text) is None
    assert octets_of(incoming_bytes="5", outgoing_bytes="5", incoming_bytes_v6=text) is None
    assert octets_of(incoming_bytes="5", outgoing_bytes="5", outgoing_bytes_v6=text) is None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"incoming": "1"},
        {"outgoing": "1"},
        {"incoming_bytes": "1"},
        {"outgoing_bytes": "1"},
        {"incoming_bytes_v6": "1", "outgoing_bytes_v6": "1"},
        {"incomingdelta": "1", "outgoingdelta": "1"},
        {"incoming_bytes": "1", "outgoing": "1"},
    ],
)
def test_half_a_report_is_no_data(fields: dict[str, str]) -> None:
    """Nor are deltas, which are repeated while nothing changes (docs/protocol.md 6.6)."""
    assert octets_of(**fields) is None


def test_sums_stop_where_counts_do() -> None:
    """IPv4 and IPv6 together reach the largest count, and are no data beyond."""
    to_the_top = {"outgoing_bytes": str(MAX_OCTETS - 1), "incoming_bytes": "0"}
    assert octets_of(**to_the_top, outgoing_bytes_v6="1") == Octets(MAX_OCTETS, 0)
    assert octets_of(**to_the_top, outgoing_bytes_v6="2") is None


@given(
    st.dictionaries(
        st.sampled_from(["incoming", "outgoing", "incoming_bytes", "outgoing_bytes"]),
        st.text() | st.integers().map(str),
    )
)
def test_octets_fit_their_columns(fields: dict[str, str]) -> None:
    """Or there is no data."""
    octets = octets_of(**fields)
    assert octets is None or (min(octets.incoming, octets.outgoing) >= -(2**31))
    assert octets is None or (max(octets.incoming, octets.outgoing) <= MAX_OCTETS)


@given(st.integers(0, MAX_OCTETS), st.integers(0, MAX_OCTETS))
def test_every_count_is_read_to_the_octet(incoming: int, outgoing: int) -> None:
    """No float on the way."""
    assert octets_of(incoming=str(incoming), outgoing=str(outgoing)) == Octets(incoming, outgoing)


NAMES = [
    "stage",
    "gw_id",
    "device_id",
    "token",
    "mac",
    "ip",
    "incoming",
    "outgoing",
    "incoming_bytes",
    "sys_uptime",
    "k",
]
QUERIES = st.binary() | st.lists(
    st.tuples(st.sampled_from(NAMES).map(str.encode), st.binary() | st.sampled_from([b"login", b"counters", b"lobby"]))
).map(lambda pairs: b"&".join(name + b"=" + value for name, value in pairs))


@given(QUERIES)
def test_every_report_is_read_or_refused(query: bytes) -> None:
    """Nothing that a client sends is any other error."""
    try:
        report = report_of(query)
    except MalformedRequest:
        return
    assert report.stage in Stage


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (AuthCode.ERROR, b"Auth: -1\n"),
        (AuthCode.DENIED, b"Auth: 0\n"),
        (AuthCode.ALLOWED, b"Auth: 1\n"),
        (AuthCode.VALIDATION, b"Auth: 5\n"),
        (AuthCode.VALIDATION_FAILED, b"Auth: 6\n"),
    ],
)
def test_a_verdict_is_one_line(code: AuthCode, line: bytes) -> None:
    """With the space, from the very first octet, and nothing after it."""
    assert auth_line(code) == line


@pytest.mark.parametrize(
    ("stage", "line"),
    [(Stage.LOGIN, b"Auth: -1\n"), (Stage.COUNTERS, b"Auth: -1\n"), (Stage.LOGOUT, b"Auth: 0\n")],
)
def test_trouble_of_ours_leaves_guests_as_they_are(stage: Stage, line: bytes) -> None:
    """Never a 0 that would throw everybody out, except to a logout, which needs it."""
    assert unsettled_line(stage) == line
