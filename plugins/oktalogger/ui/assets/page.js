"use strict";

const SEVERITIES = ["critical", "high", "medium", "low", "informational"];
const RANGES = [["24 hours", 24], ["7 days", 168], ["30 days", 720], ["90 days", 2160]];
const AT_FIRST = 25;
const AT_ONCE = 500;

function now() {
  return Date.now() / 1000;
}

function standing(snapshot, at) {
  const { newest, lateness, rate, rejected, done } = snapshot.standing;
  const card = (title, ...content) => make("section", { class: "card" }, make("h3", {}, title), ...content);
  const limit = rate.limit || 0;
  const ours = Math.min(rate.requests || 0, limit);
  const others = Math.max(0, limit - (rate.remaining ?? limit) - ours);
  const part = (kind, count) => {
    const bar = make("i", { class: kind });
    bar.style.width = `${limit ? (100 * count) / limit : 0}%`;
    return bar;
  };
  const reasons = Object.entries(rejected).sort((one, other) => other[1] - one[1]);
  const names = { scheduled: "load", manual: "load by hand", backfill: "backfill", reconcile: "reconcile", detections: "newest finding" };
  return make("div", { class: "cards" },
    card("Behind", make("p", { class: "big", id: "behind" }, newest ? span(Math.max(0, at - newest)) : "unknown"),
      make("p", { class: "soft" }, newest ? `complete up to ${shown(newest)} UTC` : "no complete window yet")),
    card("How late events come", "p50" in lateness
      ? [make("p", { class: "big" }, span(lateness.p95)), make("p", { class: "soft" },
        `95 % of the newest load; half within ${span(lateness.p50)}, the last after ${span(lateness.max)}. Longest of a day: ${span(snapshot.standing.lateness_of_a_day)}`)]
      : make("p", { class: "soft" }, "no event loaded in the last day")),
    card("Okta's rate limit", limit
      ? [make("p", { class: "big" }, `${number(limit)} a minute`),
        make("div", { class: "bar", role: "img", "aria-label": `${ours} used by us, ${others} by others, of ${limit}` }, part("ours", ours), part("others", others)),
        make("p", { class: "soft" }, `newest load: ${number(ours)} by us, ${number(others)} by others`)]
      : make("p", { class: "soft" }, "no load has said it yet")),
    card("Rejected events", reasons.length
      ? make("table", {}, make("tbody", {}, reasons.map(([reason, many]) => make("tr", {}, make("td", {}, reason), make("td", { class: "number" }, number(many))))))
      : make("p", { class: "soft" }, "none in 90 days")),
    card("Last done", make("table", {}, make("tbody", {}, Object.entries(done).sort((one, other) => other[1] - one[1]).map(([kind, when]) =>
      make("tr", {}, make("td", {}, names[kind] || kind), make("td", { class: "number", title: `${shown(when)} UTC` }, since(when, at))))))));
}

// Steps, one on the other: a path for each kind, however many hours there are.
function volumePicture(snapshot, hours) {
  const width = 1000;
  const height = 180;
  const from = Math.max(0, snapshot.states.length - hours);
  const count = snapshot.states.length - from;
  const x = (at) => (((at - from) * width) / count).toFixed(1);
  const totals = snapshot.events.map((_, at) => KINDS.reduce((sum, kind) => sum + snapshot.kinds[kind][at], 0));
  const most = Math.max(1, ...totals.slice(from));
  const y = (value) => (height - (value * height) / most).toFixed(1);
  const below = new Array(snapshot.states.length).fill(0);
  const paths = KINDS.map((kind, place) => {
    let up = "";
    let down = "";
    for (let at = from; at < snapshot.states.length; at += 1) {
      const low = below[at];
      below[at] += snapshot.kinds[kind][at];
      up += `${up ? "L" : "M"}${x(at)} ${y(below[at])}H${x(at + 1)}`;
      down = `L${x(at + 1)} ${y(low)}H${x(at)}${down}`;
    }
    return draw("path", { class: `k${place}`, d: `${up}${down}Z` }, draw("title", {}, kind));
  });
  const gaps = [];
  for (let at = from; at < snapshot.states.length; at += 1) {
    if ("MD".includes(snapshot.states[at])) {
      gaps.push(draw("rect", { class: "gap", x: x(at), y: 0, width: Math.max(1, width / count), height }, draw("title", {}, `${hourName(snapshot, at)}: ${STATES[snapshot.states[at]][0]}`)));
    }
  }
  const ticks = [0, 0.25, 0.5, 0.75].map((share) => draw("text", { x: share * width + 2, y: height + 14 }, shown(hourStart(snapshot, from + Math.floor(share * count))).slice(5)));
  return draw("svg", { viewBox: `0 0 ${width} ${height + 20}`, role: "img", "aria-label": `Events an hour by kind, at most ${number(most)}; the table beneath has the numbers` },
    gaps, paths, draw("line", { class: "axis", x1: 0, x2: width, y1: height, y2: height }), ticks, draw("text", { x: 2, y: 11 }, `${number(most)} an hour`));
}

