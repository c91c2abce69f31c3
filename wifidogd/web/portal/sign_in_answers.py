"""Answers to guests at the login page: the form, the way back in without one, or that they are online already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wifidogd.access.arrivals import RecognizedDevice
from wifidogd.access.mail_access import MailOutcome
from wifidogd.access.open_session import Admitted, Refused
from wifidogd.access.session_view import SessionView
from wifidogd.domain.guests import EndNotice, GuestRequest
from wifidogd.domain.plans import Network, SignInMethod
from wifidogd.domain.sessions import LoginQuery, UtcNow
from wifidogd.domain.voucher_codes import read_code, show_code
from wifidogd.web.portal.device_cookie import move_cookies, set_cookies
from wifidogd.web.portal.form_state import FormState
from wifidogd.web.portal.http import Answer, Caller, lead_to, refusal
from wifidogd.web.portal.session_cookie import set_session_cookie
from wifidogd.web.portal.sign_up import offers_sign_up
from wifidogd.web.rendering import sign_in_pages, urls

_MOST_STATE = 600
"""Characters of signed state in a form; what is repeated in other forms of the page weighs little once compressed."""

_NAMED = {"code": SignInMethod.VOUCHER, "name": SignInMethod.ACCOUNT, "splash": SignInMethod.SPLASH}
"""What a form has a field for, the most telling first."""


class SignInAnswers:
    """Makes the pages of the login address; in each form the login query is signed."""

    def __init__(
        self, state: FormState, path: str, *, has_mail: bool, utc_now: UtcNow, is_public_over_tls: bool
    ) -> None:
        """
        @param has_mail: whether guests can be written to.
        @param is_public_over_tls: whether guests reach this server by https, perhaps through a proxy that ends TLS.
        """
        self._state = state
        self._path = path
        self._has_mail = has_mail
        self._utc_now = utc_now
        self._is_public_over_tls = is_public_over_tls

    def back(
        self, request: GuestRequest, caller: Caller, recognized: RecognizedDevice | None, end_notice: EndNotice | None
    ) -> Answer:
        """
        Offer a known device to come in without a form.

        @param recognized: the remembered one; None for one that is online at another gateway.
        """
        state = self._state.seal_login_query(request.query)
        other = f"{urls.login_of(self._path, request.query)}&{urls.WITH_FORM}=1"
        body = sign_in_pages.back(
            request.network,
            state,
            other,
            None if recognized is None else recognized.until,
            request.now,
            end_notice,
            can_forget=recognized is not None and not recognized.by_mac,
        )
        return Answer(body, forms=urls.way_in(request.gateway, caller.host))

    def form(
        self,
        request: GuestRequest,
        caller: Caller,
        refused: Refused | None,
        form: Mapping[str, str],
        end_notice: EndNotice | None = None,
        *,
        offers_mail: bool = False,
    ) -> Answer:
        """Show the form as C{form} was filled in, below why the last try or the last session ended."""
        network = request.network
        login_query, state = self._seal(request.query)
        body = sign_in_pages.sign_in(
            network,
            state,
            refused,
            first=way_of(network, form),
            name=form.get("name", ""),
            code=_shown(form.get("code", "")),
            again="again" in form,
            remember="remember" in form,
            has_help=self._has_mail,
            can_sign_up=self._has_mail and offers_sign_up(network),
            offers_mail=offers_mail,
            now=self._utc_now(),
            end_notice=end_notice,
        )
        forms, address = urls.way_in(request.gateway, caller.host), urls.login_of(self._path, login_query)
        if refused is None:
            return Answer(body, forms=forms, address=address)
        return refusal(body, refused, forms, address)

    def lead_in(self, request: GuestRequest, admitted: Admitted, caller: Caller) -> Answer:
        """Send a guest who may come in to the gateway."""
        return lead_to(urls.admitting(request.gateway, admitted.token), self._cookies(request, admitted, caller))

    def already_online(self, request: GuestRequest, caller: Caller, own: SessionView | None) -> Answer:
        """
        Tell a guest that the device is online already, and let them sign in again if they insist.

        @param own: the session that the browser has signed in to, which the page leads to; None if it is not known.
        """
        query = request.query
        portal = None if own is None else urls.portal_of(self._path, own)
        body = sign_in_pages.online(request.network, self._state.seal_login_query(query), query.url, portal)
        forms, address = urls.way_in(request.gateway, caller.host), urls.login_of(self._path, query)
        return Answer(body, forms=forms, address=address, by_cookie=own is not None)

    def mail_access(self, request: GuestRequest, outcome: MailOutcome) -> Answer:
        """Tell a guest whether they can read their mail now."""
        login = urls.login_of(self._path, request.query)
        return Answer(sign_in_pages.mail_access(request.network, outcome, login), address=login)

    def _cookies(self, request: GuestRequest, admitted: Admitted, caller: Caller) -> tuple[str, ...]:
        """Return the cookies of a guest who is let in; over TLS the one from before it had a name of its own moves."""
        network, now = request.network.name, self._utc_now()
        session = set_session_cookie(request.network, admitted.browser_secret, self._path)
        is_secure = caller.is_secure or self._is_public_over_tls
        if admitted.cookie is not None:
            return (session, *set_cookies(network, admitted.cookie, self._path, now, is_secure=is_secure))
        if is_secure and network in caller.keys.unprefixed and request.device_key is not None:
            return (session, *move_cookies(network, request.device_key, self._path, now))
        return (session,)

    def _seal(self, login_query: LoginQuery) -> tuple[LoginQuery, str]:
        """Sign the login query; the page first wanted is left out where its address would make ours too large."""
        state = self._state.seal_login_query(login_query)
        if len(state) <= _MOST_STATE:
            return login_query, state
        login_query = replace(login_query, url=None)
        return login_query, self._state.seal_login_query(login_query)


def way_of(network: Network, form: Mapping[str, str]) -> SignInMethod | None:
    """Return in which way of the network a form wants to sign in; a lone button needs no name."""
    if network.methods == (SignInMethod.SPLASH,):
        return SignInMethod.SPLASH
    return next((way for name, way in _NAMED.items() if name in form and way in network.methods), None)


def _shown(typed: str) -> str:
    """Return a code as people write it; what is none as it was typed."""
    code = read_code(typed)
    return typed[:100] if code is None else show_code(code)
