"""Places of dead letters as people write them: `3 17`, `3:17`, or a range of one partition, `3:17-40`."""

from maestro.cli.output import EXIT_USAGE, fail

Range = tuple[int, int, int]
"""A partition, its first and its last offset, both included."""


def parsed_place(words: tuple[str, ...]) -> tuple[int, int]:
    """Return partition and offset of `("3", "17")` or `("3:17",)`; leave with exit code 2 otherwise."""
    found = _ranges(words)
    if found is None or len(found) != 1 or found[0][1] != found[0][2]:
        fail(
            f"{' '.join(words)!r} is no place: give PARTITION OFFSET, for example 3 17", exit_code=EXIT_USAGE
        )
    return found[0][:2]


def parsed_ranges(words: tuple[str, ...]) -> list[Range]:
    """Return the places and ranges that `words` name; leave with exit code 2 where one names none."""
    found = _ranges(words)
    if found is None:
        fail(
            f"{' '.join(words)!r} names no places: give PARTITION:OFFSET or PARTITION:FIRST-LAST, for example"
            " 3:17 or 3:17-40",
            exit_code=EXIT_USAGE,
        )
    return found


def _ranges(words: tuple[str, ...]) -> list[Range] | None:
    if len(words) == len(("partition", "offset")) and all(map(_is_number, words)):
        return [(int(words[0]), int(words[1]), int(words[1]))]
    found = [_range(word) for word in words]
    return None if None in found else [each for each in found if each is not None]


def _range(word: str) -> Range | None:
    partition, colon, offsets = word.partition(":")
    first, dash, last = offsets.partition("-")
    last = last.removeprefix(f"{partition}:") if dash else first
    if not colon or not all(map(_is_number, (partition, first, last))) or int(first) > int(last):
        return None
    return int(partition), int(first), int(last)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
