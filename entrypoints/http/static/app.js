"use strict";
// Draws /openapi.json. All text goes in as text nodes, never as HTML.

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}

// `code` between backticks; the rest is plain text.
function rich(text) {
  return String(text || "").split("`").map((piece, index) => (index % 2 ? el("code", {}, piece) : piece));
}

// A path may wrap in front of its slashes.
function breakable(path) {
  return path.split("/").flatMap((piece, index) => (index > 1 ? [el("wbr", {}), "/" + piece] : index ? ["/" + piece] : []));
}

const pretty = (value) => JSON.stringify(value, null, 2);
const nameOf = (reference) => reference.split("/").pop();

function typeOf(schema) {
  if (schema.$ref) return el("a", { href: "#schema-" + nameOf(schema.$ref) }, nameOf(schema.$ref));
  if (schema.oneOf) return el("span", {}, schema.oneOf.flatMap((one, i) => (i ? [" or ", typeOf(one)] : [typeOf(one)])));
  if (schema.enum) return el("span", {}, schema.enum.flatMap((one, i) => [i ? " | " : "", el("code", {}, String(one))]));
  if ("const" in schema) return el("code", {}, String(schema.const));
  if (schema.type === "array") return el("span", {}, "list of ", typeOf(schema.items || {}));
  if (Array.isArray(schema.type)) return el("span", {}, schema.type.join(" or "));
  const values = schema.additionalProperties;
  if (schema.type === "object" && (values?.type || values?.$ref || values?.oneOf)) return el("span", {}, "object of ", typeOf(values));
  if (schema.type === "null") return el("span", {}, "null");
  const format = schema.format ? " (" + schema.format + ")" : "";
  return el("span", {}, (schema.type || "any") + format);
}

// JavaScript would round the limits of 64 bits.
function rangeOf(schema) {
  if (schema.format === "int64") return "-9,223,372,036,854,775,808 to 9,223,372,036,854,775,807";
  const shown = (limit) => limit.toLocaleString("en");
  const { minimum: low, exclusiveMinimum: above, maximum: high } = schema;
  if (above !== undefined) return "more than " + shown(above) + (high === undefined ? "" : ", at most " + shown(high));
  if (low !== undefined && high !== undefined) return shown(low) + " to " + shown(high);
  if (high !== undefined) return "at most " + shown(high);
  return low ? "at least " + shown(low) : null;
}

function limitsOf(schema) {
  const found = [];
  if (schema.default !== undefined) found.push("default " + JSON.stringify(schema.default));
  const range = rangeOf(schema);
  if (range) found.push(range);
  if (schema.maxLength !== undefined && schema.maxLength < 1e7) found.push("at most " + schema.maxLength.toLocaleString("en") + " characters");
  if (schema.maxItems !== undefined) found.push("at most " + schema.maxItems.toLocaleString("en") + " items");
  if (schema.maxProperties !== undefined) found.push("at most " + schema.maxProperties + " entries");
  if (schema.pattern) found.push("matches " + schema.pattern);
  if (schema.examples) found.push("e.g. " + JSON.stringify(schema.examples[0]));
  return found.length ? el("span", { class: "limits" }, found.join(" · ")) : null;
}

const hasFields = (schema) => Object.keys(schema.properties || {}).length > 0;

function fields(schema) {
  if (!hasFields(schema)) return el("p", {}, ...rich(schema.description || "Any JSON."));
  const required = new Set(schema.required || []);
  const open = schema.additionalProperties !== false;
  return el("table", {},
    el("thead", {}, el("tr", {}, el("th", {}, "Field"), el("th", {}, "Type"), el("th", {}, "Meaning"))),
    el("tbody", {}, Object.entries(schema.properties).map(([name, field]) => el("tr", {},
      el("td", {}, el("code", {}, name), required.has(name) && !open ? el("span", { class: "required" }, "required") : null),
      el("td", { class: "type" }, typeOf(field)),
      el("td", {}, ...rich(field.description), limitsOf(field))))));
}

