// Copy buttons: say so in the button, and to those who do not see it.
"use strict";
(() => {
  const SHOWN_MS = 2000;
  document.documentElement.classList.add("scripted");

  const selected = (text) => {
    // Without HTTPS there is no clipboard; the old way needs something that is selected.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return selected(text);
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button || !(await copy(button.dataset.copy))) return;
    const status = document.getElementById("copied");
    const before = button.textContent;
    button.textContent = status.dataset.copied;
    status.textContent = `${status.dataset.copied}: ${button.dataset.copy}`;
    button.classList.add("done");
    button.focus();
    setTimeout(() => {
      button.textContent = before;
      button.classList.remove("done");
      status.textContent = "";
    }, SHOWN_MS);
  });
})();
