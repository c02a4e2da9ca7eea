const [lines, form, text] = ["lines", "form", "text"].map((id) => document.getElementById(id));
const RETRY_MS = 1000;

async function poll() {
  for (let after = 0;;) {
    try {
      const response = await fetch(`/poll/updates?after=${after}`);
      const { notes } = await response.json();
      for (const note of notes) {
        after = note.id;
        const line = document.createElement("p");
        line.textContent = note.text;
        lines.append(line);
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

form.onsubmit = async (event) => {
  event.preventDefault();
  const body = new URLSearchParams({ text: text.value });
  text.value = "";
  await fetch("/poll/new", { method: "POST", body });
};

poll();
