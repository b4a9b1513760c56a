"""Grades: none < blue < yellow < orange < red, and how people write them.

There are no numeric grades: in Chinese law level I (一级) is the most severe, elsewhere level 1 is
the least, and a number would be read by each in their own way.
"""

from enum import IntEnum

from rules.errors import Faults, Place, nearest


class Grade(IntEnum):
    """How grave a warning is; comparable, and small enough for a column of bytes."""

    NONE = 0
    BLUE = 1
    YELLOW = 2
    ORANGE = 3
    RED = 4

    @property
    def word(self) -> str:
        """The word in packs, topics and messages on the wire."""
        return self.name.lower()

    @property
    def zh(self) -> str:
        """The word in Chinese messages."""
        return ZH[self]

    @property
    def en(self) -> str:
        """The word in English messages."""
        return self.word


ZH = {
    Grade.NONE: "无",
    Grade.BLUE: "蓝色",
    Grade.YELLOW: "黄色",
    Grade.ORANGE: "橙色",
    Grade.RED: "红色",
}
# The words on the wire, by number; and the grades a rule can have, from the mildest.
GRADE_NAMES = tuple(grade.word for grade in Grade)
COLOURS = (Grade.BLUE, Grade.YELLOW, Grade.ORANGE, Grade.RED)
SPELLINGS = {
    "blue": Grade.BLUE,
    "yellow": Grade.YELLOW,
    "orange": Grade.ORANGE,
    "red": Grade.RED,
    "蓝": Grade.BLUE,
    "黄": Grade.YELLOW,
    "橙": Grade.ORANGE,
    "红": Grade.RED,
}
# Words of other warning systems, and the colour that was meant.
FOREIGN = {
    "amber": "orange",
    "蓝色": "blue",
    "黄色": "yellow",
    "橙色": "orange",
    "红色": "red",
}
NUMERALS = frozenset("0123456789一二三四ⅠⅡⅢⅣⅰⅱⅲⅳ") | {
    "I",
    "II",
    "III",
    "IV",
    "i",
    "ii",
    "iii",
    "iv",
}
ORDER = "Grades: blue < yellow < orange < red"


def read_grade(text: str, place: Place, faults: Faults) -> Grade | None:
    """Read a colour; None when it is none, and then `faults` says why."""
    found = SPELLINGS.get(text)
    if found is not None:
        return found
    if text.rstrip("级") in NUMERALS or text.lstrip("+-").replace(".", "", 1).isdigit():
        faults.add(
            "E023",
            place,
            f"a grade is a colour, not a number: `{text}`",
            remedy="level I (一级) is red in Chinese law, level 1 is the mildest elsewhere; "
            "write blue, yellow, orange or red",
        )
        return None
    meant = FOREIGN.get(text.lower()) or nearest(text.lower(), SPELLINGS)
    if meant:
        colour = SPELLINGS[meant]
        remedy = f"use `{colour.word}` ({colour.zh[0]}). {ORDER}"
        faults.add("E022", place, f"unknown grade `{text}`", remedy=remedy, fix=colour.word)
    else:
        faults.add("E022", place, f"unknown grade `{text}`", remedy=ORDER)
    return None
