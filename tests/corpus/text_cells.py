"""C1–C19: text that other writers turn into formulas, links, numbers, or broken XML."""

from __future__ import annotations

import pyarrow as pa

from tests.corpus.case import CellCase, text_case

_MARK = "…[truncated]"
_LIMIT = 32_767


def _cut_case(name: str, long: str, kept: str) -> CellCase:
    return CellCase(
        number="C17",
        name=name,
        array=pa.array([long], pa.string()),
        xlsx=[kept + _MARK],
        csv=[long],
        jsonl=[long],
        xlsx_warnings={"truncated_text": 1},
    )


TEXT_CELLS: tuple[CellCase, ...] = (
    text_case(
        "C1",
        "formulas",
        "=1+1",
        "=cmd|' /C calc'!A0",
        '=HYPERLINK("http://evil.test","x")',
        "=WEBSERVICE(A1)",
        '=IMPORTXML("http://evil.test","//a")',
        csv=[
            "'=1+1",
            "'=cmd|' /C calc'!A0",
            '\'=HYPERLINK("http://evil.test","x")',
            "'=WEBSERVICE(A1)",
            '\'=IMPORTXML("http://evil.test","//a")',
        ],
    ),
    text_case(
        "C2",
        "signs as text",
        "+1",
        "-1",
        "@SUM(A1)",
        "+49 30 1234",
        csv=["+1", "-1", "'@SUM(A1)", "+49 30 1234"],
    ),
    text_case(
        "C3",
        "control character before a formula",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "\x00=1+1",
        csv=["'\t=1+1", "'\r=1+1", "'\n=1+1", "'\ufffd=1+1"],
    ),
    text_case(
        "C4",
        "formulas in disguise",
        "  =1+1",
        "\u00a0=1+1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        "\u200b=1+1",
        csv=[
            "'  =1+1",
            "'\u00a0=1+1",
            "'＝1+1",
            "'＋1",
            "'－1",
            "'＠SUM(A1)",
            "'\u200b=1+1",
        ],
    ),
    text_case("C5", "delimiters and quotes", 'a",=1+1,"b', "a;=1+1", "a\t=1+1", 'say "hi"'),
    text_case("C6", "array formula", "{=SUM(1)}"),
    text_case(
        "C7",
        "links",
        "http://example.test/?a=1&b=2",
        "mailto:a@example.test",
        "internal:Sheet1!A1",
        "external:c:/x.xlsx",
        "https://example.test/" + "x" * 2_100,
    ),
    text_case("C8", "text that looks like numbers", "12345", "1E5", "00123", "1/2", "TRUE", "1,5"),
    text_case("C9", "nul", "a\x00b", "\x00", csv=["a\ufffdb", "\ufffd"]),
    text_case(
        "C10",
        "control characters",
        *(f"a{chr(code)}b" for code in range(1, 0x20) if chr(code) not in "\t\n\r"),
    ),
    text_case("C11", "carriage returns", "a\rb", "a\r\nb", "a\nb", "end\r\n", "tab\tin"),
    text_case(
        "C12",
        "escape look-alikes",
        "_x0041_",
        "_xD83D_",
        "_x005F_x0041_",
        "a_x0041_x0042_b",
        "__x0041__",
        "_x0041",
        "_x0041\x01",
        "_x004\x01_",
        "_xzzzz_",
        "_x00e9_",
        "_X0041_",
        "_x0041_X0042_",
        "_x4_",
        "a_x01b_",
        "_x41_",
    ),
    text_case("C14", "noncharacters of the first plane", "a\ufffeb", "\uffff", "＜ \ufffd ，"),
    text_case("C15", "noncharacters of other planes", "a\U0001fffeb", "\U0010ffff"),
    text_case(
        "C16",
        "difficult letters",
        "\ufefffirst cell",
        "😀 👩‍👩‍👧‍👦 🏳️‍🌈",
        "e\u0301 vs é",
        "abc\u202edef",
        "العربية עברית",
        "導出 报表 エクスポート 내보내기",
        "Z͑ͫ̓ͪ̂ͫ̽a̴l̵g̶o̷",
    ),
    text_case("C17", "exactly at the limit", "x" * _LIMIT, "😀" * 16_383 + "x", "é" * _LIMIT),
    _cut_case("one unit over the limit", "x" * (_LIMIT + 1), "x" * (_LIMIT - len(_MARK))),
    _cut_case(
        "emoji are two units and never halved", "😀" * 16_384, "😀" * ((_LIMIT - len(_MARK)) // 2)
    ),
    _cut_case("three bytes a unit", "語" * 40_000, "語" * (_LIMIT - len(_MARK))),
    text_case("C18", "many lines", "line\n" * 300 + "end"),
    text_case(
        "C19",
        "blanks and null",
        " lead",
        "trail ",
        "   ",
        "",
        None,
        "two  inside",
        "\n",
        "\u3000wide\u3000",
    ),
    text_case("XML", "markup", "<b>&amp;</b>", "a<b", "a>b", "]]>", "<!--", "&", "'\""),
)
