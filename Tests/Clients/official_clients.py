"""Sends two events and three log records with the official clients; the first argument is the server."""

import sys
import time

import requests
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

server = sys.argv[1]


def event(side, data):
    return CloudEvent(
        attributes={
            "id": "call 1",
            "source": "http://localhost:9081/",
            "type": "org.kubeflow.serving.inference." + side,
            "datacontenttype": "application/json",
            "inferenceservicename": "official",
            "namespace": "default",
            "component": "predictor",
            "metadata": '{"X-Request-Id":["a b"]}',
        },
        data=data,
    )


for convert, side, data in [
    (to_binary, "request", {"instances": [[1.5, "x"]]}),
    (to_structured, "response", {"predictions": [1]}),
]:
    message = convert(event(side, data), JSONFormat())
    answer = requests.post(
        server + "/v1/events", headers=message.headers, data=message.body, timeout=30
    )
    assert answer.status_code == 202 and answer.content == b"", (answer.status_code, answer.text)

exporter = OTLPLogExporter(endpoint=server + "/v1/logs")
provider = LoggerProvider(resource=Resource({"service.name": "official:monitor"}))
provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
sender = provider.get_logger("bentoml_monitor_data")
for index in range(3):
    body = {"pred": "setosa", "sepal length": 4.9 + index, "request_id": "r-%d" % index}
    if index == 2:
        # Another logger of the same service, whose records are no predictions.
        sender, body = provider.get_logger("service"), {"message": "no prediction"}
    sender.emit(
        LogRecord(timestamp=time.time_ns(), severity_number=SeverityNumber.INFO, body=body)
    )
provider.shutdown()
print("sent")
