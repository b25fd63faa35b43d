"""Makes the stack's certificates, each into the volume of those who may have it.

Runs in the container ``certificates``. The authority's own key is thrown away at once, so that nothing more can be
signed in its name.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from local.opensearch.certificates import make_certificates

HOSTS = ("opensearch",)
RENEW_BEFORE = timedelta(days=30)
OPENSEARCH_USER = 1000  # of the official image
SETUP_USER = 10001  # of the simulator's image


def hand_out(ca: Path, node: Path, admin: Path) -> bool:
    """Make all certificates, unless those that are there will do for a while.

    :param ca: folder of the authority's certificate, for everybody
    :param node: folder of the server's key and certificates, for the server
    :param admin: folder of the administrator's key and certificates, for who makes the users
    :return: whether they had to be made
    """
    if _will_do(ca / "ca.pem") and (node / "node-key.pem").exists() and (admin / "admin-key.pem").exists():
        return False
    with tempfile.TemporaryDirectory() as made_in:
        made = Path(made_in)
        make_certificates(made, ("admin",), hosts=HOSTS)
        for name in ("ca.pem", "node.pem", "node-key.pem"):
            _put(made / name, node, OPENSEARCH_USER)
        for name in ("ca.pem", "admin.pem", "admin-key.pem"):
            _put(made / name, admin, SETUP_USER)
        # Last, because its presence says that all the others are there.
        _put(made / "ca.pem", ca, OPENSEARCH_USER)
    return True


def _will_do(certificate: Path) -> bool:
    if not certificate.exists():
        return False
    ends = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    return ends - datetime.now(UTC) > RENEW_BEFORE


def _put(file: Path, folder: Path, user: int) -> None:
    target = folder / file.name
    target.unlink(missing_ok=True)
    shutil.copyfile(file, target)
    target.chmod(0o400 if file.stem.endswith("-key") else 0o444)
    if os.geteuid() == 0:
        os.chown(target, user, user)


def main() -> None:
    """Hand out the certificates to the folders that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("ca", "node", "admin"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    made = hand_out(given.ca, given.node, given.admin)
    print("certificates are made" if made else "certificates are there already")


if __name__ == "__main__":
    main()
