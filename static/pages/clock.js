// Times in the viewer's zone, countdowns, and meters that run between two answers of the server.
"use strict";
(() => {
  const UNITS = [86400, 3600, 60, 1];
  let aheadMs = 0; // how far the server's clock is ahead of this machine's

  const serverNow = () => Date.now() + aheadMs;

  const localise = (root) => {
    // The page's language, with the day and the hour as the viewer's region writes them.
    const { region } = new Intl.Locale(navigator.language);
    const language = [document.documentElement.lang, region].filter(Boolean).join("-");
    const format = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
    for (const time of root.querySelectorAll("time[data-local]")) {
      time.title = time.textContent;
      time.textContent = format.format(new Date(time.dateTime));
      time.removeAttribute("data-local");
    }
  };

  const digits = (seconds) => {
    const parts = [];
    let rest = Math.max(0, Math.floor(seconds));
    for (const unit of UNITS) {
      parts.push(Math.floor(rest / unit));
      rest %= unit;
    }
    while (parts.length > 2 && parts[0] === 0) parts.shift();
    return parts.map((part, at) => (at ? String(part).padStart(2, "0") : String(part))).join(":");
  };

  const zec = (zat) => (zat / 1e8).toFixed(8);

  // An element says what its meter had at an instant and how much of it goes in an hour.
  const ticked = (meter) => {
    const elapsedMs = Math.max(0, serverNow() - Date.parse(meter.dataset.at));
    const moved = (Number(meter.dataset.perHour) * elapsedMs) / 3600000;
    return Math.max(0, Number(meter.dataset.value) + moved);
  };

  const tick = () => {
    for (const each of document.querySelectorAll("[data-countdown]")) {
      each.textContent = digits((Date.parse(each.dataset.countdown) - serverNow()) / 1000);
    }
    for (const each of document.querySelectorAll("[data-meter=zec]")) each.textContent = zec(ticked(each));
    for (const each of document.querySelectorAll("[data-meter=seconds]")) each.textContent = digits(ticked(each));
    for (const each of document.querySelectorAll("progress[data-meter=bar]")) each.value = ticked(each);
  };

  const show = (root) => {
    localise(root);
    tick();
  };

  window.paygoClock = {
    show,
    now: serverNow,
    set: (instant) => {
      aheadMs = Date.parse(instant) - Date.now();
    },
  };
  show(document);
  setInterval(tick, 250);
})();
