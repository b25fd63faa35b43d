#!/bin/sh
# Makes every lock file anew. An older Airflow line is resolved as of a date near its release,
# because its own pins are open upwards and newer libraries break it.
set -eu
cd "$(dirname "$0")/../requirements"
lock() { # name, newest upload date taken, Python, further options
    echo "locking $1"
    uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
        ${2:+--exclude-newer "$2"} --python-version "$3" --python-platform linux ${4:-} \
        --output-file "$1.txt" "$1.in"
}
lock airflow-3.3 "" 3.11
lock airflow-3.2 2026-05-15 3.11
lock airflow-3.0 2025-09-15 3.11
lock airflow-2.11 2026-04-15 3.11
# The images of Amazon MWAA, which pin what they bring.
lock mwaa-3.3 2026-08-20 3.12
lock mwaa-3.2 2026-05-15 3.12
lock mwaa-3.0 2025-09-15 3.12
lock mwaa-2.11 2026-04-15 3.12
lock cluster "" 3.11 "--constraint=airflow-3.3.txt"
lock local "" 3.11
lock terraform "" 3.11
lock detections "" 3.11
lock supply-chain "" 3.11
lock mutants "" 3.11
lock browser "" 3.11 "--constraint=local.txt"
# The same versions as above, in the images of the Compose stack.
lock simulator "" 3.11 "--constraint=local.txt"
lock compose-airflow "" 3.11 "--constraint=airflow-3.3.txt --no-deps"
