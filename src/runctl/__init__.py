"""runctl runs a training script somewhere else as easily as here, and never loses the work."""
