"""The address in the QR code of a voucher."""

from __future__ import annotations

from http import HTTPStatus

from wifidogd.domain.voucher_codes import read_code
from wifidogd.web.portal.http import Answer, Caller
from wifidogd.web.portal.sign_in import SignInPages
from wifidogd.web.rendering import sign_in_pages
from wifidogd.web.rendering.urls import detour_with
from wifidogd.web.server.query import read_query


class VoucherPages:
    """
    Leads a guest who has scanned a voucher to where it can be used.

    Opening the address never signs in by itself: browsers and messengers
    open addresses without being asked.
    """

    def __init__(self, sign_in: SignInPages) -> None:
        self._sign_in = sign_in

    async def show(self, typed: str, query: bytes, caller: Caller) -> Answer:
        """
        Show the sign-in form with the code filled in where a query says at which gateway the guest is.

        The server does not guess where a guest is: without that query it shows the way there.

        @param typed: the code in the address.
        @raise StoreUnavailable: while nobody can say who is adopted or online.
        """
        code = read_code(typed)
        if code is None:
            return Answer(sign_in_pages.voucher(None, None), HTTPStatus.NOT_FOUND)
        if "gw_id" in read_query(query):
            return await self._sign_in.show(query, caller, code)
        return Answer(sign_in_pages.voucher(code, detour_with(code)))
