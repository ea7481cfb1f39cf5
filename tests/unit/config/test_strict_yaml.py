import math
from pathlib import Path
from typing import Any

import pytest
from payorch_server.config import ConfigError, read_yaml


def read(folder: Path, text: str) -> Any:
    """Read a text as a file."""
    file = folder / "file.yaml"
    file.write_text(text)
    return read_yaml(file)


def problem_of(folder: Path, text: str) -> str:
    """Return what is wrong with a text."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    (problem,) = caught.value.problems
    return problem


class TestScalars:
    """A value without quotes means what YAML 1.2 says."""

    @pytest.mark.parametrize(
        ("text", "expected", "reason"),
        [
            ("NO", "NO", "Norway, and not false"),
            ("no", "no", "a text, as are all other words of 1.1 for true and false"),
            ("Yes", "Yes", "the same"),
            ("on", "on", "the same"),
            ("OFF", "OFF", "the same"),
            ("y", "y", "the same"),
            ("true", True, "one of three ways to write it"),
            ("True", True, "another"),
            ("TRUE", True, "another"),
            ("tRUE", "tRUE", "none of them"),
            ("false", False, "one of three ways to write it"),
            ("False", False, "another"),
            ("FALSE", False, "another"),
            ("falsehood", "falsehood", "a text that begins like it"),
            ("2025-08-12", "2025-08-12", "a text, and not a date"),
            ("2025-06-31", "2025-06-31", "a text that could not be a date"),
            ("2025-08-12T12:30:00Z", "2025-08-12T12:30:00Z", "a text, and not a time"),
            ("12:30", "12:30", "a text, and not 750 to the base of 60"),
            ("1:30.5", "1:30.5", "the same with a fraction"),
            ("12", 12, "a number"),
            ("-12", -12, "a negative one"),
            ("+12", 12, "a sign that changes nothing"),
            ("010", 10, "ten, and not eight"),
            ("0o17", 15, "octal"),
            ("0o18", "0o18", "no octal digit"),
            ("-0o17", "-0o17", "octal numbers have no sign"),
            ("0x1F", 31, "hexadecimal"),
            ("0x1G", "0x1G", "no hexadecimal digit"),
            ("0b11", "0b11", "binary numbers are of 1.1"),
            ("1_000", "1_000", "so are digits in groups"),
            ("1,000", "1,000", "a comma was never one"),
            ("\u0661", "\u0661", "a digit of another alphabet"),
            ("1.5", 1.5, "a fraction"),
            ("1.", 1.0, "a fraction without digits"),
            (".5", 0.5, "without a whole part"),
            ("-.5e-1", -0.05, "with everything"),
            ("1e3", 1000.0, "an exponent needs no point and no sign"),
            ("1.2.3", "1.2.3", "a version"),
            (".", ".", "a point"),
            ("-x", "-x", "a sign"),
            ("e3", "e3", "an exponent alone"),
            (".inf", math.inf, "infinity"),
            ("-.INF", -math.inf, "and below"),
            ("inf", "inf", "a text to YAML"),
            ("nan", "nan", "the same"),
            ("null", None, "nothing"),
            ("Null", None, "nothing"),
            ("NULL", None, "nothing"),
            ("~", None, "nothing"),
            ("", None, "nothing at all"),
            ("nUll", "nUll", "a text"),
            ("=", "=", "a type of 1.1"),
            ("'12'", "12", "quotes make a text"),
            ('"true"', "true", "these too"),
            ("!!str 12", "12", "and so does its tag"),
        ],
    )
    def test_are_those_of_the_core_schema(self, tmp_path: Path, text: str, expected: object, reason: str) -> None:
        """With the type, as true is 1 to Python."""
        found = read(tmp_path, f"value: {text}")["value"]

        assert (type(expected), expected) == (type(found), found), reason

    def test_are_no_numbers_that_are_none(self, tmp_path: Path) -> None:
        """In each of three ways to write it."""
        assert all(math.isnan(number) for number in read(tmp_path, "[.nan, .NaN, .NAN]"))

    def test_are_the_same_everywhere(self, tmp_path: Path) -> None:
        """As an element of a list and as a key too."""
        assert read(tmp_path, "{NO: [NO, SE, on], 2025-08-12: 010}") == {"NO": ["NO", "SE", "on"], "2025-08-12": 10}

    @pytest.mark.parametrize(
        ("text", "problem", "reason"),
        [
            ("a: !!bool yes", "line 1: the value cannot be read as bool", "a word of 1.1"),
            ("a:\n- !!int 1_000", "line 2: the value cannot be read as int", "digits in groups, which Python reads"),
            ("a: !!float many", "line 1: the value cannot be read as float", "a text"),
            (f"a: {'9' * 5000}", "line 1: the value cannot be read as int", "more digits than Python reads"),
            ("a: !!timestamp 2025-08-12", "line 1: a tag such as !name is not known", "a type of 1.1"),
            ("a: !!binary aGVsbG8=", "line 1: a tag such as !name is not known", "another"),
            ("a: &a {b: 1}\nc: {<<: *a}", "line 2: << merges nothing here", "a merge of 1.1"),
            ('a: "\\U00110000"', "contains a value that cannot be read: chr() arg not in range", "no such character"),
            ('a: "\\UFFFFFFFF"', "contains a value that cannot be read: ", "nor in C"),
            (
                "a:\n  " + "[" * 5000,
                "line 2: is nested too deeply: more than 64 levels",
                "minutes of the parser's time",
            ),
            ("".join(f"{' ' * level}a:\n" for level in range(99)), "line 64: is nested too deeply", "by indentation"),
        ],
    )
    def test_are_refused(self, tmp_path: Path, text: str, problem: str, reason: str) -> None:
        """With the line, where there is one."""
        assert problem_of(tmp_path, text).startswith(problem), reason
