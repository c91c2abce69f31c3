"""Networks: what groups of gateways offer to guests."""

from __future__ import annotations

from wifidogd.model import Network, SignIn
from wifidogd.store.database import Cursor

FETCH_NETWORKS = """
    SELECT name, title, sign_in, time_limit, quota_octets, stale_after, terms, retention
      FROM networks
     ORDER BY name
     LIMIT 10000
"""

SAVE_NETWORK = """
    INSERT INTO networks AS known (name, title, sign_in, time_limit, quota_octets, stale_after, terms, retention)
    VALUES (%(name)s, %(title)s, %(sign_in)s, %(time_limit)s, %(quota_octets)s, %(stale_after)s, %(terms)s,
            %(retention)s)
        ON CONFLICT (name) DO UPDATE
       SET title = excluded.title,
           sign_in = excluded.sign_in,
           time_limit = excluded.time_limit,
           quota_octets = excluded.quota_octets,
           stale_after = excluded.stale_after,
           terms = excluded.terms,
           retention = excluded.retention
 RETURNING known.xmax = 0
"""


async def fetch_networks(cursor: Cursor) -> list[Network]:
    """Fetch all networks by name, 10,000 at most."""
    await cursor.execute(FETCH_NETWORKS)
    return [
        Network(name, title, SignIn(sign_in), time_limit, quota_octets, stale_after, terms, retention)
        for name, title, sign_in, time_limit, quota_octets, stale_after, terms, retention in cursor.fetchall()
    ]


async def save_network(cursor: Cursor, network: Network) -> bool:
    """
    Make a network, or replace all that is known about it.

    @return: True if it was new.
    @raise StoreRefused: if a value is outside the bounds of the schema.
    """
    await cursor.execute(
        SAVE_NETWORK,
        {
            "name": network.name,
            "title": network.title,
            "sign_in": network.sign_in.value,
            "time_limit": network.time_limit,
            "quota_octets": network.quota_octets,
            "stale_after": network.stale_after,
            "terms": network.terms,
            "retention": network.retention,
        },
    )
    [(is_new,)] = cursor.fetchall()
    return bool(is_new)
