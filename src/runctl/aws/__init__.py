"""The one package that speaks to AWS: sessions, credentials, and AWS's errors as ours."""
