// The page while it is looked at: changes come over one connection, which is closed while the tab
// is hidden or the reader has switched it off. Pointing at the chart reads out its table.
"use strict";
const live = document.getElementById("live");
const later = new Map();
let source;

// What the reader's focus is in is not pulled from under them: it waits until they leave.
const put = (id, html) => {
  const place = document.getElementById(id);
  if (!place) return location.reload();
  if (place.contains(document.activeElement)) return later.set(id, html);
  later.delete(id);
  place.innerHTML = html;
};

const sync = () => {
  const on = live.getAttribute("aria-pressed") === "true" && !document.hidden;
  if (on && !source) {
    source = new EventSource(live.dataset.events);
    source.onmessage = (event) => Object.entries(JSON.parse(event.data)).forEach(([id, html]) => put(id, html));
    source.onopen = () => delete live.dataset.lost;
    source.onerror = () => { live.dataset.lost = ""; };
  } else if (!on && source) {
    source.close();
    source = undefined;
  }
};

if (live) {
  live.hidden = false;
  live.onclick = () => {
    live.setAttribute("aria-pressed", live.getAttribute("aria-pressed") !== "true");
    sync();
  };
  document.addEventListener("visibilitychange", sync);
  addEventListener("pagehide", () => { source?.close(); source = undefined; });
  addEventListener("pageshow", sync);
  document.addEventListener("focusout", () => setTimeout(() => later.forEach((html, id) => put(id, html))));
  sync();
}

const chart = document.getElementById("chart");
if (chart) {
  const heads = [...document.querySelectorAll("details th[scope=col]")].map((head) => head.textContent);
  const read = document.getElementById("read");
  chart.onpointermove = (event) => {
    const plot = chart.querySelector("svg svg");
    const bars = plot.viewBox.baseVal.width / 12;
    const box = chart.getBoundingClientRect();
    const bar = Math.min(bars - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * bars)));
    plot.lastElementChild.setAttribute("d", `M${bar * 12 + 6} 0v240`);
    const row = document.getElementById("twin").tBodies[0].rows[bar];
    read.textContent = row ? [...row.cells].map((cell, i) => `${heads[i]} ${cell.textContent}`).join(" · ") : "";
  };
  chart.onpointerleave = () => {
    chart.querySelector(".hair").setAttribute("d", "M-9 0v240");
    read.textContent = "";
  };
}