// What a stream may hold: the data of each event, with an example.
function events(kinds) {
  return el("table", { class: "events" },
    el("thead", {}, el("tr", {}, el("th", {}, "Event"), el("th", {}, "Data"), el("th", {}, "Meaning"))),
    el("tbody", {}, Object.entries(kinds).map(([name, kind]) => el("tr", {},
      el("td", {}, el("code", {}, name)),
      el("td", { class: "type" }, typeOf(kind.schema)),
      el("td", {}, ...rich(kind.description), name === "done" ? null : el("pre", {}, JSON.stringify(kind.example)))))));
}

function body(content, schemas) {
  return Object.entries(content || {}).map(([type, media]) => {
    const schema = media.schema || {};
    const full = schema.$ref ? schemas[nameOf(schema.$ref)] : schema;
    const examples = media.examples ? Object.values(media.examples) : media.example !== undefined ? [{ summary: "Example", value: media.example }] : [];
    return el("div", {},
      el("h3", {}, el("code", {}, type), schema.$ref ? [" ", typeOf(schema)] : null),
      hasFields(full) ? fields(full) : el("p", {}, ...rich(full.description)),
      media["x-events"] ? events(media["x-events"]) : null,
      examples.map((one) => el("div", {}, el("h3", {}, one.summary), el("pre", {}, typeof one.value === "string" ? one.value : pretty(one.value)))));
  });
}

// What goes into the path, the query and the headers; X-Request-ID, which every route takes, is left out.
function parameters(list) {
  const own = (list || []).filter((one) => !one.$ref);
  if (!own.length) return [];
  return [el("h3", {}, "Parameters"), el("table", {},
    el("thead", {}, el("tr", {}, el("th", {}, "Name"), el("th", {}, "In"), el("th", {}, "Type"), el("th", {}, "Meaning"))),
    el("tbody", {}, own.map((one) => el("tr", {},
      el("td", {}, el("code", {}, one.name), one.required ? el("span", { class: "required" }, "required") : null),
      el("td", {}, one.in),
      el("td", { class: "type" }, typeOf(one.schema)),
      el("td", {}, ...rich(one.description), limitsOf(one.schema))))))];
}

function tryIt(path, method, operation) {
  const examples = Object.values(operation.requestBody.content["application/json"]?.examples || {});
  const text = el("textarea", { "aria-label": "Request body", spellcheck: "false" });
  const choose = el("select", { "aria-label": "Example" }, examples.map((one, index) => el("option", { value: index }, one.summary)));
  const examplesOf = Object.fromEntries((operation.parameters || []).filter((one) => one.in === "path").map((one) => [one.name, one.example]));
  const target = el("input", { type: "text", "aria-label": "Path", spellcheck: "false", value: path.replace(/\{(\w+)\}/g, (whole, name) => examplesOf[name] || whole) });
  const output = el("pre", { "aria-live": "polite" }, "The answer comes here.");
  const status = el("span", { class: "status" });
  const stop = el("button", { type: "button", disabled: "" }, "Stop");
  let controller = null;
  const fill = () => { text.value = pretty(examples.length ? examples[Number(choose.value)].value : {}); };
  choose.addEventListener("change", fill);
  stop.addEventListener("click", () => controller && controller.abort());
  const form = el("form", {}, el("div", { class: "row" }, examples.length > 1 ? choose : null, path.includes("{") ? target : null), text,
    el("div", { class: "row" }, el("button", { class: "send", type: "submit" }, method.toUpperCase() + " " + path), stop, status), output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    controller = new AbortController();
    stop.disabled = false;
    output.textContent = "";
    status.textContent = "waiting …";
    const started = performance.now();
    try {
      const response = await fetch(target.value, { method: method.toUpperCase(), headers: { "Content-Type": "application/json" }, body: text.value, signal: controller.signal });
      const report = () => { status.textContent = response.status + " · " + Math.round(performance.now() - started) + " ms · " + (response.headers.get("x-lor3-model") || response.headers.get("x-request-id") || ""); };
      report();
      if ((response.headers.get("content-type") || "").startsWith("text/event-stream")) {
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let piece = await reader.read(); !piece.done; piece = await reader.read()) output.append(piece.value);
      } else {
        const answer = await response.text();
        try { output.textContent = pretty(JSON.parse(answer)); } catch { output.textContent = answer; }
      }
      report();
    } catch (error) {
      status.textContent = error.name === "AbortError" ? "stopped" : "no answer: " + error.message;
    } finally {
      stop.disabled = true;
    }
  });
  fill();
  return form;
}

