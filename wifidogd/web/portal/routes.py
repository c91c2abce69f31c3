"""The routes of guests' pages, and the one place where what went wrong becomes a page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus

from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import MethodNotAllowed, NotFound

from wifidogd.access.session_view import SessionViews
from wifidogd.accounts.mailed_links import MailedLinks
from wifidogd.accounts.personal_data import PersonalData
from wifidogd.accounts.registration import Registration
from wifidogd.accounts.self_service import SelfService
from wifidogd.domain.errors import Overloaded, StoreConflict, StoreUnavailable
from wifidogd.domain.gateways import WaitingGateway
from wifidogd.domain.reports.activity import NoteActivity
from wifidogd.domain.sessions import UtcNow
from wifidogd.gateways.registry import Registry
from wifidogd.runtime.rate_limited_log import RateLimitedLog
from wifidogd.web.portal.account import AccountPages
from wifidogd.web.portal.form_state import FormState
from wifidogd.web.portal.http import (
    RETRY_AFTER,
    Answer,
    caller_of,
    form_of,
    language_of,
    not_found,
    origin_of,
    packed_for,
    put,
    switch_of,
)
from wifidogd.web.portal.personal_data import PersonalDataPages
from wifidogd.web.portal.preview import PreviewPages
from wifidogd.web.portal.session import SessionPages
from wifidogd.web.portal.sign_in import SignInPages, SignInServices
from wifidogd.web.portal.sign_up import SignUpPages
from wifidogd.web.portal.voucher import VoucherPages
from wifidogd.web.rendering.notices import Notice, notice
from wifidogd.web.rendering.pages import Pages
from wifidogd.web.server.cross_site import foreign_origin
from wifidogd.web.server.request import query_of

log = Logger()

_LONGEST_LOGGED = 100
"""Characters of what a browser says, in the log."""


@dataclass(frozen=True, slots=True)
class MailServices:
    """
    What needs a mail server.

    @ivar registration: makes accounts.
    @ivar self_service: lets their owners look after them.
    @ivar mailed_links: does what links in mails are for.
    """

    registration: Registration
    self_service: SelfService
    mailed_links: MailedLinks


class GuestPages:
    """
    The human half of the site.

    @ivar app: its routes; those that need a mail server are there only where there is one.
    """

    def __init__(
        self,
        registry: Registry,
        services: SignInServices,
        views: SessionViews,
        personal_data: PersonalData,
        remember_waiting: Callable[[WaitingGateway], None],
        learn_device: Callable[[str, str], None],
        note_activity: NoteActivity,
        *,
        mail: MailServices | None,
        path: str,
        public_url: str | None,
        utc_now: UtcNow,
        clock: IReactorTime,
    ) -> None:
        """
        @param remember_waiting: told of each guest whom an unknown gateway sends, or a known one from elsewhere.
        @param learn_device: told of the device that a guest's gateway is on, and of the gateway's name.
        @param note_activity: told of gateways whose guests come.
        @param mail: what needs a mail server; None where there is none.
        @param path: under which the server is reached, with slashes around.
        @param public_url: what guests' browsers reach this server by; None when only they know.
        """
        self.app = Klein()
        self._path, self._pages, self._public_url = path, Pages(path), public_url
        self._log = RateLimitedLog(log, clock)
        state, has_mail = FormState(registry, utc_now), mail is not None
        sign_in = SignInPages(
            registry,
            services,
            views,
            state,
            path,
            has_mail=has_mail,
            remember_waiting=remember_waiting,
            learn_device=learn_device,
            note_activity=note_activity,
            utc_now=utc_now,
            public_url=public_url,
        )
        remembered_devices = services.remembered_devices
        session = SessionPages(
            registry, views, remembered_devices, state, path, note_activity, has_mail=has_mail, utc_now=utc_now
        )
        self._mount_sign_in(sign_in, VoucherPages(sign_in))
        self._mount_session(session, PersonalDataPages(registry, personal_data, state, path, utc_now=utc_now))
        self._mount_preview(PreviewPages(registry, state, path, utc_now=utc_now))
        if mail is not None:
            self._mount_sign_up(SignUpPages(registry, mail.registration, state, path, utc_now=utc_now))
            self._mount_account(AccountPages(registry, mail.self_service, mail.mailed_links, state, path))
        self._mount_errors()

    def _mount_sign_in(self, pages: SignInPages, vouchers: VoucherPages) -> None:
        self._mount("GET", "/login", lambda request: pages.show(query_of(request), caller_of(request)))
        self._mount("POST", "/login", lambda request: pages.submit(form_of(request), caller_of(request)))
        self._mount(
            "GET", "/v/<code>", lambda request, code: vouchers.show(code, query_of(request), caller_of(request))
        )

    def _mount_session(self, pages: SessionPages, personal_data: PersonalDataPages) -> None:
        self._mount("GET", "/portal", lambda request: pages.portal(query_of(request), caller_of(request)))
        self._mount(
            "GET",
            "/portal.json",
            lambda request: pages.metrics(query_of(request), caller_of(request)),
            strict_slashes=True,
        )
        self._mount("GET", "/p/<token>", lambda request, token: pages.copied(token))
        self._mount("POST", "/logout", lambda request: pages.log_out(form_of(request)))
        self._mount("POST", "/disconnect", lambda request: pages.disconnect(form_of(request)))
        self._mount("POST", "/forget", lambda request: pages.forget(form_of(request), caller_of(request)))
        self._mount("POST", "/my-data", lambda request: personal_data.answer(form_of(request)))
        for path in ("/gw_message", "/messages"):
            self._mount("GET", path, lambda request: pages.message(query_of(request), caller_of(request)))

    def _mount_preview(self, pages: PreviewPages) -> None:
        self._mount("GET", "/", lambda request: Answer(notice(Notice.HOME)), strict_slashes=True)
        self._mount("GET", "/preview", lambda request: pages.show(query_of(request)))

    def _mount_sign_up(self, pages: SignUpPages) -> None:
        self._mount("GET", "/sign-up", lambda request: pages.show_sign_up(query_of(request), caller_of(request)))
        self._mount("POST", "/sign-up", lambda request: pages.sign_up(form_of(request), caller_of(request)))

    def _mount_account(self, pages: AccountPages) -> None:
        self._mount("GET", "/forgotten", lambda request: pages.show_forgotten(query_of(request)))
        self._mount("POST", "/forgotten", lambda request: pages.write_again(form_of(request), caller_of(request)))
        self._mount("GET", "/account", lambda request: pages.show_account(query_of(request)))
        self._mount("POST", "/account", lambda request: pages.change(form_of(request), caller_of(request)))
        self._mount("GET", "/mail/<secret>", lambda request, secret: pages.show_link(secret))
        self._mount(
            "POST",
            "/mail/<secret>",
            lambda request, secret: pages.use_link(secret, form_of(request), caller_of(request)),
        )

    def _mount_errors(self) -> None:
        """Turn what went wrong into a page, in this one place."""
        self.app.handle_errors(StoreUnavailable, StoreConflict, Overloaded)(self._unavailable)
        self.app.handle_errors(NotFound)(self._not_found)
        self.app.handle_errors(MethodNotAllowed)(self._wrong_method)
        self.app.handle_errors(Exception)(self._broken)

    def _mount(
        self, method: str, path: str, answer: Callable[..., Answer | Awaitable[Answer]], *, strict_slashes: bool = False
    ) -> None:
        """
        Serve a path; to forms of other sites only a refusal.

        @param answer: called with the request, and with what C{<name>} in the path stands for.
        """

        async def serve(request: IRequest, **values: str) -> bytes:
            if method == "POST" and (origin := foreign_origin(request, self._public_url)) is not None:
                return self._refuse_form(request, origin)
            made = answer(request, **values)
            return self._put(request, made if isinstance(made, Answer) else await made)

        endpoint = f"{method} {path}"
        self.app.route(path, methods=[method], strict_slashes=strict_slashes, endpoint=endpoint)(serve)

    def _refuse_form(self, request: IRequest, origin: str) -> bytes:
        """Answer that the form is another site's; the operator learns what to do if it was this server's."""
        host = (request.getHeader(b"host") or b"").decode("latin-1")
        self._log.warn(
            "a form of another site was refused: it came from {origin} and was for {host}; if guests reach this server "
            "by that name, say so with --public-url",
            origin=origin[:_LONGEST_LOGGED],
            host=host[:_LONGEST_LOGGED],
        )
        return self._put(request, Answer(notice(Notice.OTHER_SITE), HTTPStatus.FORBIDDEN))

    def _unavailable(self, request: IRequest, failure: Failure) -> bytes:
        """Answer that the server is busy: guests who are online stay so, others may try again."""
        answer = Answer(notice(Notice.UNAVAILABLE), HTTPStatus.SERVICE_UNAVAILABLE, retry_after=RETRY_AFTER)
        return self._put(request, answer)

    def _not_found(self, request: IRequest, failure: Failure) -> bytes:
        """Answer a request for an address that does not exist."""
        return self._put(request, not_found())

    def _wrong_method(self, request: IRequest, failure: Failure) -> bytes:
        """Answer a request with a method that the address does not take."""
        methods = failure.value.valid_methods if isinstance(failure.value, MethodNotAllowed) else None
        request.setHeader(b"Allow", ", ".join(sorted(methods or ())).encode())
        return self._put(request, Answer(notice(Notice.WRONG_METHOD), HTTPStatus.METHOD_NOT_ALLOWED))

    def _broken(self, request: IRequest, failure: Failure) -> bytes:
        """Answer that the fault is ours; the log says which, but not once for each guest."""
        self._log.failure("a guest's request failed", failure)
        return self._put(request, Answer(notice(Notice.BROKEN), HTTPStatus.INTERNAL_SERVER_ERROR))

    def _put(self, request: IRequest, answer: Answer) -> bytes:
        language = language_of(request)
        if answer.location is not None and answer.location.startswith(self._path):
            answer = replace(answer, location=language.kept(answer.location))
        body = answer.body
        if not isinstance(body, bytes):
            body = self._pages.write(body, language, switch_of(request, answer), origin_of(request))
        policy = self._pages.policy(answer.body, answer.forms, answer.images)
        put(request, answer, policy, is_public_over_tls=(self._public_url or "").startswith("https:"))
        return packed_for(request, body, by_cookie=answer.by_cookie)
