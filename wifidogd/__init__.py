"""wifidogd: an event-driven auth server for WiFiDog captive-portal gateways."""

__version__ = "0.1.0"
