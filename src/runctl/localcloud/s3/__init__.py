"""S3: objects are files, what is known of them is in SQLite."""
