"""Odd settings that real servers, accounts, URLs and environments have: none may change a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

#: By the name of a setting, what it is set to somewhere.
Odd = Mapping[str, Sequence[str]]

#: Of a role, a database or a URL.
POSTGRES: Odd = {
    "DateStyle": ["SQL, DMY", "German", "Postgres, MDY", "ISO, YMD"],
    "IntervalStyle": ["sql_standard", "iso_8601", "postgres_verbose"],
    "TimeZone": ["Asia/Kolkata", "America/St_Johns", "<+03>-03"],
    "bytea_output": ["escape", "hex"],
    "extra_float_digits": ["-15", "0", "3"],
    "xmlbinary": ["hex"],
    "quote_all_identifiers": ["on"],
    "standard_conforming_strings": ["off"],
    "backslash_quote": ["off"],
    "default_transaction_read_only": ["on"],
    "default_transaction_isolation": ["serializable", "read uncommitted"],
    "default_transaction_deferrable": ["on"],
    "idle_in_transaction_session_timeout": ["1000", "0"],
    "lock_timeout": ["1"],
    "statement_timeout": ["0", "600000"],
    "client_encoding": ["LATIN1", "SQL_ASCII", "UTF8"],
    "client_min_messages": ["debug1"],
    "row_security": ["off"],
    "search_path": ["public, pg_catalog", '"$user", public', "odd, public, pg_catalog"],
    "synchronize_seqscans": ["on", "off"],
    "jit": ["off"],
    "lc_monetary": ["C"],
    "lc_time": ["C"],
    "array_nulls": ["off"],
    "transform_null_equals": ["on"],
    "max_parallel_workers_per_gather": ["0", "4"],
}

POSTGRES_ENVIRONMENT: Odd = {
    "PGTZ": ["Asia/Kolkata", "America/St_Johns"],
    "PGDATESTYLE": ["German", "SQL, DMY"],
    "PGCLIENTENCODING": ["LATIN1", "SQL_ASCII"],
    "PGOPTIONS": ["-c intervalstyle=iso_8601 -c bytea_output=escape", "-c extra_float_digits=-9"],
    "PGGEQO": ["off"],
    "PGAPPNAME": ["another"],
    "PGCONNECT_TIMEOUT": ["30"],
    "PGHOST": ["/nowhere"],
    "PGPORT": ["1"],
    "PGUSER": ["nobody"],
    "PGPASSWORD": ["wrong"],
    "PGDATABASE": ["another"],
    "PGSSLMODE": ["disable", "allow"],
}

#: Of a whole server, each as SQL.
MARIADB: Odd = {
    "sql_mode": [
        *("'ANSI_QUOTES'", "'ORACLE'", "'NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'", "''"),
        *("'PAD_CHAR_TO_FULL_LENGTH'", "'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE'"),
    ],
    "time_zone": ["'+05:30'", "'-12:00'"],
    "init_connect": [
        '"SET NAMES latin1"',
        "\"SET time_zone = '+09:00', sql_mode = 'ANSI_QUOTES', sql_select_limit = 2\"",
    ],
    "character_set_client": ["latin1"],
    "character_set_results": ["latin1", "ucs2"],
    "collation_connection": ["latin1_bin"],
    "sql_select_limit": ["1"],
    "div_precision_increment": ["0"],
    "lc_time_names": ["'de_DE'"],
    "group_concat_max_len": ["4"],
    "max_statement_time": ["300"],
    "net_write_timeout": ["1"],
    "autocommit": ["OFF"],
    "tx_isolation": ["'SERIALIZABLE'", "'READ-UNCOMMITTED'"],
    "sql_auto_is_null": ["ON"],
    "default_week_format": ["7"],
    "max_length_for_sort_data": ["4"],
}
MARIADB_URL: Odd = {
    "charset": ["utf8", "latin1", "gbk", "binary"],
    "collation": ["latin1_bin", "utf8mb4_bin"],
    "init_command": ["SET NAMES latin1", "SET time_zone = '+05:00'", "SET sql_select_limit = 1"],
    "sql_mode": ["ANSI_QUOTES", "PAD_CHAR_TO_FULL_LENGTH", "ORACLE", "NO_BACKSLASH_ESCAPES"],
    "use_unicode": ["0"],
    "autocommit": ["true"],
    "read_timeout": ["300"],
    "serverTimezone": ["Asia/Tokyo"],
}

#: Of a ``file:`` address.
SQLITE_URL: Odd = {
    "mode": ["ro", "rw", "rwc"],
    "cache": ["shared", "private"],
    "immutable": ["1"],
    "nolock": ["1"],
    "psow": ["0"],
    "vfs": ["unix-none", "unix-dotfile"],
    # And of Python's driver.
    "timeout": ["1", "60"],
    "detect_types": ["3"],
    "isolation_level": ["IMMEDIATE"],
    "check_same_thread": ["true"],
    "cached_statements": ["1"],
}

#: Of a process.
ENVIRONMENT = {
    "TZ": "Asia/Kolkata",
    "LC_ALL": "C",
    "LANG": "tr_TR.UTF-8",
    "PYTHONIOENCODING": "latin1",
    "PYTHONUTF8": "0",
    "PYTHONHASHSEED": "7",
    "PYTHONOPTIMIZE": "1",
    "POLARS_MAX_THREADS": "1",
    "POLARS_FMT_MAX_ROWS": "1",
    "OMP_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "COLUMNS": "20",
    "NO_COLOR": "1",
}


def odd_settings(odd: Odd, *, most: int = 8) -> st.SearchStrategy[dict[str, str]]:
    """Some of these settings, each with one of its values."""
    return st.dictionaries(st.sampled_from(sorted(odd)), st.integers(0, 9), max_size=most).map(
        lambda chosen: {name: odd[name][n % len(odd[name])] for name, n in chosen.items()}
    )
