"""A local stand-in for an Okta org's System Log API: a real HTTP server over a company's traffic made from a seed."""
