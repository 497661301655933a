// Keeps the page as the server has it: asks for its parts, swaps those that have changed.
"use strict";
(() => {
  const page = document.querySelector("[data-live]");
  if (!page) return;
  const offline = document.getElementById("offline");
  const TOKEN = /name="csrfmiddlewaretoken" value="[^"]*"/g;
  const PATIENT_MS = 10000;
  const last = new Map();
  let timer = 0;
  let asking = false;
  let again = false; // something was done while an answer was on its way
  let pressed = null; // what a finger is on

  const swap = (part, html) => {
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const name = focused?.getAttribute("aria-label") ?? focused?.textContent;
    part.innerHTML = html;
    window.paygoClock.show(part);
    if (!focused) return;
    // Who is on a button stays on it.
    const same = [...part.querySelectorAll(focused.tagName)].find(
      (each) => (each.getAttribute("aria-label") ?? each.textContent) === name,
    );
    same?.focus();
  };

  const take = (answer) => {
    window.paygoClock.set(answer.now);
    for (const [name, html] of Object.entries(answer.parts)) {
      const text = html.replace(TOKEN, "");
      const part = page.querySelector(`[data-part="${name}"]`);
      if (!part || last.get(name) === text) continue;
      // A button that goes away under a finger is not pressed: the next answer swaps it.
      if (pressed && part.contains(pressed)) continue;
      swap(part, html);
      last.set(name, text);
    }
    for (const [name, shown] of Object.entries(answer.shown)) {
      for (const each of page.querySelectorAll(`[data-shown="${name}"]`)) each.hidden = !shown;
    }
  };

  const ask = async () => {
    clearTimeout(timer);
    // A page that nobody looks at asks nothing.
    if (document.hidden) return;
    again = asking;
    if (asking) return;
    asking = true;
    let waitMs = PATIENT_MS;
    try {
      const answer = await fetch(page.dataset.live, { headers: { Accept: "application/json" } });
      if (answer.redirected || answer.status === 403 || answer.status === 404) {
        // What a form was answered is no page to load again: that would send it once more.
        location.replace(page.dataset.page);
        return;
      }
      if (!answer.ok) throw new Error(answer.status);
      const state = await answer.json();
      take(state);
      offline.hidden = true;
      waitMs = state.every_seconds * 1000;
    } catch {
      offline.hidden = false;
    }
    asking = false;
    timer = setTimeout(ask, again ? 0 : waitMs);
  };

  document.addEventListener("pointerdown", (event) => {
    pressed = event.target;
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    // The click that it makes comes first.
    document.addEventListener(kind, () => setTimeout(() => (pressed = null)));
  }
  window.paygoLive = { ask, take };
  document.addEventListener("visibilitychange", ask);
  ask();
})();
