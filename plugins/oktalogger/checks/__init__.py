"""Asks every part of a deployment whether it works, and says in one sentence each what is wrong."""
