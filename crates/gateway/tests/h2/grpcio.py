"""A service and a caller written with grpcio. Prints the service's port; reads the gateway's address;
prints what came of each call, a line each."""

import sys
from concurrent import futures

import grpc

SIZE = 20 << 20
OPTIONS = [(f"grpc.max_{way}_message_length", 2 * SIZE) for way in ("send", "receive")]


def unary(request, context):
    context.set_trailing_metadata((("sum", str(len(request))),))
    return b"<" + request + b">"


def several(request, context):
    for number in range(3):
        yield request + str(number).encode()


def gather(requests, context):
    return b",".join(requests)


def talk(requests, context):
    for request in requests:
        yield request.upper()


def fail(request, context):
    context.abort(grpc.StatusCode.INTERNAL, "broken")


ended = futures.Future()


def hang(request, context):
    """Until the call ends, which a caller that gives up makes it do."""
    context.add_callback(lambda: ended.done() or ended.set_result(True))
    ended.result(20)
    return b""


KINDS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Several": grpc.unary_stream_rpc_method_handler(several),
    "Gather": grpc.stream_unary_rpc_method_handler(gather),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Hang": grpc.unary_unary_rpc_method_handler(hang),
}


def status(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except grpc.RpcError as error:
        return f"{error.code().name} {error.details()}"
    return "OK"


def main():
    server = grpc.server(futures.ThreadPoolExecutor(20), options=OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("p.S", KINDS),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    channel = grpc.insecure_channel(sys.stdin.readline().strip(), options=OPTIONS)
    one = channel.unary_unary("/p.S/Unary")
    answer, call = one.with_call(b"hi", timeout=20)
    print("unary", answer.decode(), call.trailing_metadata()[0].value)
    several = channel.unary_stream("/p.S/Several")(b"m", timeout=20)
    print("several", b" ".join(several).decode())
    print("gather", channel.stream_unary("/p.S/Gather")(iter([b"a", b"b"]), timeout=20).decode())
    talk = channel.stream_stream("/p.S/Talk")(iter([b"a", b"b"]), timeout=20)
    print("talk", b" ".join(talk).decode())
    print("fail", status(channel.unary_unary("/p.S/Fail"), b"", timeout=20))
    print("missing", status(channel.unary_unary("/p.S/Missing"), b"", timeout=20))
    print("large", len(one(bytes(SIZE), timeout=60)) - SIZE)
    many = [one.future(str(number).encode(), timeout=60) for number in range(300)]
    print("many", sum(len(call.result()) > 0 for call in many))
    hang = channel.unary_unary("/p.S/Hang")
    print("deadline", status(hang, b"", timeout=0.5).split()[0], ended.result(20))
    server.stop(None).wait()
    print("dead", status(one, b"", timeout=20).split(":")[0])


main()
