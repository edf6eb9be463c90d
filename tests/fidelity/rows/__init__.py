"""The rows, by part of AWS. Each module has ROWS and STORIES."""
