"""Previews: the first rows of a query within a second or two, in a few threads of their own.

A database that accepts a connection and then stays silent never ends the statement. So a late
preview is abandoned as well as cancelled; its driver gives up within seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import sqlalchemy as sa

from waybill.exporter.datasets.dataset import Dataset, Query
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.errors import ExportRejected, ExportStopped, WaybillError
from waybill.exporter.ports import Source
from waybill.exporter.preview import Preview, read_preview
from waybill.exporter.stop import StopToken

#: Rows of a preview.
PREVIEW_ROWS = 50
#: How long the database may take.
TIMEOUT = timedelta(seconds=1.5)
#: Previews at once, however many users ask. Each is load on the database that exports read.
_THREADS = 4


class PreviewTooSlow(WaybillError):
    """The first rows did not come in time. The export itself may still be made."""

    code = "preview_too_slow"


class PreviewUnavailable(WaybillError):
    """The first rows cannot be read just now."""

    code = "preview_unavailable"


class PreviewLeft(ExportStopped):
    """Nobody waits for this preview any more."""

    code = "preview_left"


class Previewer:
    """Reads previews from the databases that datasets read."""

    def __init__(self, sources: Mapping[str, Source], timeout: timedelta = TIMEOUT) -> None:
        self._sources = sources
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="preview")

    def read(self, dataset: Dataset, query: Query, layout: Layout, stop: StopToken) -> Preview:
        """`PREVIEW_ROWS` of `query` and one more, which tells that there are more.

        It is limited already unless it is text.

        Raises:
            PreviewTooSlow: the database took too long.
            PreviewUnavailable: it cannot be reached, or something in it is locked.
            ExportRejected: it refuses the query.
            PreviewLeft: `stop` was used.
        """
        answer = self._threads.submit(
            read_preview,
            self._sources[dataset.reads],
            query,
            layout,
            most=PREVIEW_ROWS + 1,
            count=isinstance(query, sa.Select),
            stop=stop,
        )
        try:
            return answer.result(self._timeout.total_seconds())
        except TimeoutError:
            stop.request(PreviewLeft())
            answer.cancel()
            raise PreviewTooSlow from None
        except (ExportRejected, ExportStopped):
            raise
        except WaybillError as error:
            raise PreviewUnavailable(error.message) from None
