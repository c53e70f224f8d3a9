"""Any database whose driver returns Arrow record batches, as a source."""
