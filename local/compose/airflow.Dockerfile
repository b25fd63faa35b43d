# The official Airflow image and the few packages of oktalogger that it lacks, in the versions of
# requirements/airflow-3.3.txt. Nothing that the image has is changed.
FROM apache/airflow:3.3.2-python3.12

COPY requirements/compose-airflow.txt /tmp/
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement /tmp/compose-airflow.txt \
    && python -c "import msgspec, opensearchpy, airflow.providers.opensearch.hooks.opensearch"

# A volume that is mounted here gets this folder's owner.
RUN mkdir /opt/airflow/archive
