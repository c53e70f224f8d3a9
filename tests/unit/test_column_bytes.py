from __future__ import annotations

import pyarrow as pa
import pytest

from waybill.exporter.values.column_bytes import ColumnBytes, first_bytes, is_text

PLUS = first_bytes(b"+")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize(
    ("texts", "has_quote", "begins"),
    [
        ([], False, False),
        ([None, None], False, False),
        (["", ""], False, False),
        (["a", None, ""], False, False),
        (['a"b', "1+1"], True, False),
        (["a", "+1", ""], False, True),
        ([None, "+"], False, True),
    ],
)
def test_a_character_is_found_where_a_text_has_it(
    kind: pa.DataType, texts: list[str | None], has_quote: bool, begins: bool
) -> None:
    found = ColumnBytes(pa.chunked_array([pa.array(texts, kind)], kind))
    assert (found.may_have(b'"'), found.may_begin(PLUS)) == (has_quote, begins)


def test_what_lies_around_a_slice_is_not_looked_at() -> None:
    whole = pa.array(['"', "+1", "a", "b", '+"'])
    inside = pa.chunked_array([whole.slice(2, 2), whole.slice(3, 1)])
    assert not ColumnBytes(inside).may_have(b'"')
    assert not ColumnBytes(inside).may_begin(PLUS)
    both = ColumnBytes(pa.chunked_array([whole.slice(2, 2), whole.slice(4, 1)]))
    assert both.may_have(b'"')
    assert both.may_begin(PLUS)


def test_only_strings_have_one_buffer_of_texts() -> None:
    assert is_text(pa.string())
    assert not is_text(pa.string_view())
    assert not is_text(pa.dictionary(pa.int32(), pa.string()))
