# A Tornado server that signs, verifies and guards as ours does. Prints its port.
import json
import tornado.httpserver
import tornado.ioloop
import tornado.netutil
import tornado.web

SECRETS = {"plain": "a secret", "keys": {0: "first", 1: "second"}}


class Sign(tornado.web.RequestHandler):
    def get(self):
        secret = SECRETS[self.get_argument("secret")]
        version = int(self.get_argument("version"))
        key_version = None if isinstance(secret, str) else 1
        self.write(tornado.web.create_signed_value(
            secret, self.get_argument("name"), self.get_argument("value", strip=False),
            version=version, key_version=key_version))


class Verify(tornado.web.RequestHandler):
    def get(self):
        value = tornado.web.decode_signed_value(
            SECRETS[self.get_argument("secret")], self.get_argument("name"),
            self.get_argument("signed"))
        self.write(json.dumps(None if value is None else value.decode()))


class Form(tornado.web.RequestHandler):
    def get(self):
        self.write(self.xsrf_token)

    def post(self):
        self.write("posted")


app = tornado.web.Application(
    [("/sign", Sign), ("/verify", Verify), ("/", Form)], xsrf_cookies=True)
sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
tornado.httpserver.HTTPServer(app).add_sockets(sockets)
print(sockets[0].getsockname()[1], flush=True)
tornado.ioloop.IOLoop.current().start()
