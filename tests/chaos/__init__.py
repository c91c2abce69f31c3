"""
wifidogd broken on purpose, under load, and the books held against what was acknowledged.

A trial is a function that returns L{Row<tests.chaos.row.Row>}s: fault, load, what was promised, what was seen.  Those
named in C{tests/chaos/__main__.py} are run in their long form by C{make chaos}, one by C{make chaos CHAOS=name}; their
short form is a pytest test, C{tests/chaos/test_*.py}, that calls the same functions with smaller numbers.

Trials block: nothing of a reactor runs in their process.  What they are made of:

  - L{House<tests.chaos.house.House>}: a PostgreSQL to be hurt, and wifidogd as processes; all gone when it is left.
  - L{Load<tests.chaos.load.Load>}: gateways and guests who are not there (L{wifidogd.simulation}) in a process of their
    own.  L{Load.end} tells every answer with its instant, what was wrong with any, and what the audit found.
  - L{Watch<tests.chaos.watch.Watch>}: CPU, memory, descriptors and log of servers, between any two instants.
  - L{Row<tests.chaos.row.Row>}.

Instants are those of C{time.monotonic()}, which all processes of a machine share.
"""
