"""A folder of an instance held to the project's selection, over any transport."""
