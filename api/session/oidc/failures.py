"""Why nobody was logged in by OpenID Connect: a text for the person, and a reason for the log."""

from __future__ import annotations


class LoginFailed(Exception):
    """A login that did not come about. `problem` is the key of a page's text."""

    def __init__(self, problem: str, why: str) -> None:
        """`why` goes into the log, so nothing of a token or of an answer is in it."""
        super().__init__(why)
        self.problem = problem


#: The provider, or what it answers, is at fault. Trying again may help.
UNREACHABLE = "oidc_unreachable"
#: The browser does not bring what it was given at the start: another one, or too late.
EXPIRED = "oidc_expired"
CANCELLED = "oidc_cancelled"
REFUSED = "oidc_refused"
#: A good login of somebody whom the claims do not describe.
INCOMPLETE = "oidc_incomplete"
