"""The tables, as a hobbyist would think of them."""

from __future__ import annotations

import os
import random
from datetime import datetime

import psycopg2
from sqlalchemy import BigInteger, ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, scoped_session, sessionmaker

WITH_INDEX = os.environ.get("HOTSPOT_TOKEN_INDEX", "yes") == "yes"
"""Whether somebody thought of an index on the token."""

engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(os.environ["HOTSPOT_DATABASE"]))
db = scoped_session(sessionmaker(bind=engine))


class Model(DeclarativeBase):
    """What all tables have in common: C{Model.query}, as Flask-SQLAlchemy made popular."""

    query = db.query_property()


class Network(Model):
    """A group of gateways."""

    __tablename__ = "networks"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    gateways: Mapped[list[Gateway]] = relationship(back_populates="network")


class Gateway(Model):
    """A router."""

    __tablename__ = "gateways"
    id: Mapped[int] = mapped_column(primary_key=True)
    gw_id: Mapped[str] = mapped_column(unique=True)
    network_id: Mapped[int] = mapped_column(ForeignKey("networks.id"))
    last_ping: Mapped[datetime | None]
    sys_uptime: Mapped[int | None] = mapped_column(BigInteger)
    sys_load: Mapped[float | None]
    network: Mapped[Network] = relationship(back_populates="gateways")
    connections: Mapped[list[Connection]] = relationship(back_populates="gateway")

    @property
    def online(self) -> list[Connection]:
        """Who is online here; it reads well, and loads every connection there ever was."""
        return [connection for connection in self.connections if connection.ended_at is None]


class User(Model):
    """Somebody with a password."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str]
    connections: Mapped[list[Connection]] = relationship(back_populates="user")


class Voucher(Model):
    """A code for a guest without an account."""

    __tablename__ = "vouchers"
    code: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    minutes: Mapped[int]


class Connection(Model):
    """One guest's stay, over or not."""

    __tablename__ = "connections"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(index=WITH_INDEX)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    voucher_code: Mapped[str | None] = mapped_column(ForeignKey("vouchers.code"))
    mac: Mapped[str | None]
    ip: Mapped[str | None]
    started_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    incoming: Mapped[int] = mapped_column(BigInteger, default=0)
    outgoing: Mapped[int] = mapped_column(BigInteger, default=0)
    gateway: Mapped[Gateway] = relationship(back_populates="connections")
    user: Mapped[User | None] = relationship(back_populates="connections")


def make_tables() -> None:
    """Make what is not there yet, and keep no connection: processes that are forked later must not share it."""
    Model.metadata.create_all(engine)
    engine.dispose()


def new_code() -> str:
    """Draw four digits until they are free; when none are, this is for ever."""
    while True:
        code = f"{random.randrange(10_000):04d}"
        if Voucher.query.filter_by(code=code).first() is None:
            return code
