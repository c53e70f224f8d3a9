"""Texts about passwords of files, in English."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH_PASSWORDS: Mapping[str, str] = {
    "password_label": "Protect with a password",
    "password_help": "The file becomes an encrypted zip (AES-256), which 7-Zip, WinZip and Keka"
    " open. The password is shown once.",
    "password_always": "Files of this dataset always have a password. It is shown once, after the"
    " start.",
    "password_title": "Password of the file",
    "password_once": "Note it now: it is shown only once and stored nowhere. If it gets lost, run"
    " the export again. The new file gets a new password.",
    "password_copy": "Copy",
    "password_copied": "Copied",
    "password_by_hand": "Copy it by hand",
    "password_done": "I have noted it",
    "password_gone": "This export was started before, and its password cannot be shown again. If"
    " you do not have it, run the export again.",
    "detail_password": "Password",
    "detail_password_kept": "Encrypted with AES-256; the password was shown once",
}
