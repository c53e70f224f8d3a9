"""Routes only translate: one request, one call, one answer."""
