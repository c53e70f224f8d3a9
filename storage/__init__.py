"""Object storage: bytes in, signed link out."""
