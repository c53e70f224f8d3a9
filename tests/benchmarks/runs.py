"""The figures of every process that was run, by case, and what they say together."""

from __future__ import annotations

import statistics
from collections import defaultdict

from tests.benchmarks.process import Figures


class Runs:
    """Filled by `add`; a case is called ``module.side``, or ``module.side@rows``."""

    def __init__(self) -> None:
        self.by_case: defaultdict[str, list[Figures]] = defaultdict(list)

    def add(self, case: str, figures: Figures) -> None:
        self.by_case[case].append(figures)

    def median(self, case: str, name: str = "seconds") -> float:
        """Over the rounds, as neither luck nor a busy moment should decide."""
        return statistics.median(figures[name] for figures in self.by_case[case])

    def worst(self, case: str, name: str) -> float:
        """The largest of the rounds: for limits that must never be passed."""
        return max(figures[name] for figures in self.by_case[case])

    def megabytes(self, case: str) -> str:
        """The size of the file a case makes."""
        return f"{self.by_case[case][0]['file_bytes'] / 1e6:.1f} MB"
