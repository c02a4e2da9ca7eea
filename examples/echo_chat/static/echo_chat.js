const [status, form, text, lines] = ["status", "form", "text", "lines"]
  .map((id) => document.getElementById(id));

const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/socket`);
socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if ("connected" in message) {
    status.textContent = message.connected ? "the echo is there" : "the echo is away";
  } else if ("refused" in message) status.textContent = "too much is on its way: try again later";
  else {
    const line = document.createElement("li");
    line.textContent = message.text;
    lines.append(line);
  }
};
socket.onclose = () => status.textContent = "disconnected: load the page again";

form.onsubmit = (event) => {
  event.preventDefault();
  socket.send(text.value);
  text.value = "";
};
