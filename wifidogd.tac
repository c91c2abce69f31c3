"""The service tree of C{twistd wifidogd} for C{twistd -ny wifidogd.tac}, configured by the environment alone."""

from twisted.application.service import Application
from twisted.python.usage import UsageError

from wifidogd.tap import Options, makeService

options = Options()
try:
    options.parseOptions([])
except UsageError as error:
    raise SystemExit(f"wifidogd.tac: {error}") from None

application = Application("wifidogd")
makeService(options).setServiceParent(application)
