"use strict";
// The page is whole without this file. It asks for each source's part by itself, chooses among rows that are there
// already, counts an emergency access down, reports what is printed or copied, and clears the page when its view ends.
(() => {
  const body = document.body;
  const list = document.querySelector(".sources[data-looking]");
  const results = document.getElementById("results");
  const form = document.querySelector(".choose");

  // As `selection.fold` does it: what the one finds, the other finds.
  const words = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase()
    .replaceAll("œ", "oe").replaceAll("æ", "ae").replaceAll("ß", "ss");

  const reported = new Set();
  const report = (what) => {
    if (!body.dataset.screen || reported.has(what)) return;
    reported.add(what);
    setTimeout(() => reported.delete(what), 5000);
    const told = new FormData();
    told.set("form", body.dataset.form);
    told.set("what", what);
    navigator.sendBeacon(body.dataset.screen, new URLSearchParams(told));
  };
  addEventListener("beforeprint", () => report("print"));
  addEventListener("copy", () => report("copy"));

  let used = Date.now();
  const ends = used + body.dataset.ends * 1000;
  const clear = () => {
    const over = document.getElementById("over");
    if (!over) return;
    document.querySelector("main").replaceChildren(over.content);
    for (const each of document.querySelectorAll("#over, .banner, .glass")) each.remove();
    document.title = document.querySelector("h1").textContent;
  };
  // By the clock and not by a long timer, which a computer that sleeps holds up.
  const watch = () => Date.now() < Math.min(ends, used + body.dataset.idle * 1000) ? setTimeout(watch, 1000) : clear();
  if (body.dataset.screen) {
    watch();
    const windows = new BroadcastChannel(body.dataset.screen.split("?")[0]);
    windows.addEventListener("message", clear);
    document.querySelector("form[action*=logout]").addEventListener("submit", () => windows.postMessage("closed"));
  }

  const glass = document.querySelector(".glass[data-left]");
  if (glass) {
    const end = performance.now() + glass.dataset.left * 1000;
    glass.querySelector(".count").hidden = false;
    const timer = glass.querySelector(".timer");
    const tick = () => {
      const left = Math.max(0, Math.round((end - performance.now()) / 1000));
      timer.textContent = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
      if (left > 0) return setTimeout(tick, 1000);
      glass.querySelector("p").textContent = glass.dataset.over;
      glass.querySelector("form").remove();
    };
    tick();
  }

  const choose = () => {
    if (!form || !results) return;
    const wanted = new FormData(form);
    const sought = words(wanted.get("text") || "").split(/\s+/).filter(Boolean);
    let kept = 0, all = 0;
    for (const section of results.querySelectorAll(".results")) {
      let here = 0;
      for (const row of section.querySelectorAll("tbody tr")) {
        row.sought ??= words(row.textContent);
        const fits = (!wanted.get("source") || row.dataset.feed === wanted.get("source"))
          && (!wanted.get("category") || section.dataset.category === wanted.get("category"))
          && (!wanted.get("abnormal") || row.matches(".off, .worded"))
          && sought.every((each) => row.sought.includes(each));
        row.hidden = !fits;
        here += fits;
        all += 1;
      }
      section.hidden = !here;
      kept += here;
    }
    let none = results.querySelector(".none");
    if (!none) {
      none = document.createElement("p");
      none.className = "none";
      none.setAttribute("role", "status");
      results.prepend(none);
    }
    none.textContent = all && !kept ? form.dataset.none : "";
  };
  const finer = form && form.querySelector(".finer");
  if (finer && matchMedia("(max-width: 48rem)").matches) {
    const chosen = [...finer.querySelectorAll("select, input:checked")].some((each) => each.selectedIndex !== 0);
    finer.open = chosen;
  }
  if (form) {
    form.addEventListener("input", (event) => {
      if (event.target.name !== "period") choose();
    });
    form.querySelector("[name=period]").addEventListener("change", () => form.requestSubmit());
    form.addEventListener("submit", (event) => {
      // All that was looked at is here: only another period is another look.
      const period = form.querySelector("[name=period]");
      const same = [...period.options].every((each) => each.selected === each.defaultSelected);
      if (list && same) {
        event.preventDefault();
        choose();
      }
    });
  }
  if (!list) return;

  const order = [...document.querySelectorAll("#c-category option")].map((each) => each.value);
  const place = (section) => {
    const there = results.querySelector(`.results[data-category="${section.dataset.category}"]`);
    if (!there) {
      const after = [...results.querySelectorAll(".results")].find(
        (each) => order.indexOf(each.dataset.category) > order.indexOf(section.dataset.category));
      results.insertBefore(section, after || null);
      return;
    }
    const rows = there.querySelector("tbody");
    const moment = (row) => row.querySelector("time")?.dateTime || "";
    let next = rows.firstElementChild;
    for (const row of [...section.querySelectorAll("tbody tr")]) {
      while (next && moment(next) >= moment(row)) next = next.nextElementSibling;
      rows.insertBefore(row, next);
    }
  };
  const compare = () => {
    const seen = new Map();
    for (const row of results.querySelectorAll("tr[data-same]")) {
      const others = seen.get(row.dataset.same) || [];
      for (const other of others) if (other.dataset.feed !== row.dataset.feed) {
        const told = compared(row.dataset.said.split(" "), other.dataset.said.split(" "));
        if (!told) continue;
        hint(row, other, told);
        hint(other, row, told);
      }
      seen.set(row.dataset.same, [...others, row]);
    }
  };
  // Of values in two units nothing is said.
  const compared = (mine, theirs) => {
    if (mine.some((each) => theirs.includes(each))) return list.dataset.same;
    const scales = theirs.map((each) => each.split(".")[0]);
    return mine.some((each) => scales.includes(each.split(".")[0])) ? list.dataset.other : "";
  };
  const hint = (row, other, words) => {
    if (row.querySelector(`.hint a[href="#${other.id}"]`)) return;
    const told = document.createElement("small");
    told.className = "hint";
    const link = document.createElement("a");
    link.href = "#" + other.id;
    link.textContent = other.querySelector(".s").firstChild.textContent;
    told.append(words + " ", link);
    row.querySelector(".t").append(told);
  };
  const arrive = (item, text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    const state = item.querySelector(".state");
    const told = page.querySelector(".state") || page.querySelector("main");
    state.replaceChildren(...(told ? told.childNodes : []));
    for (const old of results.querySelectorAll(`tr[data-feed="${item.dataset.feed}"]`)) old.remove();
    for (const section of page.querySelectorAll(".results")) place(section);
    compare();
    choose();
    const again = state.querySelector("a.again");
    if (again) again.addEventListener("click", (event) => {
      event.preventDefault();
      ask(item);
      state.focus();  // the link that had it is gone
    });
  };
  const ask = async (item) => {
    const state = item.querySelector(".state");
    const link = state.querySelector("a").cloneNode(true);
    const waiting = document.createElement("p");
    waiting.className = "waiting";
    waiting.textContent = list.dataset.looking;
    state.replaceChildren(waiting);
    used = Date.now();
    try {
      const answer = await fetch(item.dataset.part, { credentials: "same-origin", headers: { Accept: "text/html" } });
      arrive(item, await answer.text());
    } catch {
      const lost = document.createElement("p");
      lost.textContent = list.dataset.lost + " ";
      lost.append(link);
      state.replaceChildren(lost);
    }
  };
  for (const item of list.children) ask(item);
})();
