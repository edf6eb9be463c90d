"""How an instance is reached."""
