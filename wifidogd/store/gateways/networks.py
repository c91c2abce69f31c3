"""Networks: what groups of gateways offer to guests."""

from __future__ import annotations

from dataclasses import fields, replace

from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.store.driver.database import Cursor
from wifidogd.store.driver.rows import RowReader

FETCH_NETWORKS = """
    SELECT name, title, methods, time_limit, quota_octets, stale_after,
           coalesce((SELECT json_object_agg(language, text) FROM terms WHERE terms.network = networks.name), '{}')
               AS terms,
           terms_version, retention, plan, time_zone, sign_up, grace, remember, remember_random, remember_mac,
           mail_access, roaming, lets_known_through, colour, logo
      FROM networks
     ORDER BY name
     LIMIT 10000
"""

SAVE_NETWORK = """
    INSERT INTO networks AS known (name, title, methods, time_limit, quota_octets, stale_after, terms_version,
                                   retention, plan, time_zone, sign_up, grace, remember, remember_random,
                                   remember_mac, mail_access, roaming, lets_known_through, colour, logo)
    VALUES (%(name)s, %(title)s, %(methods)s, %(time_limit)s, %(quota_octets)s, %(stale_after)s, %(terms_version)s,
            %(retention)s, %(plan)s, %(time_zone)s, %(sign_up)s, %(grace)s, %(remember)s, %(remember_random)s,
            %(remember_mac)s, %(mail_access)s, %(roaming)s, %(lets_known_through)s, %(colour)s, %(logo)s)
        ON CONFLICT (name) DO UPDATE
       SET title = excluded.title,
           methods = excluded.methods,
           time_limit = excluded.time_limit,
           quota_octets = excluded.quota_octets,
           stale_after = excluded.stale_after,
           terms_version = excluded.terms_version,
           retention = excluded.retention,
           plan = excluded.plan,
           time_zone = excluded.time_zone,
           sign_up = excluded.sign_up,
           grace = excluded.grace,
           remember = excluded.remember,
           remember_random = excluded.remember_random,
           remember_mac = excluded.remember_mac,
           mail_access = excluded.mail_access,
           roaming = excluded.roaming,
           lets_known_through = excluded.lets_known_through,
           colour = excluded.colour,
           logo = excluded.logo
 RETURNING known.xmax = 0
"""

COUNT_ONLINE = """
    SELECT count(*)
      FROM sessions
      JOIN gateways USING (gw_id)
     WHERE gateways.network = %(name)s
       AND sessions.activated_at IS NOT NULL
"""

REMOVE_TERMS = """
    DELETE FROM terms
     WHERE network = %(network)s
       AND NOT language = ANY(%(languages)s::text[])
"""

SAVE_TERMS = """
    INSERT INTO terms AS known (network, language, text)
    SELECT %(network)s, language, text
      FROM unnest(%(languages)s::text[], %(texts)s::text[]) AS said (language, text)
        ON CONFLICT (network, language) DO UPDATE
       SET text = excluded.text
     WHERE known.text <> excluded.text
"""


NETWORKS = RowReader(Network)


async def fetch_networks(cursor: Cursor) -> list[Network]:
    """Fetch all networks by name, 10,000 at most."""
    await cursor.execute(FETCH_NETWORKS)
    return [replace(network, methods=tuple(map(SignInMethod, network.methods))) for network in NETWORKS.all(cursor)]


async def count_online(cursor: Cursor, name: str) -> int:
    """Count the guests online at the gateways of a network."""
    await cursor.execute(COUNT_ONLINE, {"name": name})
    [(number,)] = cursor.fetchall()
    return int(number)


async def save_network(cursor: Cursor, network: Network) -> bool:
    """
    Make a network, or replace all that is known about it.

    @return: True if it was new.
    @raise StoreRefused: if a value is outside the bounds of the schema.
    """
    values: dict[str, object] = {field.name: getattr(network, field.name) for field in fields(network)}
    values["methods"] = [method.value for method in network.methods]
    await cursor.execute(SAVE_NETWORK, values)
    [(is_new,)] = cursor.fetchall()
    languages = sorted(network.terms)
    await cursor.execute(REMOVE_TERMS, {"network": network.name, "languages": languages})
    texts = [network.terms[language] for language in languages]
    await cursor.execute(SAVE_TERMS, {"network": network.name, "languages": languages, "texts": texts})
    return bool(is_new)
