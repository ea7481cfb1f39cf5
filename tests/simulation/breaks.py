"""Deliberately broken rules, each in a subclass of the part that keeps it: the simulation must notice every one."""

from collections.abc import Mapping
from typing import Final

from simulation.instance import Parts

BREAKS: Final[Mapping[str, Parts]] = {}
