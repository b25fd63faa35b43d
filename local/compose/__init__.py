"""Makes what ``docker-compose.yaml`` needs besides official images: secrets, certificates, users. Checks the file."""
