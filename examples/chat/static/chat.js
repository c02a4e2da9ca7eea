const [status, form, name, text, lines] = ["status", "form", "name", "text", "lines"]
  .map((id) => document.getElementById(id));
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5000;

let lastId = 0; // what we have seen
let retry = FIRST_RETRY_MS;

// A way takes messages until it fails, and sends.
const ways = {
  "long polling": {
    async receive() {
      for (let wait = 0;; wait = 25_000) { // the first answer shows that we are connected
        const response = await fetch(`/messages?after=${lastId}&wait=${wait}`);
        if (!response.ok) throw new Error(`status ${response.status}`);
        take(await response.json());
      }
    },
    async send(message) {
      const headers = { "Content-Type": "application/json" };
      const body = JSON.stringify(message);
      const { ok, status } = await fetch("/messages", { method: "POST", headers, body });
      if (!ok) throw new Error(`status ${status}`);
    },
  },
  "WebSocket": {
    socket: null,
    receive() {
      const base = location.origin.replace(/^http/, "ws");
      const socket = this.socket = new WebSocket(`${base}/socket?after=${lastId}`);
      socket.onmessage = ({ data }) => take(JSON.parse(data));
      return new Promise((_, reject) => {
        socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
      });
    },
    send(message) {
      this.socket.send(JSON.stringify(message));
    },
  },
};
const wayName = new URLSearchParams(location.search).has("poll") ? "long polling" : "WebSocket";
const way = ways[wayName];

function take({ messages }) {
  retry = FIRST_RETRY_MS;
  status.textContent = `connected by ${wayName}`;
  for (const { id, name, text } of messages) {
    const line = document.createElement("li");
    line.textContent = `${name}: ${text}`;
    lines.append(line);
    lastId = id;
  }
}

async function follow() {
  for (;;) {
    await way.receive().catch(() => {});
    status.textContent = "disconnected, trying again";
    await new Promise((resolve) => setTimeout(resolve, retry));
    retry = Math.min(2 * retry, LAST_RETRY_MS);
  }
}

form.onsubmit = async (event) => {
  event.preventDefault();
  try {
    await way.send({ name: name.value, text: text.value });
    text.value = "";
  } catch {
    // It stays in its field, to be sent again.
  }
};

follow();
