"""
Run the hobby server, each way as its manual begins: C{python -m hotspot.serve cheroot|waitress|flask|gunicorn PORT}.
"""

from __future__ import annotations

import sys

from hotspot.app import app
from hotspot.models import make_tables


def cheroot(port: int) -> None:
    """Serve with CherryPy's server: 10 threads and a queue without a bound."""
    from cheroot.wsgi import Server

    Server(("127.0.0.1", port), app).safe_start()


def waitress(port: int) -> None:
    """Serve with Waitress: a loop on select() and 4 threads."""
    from waitress import serve

    serve(app, host="127.0.0.1", port=port)


def flask(port: int) -> None:
    """Serve with Flask's own server, one thread, which was its default until Flask 1.0."""
    app.run("127.0.0.1", port, threaded=False)


def gunicorn(port: int) -> None:
    """Serve with Gunicorn: four processes, each with one request at a time."""
    from gunicorn.app.wsgiapp import run

    sys.argv = [
        "gunicorn",
        "--workers",
        "4",
        "--graceful-timeout",
        "2",
        "--bind",
        f"127.0.0.1:{port}",
        "hotspot.app:app",
    ]
    run()


SERVERS = {"cheroot": cheroot, "waitress": waitress, "flask": flask, "gunicorn": gunicorn}

if __name__ == "__main__":
    make_tables()
    SERVERS[sys.argv[1]](int(sys.argv[2]))
