"""Makes small changes to the code, one at a time, and finds those that no unit test notices."""
