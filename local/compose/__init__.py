"""What ``docker-compose.yaml`` needs besides official images: secrets, certificates, users, and a check of the file."""
