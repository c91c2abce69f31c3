"""Make C{twistd wifidogd} known to Twisted; imports nothing of wifidogd itself."""

from twisted.application.service import ServiceMaker

wifidogd = ServiceMaker(
    "WiFiDog auth server",
    "wifidogd.tap",
    "Authorise captive-portal guests for WiFiDog gateways.",
    "wifidogd",
)
