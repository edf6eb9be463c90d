"""A training in a container: Docker on the instance, the image, and what is started there."""