function volume(snapshot) {
  const picture = make("div", { id: "volume" });
  const choice = make("select", { "aria-label": "How much of the time to show" }, RANGES.map(([name, hours]) => make("option", { value: hours, selected: hours === 168 }, name)));
  const show = () => picture.replaceChildren(volumePicture(snapshot, Number(choice.value)));
  choice.addEventListener("change", show);
  show();
  const rows = () => [...snapshot.states].map((_, at) => [shown(hourStart(snapshot, at)), ...KINDS.map((kind) => number(snapshot.kinds[kind][at]))]).reverse();
  return [
    make("div", { class: "filters" }, choice, make("span", { class: "soft" }, "red: missing or damaged hours")),
    picture,
    make("ul", { class: "legend" }, KINDS.map((kind, place) => make("li", {}, make("span", { class: `swatch k${place}` }), kind))),
    folded("The same as a table", () => table("Events an hour by kind, newest first", [{ name: "hour (UTC)" }, ...KINDS.map((name) => ({ name, number: true }))], rows())),
  ];
}

// An alert of a monitor has a state. A match has heard channels.
function saidOf(state, told) {
  if (state) return `alert ${state}`;
  return told.length ? `told ${told.join(", ")}` : "nobody told";
}

function findingsOf(snapshot) {
  const columns = snapshot.findings;
  let last = 0;
  return columns.rule.map((rule, at) => {
    const [id, name, title, severity, about, query] = snapshot.rules[rule];
    const groups = columns.who[at].map((place) => snapshot.names[place]);
    const rank = SEVERITIES.indexOf(severity);
    last -= columns.last[at];
    return {
      id, name, title, severity, about, query, groups, last,
      first: last - columns.length[at], events: columns.events[at], foundAt: last + columns.found[at],
      who: groups.map((line) => line.slice(line.indexOf("=") + 1)).join(", "),
      state: saidOf(snapshot.names[columns.state[at]], columns.told[at].map((place) => snapshot.names[place])),
      run: snapshot.names[columns.run[at]], example: snapshot.examples[at] || "", rank: rank < 0 ? SEVERITIES.length : rank,
    };
  });
}

// What was found in the last day, as a sentence.
function foundLately(all, at) {
  const lately = all.filter((one) => one.last > at - 86400);
  if (!lately.length) return "No rule found anything in the day before.";
  const counts = SEVERITIES.map((severity) => [lately.filter((one) => one.severity === severity).length, severity]).filter(([many]) => many);
  return `${plural(lately.length, "finding")} in the day before: ${counts.map(([many, severity]) => `${number(many)} ${severity}`).join(", ")}.`;
}

const COLUMNS = [
  ["severity", (one) => one.rank], ["rule", (one) => one.title], ["who", (one) => one.who], ["events", (one) => -one.events],
  ["first", (one) => -one.first], ["last", (one) => -one.last], ["state", (one) => one.state],
];
// Day by day, the newest first, and in a day the worst first.
const byDay = (one, other) => Math.floor(other.last / 86400) - Math.floor(one.last / 86400) || one.rank - other.rank || other.last - one.last;

function rison(text) {
  return encodeURIComponent(text.replaceAll("!", "!!").replaceAll("'", "!'"));
}

