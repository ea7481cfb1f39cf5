from pathlib import Path

import pytest
from programs.mutation.generation import mutants_of

MODULE = '''\
"""Text at the top."""

from typing import Final

LIMITS: Final = {"EUR": 2}
_LOG: Final = get_logger("shop")


class Shop:
    def pay(self, amount: int) -> str:
        """Text of a method."""
        if self.open:
            _LOG.info("paying", amount=amount)
            self.note(amount)
            self.show("it is open", amount)
        return f"{amount} paid" if amount > 0 else "no payment"
'''
MATCH = """\
def fee(kind):
    match kind:
        case 1:
            return 2
        case _:
            return 3
"""


@pytest.fixture
def changes(tmp_path: Path) -> set[tuple[str, str, str]]:
    """Return function, line before and line after of every mutant of the module above."""
    (tmp_path / "shop.py").write_text(MODULE)
    return {(mutant.function, mutant.before, mutant.after) for mutant in mutants_of(tmp_path, "shop.py")}


class TestMutants:
    """Every decision of a module is changed, in each way that is known."""

    @pytest.mark.parametrize(
        ("function", "before", "after"),
        [
            ("(module)", 'LIMITS: Final = {"EUR": 2}', 'LIMITS: Final = {"EUR": 3}'),
            ("(module)", 'LIMITS: Final = {"EUR": 2}', 'LIMITS: Final = {"XXEURXX": 2}'),
            ("(module)", 'LIMITS: Final = {"EUR": 2}', "LIMITS: Final = None"),
            ("Shop.pay", "if self.open:", "if (not self.open):"),
            ("Shop.pay", "self.note(amount)", "pass"),
            ("Shop.pay", "self.note(amount)", "self.note(None)"),
            (
                "Shop.pay",
                'return f"{amount} paid" if amount > 0 else "no payment"',
                'return f"{amount} paid" if amount >= 0 else "no payment"',
            ),
            ("Shop.pay", 'return f"{amount} paid" if amount > 0 else "no payment"', "return None"),
        ],
    )
    def test_change_one_decision(
        self, changes: set[tuple[str, str, str]], function: str, before: str, after: str
    ) -> None:
        """Tables, conditions, calls, arguments, bounds and results."""
        assert (function, before, after) in changes

    def test_leave_alone_what_decides_nothing(self, changes: set[tuple[str, str, str]]) -> None:
        """Docstrings, annotations, the log and texts for people."""
        changed = {before for _, before, _ in changes}

        assert not {line for line in changed if '"""' in line or "_LOG" in line or "def pay" in line}
        assert not {after for _, _, after in changes if "XXno paymentXX" in after}
        assert {after for _, _, after in changes if "self.show(" in after} == {
            'self.show("it is open", None)',
            'self.show("it is open", )',
        }

    def test_differ_from_each_other(self, tmp_path: Path) -> None:
        """Two operators that change a module alike make one mutant."""
        (tmp_path / "shop.py").write_text(MODULE)
        texts = [mutant.text for mutant in mutants_of(tmp_path, "shop.py")]

        assert len(texts) == len(set(texts))
        assert MODULE not in texts

    def test_keep_the_lines_of_the_code(self, tmp_path: Path) -> None:
        """By these the tests are chosen."""
        (tmp_path / "shop.py").write_text(MODULE)
        (dropped,) = (
            mutant
            for mutant in mutants_of(tmp_path, "shop.py")
            if (mutant.before, mutant.after) == ("self.note(amount)", "pass")
        )

        assert (dropped.first_line, dropped.last_line) == (14, 14)
        assert dropped.text == MODULE.replace("self.note(amount)", "pass")

    def test_of_a_match_lack_one_case(self, tmp_path: Path) -> None:
        """With the indentation that the code has."""
        (tmp_path / "fees.py").write_text(MATCH)

        texts = {mutant.text for mutant in mutants_of(tmp_path, "fees.py")}

        assert MATCH.replace("        case 1:\n            return 2\n", "") in texts
