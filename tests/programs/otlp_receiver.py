"""Receive traces as OpenTelemetry's own definitions of OTLP read them (the package opentelemetry-proto), over HTTP on a free port
of 127.0.0.1. The port is the first line of standard output. Each request is a further line: its path, its headers, and its message
as JSON; or why it is no ExportTraceServiceRequest."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import MessageToDict
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


# A thread for each connection writes.
lines = threading.Lock()


def unknown_fields(message):
    """Count the fields that no definition has, in all messages of a message."""
    own = len(UnknownFieldSet(message))
    for field, value in message.ListFields():
        if field.message_type is not None:
            values = [value] if not hasattr(value, "add") else value
            own += sum(unknown_fields(each) for each in values)
    return own


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["content-encoding"] == "gzip":
            body = gzip.decompress(body)
        said = {"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()}}
        try:
            message = ExportTraceServiceRequest.FromString(body)
            said["unknown"] = unknown_fields(message)
            said["message"] = MessageToDict(message)
        except Exception as error:
            said["error"] = str(error)
        with lines:
            print(json.dumps(said), flush=True)
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
server.serve_forever()
