"""What the cloud knows, kept so that a kill at any moment loses nothing that was answered."""
