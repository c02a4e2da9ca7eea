const form = document.querySelector("form");
const cancel = document.querySelector("#cancel");
const progress = document.querySelector("progress");
const status = document.querySelector('[role="status"]');
const files = document.querySelector("#files");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send(new FormData(form));
});

function send(data) {
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("X-Xsrftoken", form.dataset.token);
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    progress.value = loaded / total;
    status.textContent = `${Math.round(100 * loaded / total)} %`;
  });
  request.addEventListener("load", () => {
    if (request.status === 200) {
      progress.value = 1;
      status.textContent = "done";
      for (const file of request.response) show(file);
    } else status.textContent = `refused: ${request.status} ${request.statusText}`;
  });
  request.addEventListener("error", () => status.textContent = "the connection ended");
  request.addEventListener("abort", () => status.textContent = "cancelled");
  request.addEventListener("loadend", () => cancel.disabled = true);
  cancel.disabled = false;
  cancel.onclick = () => request.abort();
  request.send(data);
}

function show({ filename, size, sha256 }) {
  const item = document.createElement("li");
  item.textContent = `${filename}, ${size} bytes, ${sha256}`;
  files.append(item);
}
