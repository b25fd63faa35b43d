"""The one error of this package."""


class OpenSearchLocalError(Exception):
    """A server cannot be built or started; the message says why and what to do."""
