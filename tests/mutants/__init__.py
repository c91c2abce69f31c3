"""
Changes one thing at a time in the core and runs the tests of the room, which must notice: C{make mutants}.

  - L{mutations<tests.mutants.mutations>}: every small change that can be made to a module.
  - L{rooms<tests.mutants.rooms>}: what is changed, and which tests belong to it.
  - L{selection<tests.mutants.selection>}: which tests enter which function, found out by one run of all of them.
  - L{child<tests.mutants.child>}: a forked process in which one change is made and tests are run until one fails.
  - L{trial<tests.mutants.trial>}: all changes of a room, two processes at a time.
  - L{verdicts<tests.mutants.verdicts>}: what has been found out before, changes that make no difference, the report.

C{equivalents.toml} lists the changes that make no difference, each with the reason.
"""
