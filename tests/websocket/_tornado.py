"""Tornado's end of a WebSocket: `server` echoes, `client URL` sends and checks the echoes.

With a second or third argument `deflate`, it wants compression.
"""
import sys

from tornado import httpclient, ioloop, web, websocket

MESSAGES = ["hello", "", "gr\u00fcn \U0001f300", b"\x00\xff", b"", "x" * 70000, "hello", "hello"]


class Echo(websocket.WebSocketHandler):
    def get_compression_options(self):
        return {} if "deflate" in sys.argv else None

    def on_message(self, message):
        self.write_message(message, binary=isinstance(message, bytes))

    def on_close(self):
        print("closed", self.close_code, self.close_reason, flush=True)


def serve():
    server = web.Application([("/echo", Echo)]).listen(0, "127.0.0.1")
    [sock] = server._sockets.values()
    print("port", sock.getsockname()[1], flush=True)
    loop = ioloop.IOLoop.current()
    loop.add_handler(sys.stdin.fileno(), lambda *_: loop.stop(), loop.READ)
    loop.start()


async def ask():
    options = {} if "deflate" in sys.argv else None
    connection = await websocket.websocket_connect(
        sys.argv[2], compression_options=options, subprotocols=["one", "two"]
    )
    assert connection.selected_subprotocol == "two"
    extensions = connection.headers.get("Sec-WebSocket-Extensions", "")
    assert ("permessage-deflate" in extensions) == ("deflate" in sys.argv), extensions
    for message in MESSAGES:
        await connection.write_message(message, binary=isinstance(message, bytes))
        echoed = await connection.read_message()
        assert echoed == message, (message, echoed)
    connection.ping(b"are you there?")
    await connection.write_message("close")
    assert await connection.read_message() is None
    assert (connection.close_code, connection.close_reason) == (3001, "as you like")


if sys.argv[1] == "server":
    serve()
else:
    ioloop.IOLoop.current().run_sync(ask, timeout=20)
