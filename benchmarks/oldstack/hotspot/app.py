"""The pages and answers, all in one file as such servers had them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from flask import Flask, abort, redirect, render_template_string, request
from hotspot.models import Connection, Gateway, User, Voucher, db, new_code
from werkzeug.security import check_password_hash
from werkzeug.wrappers import Response

MOST_ONLINE = 1000
"""Guests at a gateway; beyond it nobody else is let in."""

LOGIN_PAGE = """<!doctype html><title>{{ gateway.network.title }}</title><h1>Welcome to {{ gateway.network.title }}</h1>
<form method="post">
<p><input name="name" placeholder="User name"> <input name="password" type="password" placeholder="Password"></p>
<p><input name="voucher" placeholder="Voucher"></p>
<p><button>Sign in</button> <button name="sign_up" value="yes">Give me a free voucher</button></p>
</form>"""

PORTAL_PAGE = """<!doctype html><title>You are online</title><h1>You are online at {{ gateway.network.title }}</h1>
<p>{{ gateway.online | length }} guests are here.</p>"""

app = Flask("hotspot")


def now() -> datetime:
    """Tell the time as the database keeps it: UTC without saying so."""
    return datetime.now(UTC).replace(tzinfo=None)


@app.teardown_appcontext
def remove_session(error: BaseException | None) -> None:
    """Give the connection back, as Flask's manual says."""
    db.remove()


@app.route("/wifidog/ping", strict_slashes=False)
def ping() -> str:
    """Note that the gateway is alive."""
    gateway = gateway_named(request.args.get("gw_id"))
    gateway.last_ping = now()
    gateway.sys_uptime = request.args.get("sys_uptime", type=int)
    gateway.sys_load = request.args.get("sys_load", type=float)
    db.commit()
    return "Pong"


@app.route("/wifidog/auth", strict_slashes=False)
def auth() -> str:
    """Answer the gateway whether a guest may pass."""
    connection = Connection.query.filter_by(token=request.args.get("token")).first()
    if connection is None or connection.ended_at is not None:
        return "Auth: 0\n"
    stage = request.args.get("stage")
    crowded = len(connection.gateway.online) > MOST_ONLINE
    connection.last_seen_at = now()
    connection.mac = request.args.get("mac")
    connection.ip = request.args.get("ip")
    connection.incoming = max(connection.incoming, request.args.get("incoming", 0, type=int))
    connection.outgoing = max(connection.outgoing, request.args.get("outgoing", 0, type=int))
    if stage == "logout":
        connection.ended_at = now()
    db.commit()
    return "Auth: 0\n" if stage == "logout" or (stage == "login" and crowded) else "Auth: 1\n"


@app.route("/wifidog/login", methods=["GET", "POST"], strict_slashes=False)
def login() -> str | Response:
    """Show the login page, or let somebody in and send them back to the gateway."""
    gateway = gateway_named(request.args.get("gw_id"))
    if request.method == "GET":
        return render_template_string(LOGIN_PAGE, gateway=gateway)
    connection = Connection(token=uuid.uuid4().hex, gateway=gateway, started_at=now(), last_seen_at=now())
    with db.no_autoflush:
        connection.user, connection.voucher_code = who_comes()
    if connection.user is None and connection.voucher_code is None:
        db.rollback()
        return render_template_string(LOGIN_PAGE, gateway=gateway)
    db.add(connection)
    db.commit()
    address, port = request.args.get("gw_address"), request.args.get("gw_port")
    return redirect(f"http://{address}:{port}/wifidog/auth?token={connection.token}")


@app.route("/wifidog/portal", strict_slashes=False)
def portal() -> str:
    """Welcome who is online now."""
    return render_template_string(PORTAL_PAGE, gateway=gateway_named(request.args.get("gw_id")))


@app.route("/wifidog/gw_message.php")
def message() -> str:
    """Explain what the gateway did."""
    return render_template_string("<!doctype html><p>{{ message }}</p>", message=request.args.get("message"))


def who_comes() -> tuple[User | None, str | None]:
    """Find the user or the voucher of the form, or make a voucher if that was the button."""
    if request.form.get("sign_up"):
        voucher = Voucher(code=new_code(), created_at=now(), minutes=60)
        db.add(voucher)
        db.flush()
        return None, voucher.code
    voucher = Voucher.query.filter_by(code=request.form.get("voucher", "")).first()
    if voucher is not None and voucher.created_at + timedelta(minutes=voucher.minutes) > now():
        return None, voucher.code
    user = User.query.filter_by(name=request.form.get("name", "")).first()
    if user is not None and check_password_hash(user.password, request.form.get("password", "")):
        return user, None
    return None, None


def gateway_named(gw_id: str | None) -> Gateway:
    """Find a gateway, or say 404."""
    gateway = Gateway.query.filter_by(gw_id=gw_id).first()
    return gateway if gateway is not None else abort(404)
