"""Why PostgreSQL let nobody in, from what its client says; it states no SQLSTATE then.

The sentences repeat no name, address or value of what was said: anybody may read them at
``/readyz``, and a task of a user keeps them.
"""

from __future__ import annotations

import re

#: The first match counts. ``{database}`` and ``{url}`` say which database it is, and its setting.
_REFUSALS = tuple(
    (re.compile(pattern, re.IGNORECASE), sentence)
    for pattern, sentence in (
        (
            r"password authentication failed|no password supplied|role .* does not exist"
            r"|authentication failed|is not permitted to log in|no such user",
            "{database} refuses the user or the password of {url}.",
        ),
        (
            r"no pg_hba\.conf entry|pg_hba\.conf rejects",
            "{database} lets nobody in from this address, or not unencrypted: see its pg_hba.conf.",
        ),
        (
            r"database .* does not exist|no such database",
            "{url} names a database that does not exist.",
        ),
        (
            r"permission denied for database",
            "The user of {url} may not connect to this database.",
        ),
        (
            r"server does not support SSL",
            "{database} has no TLS, which {url} demands (sslmode).",
        ),
        (
            r"certificate|SSL error",
            "The certificate at the address of {url} is not trusted, or is for another name: see"
            " sslmode and sslrootcert.",
        ),
        (
            r"configuration parameter|invalid value for parameter|startup parameter",
            "{database} refuses an option of {url}.",
        ),
        (
            r"hot standby mode|session is read-only|session is not read-only|server is not primary",
            "No host of {url} is of the kind that its target_session_attrs demands.",
        ),
        (
            r"too many (clients|connections)|connection slots|no more connections",
            "{database} has no free connection.",
        ),
        (
            r"system is (starting up|shutting down)|in recovery mode|not yet accepting",
            "{database} is starting or shutting down.",
        ),
        (
            r"resolve host|translate host name|parse network address",
            "The host of {url} is not known by that name.",
        ),
        (
            r"Connection refused|No such file or directory",
            "Nothing listens at the address of {url}.",
        ),
        (r"timeout expired|timed out", "{database} does not answer in time."),
    )
)


def refusal_reason(said: str, *, database: str, url: str) -> str | None:
    """The sentence for what PostgreSQL's client `said`; None for what is not known.

    `database` begins a sentence, such as ``The task database``; `url` is the name of its setting.
    """
    for pattern, sentence in _REFUSALS:
        if pattern.search(said):
            return sentence.format(database=database, url=url)
    return None
