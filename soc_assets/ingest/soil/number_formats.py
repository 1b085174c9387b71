"""What a number in a workbook says: its cell's format may show 0.021 as 2.1 %, 12500 as 12.5, and 2 as < 2.

What people see in a cell is what its column's name speaks of; rounding alone is not looked at.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_QUOTED = re.compile(r'"([^"]*)"|[\\]([\s\S])')
_SPACING = re.compile(r"[_*][\s\S]")  # a gap as wide as a character, a character repeated to fill the cell
_BRACKETS = re.compile(r"\[[^\]]*\]")  # colours, conditions, locales, currencies
_SCALED = re.compile(r"[0#?](,+)(?![0#?.,]*[0#?])")  # commas behind the last digit: each divides by 1,000
_BELOW = ("<", "≤")
_DIGITS = 15  # as many as a workbook keeps: 0.07 x 100 is 7, not 7.000000000000001


@dataclass(frozen=True)
class _Section:
    factor: float
    percent: bool
    below: bool

    @property
    def plain(self) -> bool:
        """Whether a cell shows the number as it is stored."""
        return self.factor == 1 and not self.percent and not self.below


def shown(value: float, number_format: str) -> float | str:
    """A number as its cell says it.

    Args:
        value: as the workbook stores it.
        number_format: in the spelling of the file, for example `0.00%`.

    Returns:
        The number itself; in per cent as text, `2.1 %`; scaled where the format scales; behind `<` where the format
        puts it there.
    """
    if number_format == "General" or not any(sign in number_format for sign in "%,<≤"):
        return value
    sections = _sections(number_format)
    section = sections[min(1, len(sections) - 1) if value < 0 else 0]
    if section.plain:
        return value
    number = float(f"{value * section.factor:.{_DIGITS}g}")
    text = str(int(number)) if number.is_integer() else repr(number)
    if not section.percent and not section.below:
        return number
    return ("< " if section.below else "") + text + (" %" if section.percent else "")


@lru_cache(maxsize=1024)
def _sections(number_format: str) -> tuple[_Section, ...]:
    return tuple(_section(part) for part in _split(number_format))


def _split(number_format: str) -> list[str]:
    """The sections of a format: those of positive and negative numbers, zero and text."""
    parts, quoted, start = [], False, 0
    for place, sign in enumerate(number_format):
        if sign == '"':
            quoted = not quoted
        elif sign == ";" and not quoted and number_format[place - 1 : place] != "\\":
            parts.append(number_format[start:place])
            start = place + 1
    return [*parts, number_format[start:]]


def _section(section: str) -> _Section:
    words = "".join(quoted or escaped for quoted, escaped in _QUOTED.findall(section))
    bare = _BRACKETS.sub("", _SPACING.sub("", _QUOTED.sub("", section)))
    thousands = sum(len(commas) for commas in _SCALED.findall(bare))
    factor = 100.0 ** bare.count("%") / 1000.0**thousands
    return _Section(factor, "%" in bare or "%" in words, any(sign in words for sign in _BELOW))
