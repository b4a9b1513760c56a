"""Book: the rule packs of a folder, read and checked, with every fault of every file."""

from rules.pack import Book, Input, Ladder, Level, Pack, Quality, Rule

__all__ = ["Book", "Input", "Ladder", "Level", "Pack", "Quality", "Rule"]
