"""One trace from the request to the completed file, through API, outbox, RabbitMQ and worker."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.processes import SECRET, api, ended, process, run
from tests.support.servers.webhook_receiver import Receiver

#: What a caller of ours sends: the trace goes on from there.
_TRACE, _CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@dataclass
class Traces:
    """The spans that a collector received, by name, of one trace."""

    bodies: list[bytes] = field(default_factory=list)

    def of_services(self) -> list[tuple[str, Span]]:
        found = []
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                about = {item.key: item.value.string_value for item in resource.resource.attributes}
                for scope in resource.scope_spans:
                    found += [(about["service.name"], span) for span in scope.spans]
        return found

    def one(self, name: str) -> tuple[str, Span]:
        [found] = [
            (service, span)
            for service, span in self.of_services()
            if span.name == name and span.trace_id.hex() == _TRACE
        ]
        return found


def test_a_trace_leads_from_the_request_to_the_completed_file_and_holds_no_secret(
    installation, rabbitmq_url
):
    with Receiver() as collector:
        collector.always = 200
        env = installation.env | {
            "WAYBILL_AMQP_URL": rabbitmq_url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url(""),
        }
        assert run(env, "sample", "--orders", "100").returncode == 0
        with api(env, installation.log) as client, process(env, installation.log, "worker"):
            body = {"type": "orders", "format": "xlsx", "params": {"city": "Berlin"}}
            caller = {"traceparent": f"00-{_TRACE}-{_CALLER}-01"}
            asked = client.post("/api/export-tasks", json=body, headers=caller).json()
            assert ended(client, asked["id"], seconds=150)["status"] == "SUCCESS"
            link = client.post(f"/api/export-tasks/{asked['id']}/links", json={}).json()
            click = client.get(f"/d/{link['token']}")
            client.get("/api/export-tasks", params={"search": "a-secret-search"})
        # Both have ended, and sent what they had.
        assert {request.path for request in collector.requests} == {"/v1/traces"}
        traces = Traces([request.body for request in collector.requests])

    chain = [
        ("waybill-api", "POST /api/export-tasks"),
        ("waybill-api", "waybill.publish"),
        ("waybill-worker", "waybill.deliver"),
    ]
    parent = bytes.fromhex(_CALLER)
    for service, name in chain:
        # Any relay may publish: that of the API or that of the worker.
        of, span = traces.one(name)
        assert of == service or name == "waybill.publish"
        assert span.parent_span_id == parent, name
        parent = span.span_id
    request = traces.one("POST /api/export-tasks")[1]
    attempt = traces.one("waybill.attempt")[1]
    export = traces.one("waybill.export")[1]
    complete = traces.one("waybill.complete")[1]
    assert attempt.parent_span_id == request.span_id
    assert export.parent_span_id == attempt.span_id
    assert complete.parent_span_id == export.span_id
    assert attempt.start_time_unix_nano <= complete.start_time_unix_nano
    assert complete.end_time_unix_nano <= attempt.end_time_unix_nano
    said = {item.key: item.value for item in attempt.attributes}
    assert said["waybill.task"].string_value == asked["id"]
    assert said["waybill.outcome"].string_value == "success"
    assert said["waybill.bytes"].int_value > 0

    sent = b"".join(traces.bodies)
    token = client.headers["authorization"].split()[1]
    signature = httpx2.URL(click.headers["location"]).params["X-Amz-Signature"]
    for secret in (link["token"], token, signature, SECRET, "a-secret-search", "Berlin", "SELECT"):
        assert secret.encode() not in sent
    assert not [span for _, span in traces.of_services() if "/d/" in span.name]
