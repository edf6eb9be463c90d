"""The one error that operations raise: a code, a message and a status, as AWS answers them."""

from __future__ import annotations


class AwsError(Exception):
    """An answer of AWS that is an error."""

    def __init__(self, code: str, message: str, status: int = 400, **details: object) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.details = details
        """Further members of the error's shape, for the services that have them."""