// The types of what a response holds.
const shapesOf = (response) => Object.values(response.content).map((media) => typeOf(media.schema));

function draw(api) {
  const schemas = api.components.schemas;
  const nav = document.getElementById("nav");
  const main = document.getElementById("main");
  const operations = Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  const badge = (method) => el("span", { class: "method " + method }, method.toUpperCase());

  const menu = el("details", {}, el("summary", {}, "Contents"));
  for (const tag of new Set(operations.map((one) => one.operation.tags[0]))) {
    menu.append(el("h2", {}, tag));
    for (const one of operations) if (one.operation.tags[0] === tag) menu.append(el("a", { href: "#" + one.operation.operationId }, badge(one.method), el("span", { class: "path" }, breakable(one.path))));
  }
  menu.append(el("h2", {}, "reference"), el("a", { href: "#errors" }, "Errors"), el("a", { href: "#schemas" }, "Types"), el("a", { href: "/openapi.json" }, "openapi.json"));
  nav.append(el("p", { class: "brand" }, "lor3 ", el("small", {}, api.info.version)), menu);
  // Beside the text the menu is always open; above it, on a phone, it would fill the first screens.
  const wide = matchMedia("(min-width: 801px)");
  const unfold = () => { menu.open = wide.matches; };
  wide.addEventListener("change", unfold);
  menu.addEventListener("click", (event) => { if (event.target.closest("a")) unfold(); });
  unfold();

  main.replaceChildren(el("h1", {}, "lor3 API"), el("p", { class: "lead" }, api.info.summary));
  for (const { path, method, operation } of operations) {
    const section = el("section", { id: operation.operationId }, el("h2", {}, badge(method), el("code", {}, breakable(path)), operation.summary), el("p", {}, ...rich(operation.description)));
    section.append(...parameters(operation.parameters));
    if (operation.requestBody) section.append(el("h3", {}, "Try it"), tryIt(path, method, operation), el("h3", {}, "Request"), ...body(operation.requestBody.content, schemas));
    for (const [code, answer] of Object.entries(operation.responses)) {
      if (answer.$ref) continue;
      section.append(el("h3", {}, "Answer " + code), el("p", {}, ...rich(answer.description)), ...body(answer.content, schemas));
      if (answer.headers) section.append(el("h3", {}, "Headers of the answer"), el("table", {}, el("tbody", {}, Object.entries(answer.headers).map(([name, header]) => el("tr", {}, el("td", {}, el("code", {}, name)), el("td", {}, ...rich(header.description)))))));
    }
    const failure = api.components.responses[nameOf(operation.responses.default.$ref)];
    section.append(el("p", { class: "status" }, "Errors are ", shapesOf(failure).flatMap((one, i) => (i ? [" or ", one] : [one])), ": ", el("a", { href: "#errors" }, "all codes"), "."));
    main.append(section);
  }
  main.append(el("section", { id: "errors" }, el("h2", {}, "Errors"),
    el("p", {}, "Every error is a ", el("a", { href: "#schema-Problem" }, "Problem"), " of type ", el("code", {}, "application/problem+json"), "; below `/v1` it has OpenAI's shape, with the same codes but for a few of OpenAI's own. `code` is stable; texts are for people.".split("`").map((piece, index) => (index % 2 ? el("code", {}, piece) : piece))),
    el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, "Code"), el("th", {}, "Status"), el("th", {}, "Title"))),
      el("tbody", {}, api["x-problems"].map((one) => el("tr", {}, el("td", {}, el("code", {}, one.code)), el("td", {}, String(one.status)), el("td", {}, one.title)))))));
  main.append(el("section", { id: "schemas" }, el("h2", {}, "Types"), Object.entries(schemas).map(([name, schema]) => el("div", { id: "schema-" + name }, el("h3", {}, name), hasFields(schema) ? el("p", {}, ...rich(schema.description)) : null, fields(schema)))));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView({ behavior: "instant" });
}

fetch("/openapi.json").then((response) => response.json()).then(draw).catch((error) => {
  document.getElementById("main").replaceChildren(el("p", {}, "The API description can't be read: " + error.message));
});
