"""
A WiFiDog auth server as hobbyists wrote them: Flask, SQLAlchemy, a few tables, nothing bounded.

Written new for the benchmarks.  It is not careless: sessions are removed after each request, logins are checked, totals
are kept.  What it does that costs is what such servers did: it loads a relationship to count, and draws voucher codes
until one is free.
"""
