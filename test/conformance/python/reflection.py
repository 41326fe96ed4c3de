"""grpcio's own reflection client: finds the services and calls one from nothing but its description. argv is host:port and an API key."""

import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from report import Report, expect

address, key = sys.argv[1:3]
report = Report("gRPC reflection")
channel = grpc.insecure_channel(address)
database = ProtoReflectionDescriptorDatabase(channel)
pool = DescriptorPool(database)


def services():
    names = sorted(database.get_services())
    for wanted in ("inference.GRPCInferenceService", "grpc.health.v1.Health"):
        expect(wanted in names, f"{wanted} is not among {names}")
    return ", ".join(names)


def described_call():
    method = pool.FindServiceByName("inference.GRPCInferenceService").FindMethodByName("ModelMetadata")
    request_class, response_class = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    call = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelMetadata",
        request_serializer=request_class.SerializeToString,
        response_deserializer=response_class.FromString,
    )
    answer = call(request_class(name="tiny"), metadata=(("authorization", f"Bearer {key}"),), timeout=10)
    expect(answer.inputs[0].name == "x", str(answer))


report.check("lists services", services)
report.check("describes a call well enough to make it", described_call)
