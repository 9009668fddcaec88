"""Read OpenMetrics on standard input as the parser of Prometheus' own client library does, which is strict. On standard output the
exemplars as JSON: of each its series' name and bucket, its labels, value and timestamp."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = text_string_to_metric_families(sys.stdin.buffer.read().decode())
exemplars = [
    {
        "name": sample.name,
        "le": sample.labels["le"],
        "labels": sample.exemplar.labels,
        "value": sample.exemplar.value,
        "timestamp": float(sample.exemplar.timestamp),
    }
    for family in families
    for sample in family.samples
    if sample.exemplar is not None
]
json.dump(exemplars, sys.stdout)
