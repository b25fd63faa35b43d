"""The org authorization server, as far as service apps need it: client assertions, DPoP proofs, access tokens."""
