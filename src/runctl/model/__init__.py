"""What runctl knows, as typed values: no input or output, no clock, no randomness."""

VERSION = "0.1.0"
