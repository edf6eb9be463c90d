"""Use cases: what is done with runs, in terms of ledger, providers and transports."""
