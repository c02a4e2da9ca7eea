const [status, form, text, to, bytes, lines] = ["status", "form", "text", "to", "bytes", "lines"]
  .map((id) => document.getElementById(id));

const sockets = { echo: open("echo"), broadcast: open("broadcast") };

function open(name) {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/${name}`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (name === "echo" || typeof data !== "string") return show(name, data);
    const { present, text } = JSON.parse(data);
    if (text !== undefined) show(name, text);
    else status.textContent = `${present} here`;
  };
  socket.onclose = ({ code }) => (status.textContent = `closed with ${code}`);
  return socket;
}

function show(name, data) {
  const line = document.createElement("li");
  line.textContent = typeof data === "string"
    ? `${name}, text: ${data}`
    : `${name}, ${data.byteLength} bytes: ${new TextDecoder().decode(data)}`;
  lines.append(line);
}

form.onsubmit = (event) => {
  event.preventDefault();
  const socket = sockets[to.value];
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(bytes.checked ? new TextEncoder().encode(text.value) : text.value);
  text.value = "";
};
