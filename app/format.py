"""Numbers and times as people read them; nothing here depends on Streamlit's state except the language."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from app.i18n import language, t


class Named(Protocol):
    """What people call by a name that need not be unique: a dataset, a project."""

    id: str
    name: str
    created_at: datetime


def browser_timezone() -> tzinfo:
    """The reader's time zone; UTC when the browser did not say."""
    try:
        return ZoneInfo(st.context.timezone) if st.context.timezone else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def moment(time: datetime | None) -> str:
    """`20.11.2026 12:30:05` in the reader's time zone; a dash for what has not happened."""
    return "–" if time is None else time.astimezone(browser_timezone()).strftime("%d.%m.%Y %H:%M:%S")


def duration(seconds: float | None) -> str:
    """`0.42 s`, `12 s`, `3 min 05 s`, `2 h 07 min`; a dash for None."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return t("duration.s", s=decimal(f"{seconds:.2g}" if seconds < 1 else f"{seconds:.1f}"))
    whole = round(seconds)
    if whole < 60:
        return t("duration.s", s=whole)
    if whole < 3600:
        return t("duration.min", min=whole // 60, s=f"{whole % 60:02d}")
    return t("duration.h", h=whole // 3600, min=f"{whole % 3600 // 60:02d}")


def size(size_bytes: int) -> str:
    """`14 B`, `3.2 MB`: decimal units."""
    if size_bytes < 1000:
        return t("size.b", n=size_bytes)
    amount = float(size_bytes)
    for unit in ("kb", "mb", "gb"):
        amount /= 1000
        if amount < 1000 or unit == "gb":
            break
    return t(f"size.{unit}", n=decimal(f"{amount:.3g}") if amount < 100 else f"{amount:.0f}")


def decimal(number: str) -> str:
    """A number in digits with the reader's decimal sign: Russian writes 3,2."""
    return number.replace(".", ",") if language() == "ru" else number


def labels_by_id(things: Iterable[Named]) -> dict[str, str]:
    """Names to choose from. Streamlit tells choices by their labels, so equal names get their time of creation."""
    listed = list(things)
    shared = Counter(one.name for one in listed)
    return {one.id: one.name if shared[one.name] == 1 else f"{one.name} · {moment(one.created_at)}" for one in listed}


def plain(text: str) -> str:
    """Text from elsewhere as text: Markdown signs in a file name must not become formatting, links or colours."""
    for sign in "\\`*_[]<>$~#:|":
        text = text.replace(sign, "\\" + sign)
    return text