function quoted(text) {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

function eventLinks(snapshot, one) {
  const pairs = one.groups.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]).filter(([field]) => field && !field.startsWith("okta_"));
  const query = [one.query && `(${one.query})`, `oktalogger.org:${quoted(snapshot.org)}`, ...pairs.map(([field, value]) => `${field}:${quoted(value)}`)].filter(Boolean).join(" AND ");
  const actor = pairs.find(([field]) => field === "actor.alternateId");
  const search = actor ? `actor.alternateId eq ${quoted(actor[1])}` : "";
  const at = (url, encode) => url.replaceAll("{since}", encode(instant(one.first))).replaceAll("{until}", encode(instant(one.last + 1)));
  return [
    snapshot.events_url && link(at(snapshot.events_url, rison).replace("{query}", () => rison(query)), "the events in Dashboards", { away: true }),
    snapshot.console_url && link(at(snapshot.console_url, encodeURIComponent).replace("{search}", () => encodeURIComponent(search)), "Okta's System Log", { away: true }),
  ].filter(Boolean).map((part) => make("li", {}, part));
}

function findingText(snapshot, one, airflow) {
  return make("div", { class: "panel" },
    make("p", {}, one.groups.join(", ")),
    one.example ? make("pre", {}, one.example) : null,
    make("ul", {}, eventLinks(snapshot, one), airflow && one.run ? airflow.logOf(one) : one.run ? make("li", {}, `found by the run ${one.run}`) : null),
    make("pre", {}, one.about));
}

function findings(snapshot, all, airflow) {
  const counts = SEVERITIES.map((severity) => [severity, all.filter((one) => one.severity === severity).length]).filter(([, many]) => many);
  const rules = [...new Set(all.map((one) => one.title))].sort();
  const option = (value, text) => make("option", { value }, text);
  const severity = make("select", { id: "severity" }, option("", "any severity"), counts.map(([name, many]) => option(name, `${name} (${number(many)})`)));
  const rule = make("select", { id: "rule" }, option("", "any rule"), rules.map((title) => option(title, title)));
  const text = make("input", { type: "search", id: "who", placeholder: "who, rule or event" });
  const said = make("span", { class: "soft", role: "status" });
  const body = make("tbody", {});
  const more = make("button", { class: "act", type: "button" }, "Show more");
  let chosen = all;
  let sorting = null;
  const row = (one) => {
    const open = make("button", { class: "link", type: "button", "aria-expanded": "false" }, one.title);
    const line = make("tr", { class: "line" },
      make("td", {}, make("span", { class: `severity ${SEVERITIES.includes(one.severity) ? one.severity : ""}` }, one.severity)),
      make("td", {}, open), make("td", {}, one.who), make("td", { class: "number" }, number(one.events)),
      make("td", { class: "time" }, shown(one.first)), make("td", { class: "time" }, shown(one.last)),
      make("td", {}, one.state));
    line.addEventListener("click", () => {
      const isOpen = open.getAttribute("aria-expanded") === "true";
      open.setAttribute("aria-expanded", String(!isOpen));
      if (isOpen) line.nextElementSibling.remove();
      else line.after(make("tr", {}, make("td", { colspan: COLUMNS.length }, findingText(snapshot, one, airflow))));
    });
    return line;
  };
  const add = () => {
    const from = body.querySelectorAll("tr.line").length;
    const to = from + (from ? AT_ONCE : AT_FIRST);
    body.append(...chosen.slice(from, to).map(row));
    more.hidden = to >= chosen.length;
  };
  const show = () => {
    const wanted = text.value.toLowerCase();
    chosen = all.filter((one) => (!severity.value || one.severity === severity.value) && (!rule.value || one.title === rule.value)
      && (!wanted || `${one.who} ${one.title} ${one.example}`.toLowerCase().includes(wanted)));
    if (sorting) chosen = [...chosen].sort(sorting);
    said.textContent = `${plural(chosen.length, "finding")}${snapshot.left_out ? `; ${number(snapshot.left_out)} older ones are only in OpenSearch` : ""}`;
    body.replaceChildren();
    add();
  };
  const sortBy = ([, key]) => () => {
    const backwards = sorting?.key === key && !sorting.backwards;
    const order = (one, other) => (key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : byDay(one, other)) * (backwards ? -1 : 1);
    sorting = Object.assign(order, { key, backwards });
    show();
  };
  for (const control of [severity, rule, text]) control.addEventListener("input", show);
  more.addEventListener("click", add);
  show();
  if (!all.length) return [make("p", { class: "soft" }, "No rule has found anything in 90 days.")];
  const heads = COLUMNS.map((column) => make("th", { scope: "col", class: column[0] === "events" ? "number" : null }, make("button", { class: "link", type: "button", onclick: sortBy(column) }, column[0])));
  return [
    make("div", { class: "filters" }, make("label", { for: "severity" }, "Severity"), severity, make("label", { for: "rule" }, "Rule"), rule, make("label", { for: "who" }, "Text"), text, said),
    make("table", { class: "list findings" }, make("caption", { class: "soft" }, "Times in UTC. Choose a line for what it means and what to do."), make("thead", {}, make("tr", {}, heads)), body),
    more,
  ];
}

