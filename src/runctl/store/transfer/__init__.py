"""Files between a folder and a bucket: planned, verified, resumed, never partial."""
