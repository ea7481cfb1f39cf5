// Everything from the emulator becomes text of a node, never markup; the page's policy refuses markup as well.
"use strict";

const REFRESH_MS = 2000;
const NEWEST = 100;
const HIDDEN_HEADERS = new Set(["accept", "accept-encoding", "content-length", "host", "user-agent", "zuora-track-id"]);
const byId = (id) => document.getElementById(id);
const filter = byId("filter");

function node(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

async function control(path, method = "GET", body = undefined) {
  const answer = await fetch(`/_emulator/${path}`, { method, body: body && JSON.stringify(body) });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.message);
  return content;
}

function show(problem) {
  byId("problem").textContent = problem;
  byId("problem").hidden = !problem;
}

const lines = (pairs) => pairs.map(([name, value]) => `${name}: ${value}`).join("\n");
const json = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 1));

function requestCell(call) {
  const cell = node("td");
  cell.append(node("div", `${call.method} ${call.path}`));
  const headers = Object.entries(call.headers).filter(([name]) => !HIDDEN_HEADERS.has(name));
  cell.append(node("pre", lines(headers), "quiet"));
  if (call.body !== null) cell.append(node("pre", json(call.body)));
  return cell;
}

function answerCell(call) {
  const cell = node("td");
  cell.append(node("div", call.status === null ? "no answer" : String(call.status)));
  if (call.fault) cell.append(node("div", `fault ${call.fault}`, "fault"));
  if (call.answer !== null) cell.append(node("pre", json(call.answer)));
  return cell;
}

function executionCell(call, executions) {
  const cell = node("td");
  cell.append(node("div", call.outcome ?? "in progress", call.outcome));
  for (const entry of executions) {
    const amount = entry.amount === null ? [] : [["amount", `${entry.amount} ${entry.currency}`]];
    cell.append(node("pre", lines([["operation", entry.operation], ...amount, ...Object.entries(entry.effects)])));
  }
  return cell;
}

function callsOf(trackId, calls, executed) {
  const group = node("article");
  group.append(node("h3", trackId ?? "without a Track-Id"));
  const table = node("table");
  const head = node("tr");
  head.append(...["Request", "Answer", "Executed"].map((title) => node("th", title)));
  table.append(head);
  for (const call of calls) {
    const row = node("tr");
    row.append(requestCell(call), answerCell(call), executionCell(call, executed.get(call.request_id) ?? []));
    table.append(row);
  }
  group.append(table);
  return group;
}

function grouped(entries, key) {
  const groups = new Map();
  for (const entry of entries) groups.set(key(entry), [...(groups.get(key(entry)) ?? []), entry]);
  return groups;
}

async function showCalls() {
  const chosen = new URLSearchParams({ newest: NEWEST });
  if (filter.track_id.value) chosen.set("track_id", filter.track_id.value);
  const [journal, ledger] = await Promise.all([control(`journal?${chosen}`), control(`ledger?${chosen}`)]);
  const executed = grouped(ledger.entries, (entry) => entry.request_id);
  const groups = [...grouped(journal.entries, (call) => call.headers["zuora-track-id"])];
  // The group with the newest call is the first.
  groups.sort(([, one], [, other]) => other.at(-1).number - one.at(-1).number);
  const shown = groups.map(([trackId, calls]) => callsOf(trackId, calls, executed));
  byId("journal").replaceChildren(...(shown.length ? shown : [node("p", "No call has arrived.", "quiet")]));
}

async function showClock() {
  const clock = await control("clock");
  byId("now").textContent = clock.now;
  byId("due").textContent = clock.next_due ? `next due ${clock.next_due}` : "";
}

async function showFaults() {
  const waiting = (await control("faults")).faults.map(({ fault, times, until }) => {
    const item = node("li");
    const often = times === "always" ? "always" : `${times} to come`;
    const off = node("button", "Switch off");
    off.addEventListener("click", doing(() => control(`faults?${new URLSearchParams({ fault })}`, "DELETE")));
    item.append(node("span", `${fault} ${often}${until ? ` until ${until}` : ""}`), off);
    return item;
  });
  byId("faults").replaceChildren(...(waiting.length ? waiting : [node("li", "none", "quiet")]));
}

async function showAccounts() {
  const [{ accounts }, { invoices }] = await Promise.all([control("accounts"), control("invoices")]);
  const head = node("tr");
  head.append(...["Account", "Invoice", "Balance"].map((title) => node("th", title)));
  const rows = accounts.flatMap((account) => {
    const own = invoices.filter((invoice) => invoice.account_id === account.id);
    const name = `${account.number} (tenant ${account.tenant})`;
    return (own.length ? own : [null]).map((invoice, index) => {
      const row = node("tr");
      const balance = invoice ? `${invoice.balance} ${invoice.currency}` : "";
      row.append(node("td", index ? "" : name), node("td", invoice?.number ?? "none"), node("td", balance));
      row.firstChild.title = `${account.id} in entity ${account.entity}`;
      return row;
    });
  });
  byId("accounts").replaceChildren(head, ...rows);
}

async function refresh() {
  try {
    await Promise.all([showCalls(), showClock(), showFaults(), showAccounts()]);
    document.body.dataset.shown = String(Number(document.body.dataset.shown ?? 0) + 1);
    return true;
  } catch (problem) {
    show(problem instanceof TypeError ? "The emulator does not answer." : problem.message);
    return false;
  }
}

// What a click does: a refusal is shown in its own words until something succeeds.
function doing(action) {
  return async (event) => {
    event.preventDefault();
    try {
      await action(event);
      show("");
    } catch (problem) {
      show(problem.message);
      return;
    }
    await refresh();
  };
}

async function offerScenarios() {
  const { scenarios } = await control("scenarios");
  const does = new Map(scenarios.map((scenario) => [scenario.name, scenario.does]));
  const select = byId("scenario").elements.name;
  select.replaceChildren(...[...does.keys()].map((name) => node("option", name)));
  const explain = () => { byId("scenario-does").textContent = does.get(select.value) ?? ""; };
  select.addEventListener("change", explain);
  explain();
}

filter.addEventListener("submit", doing(() => undefined));
byId("fault").addEventListener("submit", doing(async (event) => {
  const { fault, times } = event.target.elements;
  const often = times.value === "always" ? "always" : Number(times.value);
  await control("faults", "POST", { fault: fault.value, times: often });
  event.target.reset();
}));
byId("scenario").addEventListener("submit", doing((event) =>
  control(`scenarios/${encodeURIComponent(event.target.elements.name.value)}`, "POST")));
byId("end-scenarios").addEventListener("click", doing(() => control("scenarios", "DELETE")));
byId("reset").addEventListener("click", doing(() => control("reset", "POST")));
for (const button of document.querySelectorAll("[data-advance]")) {
  button.addEventListener("click", doing(() => control("clock", "POST", { seconds: Number(button.dataset.advance) })));
}
let unreachable = false;
setInterval(async () => {
  // Text that is being selected stays.
  if (!filter.live.checked || !document.getSelection().isCollapsed) return;
  const answered = await refresh();
  if (answered && unreachable) show("");
  unreachable = !answered;
}, REFRESH_MS);
refresh().then(offerScenarios).catch((problem) => show(problem.message));
