"""How runctl comes to an instance: as parts, content-addressed, fetched and verified there."""
