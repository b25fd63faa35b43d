"use strict";

// Reads Airflow's own REST API with the session of who looks: what that person may not read does not come.
const LINE = document.body.dataset.line;
const API = new URL(document.body.dataset.api, window.location.href).pathname;
const BASE = API.replace(/\/api\/v\d+$/, "");
const NEWEST = "order_by=-start_date";

class Refused extends Error {}
class Forbidden extends Refused {}

async function ask(path, options) {
  const answer = await fetch(`${API}${path}`, { credentials: "same-origin", headers: { Accept: "application/json" }, ...options });
  if (answer.status === 401) throw new Refused("Your session at Airflow has ended. Log in again, and reload this page.");
  if (answer.status === 403) throw new Forbidden("Airflow does not let you do or read that.");
  if (answer.status === 404) return null;
  const body = await answer.json();
  if (!answer.ok) throw new Error(typeof body.detail === "string" ? body.detail : `Airflow answered ${answer.status}: ${JSON.stringify(body.detail)}`);
  return body;
}

const part = encodeURIComponent;

function logUrl(dag, run, task) {
  return LINE === "3"
    ? `${BASE}/dags/${part(dag)}/runs/${part(run)}/tasks/${part(task)}`
    : `${BASE}/dags/${part(dag)}/grid?dag_run_id=${part(run)}&task_id=${part(task)}&tab=logs`;
}

function runUrl(dag, run) {
  return LINE === "3" ? `${BASE}/dags/${part(dag)}/runs/${part(run)}` : `${BASE}/dags/${part(dag)}/grid?dag_run_id=${part(run)}`;
}

async function newestSnapshot(dag) {
  const found = await ask(`/dags/${part(dag)}/dagRuns?${NEWEST}&limit=10&state=success`);
  for (const run of found?.dag_runs || []) {
    const entry = await ask(`/dags/${part(dag)}/dagRuns/${part(run.dag_run_id)}/taskInstances/measure/xcomEntries/snapshot?stringify=false`);
    if (entry) return unpack(dataOf(entry.value));
  }
  return null;
}

// Some lines hand JSON out as text. A custom XCom backend leaves a reference in place of the value.
function dataOf(value) {
  let found = value;
  for (let layer = 0; layer < 2 && typeof found === "string" && found.startsWith("{"); layer += 1) found = JSON.parse(found);
  if (typeof found?.data !== "string") throw new Error("Airflow keeps its XComs in another place (a custom XCom backend), where this page cannot read them.");
  return found.data;
}

// A list that comes when Airflow has answered; it says so if Airflow refuses.
function later(title, answer) {
  const list = make("ul", {}, make("li", { class: "soft" }, "asking Airflow ..."));
  answer.then((items) => list.replaceChildren(...(items.length ? items : [make("li", { class: "soft" }, "none")])))
    .catch((error) => list.replaceChildren(make("li", { class: "soft" }, error.message)));
  return [make("h3", {}, title), list];
}

