"""Line charts as SVG: readable in print, on light and on dark pages, and without telling colours apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 60, 60

STYLES = (("#0b5394", ""), ("#b45309", "7 4"), ("#15803d", "2 3"), ("#7e22ce", "10 3 2 3"), ("#475569", "1 5"))
"""Colour and dashes of each line, in turn."""


@dataclass(frozen=True, slots=True)
class Axis:
    """
    One direction of a chart.

    @ivar ticks: values with a number beside them; the first and the last are the ends.
    @ivar is_log: whether equal steps are equal factors; all values are positive then.
    """

    label: str
    ticks: Sequence[float]
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return the position of a value: 0 at the first tick, 1 at the last, and no further."""
        least, most = self.ticks[0], self.ticks[-1]
        value = min(max(value, least), most)
        if self.is_log:
            return math.log(value / least) / math.log(most / least)
        return (value - least) / (most - least)


@dataclass(frozen=True, slots=True)
class Line:
    """Points that belong together, in the order in which they are joined."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """
    Lines over a plane.

    @ivar bounds: values of y that matter, with a name each.
    """

    title: str
    x: Axis
    y: Axis
    lines: Sequence[Line]
    bounds: Sequence[tuple[float, str]] = ()

    def svg(self) -> str:
        """Draw it."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{escape(self.title)}" font-family="sans-serif" font-size="13" fill="#1e293b">'
        )
        parts = [head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>', self._titles()]
        parts += [self._x_tick(value) for value in self.x.ticks]
        parts += [self._y_tick(value) for value in self.y.ticks]
        parts += [self._bound(value, name) for value, name in self.bounds]
        parts += [self._line(at, line) for at, line in enumerate(self.lines)]
        return "\n".join([*parts, "</svg>"]) + "\n"

    def _across(self, value: float) -> float:
        return round(LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT), 1)

    def _up(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM), 1)

    def _titles(self) -> str:
        middle = (LEFT + WIDTH - RIGHT) / 2
        return (
            text(LEFT, 26, self.title, size=16)
            + text(middle, HEIGHT - 14, self.x.label, anchor="middle")
            + text(10, TOP - 12, self.y.label)
        )

    def _x_tick(self, value: float) -> str:
        at = self._across(value)
        return rule(at, TOP, at, HEIGHT - BOTTOM) + text(at, HEIGHT - BOTTOM + 18, written(value), anchor="middle")

    def _y_tick(self, value: float) -> str:
        at = self._up(value)
        return rule(LEFT, at, WIDTH - RIGHT, at) + text(LEFT - 8, at + 4, written(value), anchor="end")

    def _bound(self, value: float, name: str) -> str:
        at = self._up(value)
        return rule(LEFT, at, WIDTH - RIGHT, at, "#b91c1c") + text(WIDTH - RIGHT + 8, at + 4, name)

    def _line(self, number: int, line: Line) -> str:
        colour, dashes = STYLES[number % len(STYLES)]
        points = " ".join(f"{self._across(x)},{self._up(y)}" for x, y in line.points)
        dots = "".join(
            f'<circle cx="{self._across(x)}" cy="{self._up(y)}" r="3" fill="{colour}"/>' for x, y in line.points
        )
        drawn = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'
        beside, height = WIDTH - RIGHT + 8, TOP + 10 + 22 * number
        key = f'<polyline points="{beside},{height - 4} {beside + 26},{height - 4}" {drawn}/>'
        return f'<polyline points="{points}" {drawn}/>{dots}{key}{text(beside + 32, height, line.name)}'


def text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13) -> str:
    """Write words; C{anchor} says which part of them is at C{x}."""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def rule(x1: float, y1: float, x2: float, y2: float, colour: str = "#e2e8f0") -> str:
    """Draw a straight line."""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"/>'


def written(value: float) -> str:
    """Write a number beside a tick."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"
