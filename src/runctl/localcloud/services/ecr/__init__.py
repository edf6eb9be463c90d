"""Elastic Container Registry: repositories, their policies, and what is known of their images."""
