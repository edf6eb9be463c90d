"""Systems Manager: commands that run in instances, and parameters."""
