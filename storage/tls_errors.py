"""TLS handshakes that fail: which of them an operator has to see to, and in which words."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from urllib3.util.ssl_match_hostname import CertificateError

from waybill.storage.errors import StorageError, StorageRejected, StorageUnavailable

#: What OpenSSL calls an answer that is no TLS, such as that of a server which speaks plain HTTP.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})
#: What OpenSSL says of a file without a certificate.
_NO_BUNDLE = frozenset({"NO_CERTIFICATE_OR_CRL_FOUND", "NO_START_LINE"})
_NOT_ACCEPTED = "The object store's certificate is not accepted:"
#: X509_V_ERR_… of chains that end in no authority we know. (OpenSSL, x509_vfy.h.)
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})


def explain(error: BaseException) -> StorageError:
    """What a failed TLS connection to the store means: a retry may help, or only an operator."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return StorageRejected(_of_certificate(cause))
        if isinstance(cause, CertificateError):
            return StorageRejected(f"{_NOT_ACCEPTED} {cause}.")
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return StorageRejected(
                "The object store answers at this address without TLS: does its endpoint begin "
                "with http://?"
            )
        if isinstance(cause, FileNotFoundError | PermissionError | IsADirectoryError) or (
            isinstance(cause, ssl.SSLError) and cause.reason in _NO_BUNDLE
        ):
            return StorageRejected("AWS_CA_BUNDLE names no readable file of certificates.")
    return StorageUnavailable()


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    text = f"{_NOT_ACCEPTED} {error.verify_message.rstrip('.')}."
    if error.verify_code in _UNKNOWN_AUTHORITY:
        text += " AWS_CA_BUNDLE can name a file with the certificate of your authority."
    return text


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it was made of; botocore and urllib3 each wrap it in a way of their own."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            wrapped = (*cause.args, getattr(cause, "kwargs", {}).get("error"))
            waiting += [*wrapped, cause.__cause__, cause.__context__]
