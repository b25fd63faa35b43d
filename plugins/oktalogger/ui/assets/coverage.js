"use strict";

const HOUR = 3600;
// By the letter that stands for a state in a snapshot: its name, what the cell shows, whether something is wrong, what it means.
const STATES = {
  W: ["whole", "", false, "Every event that the loads stored is here."],
  L: ["whole after a late reading", "+", false, "Okta published events late, and reconcile loaded them."],
  F: ["rejected or drifted events", "!", true, "Some events were rejected, or stored without a part. All of them are kept."],
  R: ["running", "", false, "A load is at work."],
  M: ["missing", "×", true, "No load has read all of this hour."],
  D: ["damaged", "▼", true, "OpenSearch holds fewer events than the loads stored: somebody deleted some."],
  U: ["doubled", "2", true, "Documents of this hour are in indices where they do not belong."],
  O: ["older than Okta keeps", "·", false, "It was first read over 90 days after it ended, so nothing proves that it is whole."],
  E: ["expired", "·", false, "Retention deleted the events of this hour."],
  N: ["not due", "", false, "The loads have not come to this hour yet."],
  "-": ["not asked for", "", false, "It lies before the first load."],
};
const KINDS = ["sign-in", "factor", "administration", "application access", "directory", "system"];
const LOADS = { scheduled: "scheduled load", manual: "load by hand", backfill: "backfill", reconcile: "reconcile" };

const stateClass = (letter) => (letter === "-" ? "none" : letter);
const hourStart = (snapshot, at) => snapshot.since + at * HOUR;

function hourName(snapshot, at) {
  return `${shown(hourStart(snapshot, at))} to ${instant(hourStart(snapshot, at + 1)).slice(11, 16)} UTC`;
}

function verdict(snapshot) {
  const count = (letters) => [...snapshot.states].filter((letter) => letters.includes(letter)).length;
  const wrong = [
    [count("M"), "missing"], [count("D"), "damaged"], [count("U"), "doubled"],
  ].filter(([many]) => many).map(([many, what]) => `${plural(many, "hour is", "hours are")} ${what}`);
  const refused = count("F");
  const asked = snapshot.states.length - count("N-");
  if (!asked) return ["No hour has been loaded yet.", true];
  const also = refused ? ` ${plural(refused, "hour has", "hours have")} rejected or drifted events, all of them kept.` : "";
  if (wrong.length) return [`${wrong.join(", ")}, of ${number(asked)}.${also}`, true];
  return [`Every hour is here: ${number(asked)} of ${number(asked)}.${also}`, false];
}

function legend(snapshot) {
  const there = Object.keys(STATES).filter((letter) => snapshot.states.includes(letter));
  return make("ul", { class: "legend" }, there.map((letter) => make("li", {},
    make("span", { class: `hour ${stateClass(letter)}`, "aria-hidden": "true" }, STATES[letter][1]), STATES[letter][0])));
}

