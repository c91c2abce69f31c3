"""
wifidogd broken on purpose, under load; its accounting is then compared with what it has acknowledged.

A trial is a function that returns L{TrialResult}s: fault, load, what was promised, what was seen.  C{make chaos} runs
the long form of all that C{tests/chaos/__main__.py} names, C{make chaos CHAOS=name} that of one.  The short forms are
the tests in C{tests/chaos/short/}, which call the same functions with smaller numbers.

Trials block: nothing of a reactor runs in their process.  The parts:

  - C{tests/support/testbed/}: a PostgreSQL that may be broken, wifidogd as processes, and what both use of the machine.
  - C{load/}: simulated gateways and guests (L{wifidogd.simulation}) in a process of their own.  L{Load.end} returns
    every answer with its instant, what was wrong with any, and what the audit found.
  - C{routers/}: routers that keep WebSockets open and send lists, in a process of their own, with records as exact.
  - C{faults/}: what can happen to a PostgreSQL, its disk and its network, and to wifidogd.
  - C{clients/}: hostile and clumsy clients, in a process of their own.
  - C{fuzz/}: requests that no well-meaning client sends.
  - C{trials/}: the trials.  C{soak.py} runs faults and bad clients for half an hour.
  - C{report/}: the result of a trial, and the page docs/reliability.md.

Instants are those of C{time.monotonic()}, which all processes of a machine share.
"""
