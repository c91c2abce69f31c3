"""What guests see, by path; the one place where what went wrong becomes a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import MethodNotAllowed, NotFound

from wifidogd.access.remembered_devices import RememberedDevices
from wifidogd.access.session_view import OtherDevices
from wifidogd.access.sign_in import AccountSignIn
from wifidogd.access.voucher_sign_in import VoucherSignIn
from wifidogd.accounts.personal_data import PersonalData
from wifidogd.domain.errors import Overloaded, StoreConflict, StoreUnavailable
from wifidogd.domain.gateways import WaitingGateway
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
from wifidogd.web.portal.sign_in import SignInPages
from wifidogd.web.portal.sign_up import ByMail, SignUpPages
from wifidogd.web.portal.voucher import VoucherPages
from wifidogd.web.rendering.notices import Notice, notice
from wifidogd.web.rendering.pages import Pages
from wifidogd.web.server.request import query_of

log = Logger()


class GuestPages:
    """The human half of the site."""

    app = Klein()

    def __init__(
        self,
        directory: Registry,
        admission: AccountSignIn,
        vouchers: VoucherSignIn,
        remember_waiting: Callable[[WaitingGateway], None],
        *,
        remembered: RememberedDevices,
        by_mail: ByMail | None,
        companions: OtherDevices,
        my_data: PersonalData,
        path: str,
        public_url: str | None,
        utc_now: UtcNow,
        clock: IReactorTime,
    ) -> None:
        """
        @param remember_waiting: told of each guest that an unknown gateway sends.
        @param by_mail: what needs a mail server; None where there is none.
        @param path: under which the server is reached, with slashes around.
        @param public_url: what guests' browsers reach this server by; None when only they know.
        """
        self._path, self._pages = path, Pages(path)
        self._sparing = RateLimitedLog(log, clock)
        state = FormState(directory, utc_now)
        registration, care = (by_mail.registration, by_mail.care) if by_mail else (None, None)
        self._registration = SignUpPages(directory, admission, registration, state, path)
        self._care = AccountPages(directory, care, state, path)
        self._stay = SessionPages(
            directory, admission, companions, remembered, state, path, care=self._care, utc_now=utc_now
        )
        self._sign_in = SignInPages(
            directory,
            admission,
            vouchers,
            state,
            path,
            remembered=remembered,
            registration=self._registration,
            care=self._care,
            remember_waiting=remember_waiting,
            utc_now=utc_now,
            public_url=public_url,
        )
        self._my_data = PersonalDataPages(directory, my_data, state, path, utc_now=utc_now)
        self._preview = PreviewPages(directory, state, path, utc_now=utc_now)
        self._voucher = VoucherPages(self._sign_in)

    @app.route("/", methods=["GET"])
    def home(self, request: IRequest) -> bytes:
        """Say hello to whoever looks at the server itself."""
        return self._put(request, Answer(notice(Notice.HOME)))

    @app.route("/login", methods=["GET"], strict_slashes=False)
    async def login(self, request: IRequest) -> bytes:
        """Show the way in."""
        return self._put(request, await self._sign_in.show(query_of(request), caller_of(request)))

    @app.route("/login", methods=["POST"], strict_slashes=False)
    async def submit(self, request: IRequest) -> bytes:
        """Let a guest in, or say why not."""
        return self._put(request, await self._sign_in.submit(form_of(request), caller_of(request)))

    @app.route("/sign-up", methods=["GET"], strict_slashes=False)
    def show_sign_up(self, request: IRequest) -> bytes:
        """Ask a new guest for address and password."""
        return self._put(request, self._registration.show_sign_up(query_of(request), caller_of(request)))

    @app.route("/sign-up", methods=["POST"], strict_slashes=False)
    async def sign_up(self, request: IRequest) -> bytes:
        """Make an account and let its guest in."""
        return self._put(request, await self._registration.sign_up(form_of(request), caller_of(request)))

    @app.route("/forgotten", methods=["GET"], strict_slashes=False)
    def show_forgotten(self, request: IRequest) -> bytes:
        """Ask a forgetful guest for their address."""
        return self._put(request, self._care.show_forgotten(query_of(request)))

    @app.route("/forgotten", methods=["POST"], strict_slashes=False)
    async def write_again(self, request: IRequest) -> bytes:
        """Write to a forgetful guest."""
        return self._put(request, await self._care.write_again(form_of(request), caller_of(request)))

    @app.route("/account", methods=["GET"], strict_slashes=False)
    def show_account(self, request: IRequest) -> bytes:
        """Ask for what is to be changed of an account."""
        return self._put(request, self._care.show_account(query_of(request)))

    @app.route("/account", methods=["POST"], strict_slashes=False)
    async def change_account(self, request: IRequest) -> bytes:
        """Change password or address of an account."""
        return self._put(request, await self._care.change(form_of(request), caller_of(request)))

    @app.route("/mail/<secret>", methods=["GET"], strict_slashes=False)
    async def follow(self, request: IRequest, secret: str) -> bytes:
        """Follow the link of a mail, which may work only once."""
        only_head = request.method == b"HEAD"
        return self._put(request, self._care.glance() if only_head else await self._care.follow(secret))

    @app.route("/mail/<secret>", methods=["POST"], strict_slashes=False)
    async def choose_password(self, request: IRequest, secret: str) -> bytes:
        """Replace a forgotten password by the link of a mail."""
        return self._put(request, await self._care.choose_password(secret, form_of(request)))

    @app.route("/v/<code>", methods=["GET"], strict_slashes=False)
    async def voucher(self, request: IRequest, code: str) -> bytes:
        """Lead who has scanned a voucher to where it can be used."""
        return self._put(request, await self._voucher.show(code, query_of(request), caller_of(request)))

    @app.route("/portal", methods=["GET"], strict_slashes=False)
    async def portal(self, request: IRequest) -> bytes:
        """Welcome a guest whom the gateway let in."""
        return self._put(request, await self._stay.portal(query_of(request)))

    @app.route("/preview", methods=["GET"], strict_slashes=False)
    def preview(self, request: IRequest) -> bytes:
        """Let an operator see what guests see."""
        return self._put(request, self._preview.show(query_of(request)))

    @app.route("/portal.json", methods=["GET"])
    async def figures(self, request: IRequest) -> bytes:
        """Tell the portal's script what has changed."""
        return self._put(request, await self._stay.figures(query_of(request)))

    @app.route("/disconnect", methods=["POST"], strict_slashes=False)
    async def disconnect(self, request: IRequest) -> bytes:
        """Let a guest end the stay of another of their devices."""
        return self._put(request, await self._stay.disconnect(form_of(request)))

    @app.route("/forget", methods=["POST"], strict_slashes=False)
    async def forget(self, request: IRequest) -> bytes:
        """Let a guest have their device forgotten."""
        return self._put(request, await self._stay.forget(form_of(request), caller_of(request)))

    @app.route("/p/<token>", methods=["GET"], strict_slashes=False)
    def copied(self, request: IRequest, token: str) -> bytes:
        """Lead who has copied the short address of their portal to it."""
        return self._put(request, self._stay.copied(token))

    @app.route("/my-data", methods=["POST"], strict_slashes=False)
    async def my_data(self, request: IRequest) -> bytes:
        """Show a guest what is stored about them, or erase it."""
        return self._put(request, await self._my_data.answer(form_of(request)))

    @app.route("/logout", methods=["POST"], strict_slashes=False)
    async def logout(self, request: IRequest) -> bytes:
        """End a stay."""
        return self._put(request, await self._stay.log_out(form_of(request)))

    @app.route("/gw_message.php", methods=["GET"], strict_slashes=False)
    @app.route("/gw_message", methods=["GET"], strict_slashes=False)
    @app.route("/messages", methods=["GET"], strict_slashes=False)
    def message(self, request: IRequest) -> bytes:
        """Explain what the gateway has to say."""
        return self._put(request, self._stay.message(query_of(request)))

    @app.handle_errors(StoreUnavailable, StoreConflict, Overloaded)
    def _unavailable(self, request: IRequest, failure: Failure) -> bytes:
        """Ask for patience: the guest who is online stays so, the other may try again."""
        answer = Answer(notice(Notice.UNAVAILABLE), HTTPStatus.SERVICE_UNAVAILABLE, retry_after=RETRY_AFTER)
        return self._put(request, answer)

    @app.handle_errors(NotFound)
    def _not_found(self, request: IRequest, failure: Failure) -> bytes:
        """Answer an address that does not exist."""
        return self._put(request, not_found())

    @app.handle_errors(MethodNotAllowed)
    def _wrong_method(self, request: IRequest, failure: Failure) -> bytes:
        """Answer a method that the address does not know."""
        methods = failure.value.valid_methods if isinstance(failure.value, MethodNotAllowed) else None
        request.setHeader(b"Allow", ", ".join(sorted(methods or ())).encode())
        return self._put(request, Answer(notice(Notice.WRONG_METHOD), HTTPStatus.METHOD_NOT_ALLOWED))

    @app.handle_errors(Exception)
    def _broken(self, request: IRequest, failure: Failure) -> bytes:
        """Answer when we have made a mistake; the log says which, but not once for each guest."""
        self._sparing.failure("a guest's request failed", failure)
        return self._put(request, Answer(notice(Notice.BROKEN), HTTPStatus.INTERNAL_SERVER_ERROR))

    def _put(self, request: IRequest, answer: Answer) -> bytes:
        language = language_of(request)
        if answer.location is not None and answer.location.startswith(self._path):
            answer = replace(answer, location=language.kept(answer.location))
        body = answer.body
        if not isinstance(body, bytes):
            body = self._pages.write(body, language, switch_of(request, answer), origin_of(request))
        put(request, answer, self._pages.policy(answer.body, answer.forms, answer.images))
        return packed_for(request, body)
