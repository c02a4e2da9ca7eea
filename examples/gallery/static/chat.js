const [status, lines, form, name, text] = ["status", "lines", "form", "name", "text"]
  .map((id) => document.getElementById(id));
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5000;

let socket;
let retry = FIRST_RETRY_MS;

function connect() {
  socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/chat/socket`);
  socket.onopen = () => {
    retry = FIRST_RETRY_MS;
    lines.replaceChildren(); // the server shows what was said before
  };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if ("present" in message) status.textContent = `connected, ${message.present} here`;
    else show(message);
  };
  socket.onclose = () => {
    status.textContent = "disconnected, trying again";
    setTimeout(connect, retry);
    retry = Math.min(2 * retry, LAST_RETRY_MS);
  };
}

function show({ name, text }) {
  const line = document.createElement("p");
  const who = document.createElement("b");
  who.textContent = name;
  line.append(who, ` ${text}`);
  lines.append(line);
  lines.scrollTop = lines.scrollHeight;
}

form.onsubmit = (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ name: name.value, text: text.value }));
  text.value = "";
};

connect();
