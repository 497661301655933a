// The player of the demo: it plays while the meter runs, sends signs of life, and presses buttons in place.
"use strict";
(() => {
  const page = document.querySelector("[data-beat]");
  let shownS = 0; // what the film has shown, in seconds
  let beating = 0;

  const playing = () => page.querySelector("[data-playing]");

  const token = () => page.querySelector("[name=csrfmiddlewaretoken]").value;

  const animate = () => {
    // The film is as far as the meter: it starts, and stops, where the billable time does.
    const running = playing();
    const stopped = page.querySelector("[data-watched]");
    if (running) {
      shownS = (Number(running.dataset.playing) + window.paygoClock.now() - Date.parse(running.dataset.at)) / 1000;
    } else if (stopped) {
      shownS = Number(stopped.dataset.watched) / 1000;
    }
    window.paygoClip.frame(Math.max(0, shownS), Boolean(running));
    requestAnimationFrame(animate);
  };

  const beat = async () => {
    // A player that nobody sees is silent: the lease ends, and with it the meter.
    if (!playing() || document.hidden) return;
    try {
      const answer = await fetch(page.dataset.beat, {
        method: "POST",
        headers: { "X-CSRFToken": token() },
      });
      if (answer.ok) window.paygoLive.take(await answer.json());
    } catch {
      // The next one may get through; if none does, the stream ends by itself.
    }
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-quick]")) return;
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
      if (answer.type !== "opaqueredirect" && !answer.ok) throw new Error(answer.status);
      await window.paygoLive.ask();
    } catch {
      // What went wrong is said by the page that the form leads to.
      form.submit();
    }
    button.disabled = false;
  });

  beating = setInterval(beat, Number(page.dataset.beatSeconds) * 1000);
  window.addEventListener("pagehide", () => clearInterval(beating));
  requestAnimationFrame(animate);
})();