function showOrg(snapshot, airflow) {
  const at = now();
  const [sentence, isBad] = verdict(snapshot);
  const all = findingsOf(snapshot).sort(byDay);
  const panel = make("section", { class: "panel", "aria-live": "polite", id: "hour" });
  const [grid, begin] = calendar(snapshot, (hour) => panel.replaceChildren(...hourPanel(snapshot, hour, airflow)));
  const wrong = snapshot.problems.length
    ? make("section", { class: "box bad", id: "problems" }, make("h3", {}, `${plural(snapshot.problems.length, "problem")} with rules and monitors`), make("ul", {}, snapshot.problems.map((problem) => make("li", {}, problem))))
    : null;
  const notes = snapshot.notes.map((note) => make("p", { class: "soft" }, note));
  const parts = [
    make("p", { class: `verdict ${isBad ? "bad" : ""}`, id: "verdict" }, sentence, make("br"), foundLately(all, snapshot.made_at)),
    make("p", { class: "soft" }, `Measured ${since(snapshot.made_at, at)}, ${shown(snapshot.made_at)} UTC; hours older than a day ${since(snapshot.counted_at, at)}. All times are in UTC.`),
    wrong, ...notes, airflow ? airflow.lastRuns(snapshot) : null,
    make("h2", {}, "Now"), standing(snapshot, at),
    make("h2", {}, "Coverage"), legend(snapshot),
    make("div", { class: "columns" },
      make("div", {}, grid, folded("The same as a table", () => hoursTable(snapshot)), make("h2", {}, "Volume"), volume(snapshot)), panel),
    make("h2", {}, "Findings"), make("section", { id: "findings" }, findings(snapshot, all, airflow)),
  ];
  document.getElementById("org").replaceChildren(...parts.filter(Boolean).flat());
  begin();
}

function showPage(snapshots, airflow) {
  const main = document.querySelector("main");
  const title = make("h1", {}, "Okta System Log");
  const choice = snapshots.length > 1
    ? make("select", { id: "orgs", "aria-label": "Okta org" }, snapshots.map((one, at) => make("option", { value: at }, one.org)))
    : make("span", { class: "soft" }, snapshots[0].org);
  main.replaceChildren(make("div", { class: "top" }, title, choice), make("div", { id: "org" }));
  if (snapshots.length > 1) choice.addEventListener("change", () => showOrg(snapshots[Number(choice.value)], airflow));
  showOrg(snapshots[0], airflow);
  main.dataset.ready = "true";
}

function sayInstead(sentence, ...more) {
  document.querySelector("main").replaceChildren(make("h1", {}, "Okta System Log"), make("p", { class: "verdict" }, sentence), ...more);
  document.querySelector("main").dataset.ready = "true";
}

function setTheme() {
  let dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  try {
    const outer = window.parent === window ? null : window.parent.document.documentElement;
    if (outer) dark = outer.classList.contains("dark") || outer.dataset.theme === "dark";
  } catch { /* a frame of another origin keeps its theme to itself */ }
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}
