"""Instances: what EC2 is for."""
