// Nothing here is needed: the pages work without it. It shows what is new, and has sliders say what they stand for.
"use strict";
(() => {
  const every = 10000;
  let mark = null;

  const isBusy = () => {
    const at = document.activeElement;
    return document.hidden || (at && at.matches("input, select, textarea, [data-busy]"));
  };

  // Forms are left alone: what somebody is about to send stays as it was read.
  const isLive = () => document.querySelector("#main form[method=post]") === null && !document.querySelector("#main[data-still]");

  const keep = () => {
    const at = document.activeElement;
    const link = at && at.closest("#main a, #main button, #main [tabindex]");
    const board = document.querySelector(".board-frame");
    return { href: link && link.getAttribute("href"), id: link && link.id, left: board ? board.scrollLeft : 0, top: board ? board.scrollTop : 0 };
  };

  const restore = (kept) => {
    const board = document.querySelector(".board-frame");
    if (board) board.scrollTo(kept.left, kept.top);
    const all = [...document.querySelectorAll("#main a, #main button, #main [tabindex]")];
    const same = all.find((each) => (kept.href && each.getAttribute("href") === kept.href) || (kept.id && each.id === kept.id));
    if (same) same.focus({ preventScroll: true });
  };

  const look = async () => {
    if (isBusy() || !isLive()) return;
    try {
      const headers = mark ? { "If-None-Match": mark } : {};
      const answer = await fetch(location.href, { headers, cache: "no-store", redirect: "error" });
      if (answer.status !== 200) return;
      mark = answer.headers.get("ETag");
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#main");
      const main = document.querySelector("#main");
      if (!next || isBusy() || !isLive() || next.innerHTML === main.innerHTML) return;
      const kept = keep();
      main.replaceWith(next);
      restore(kept);
      begin();
    } catch {
      // The next look may get through.
    }
  };

  const begin = () => {
    for (const slider of document.querySelectorAll("input[type=range][data-shows]")) {
      const shown = document.getElementById(slider.dataset.shows);
      const say = () => {
        const minutes = Number(slider.dataset.base) + Number(slider.value);
        const two = (value) => String(value).padStart(2, "0");
        shown.textContent = `${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}`;
      };
      slider.addEventListener("input", say);
      slider.addEventListener("change", () => slider.form.requestSubmit());
      say();
    }
  };

  const showNow = () => {
    const now = document.querySelector(".board-frame .now-mark");
    if (now) now.closest(".board-frame").scrollLeft = Math.max(now.offsetLeft - 120, 0);
  };

  begin();
  showNow();
  setInterval(look, every);
  document.addEventListener("visibilitychange", look);
})();
