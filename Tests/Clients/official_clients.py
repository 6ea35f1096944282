"""Sends events, tensors and log records with the official clients; the first argument is the server."""

import sys
import time

import numpy
import requests
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from tritonclient.http import InferenceServerClient, InferInput

server = sys.argv[1]


def event(side, data, kind="application/json", service="official"):
    return CloudEvent(
        attributes={
            "id": "call 1",
            "source": "http://localhost:9081/",
            "type": "org.kubeflow.serving.inference." + side,
            "datacontenttype": kind,
            "inferenceservicename": service,
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

# What Triton's client sends to a model server, raw tensors behind the JSON, as KServe's logger passes it
# on: the body and its type, without the header that says where the JSON ends.
columns = [
    ("age", "FP32", numpy.array([41.5, 35], dtype=numpy.float32)),
    ("plan", "BYTES", numpy.array(["pro", "free"], dtype=object)),
    ("owner", "BOOL", numpy.array([True, False])),
]
inputs = []
for name, datatype, values in columns:
    tensor = InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values)
    inputs.append(tensor)
body, _ = InferenceServerClient.generate_request_body(
    inputs, request_id="triton-1", parameters={"cohort": "b"}
)
output = {"name": "y", "shape": [2], "datatype": "INT64", "data": [1, 0]}
answer = {"model_name": "tensors", "model_version": "3", "id": "triton-1", "outputs": [output]}
for side, data, kind in [
    ("request", body, "application/octet-stream"),
    ("response", answer, "application/json"),
]:
    message = to_binary(event(side, data, kind, "tensors"), JSONFormat())
    reply = requests.post(server + "/", headers=message.headers, data=message.body, timeout=30)
    assert reply.status_code == 202, (reply.status_code, reply.text)

exporter = OTLPLogExporter(endpoint=server + "/v1/logs")
packing = OTLPLogExporter(endpoint=server + "/v1/logs", compression=Compression.Gzip)
provider = LoggerProvider(resource=Resource({"service.name": "official:monitor"}))
provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
packed = LoggerProvider(resource=Resource({"service.name": "official:packed"}))
packed.add_log_record_processor(SimpleLogRecordProcessor(packing))
packed.get_logger("bentoml_monitor_data").emit(
    LogRecord(timestamp=time.time_ns(), body={"pred": "setosa", "request_id": "z"})
)
packed.shutdown()
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
