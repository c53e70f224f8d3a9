"""MySQL and MariaDB as a source: their own types, their URLs, and a session of ours.

`url_options` reads a URL, `connection` asks the server for more about each column than the driver
does, `columns` decides what each becomes, and `session` reads the rows in one snapshot.
"""
