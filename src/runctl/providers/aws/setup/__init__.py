"""What an owner needs in an account, made, repaired and taken away again."""
