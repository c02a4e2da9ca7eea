# Tornado, whose model this project follows. The routes are those of the other peers.
import asyncio
import json
import sys

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.process import fork_processes
from tornado.template import DictLoader
from tornado.web import Application, RequestHandler, StaticFileHandler

PORT = int(sys.argv[1])
MODE = sys.argv[2] if len(sys.argv) > 2 else "plain"
FOLDER = sys.argv[3] if len(sys.argv) > 3 else "."
GREETING = "Hello, world"
ROUTES = 50
CHUNKS = 10
CHUNK = "c" * 100
ROWS = [
    {"id": id, "name": "Row <%d> & more" % id, "note": "text with nothing to escape"}
    for id in range(50)
]
PAGE = (
    "<title>Rows</title>\n<table>\n{% for row in rows %}<tr><td>{{ row['id'] }}</td>"
    "<td>{{ row['name'] }}</td><td>{{ row['note'] }}</td></tr>\n{% end %}</table>\n"
)


class Hello(RequestHandler):
    def get(self):
        self.write(GREETING)


class JSON(RequestHandler):
    def get(self):
        self.write({"message": GREETING})

    def post(self):
        items = json.loads(self.request.body)["items"]
        self.write({"count": len(items), "sum": sum(item["price"] for item in items)})


class Page(RequestHandler):
    def get(self):
        self.render("page.html", rows=ROWS)


class Streamed(RequestHandler):
    async def get(self):
        for _ in range(CHUNKS):
            self.write(CHUNK)
            await self.flush()


class Routed(RequestHandler):
    def initialize(self, route):
        self.route = route

    def get(self, order, item):
        self.write("%d %s %s" % (self.route, order, item))


def make_app():
    routes = [
        (r"/", Hello),
        (r"/json", JSON),
        (r"/page", Page),
        (r"/stream", Streamed),
        (r"/file/(.*)", StaticFileHandler, {"path": FOLDER}),
    ]
    for route in range(ROUTES):
        routes.append((r"/route%d/([^/]+)/items/([^/]+)" % route, Routed, {"route": route}))
    return Application(
        routes,
        log_function=lambda handler: None,
        template_loader=DictLoader({"page.html": PAGE}, autoescape="xhtml_escape"),
    )


async def main(sockets):
    ssl_options = None
    if MODE == "tls":
        ssl_options = {"certfile": FOLDER + "/cert.pem", "keyfile": FOLDER + "/key.pem"}
    server = HTTPServer(make_app(), ssl_options=ssl_options)
    server.add_sockets(sockets)
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    bound = bind_sockets(PORT, "127.0.0.1")
    if MODE == "group":
        fork_processes(2)
    asyncio.run(main(bound))
