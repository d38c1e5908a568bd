"use strict";
(async () => {
  const list = document.getElementById("list");
  // Everything is put in as text, so nothing in the document can become markup.
  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const add = (parent, ...children) => {
    for (const child of children) parent.appendChild(child);
    return parent;
  };
  const table = (heads, rows) => {
    const out = make("table");
    const head = make("tr");
    heads.forEach((text) => head.appendChild(make("th", text)));
    out.appendChild(head);
    for (const row of rows) {
      const line = make("tr");
      row.forEach((text) => line.appendChild(make("td", text)));
      out.appendChild(line);
    }
    return out;
  };
  let api;
  try {
    const answer = await fetch("openapi.json");
    api = await answer.json();
  } catch (error) {
    list.replaceChildren(make("p", "The document could not be loaded: " + error));
    return;
  }
  const resolve = (schema, depth) => {
    if (Array.isArray(schema)) return schema.map((one) => resolve(one, depth));
    if (schema === null || typeof schema !== "object") return schema;
    const reference = schema.$ref;
    if (typeof reference === "string" && depth < 6) {
      const name = reference.split("/").pop();
      return resolve(api.components.schemas[name] || {}, depth + 1);
    }
    return Object.fromEntries(
      Object.entries(schema).map(([name, value]) => [name, resolve(value, depth)]),
    );
  };
  const schema = (title, content) => {
    const out = make("details");
    add(out, make("summary", title));
    let filled = false;
    out.addEventListener("toggle", () => {
      if (filled) return;
      filled = true;
      for (const [media, body] of Object.entries(content)) {
        add(out, make("p", media), make("pre", JSON.stringify(resolve(body.schema, 0), null, 2)));
      }
    });
    return out;
  };
  const operation = (path, method, one) => {
    const out = make("details");
    out.dataset.text = [method, path, one.summary, one.operationId].join(" ").toLowerCase();
    const scope = one["x-scope"];
    const need = scope ? scope + (one["x-scope-by-effect"] ? " or more" : "") : "no token";
    add(
      out,
      add(
        make("summary"),
        make("span", method.toUpperCase(), "method"),
        make("code", path),
        make("span", one.summary),
        make("span", need, "scope"),
      ),
    );
    if (one.description) add(out, make("p", one.description));
    if (one["x-audited"]) add(out, make("p", "Audited as " + one["x-audited"] + "."));
    if (one.parameters) {
      const rows = one.parameters.map((p) => [p.name, p.in, p.description || ""]);
      add(out, table(["Parameter", "In", "Meaning"], rows));
    }
    if (one.requestBody) add(out, schema("Body", one.requestBody.content));
    for (const [status, answer] of Object.entries(one.responses)) {
      const title = status + "  " + answer.description;
      add(out, answer.content ? schema(title, answer.content) : make("p", title));
    }
    return out;
  };
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const [method, one] of Object.entries(item)) {
      const group = one.tags[0];
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(operation(path, method, one));
    }
  }
  list.replaceChildren();
  for (const [group, operations] of groups) {
    add(list, add(make("section"), make("h2", group), ...operations));
  }
  document.getElementById("find").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const one of list.querySelectorAll("section > details")) {
      one.hidden = !one.dataset.text.includes(wanted);
    }
  });
})();
