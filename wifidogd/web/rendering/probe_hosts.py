"""Where devices and browsers check whether they are online, which is no page that anybody wants to go to."""

from __future__ import annotations

PROBE_HOSTS = frozenset(
    {
        # Apple: "Use Apple products on enterprise networks" (support.apple.com/101555), and Captive Network Support
        # of iOS up to 8, which chose one of several names at random.
        "captive.apple.com",
        "captive.g.aaplimg.com",
        "gsp1.apple.com",
        "netcts.cdn-apple.com",
        "www.airport.us",
        "www.appleiphonecell.com",
        "www.ibook.info",
        "www.itools.info",
        "www.thinkdifferent.us",
        # Android and ChromeOS: NetworkStack's NetworkMonitor and its res/values/config.xml (android.googlesource.com).
        "clients1.google.com",
        "clients3.google.com",
        "clients4.google.com",
        "connectivitycheck.android.com",
        "connectivitycheck.gstatic.com",
        "play.googleapis.com",
        # What makers of Android devices set instead, most of all for China: their builds of the same NetworkMonitor.
        "conn1.coloros.com",
        "conn1.oppomobile.com",
        "conn2.coloros.com",
        "conn2.oppomobile.com",
        "connect.rom.miui.com",
        "connectivity.samsung.com.cn",
        "connectivitycheck.cbg-app.huawei.com",
        "connectivitycheck.platform.dbankcloud.com",
        "connectivitycheck.platform.hicloud.com",
        "connectivitycheck.platform.hihonorcloud.com",
        "connectivitycheck.samsung.com",
        "connectivitycheck.vivo.com.cn",
        "wifi.vivo.com.cn",
        # Other systems made from Android: their documentation of what they ask by default.
        "204.ecloud.global",
        "captiveportal.kuketz.de",
        "connectivitycheck.grapheneos.network",
        # Windows: "Network Connectivity Status Indicator overview" (learn.microsoft.com).
        "dns.msftncsi.com",
        "internetbeacon.msedge.net",
        "ipv6.msftconnecttest.com",
        "ipv6.msftncsi.com",
        "www.msftconnecttest.com",
        "www.msftncsi.com",
        # Browsers: captivedetect.canonicalURL in Firefox, the same in Brave; Edge by "Allow list for Microsoft Edge
        # endpoints" (learn.microsoft.com).
        "detectportal.brave-http-only.com",
        "detectportal.cdn.mozilla.net",
        "detectportal.firefox.com",
        "detectportal.prod.mozaws.net",
        "edge-http.microsoft.com",
        # Linux: the connectivity.conf that each distribution ships for NetworkManager.
        "conncheck.opensuse.org",
        "connectivity-check.ubuntu.com",
        "network-test.debian.org",
        "networkcheck.kde.org",
        "nmcheck.gnome.org",
        "ping.archlinux.org",
        "ping.manjaro.org",
        # Amazon: Fire OS, Fire TV and tablets for children; a Kindle asks for kindle-wifi/wifistub.html.
        "fireoscaptiveportal.com",
        "freetimecaptiveportal.com",
        "spectrum.s3.amazonaws.com",
        "tabletcaptiveportal.com",
        # Nintendo: Wii U and 3DS, then Switch (switchbrew.org, "Network Interface services").
        "conntest.nintendowifi.net",
        "ctest.cdn.nintendo.net",
        # Other devices and programs: Roku, Steam, Cloudflare WARP (its "Captive portal detection" page).
        "captive.roku.com",
        "connectivity.cloudflareclient.com",
        "cp.cloudflare.com",
        "test.steampowered.com",
    }
)

PROBE_PATHS = frozenset(
    {
        "/canonical.html",
        "/captiveportal/generate_204",
        "/check_network_status.txt",
        "/connecttest.txt",
        "/gen_204",
        "/generate204",
        "/generate_204",
        "/hotspot-detect.html",
        "/kindle-wifi/wifiredirect.html",
        "/kindle-wifi/wifistub.html",
        "/library/test/success.html",
        "/mobile/status.php",
        "/ncsi.txt",
        "/static/hotspot.txt",
        "/success.txt",
    }
)
"""Paths of such probes, which also occur on hosts that serve real pages, such as www.google.com."""


def is_probe(host: str, path: str) -> bool:
    """
    Return whether an address is one by which a device finds out that it is captive.

    @param host: lower-case.
    """
    return host.rstrip(".") in PROBE_HOSTS or path in PROBE_PATHS
