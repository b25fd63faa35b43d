"use strict";

// Text of others reaches the document as text nodes and attributes only, never as HTML.
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

function make(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

// Only these lead anywhere: an address that somebody else wrote may begin with "javascript:".
function safeUrl(url) {
  return /^https?:\/\//i.test(url) ? url : "";
}

function link(url, text, { away = false } = {}) {
  const safe = url.startsWith("/") && !url.startsWith("//") ? url : safeUrl(url);
  if (!safe) return make("span", {}, text);
  return make("a", { href: safe, target: away ? "_blank" : null, rel: away ? "noopener noreferrer" : null }, text);
}

const number = (value) => value.toLocaleString("en-US");

function plural(count, one, many) {
  return `${number(count)} ${count === 1 ? one : many || one + "s"}`;
}

// Instants are seconds since 1970, and shown in UTC.
function instant(seconds) {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}

function shown(seconds) {
  return instant(seconds).slice(0, 16).replace("T", " ");
}

function span(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${Number(seconds.toPrecision(seconds < 10 ? 2 : 3))} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${Math.round(seconds / 86400)} days`;
}

function since(seconds, now) {
  return now - seconds < 1 ? "just now" : `${span(now - seconds)} ago`;
}

function table(caption, heads, rows, attributes) {
  const cells = (row) => row.map((cell, at) => make("td", { class: heads[at].number ? "number" : null }, cell));
  return make("table", { class: "list", ...attributes },
    make("caption", { class: "soft" }, caption),
    make("thead", {}, make("tr", {}, heads.map((head) =>
      make("th", { scope: "col", class: head.number ? "number" : null }, head.name)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, cells(row)))));
}

// A table of thousands of rows is made when somebody opens it.
function folded(title, content) {
  const details = make("details", {}, make("summary", {}, title));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(make("div", { class: "scroll" }, content()));
  });
  return details;
}

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const snapshot = JSON.parse(await new Response(stream).text());
  if (snapshot.version !== 1) throw new Error(`This page cannot read a snapshot of version ${snapshot.version}.`);
  return snapshot;
}
