"""C{python -m tests.chaos.report}: see L{tests.chaos.report.page}."""

from tests.chaos.report.page import main

main()
