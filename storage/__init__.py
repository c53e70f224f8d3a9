"""Object storage: writing files to S3 and signing links to them."""
