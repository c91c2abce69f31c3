"""MAC addresses, addresses of gateways in their guests' network or of one source, and e-mail addresses; pure."""

from __future__ import annotations

import ipaddress
import re
import unicodedata

import idna

PRIVATE = tuple(
    ipaddress.ip_network(block)
    for block in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
"""RFC 1918, shared (RFC 6598), link-local and unique local addresses (docs/protocol.md 6.10)."""


def is_private(address: str) -> bool:
    """
    Return whether guests may be sent to an address.

    @return: False for anything public and for anything but a literal address.
    """
    try:
        literal = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(literal in network for network in PRIVATE if network.version == literal.version)


_USUAL_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_MAC = re.compile(
    r"""
    [0-9a-f]{2}([-:. ]?)[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}        # 00-1A-2B-3C-4D-5E, 001a2b3c4d5e
    | [0-9a-f]{1,2}([-:])[0-9a-f]{1,2}(?:\2[0-9a-f]{1,2}){4}   # 0:1a:2b:3c:4d:5e: "arp -a" on BSD and macOS
    | [0-9a-f]{4}([-:.])[0-9a-f]{4}\3[0-9a-f]{4}               # 001a.2b3c.4d5e: Cisco, with dashes Huawei
    | [0-9a-f]{6}[-:.][0-9a-f]{6}                              # 001a2b-3c4d5e: HP
    """,
    re.VERBOSE,
)
_NO_DEVICE = ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff")


def read_mac(text: str | None) -> str | None:
    """
    Return the MAC address of a device in the one form in which it is stored and compared.

    @param text: in any form that systems print, in any case, perhaps with blanks around it.
    @return: lower-case with colons; None for anything else, for the zeros of an incomplete ARP entry, and for the
        broadcast address, which no device has.
    """
    lower = (text or "").strip().lower()
    if not _USUAL_MAC.fullmatch(lower):
        if not _MAC.fullmatch(lower):
            return None
        octets = re.split("[-:. ]", lower)
        digits = "".join(octet.zfill(2) for octet in octets) if len(octets) == 6 else "".join(octets)
        lower = ":".join(digits[place : place + 2] for place in range(0, 12, 2))
    return None if lower in _NO_DEVICE else lower


_DELEGATIONS = (64, 56, 48)
"""Prefix lengths of what a provider delegates to one customer (RFC 6177, RIPE-690)."""

_IPV4_NETWORK = 24
"""Prefix length of the smallest IPv4 network that the internet routes; more than one party may be in it."""


def blocks_of(source: str) -> tuple[str, ...]:
    """
    Return the blocks of addresses from which one party may call, so that it cannot pass for many.

    @param source: address of a connection, perhaps with a zone (C{fe80::1%eth0}).
    @return: the narrowest first, in CIDR notation: the /64, /56 and /48 of an IPv6 address; an IPv4 address itself,
        as it is, and its /24, also where it is written as IPv6 (C{::ffff:192.0.2.1}).  Any other text alone.
    """
    try:
        literal = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return (source,)
    if literal.version == 6 and literal.ipv4_mapped is not None:
        literal = literal.ipv4_mapped
    if literal.version == 4:
        return str(literal), _block(literal, _IPV4_NETWORK)
    return tuple(_block(literal, length) for length in _DELEGATIONS)


def delegation_of(source: str) -> str:
    """
    Return the largest block of addresses that one customer of a provider may have.

    @param source: as in L{blocks_of}.
    @return: the /48 of an IPv6 address, in CIDR notation; an IPv4 address itself; any other text alone.
    """
    blocks = blocks_of(source)
    return blocks[-1] if len(blocks) == len(_DELEGATIONS) else blocks[0]


def _block(literal: ipaddress.IPv4Address | ipaddress.IPv6Address, length: int) -> str:
    return str(ipaddress.ip_network(f"{literal}/{length}", strict=False))


LONGEST = 100
"""Characters of an e-mail address; as many as an account's name may have, which such an address is."""

LONGEST_STORED = 254
"""Characters of an address that came with an account from elsewhere, whose name is another."""

_WORD = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_WORD}(\.{_WORD})*")
"""Words joined by dots (RFC 5321 C{Dot-string}), which cannot end a header or a command; quoted forms are refused."""

_LOCAL_WITH_DOTS = re.compile(rf"[.]*{_WORD}([.]+{_WORD})*[.]*")
_WITH_DOTS = {"docomo.ne.jp", "ezweb.ne.jp", "au.com"}
"""Domains of Japanese telephone companies that gave out addresses such as C{a..b@} and C{a.@} until 2009."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_LOCAL = 64


def read_mail_address(text: str, longest: int = LONGEST) -> str | None:
    """
    Return an address in the one form in which it is stored, compared and written to.

    Case is ignored everywhere: no provider distinguishes C{Zoe@} from C{zoe@}.
    So is full width, in which Japanese and Chinese keyboards type.  The part
    after the @ may be in any script and becomes ASCII (IDNA 2008).

    @param text: as typed; blanks around it, which phones add, are dropped.
    @return: ASCII, lower-case, at most C{longest} characters; None for anything else.
    """
    local, at, domain = unicodedata.normalize("NFKC", text).strip().lower().rpartition("@")
    ascii_domain = _ascii_domain(domain) if at else None
    if ascii_domain is None or len(local) + 1 + len(ascii_domain) > longest or not _is_local(local, ascii_domain):
        return None
    return f"{local}@{ascii_domain}"


def quoted_mail_address(address: str) -> str:
    """
    Return an address as SMTP and headers have it (RFC 5321, section 4.1.2): in quotes where dots do not join words.

    @param address: as L{read_mail_address} returns it.
    """
    local, _, domain = address.rpartition("@")
    return address if _LOCAL.fullmatch(local) else f'"{local}"@{domain}'


def mailbox_of(address: str) -> str:
    """
    Return what addresses of one mailbox have in common, so that its mails can be counted.

    Most providers deliver C{zoe+anything@} to C{zoe@} (RFC 5233); Google also ignores dots.
    """
    local, _, domain = address.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in ("gmail.com", "googlemail.com"):
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def _is_local(local: str, domain: str) -> bool:
    """Return whether an address at C{domain} may begin with this; what RFC 2047 would decode may not."""
    pattern = _LOCAL_WITH_DOTS if domain in _WITH_DOTS else _LOCAL
    return len(local) <= _LONGEST_LOCAL and pattern.fullmatch(local) is not None and "=?" not in local


def _ascii_domain(domain: str) -> str | None:
    """Return a domain as DNS has it, or None unless it has two labels or more, the last of which is no number."""
    if len(domain) > LONGEST_STORED:
        return None
    try:
        text = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None
    labels = text.split(".")
    is_name = len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()
    return text if is_name else None
