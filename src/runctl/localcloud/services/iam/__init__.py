"""IAM: who may do what."""
