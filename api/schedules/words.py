"""Times in plain words: `every Monday 08:00` and `每周一 08:00`, to a cron expression and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from waybill.api.languages import Language

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_ZH_DAYS = "日一二三四五六"
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_WORKDAYS = [1, 2, 3, 4, 5]
_NUMBER = re.compile(r"\d{1,2}")
_STEP = re.compile(r"\*/(\d{1,2})")


def words_of(cron: str, language: Language) -> str:
    """The times of a cron expression in words; empty where they would be longer than the rule."""
    minute, hour, day, month, weekday = cron.upper().split()
    if (day, month, weekday) == ("*", "*", "*") and (step := _STEP.fullmatch(minute)):
        return _say(language, "minutes", count=step[1]) if hour == "*" else ""
    if not _NUMBER.fullmatch(minute):
        return ""
    if (hour, day, month, weekday) == ("*", "*", "*", "*"):
        return _say(language, "hour", minute=f"{int(minute):02}")
    if not _NUMBER.fullmatch(hour):
        return ""
    at = f"{int(hour):02}:{int(minute):02}"
    return _days_in_words(day, month, weekday, at, language)


def _days_in_words(day: str, month: str, weekday: str, at: str, language: Language) -> str:
    match (day, month, weekday):
        case ("*", "*", "*"):
            return _say(language, "day", at=at)
        case ("*", "*", _):
            days = _weekdays(weekday)
            if days == _WORKDAYS:
                return _say(language, "workday", at=at)
            return _say(language, "week", days=_listed(days, language), at=at) if days else ""
        case ("L", "*", "*"):
            return _say(language, "last_day", at=at)
        case (_, "*", "*") if _NUMBER.fullmatch(day):
            return _say(language, "month", day=str(int(day)), at=at)
        case (_, _, "*") if _NUMBER.fullmatch(day) and _NUMBER.fullmatch(month):
            name = _MONTHS[int(month) - 1] if language == "en" else str(int(month))
            return _say(language, "year", day=str(int(day)), month=name, at=at)
    return ""


def _weekdays(field: str) -> list[int]:
    """The days that a field names, or none if it says more than that."""
    days: set[int] = set()
    for part in field.split(","):
        first, _, last = part.partition("-")
        bounds = [_weekday(first), _weekday(last or first)]
        if None in bounds:
            return []
        days.update(day % 7 for day in range(bounds[0] or 0, (bounds[1] or 0) + 1))
    # Monday first, as everywhere.
    return sorted(days, key=lambda day: (day - 1) % 7)


def _weekday(name: str) -> int | None:
    if re.fullmatch("[0-7]", name):
        return int(name)
    return next((at for at, day in enumerate(_DAYS) if day[:3].upper() == name), None)


def _listed(days: Sequence[int], language: Language) -> str:
    if language == "zh":
        return "、".join(f"周{_ZH_DAYS[day]}" for day in days)
    names = [_DAYS[day] for day in days]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


_SENTENCES: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "minutes": "Every {count} minutes",
        "hour": "Every hour at :{minute}",
        "day": "Every day at {at}",
        "workday": "Every weekday at {at}",
        "week": "Every {days} at {at}",
        "last_day": "On the last day of every month at {at}",
        "month": "On day {day} of every month at {at}",
        "year": "Every year on {day} {month} at {at}",
    },
    "zh": {
        "minutes": "每 {count} 分钟",
        "hour": "每小时的 {minute} 分",
        "day": "每天 {at}",
        "workday": "每个工作日 {at}",
        "week": "每{days} {at}",
        "last_day": "每月最后一天 {at}",
        "month": "每月 {day} 日 {at}",
        "year": "每年 {month} 月 {day} 日 {at}",
    },
}


def _say(language: Language, name: str, **holes: str) -> str:
    return _SENTENCES[language][name].format(**holes)


# Reading them. Spaces, case, "at" and a full stop do not matter; neither does `8:00` for `08:00`.

_AT = r"(?: at)? (?P<hour>\d{1,2})[:：](?P<minute>\d{2})"
_ZH_AT = r" ?(?P<hour>\d{1,2})[:：](?P<minute>\d{2})"
_WEEKDAY_NAMES = "|".join(day.lower() for day in _DAYS)
_ZH_WEEK = "(?:周|星期|礼拜)"
_EN_DAYS = f"(?:{_WEEKDAY_NAMES})s?"
_ZH_DAY = f"[{_ZH_DAYS}天]"


def _at(match: re.Match[str], days: str) -> str:
    return f"{int(match['minute'])} {int(match['hour'])} {days}"


def _week(match: re.Match[str]) -> str:
    names = re.findall(_WEEKDAY_NAMES, match["days"])
    found = [next(i for i, day in enumerate(_DAYS) if day.lower() == name) for name in names]
    return _at(match, "* * " + ",".join(map(str, sorted(found, key=lambda day: (day - 1) % 7))))


def _zh_week(match: re.Match[str]) -> str:
    found = [
        _ZH_DAYS.index("日" if sign == "天" else sign)
        for sign in re.findall(_ZH_DAY, match["days"])
    ]
    return _at(match, "* * " + ",".join(map(str, sorted(found, key=lambda day: (day - 1) % 7))))


def _year(match: re.Match[str]) -> str:
    month = next(i for i, name in enumerate(_MONTHS, 1) if name.lower() == match["month"])
    return _at(match, f"{int(match['day'])} {month} *")


_READERS: Sequence[tuple[str, Callable[[re.Match[str]], str]]] = (
    (r"every (?P<n>\d{1,2}) minutes", lambda match: f"*/{int(match['n'])} * * * *"),
    (r"(?:every hour|hourly)(?: at :(?P<m>\d{2}))?",
     lambda match: f"{int(match['m'] or 0)} * * * *"),
    (rf"(?:every day|daily){_AT}", lambda match: _at(match, "* * *")),
    (rf"every (?:weekday|workday|working day){_AT}", lambda match: _at(match, "* * 1-5")),
    (rf"(?:every|on) (?P<days>{_EN_DAYS}(?:(?:,? and |, ?){_EN_DAYS})*){_AT}", _week),
    (rf"on the last day of (?:every|each|the) month{_AT}", lambda match: _at(match, "L * *")),
    (rf"on day (?P<day>\d{{1,2}}) of (?:every|each|the) month{_AT}",
     lambda match: _at(match, f"{int(match['day'])} * *")),
    (rf"every year on (?P<day>\d{{1,2}}) (?P<month>{'|'.join(_MONTHS).lower()}){_AT}", _year),
    (r"每 ?(?P<n>\d{1,2}) ?分钟", lambda match: f"*/{int(match['n'])} * * * *"),
    (r"每小时(?:整点|的? ?(?P<m>\d{1,2}) ?分)?", lambda match: f"{int(match['m'] or 0)} * * * *"),
    (rf"每[天日]{_ZH_AT}", lambda match: _at(match, "* * *")),
    (rf"每个?工作日{_ZH_AT}", lambda match: _at(match, "* * 1-5")),
    (rf"每(?P<days>个?{_ZH_WEEK}{_ZH_DAY}(?:[、,，和 ]*{_ZH_WEEK}?{_ZH_DAY})*){_ZH_AT}", _zh_week),
    (rf"每个?月最后一天{_ZH_AT}", lambda match: _at(match, "L * *")),
    (rf"每个?月 ?(?P<day>\d{{1,2}}) ?[日号]{_ZH_AT}",
     lambda match: _at(match, f"{int(match['day'])} * *")),
    (rf"每年 ?(?P<month>\d{{1,2}}) ?月 ?(?P<day>\d{{1,2}}) ?[日号]{_ZH_AT}",
     lambda match: _at(match, f"{int(match['day'])} {int(match['month'])} *")),
)  # fmt: skip


def cron_of(text: str) -> str:
    """The cron expression that `text` says in words; `text` itself if it says none."""
    plain = " ".join(text.lower().rstrip(".。").split())
    for pattern, read in _READERS:
        if match := re.fullmatch(pattern, plain):
            return read(match)
    return text