// A grid with one stop for the tab key; arrows move between its hours.
function calendar(snapshot, choose) {
  const byPlace = new Map();
  const days = new Map();
  for (let at = 0; at < snapshot.states.length; at += 1) {
    const day = instant(hourStart(snapshot, at)).slice(0, 10);
    if (!days.has(day)) days.set(day, []);
    days.get(day).push(at);
  }
  const cell = (at) => {
    const letter = snapshot.states[at];
    const label = `${hourName(snapshot, at)}: ${STATES[letter][0]}, ${plural(snapshot.events[at], "event")}`;
    const button = make("button", {
      class: `hour ${stateClass(letter)}`, type: "button", tabindex: "-1", "data-hour": at, title: label,
      "aria-label": label, "aria-selected": "false", role: "gridcell",
    }, STATES[letter][1]);
    byPlace.set(at, button);
    return make("td", { role: "presentation" }, button);
  };
  const rows = [...days].reverse().map(([day, hours]) => {
    const first = Math.round((hourStart(snapshot, hours[0]) % 86400) / HOUR);
    return make("tr", { role: "row" },
      make("th", { scope: "row", role: "rowheader" }, day),
      Array.from({ length: first }, () => make("td", { role: "presentation" })),
      hours.map(cell),
      Array.from({ length: 24 - first - hours.length }, () => make("td", { role: "presentation" })),
      make("th", { scope: "row", class: "number", role: "rowheader" },
        number(hours.reduce((sum, at) => sum + snapshot.events[at], 0))));
  });
  const select = (at, focus) => {
    const button = byPlace.get(at);
    if (!button) return;
    for (const other of byPlace.values()) {
      if (other.tabIndex === 0) other.tabIndex = -1;
      if (other.getAttribute("aria-selected") === "true") other.setAttribute("aria-selected", "false");
    }
    button.tabIndex = 0;
    button.setAttribute("aria-selected", "true");
    if (focus) button.focus();
    choose(at);
  };
  const worst = ["D", "M", "U", "F"].map((letter) => snapshot.states.lastIndexOf(letter)).find((at) => at >= 0);
  const keys = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 24, ArrowDown: -24 };
  const grid = make("table", { class: "calendar", role: "grid", "aria-label": "Hours by day, in UTC" },
    make("thead", {}, make("tr", { role: "row" },
      make("th", { scope: "col", role: "columnheader" }, "UTC"),
      Array.from({ length: 24 }, (_, hour) => make("th", { scope: "col", role: "columnheader" }, String(hour).padStart(2, "0"))),
      make("th", { scope: "col", role: "columnheader" }, "events"))),
    make("tbody", {
      onclick: (event) => {
        const button = event.target.closest("[data-hour]");
        if (button) select(Number(button.dataset.hour), true);
      },
      onkeydown: (event) => {
        const button = event.target.closest("[data-hour]");
        if (!button || !(event.key in keys)) return;
        event.preventDefault();
        select(Number(button.dataset.hour) + keys[event.key], true);
      },
    }, rows));
  return [make("div", { class: "calendar-scroll" }, grid), () => select(worst ?? snapshot.states.length - 1, false)];
}

function hoursTable(snapshot) {
  const heads = [{ name: "hour (UTC)" }, { name: "state" }, ...["events", "late", "rejected", "drifted"].map((name) => ({ name, number: true }))];
  const rows = [...snapshot.states].map((letter, at) => [
    shown(hourStart(snapshot, at)), STATES[letter][0], ...["events", "late", "rejected", "drifted"].map((name) => number(snapshot[name][at])),
  ]).reverse();
  return table("Every hour, newest first", heads, rows);
}

// What one hour holds, and what to do about it.
function hourPanel(snapshot, at, airflow) {
  const letter = snapshot.states[at];
  const details = snapshot.details[at] || {};
  const facts = [
    ["events in OpenSearch", number(snapshot.events[at])],
    snapshot.expected[at] ? ["stored by loads", number(snapshot.expected[at])] : null,
    ["late", number(snapshot.late[at]) + (details.lateness ? `, up to ${span(details.lateness)}` : "")],
    ["rejected", number(snapshot.rejected[at])],
    ["stored without a part", number(snapshot.drifted[at])],
    ...KINDS.map((kind) => [kind, snapshot.kinds[kind][at]]).filter(([, many]) => many).map(([kind, many]) => [kind, number(many)]),
  ].filter(Boolean);
  const runs = (details.runs || []).map(([kind, runId, url, state, error]) => make("li", {},
    link(airflow ? airflow.here(url) : url, runId), ` (${LOADS[kind] || kind}, ${state.replaceAll("_", " ")})`,
    error ? make("div", { class: "soft" }, error) : null));
  const parts = [
    make("h3", {}, `${hourName(snapshot, at)}: ${STATES[letter][0]}`),
    make("p", { class: "soft" }, STATES[letter][3]),
    make("dl", {}, facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    runs.length ? [make("h3", {}, "Loads to look at"), make("ul", {}, runs)] : null,
    airflow ? airflow.runsOf(snapshot, at) : null,
    details.missing ? loadAgain(snapshot, details.missing, airflow) : null,
  ];
  return parts.flat().filter(Boolean);
}

function loadAgain(snapshot, missing, airflow) {
  const from = instant(missing[0][0]);
  const to = instant(missing[missing.length - 1][1]);
  const dag = dagId("okta_system_log_backfill", snapshot);
  if (airflow) return airflow.loadAgain(dag, from, to);
  const conf = JSON.stringify({ from, to });
  return [make("h3", {}, "Load it again"), make("pre", {}, `airflow dags trigger ${dag} --conf '${conf}'`)];
}

function dagId(base, snapshot) {
  return snapshot.conn_id === "okta_default" ? base : `${base}__${snapshot.conn_id}`;
}
