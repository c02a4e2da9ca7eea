# Tornado's WebSockets.
import asyncio
import sys

from tornado.web import Application
from tornado.websocket import WebSocketHandler

NEWS = "n" * 100


class Echo(WebSocketHandler):
    receivers = set()

    def get_compression_options(self):
        return {} if sys.argv[2:] == ["deflate"] else None

    def open(self):
        self.receivers.add(self)

    def on_close(self):
        self.receivers.discard(self)

    def on_message(self, message):
        if message != "broadcast":
            return self.write_message(message)
        for receiver in self.receivers:
            receiver.write_message(NEWS)


async def main():
    app = Application([(r"/", Echo)], log_function=lambda handler: None)
    app.listen(int(sys.argv[1]), "127.0.0.1")
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
