"""``python -m oktalogger``: the same core without Airflow."""

import sys

from oktalogger.cli import main

sys.exit(main())
