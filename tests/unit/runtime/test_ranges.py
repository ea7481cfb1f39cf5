import math
from typing import Annotated, Any

import pytest
from payorch_server.runtime.ranges import Range, Ratio, VariableText, count, seconds, size
from pydantic import TypeAdapter, ValidationError

TIME = TypeAdapter(Annotated[float, seconds(0.5, 55)])
CALLS = TypeAdapter(Annotated[int, count(1, 1000, "calls")])


def problem_of(adapter: TypeAdapter[Any], value: Any) -> str:
    """Return the sentence with which a value is refused."""
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    (problem,) = caught.value.errors()
    return problem["msg"]


class TestRange:
    """What a numeric setting accepts."""

    @pytest.mark.parametrize(
        ("adapter", "value", "expected"),
        [
            (TIME, 0.5, 0.5),
            (TIME, 55, 55.0),
            (TIME, VariableText("5e1"), 50.0),
            (TIME, VariableText("+.5"), 0.5),
            (CALLS, 1, 1),
            (CALLS, 1e3, 1000),
            (CALLS, VariableText("1000"), 1000),
            (CALLS, VariableText("10.0"), 10),
        ],
    )
    def test_accepts_its_ends_in_every_way_to_write_a_number(
        self, adapter: TypeAdapter[Any], value: Any, expected: float
    ) -> None:
        """Helm writes large whole numbers such as 1e+06; a variable can only be text."""
        read = adapter.validate_python(value)

        assert (type(expected), expected) == (type(read), read)

    @pytest.mark.parametrize("adapter", [TIME, CALLS], ids=["seconds", "calls"])
    @pytest.mark.parametrize(
        "value",
        [0, -1, 0.49, 1000.1, math.nan, math.inf, -math.inf, 1e18, 10**5000, True, False, "5", "", None, [5],
         VariableText("true"), VariableText("nan"), VariableText("inf"), VariableText(" 5"), VariableText("5s"),
         VariableText("1_0"), VariableText("\u0665"), VariableText("9" * 5000), VariableText("0x10")],
        ids=lambda value: f"{type(value).__name__}-{'long' if value == 10**5000 else str(value)[:9]}",
    )  # fmt: skip
    def test_refuses_everything_else_with_the_rule(self, adapter: TypeAdapter[Any], value: Any) -> None:
        """The sentence has the range."""
        rule = "a number of seconds from 0.5 to 55" if adapter is TIME else "a whole number of calls from 1 to 1000"

        assert problem_of(adapter, value).startswith(f"must be {rule}")

    def test_names_the_value_only_if_it_is_a_number(self) -> None:
        """A text could be a secret in the wrong place."""
        assert problem_of(CALLS, 1.5) == "must be a whole number of calls from 1 to 1000; 1.5 is not"
        assert problem_of(CALLS, 10**5000).endswith("; a number of that size is not")
        assert problem_of(CALLS, "hunter2") == "must be a whole number of calls from 1 to 1000, without quotes"
        assert problem_of(TypeAdapter(Ratio), 2) == "must be a number from 0 to 1; 2 is not"

    def test_is_part_of_the_schema(self) -> None:
        """For editors and for Helm."""
        schema = TypeAdapter(Annotated[int, size(1024, 1_048_576)]).json_schema()

        assert schema == {"type": "integer", "minimum": 1024, "maximum": 1_048_576, "x-unit": "bytes"}
        assert TypeAdapter(Annotated[float, Range(0, 2, "")]).json_schema() == {
            "type": "number",
            "minimum": 0,
            "maximum": 2,
        }
