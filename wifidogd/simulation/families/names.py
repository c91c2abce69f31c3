"""The families by the names that operators call them."""

from __future__ import annotations

from collections.abc import Mapping

from wifidogd.simulation.families.apfree import Apfree, ApfreeV1
from wifidogd.simulation.families.family import Family
from wifidogd.simulation.families.wifidog import Wifidog
from wifidogd.simulation.families.wifidog_ng import WifidogNg, WifidogNg1

FAMILIES: Mapping[str, Family] = {
    "wifidog": Wifidog(),
    "apfree": Apfree(keeps_websocket=True),
    "apfree-v1": ApfreeV1(keeps_websocket=True),
    "wifidog-ng": WifidogNg(),
    "wifidog-ng-1": WifidogNg1(),
}
