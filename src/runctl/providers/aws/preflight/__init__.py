"""What a launch needs, looked at before it costs anything."""
