"""The cell corpus: RELIABILITY.md §3a as data, shared by the tests of every format.

Read `tests.corpus.case` for the shape of a case. Use it as::

    @pytest.mark.parametrize("case", CELLS, ids=lambda case: case.id)
"""

from __future__ import annotations

from tests.corpus.case import ZONE, CellCase
from tests.corpus.number_cells import NUMBER_CELLS
from tests.corpus.other_cells import OTHER_CELLS
from tests.corpus.text_cells import TEXT_CELLS
from tests.corpus.time_cells import TIME_CELLS

#: Every case of the corpus, each with its own id.
CELLS: tuple[CellCase, ...] = (*TEXT_CELLS, *NUMBER_CELLS, *TIME_CELLS, *OTHER_CELLS)

__all__ = ["CELLS", "ZONE", "CellCase"]