const airflow = {
  // A run's own address has the host that Airflow was told; who looks may know it by another.
  here(url) {
    try {
      const found = new URL(url, window.location.href);
      return `${found.pathname}${found.search}${found.hash}`;
    } catch {
      return "";
    }
  },

  runsOf(snapshot, at) {
    const dag = dagId("okta_system_log", snapshot);
    const date = LINE === "3" ? "logical_date" : "execution_date";
    const [from, to] = [hourStart(snapshot, at), hourStart(snapshot, at + 1) - 1].map(instant);
    const runs = ask(`/dags/${part(dag)}/dagRuns?${date}_gte=${part(from)}&${date}_lte=${part(to)}&limit=100`).then((found) =>
      (found?.dag_runs || []).map((run) => make("li", {}, link(logUrl(dag, run.dag_run_id, "load"), run.dag_run_id), ` (${run.state})`)));
    return later("Runs of this hour", runs);
  },

  logOf(one) {
    const item = make("li", { class: "finding-log" }, "found by the run ", one.run);
    const places = [["okta_detections_after_load", "detect"], ["okta_detection_replay", "replay"]];
    (async () => {
      for (const [dag, task] of places) {
        const run = await ask(`/dags/${part(dag)}/dagRuns/${part(one.run)}`);
        if (run) {
          item.replaceChildren("found by ", link(task === "detect" ? logUrl(dag, one.run, task) : runUrl(dag, one.run), `${dag}, ${one.run}`));
          return;
        }
      }
    })().catch((error) => item.append(` (${error.message})`));
    return item;
  },

  lastRuns(snapshot) {
    const dags = [
      ...["okta_system_log", "okta_system_log_reconcile", "okta_system_log_backfill"].map((base) => dagId(base, snapshot)),
      "okta_detections_after_load", "okta_detections", "okta_opensearch_setup",
    ];
    const row = async (dag) => {
      const run = (await ask(`/dags/${part(dag)}/dagRuns?${NEWEST}&limit=1`).catch(() => null))?.dag_runs[0];
      if (!run) return null;
      const when = run.start_date ? since(Date.parse(run.start_date) / 1000, now()) : "not yet";
      return make("tr", { class: run.state === "failed" ? "bad" : null },
        make("td", {}, link(runUrl(dag, run.dag_run_id), dag)), make("td", {}, run.state), make("td", { class: "number" }, when));
    };
    const body = make("tbody", {});
    Promise.all(dags.map(row)).then((rows) => body.replaceChildren(...rows.filter(Boolean)));
    const head = make("thead", {}, make("tr", {}, ["DAG", "newest run", "began"].map((name) => make("th", { scope: "col", class: name === "began" ? "number" : null }, name))));
    return make("details", { class: "runs" }, make("summary", {}, "The newest run of each DAG"), make("table", { class: "list" }, head, body));
  },

  loadAgain(dag, from, to) {
    const title = make("h3", {}, "Load it again");
    if (LINE !== "3") {
      const address = `${BASE}/dags/${part(dag)}/trigger?from=${part(from)}&to=${part(to)}`;
      return [title, make("p", {}, link(address, "Open the form of the backfill, filled in"))];
    }
    const field = (name, value) => make("input", { id: `again-${name}`, value, required: true, autocomplete: "off" });
    const [start, end] = [field("from", from), field("to", to)];
    const said = make("p", { role: "status" });
    const button = make("button", { class: "act main", type: "button" }, "Start the backfill");
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const body = JSON.stringify({ conf: { from: start.value, to: end.value }, logical_date: null });
        const run = await ask(`/dags/${part(dag)}/dagRuns`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
        if (!run) throw new Error(`Airflow has no DAG ${dag}.`);
        const isPaused = (await ask(`/dags/${part(dag)}`))?.is_paused;
        said.replaceChildren("Started: ", link(runUrl(dag, run.dag_run_id), run.dag_run_id), isPaused ? ". The DAG is paused: the run waits until somebody switches it on." : "");
      } catch (error) {
        said.replaceChildren(error.message);
        button.disabled = false;
      }
    });
    return [title, make("div", { class: "again" }, make("label", { for: "again-from" }, "From (UTC)"), start, make("label", { for: "again-to" }, "To (UTC), not included"), end, make("p", {}, button), said)];
  },
};

// Airflow 3 shows this page in a frame that may not navigate the window, so the window itself follows the link.
function followInWindow(event) {
  const anchor = event.target.closest("a[href]");
  if (!anchor || window.parent === window) return;
  event.preventDefault();
  const outer = window.parent.document;
  const copy = outer.createElement("a");
  copy.href = anchor.href;
  copy.rel = "noopener noreferrer";
  if (anchor.target || event.ctrlKey || event.metaKey) copy.target = "_blank";
  outer.body.append(copy);
  copy.click();
  copy.remove();
}

async function start() {
  setTheme();
  document.addEventListener("click", followInWindow);
  const found = await ask("/dags?dag_id_pattern=okta_page&limit=100").catch((error) => {
    if (error instanceof Forbidden) return null;
    throw error;
  });
  const dags = (found?.dags || []).map((dag) => dag.dag_id).filter((id) => /^okta_page(__.+)?$/.test(id)).sort();
  if (!dags.length) {
    sayInstead("There is nothing that you may see here.", make("p", { class: "soft" }, "This page shows what the DAG okta_page has measured, to whoever may read that DAG. There is none that you may read."));
    return;
  }
  const snapshots = (await Promise.all(dags.map(newestSnapshot))).filter(Boolean);
  if (!snapshots.length) {
    sayInstead("Nothing has been measured yet.", make("p", {}, "Switch on the DAG ", link(`${BASE}/dags/okta_page`, "okta_page"), ". It runs after each load, and once an hour."));
    return;
  }
  showPage(snapshots, airflow);
}

start().catch((error) => sayInstead(error.message));
