"""Images of a project: built here out of what travels, pushed, listed, pruned."""
