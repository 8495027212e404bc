"use strict";
(() => {
  const holder = document.getElementById("graph-data");
  if (!holder) return;
  const data = JSON.parse(holder.textContent);
  const text = (place) => (typeof place === "string" ? place : data.strings[place]);
  const at = (id) => document.getElementById(id);
  const WIDTH = 114, HEIGHT = 34, GAP = 8, COLUMN = 134, MARGIN = 6, INSET = 8, LARGE = 11.5, SMALL = 10.5, MOST_OPEN = 4, FOUND = 40;
  const SVG = at("graph-picture").firstElementChild.namespaceURI;

  /* A box is {key, kind, type, label, count, column, run, file, members}; an arrow [from, to, word]. */
  const shared = data.shared.map(([kind, type, label, count, column, members], place) => ({
    key: `s${place}`, kind: text(kind), type: text(type), label: text(label), count, column,
    run: null, file: "", members: members.map(text),
  }));
  const boxesOf = (run) => {
    const [number, id, shape, held, between] = run;
    const [counts, files] = data.contents[held];
    return data.shapes[shape].boxes.map(([kind, type, column, begin, end], place) => ({
      key: `r${number}.${place}`, kind: text(kind), type: text(type),
      label: text(begin) + text(between[place]) + text(end),
      count: counts[place], column, run, file: files[place] < 0 ? "" : text(files[place]), id: text(id),
      members: [],
    }));
  };
  const rest = {
    key: "runs", kind: "activity", type: "run", label: "other runs", column: 2, run: null, file: "",
    count: data.runs.length, members: [],
  };
  const runs = new Map(data.runs.map((run) => [run[0], run]));
  const open = [];
  let boxes = new Map();
  let arrows = [];
  let chosen = null;

  const gather = () => {
    boxes = new Map(shared.map((box) => [box.key, box]));
    arrows = data.shared_arrows.map(([a, b, word]) => [`s${a}`, `s${b}`, text(word)]);
    rest.count = data.runs.length - open.length;
    if (rest.count > 0) {
      boxes.set(rest.key, rest);
      const ends = new Set();
      const of = runs.get([...runs.keys()].find((number) => !open.includes(number)));
      for (const [a, b, word] of data.shapes[of[2]].arrows)
        if (a < 0 !== b < 0)
          ends.add([a < 0 ? `s${-1 - a}` : rest.key, b < 0 ? `s${-1 - b}` : rest.key,
            text(word)].join("\t"));
      for (const one of ends) arrows.push(one.split("\t"));
    }
    for (const number of open) {
      const run = runs.get(number);
      for (const box of boxesOf(run)) boxes.set(box.key, box);
      const end = (place) => (place < 0 ? `s${-1 - place}` : `r${number}.${place}`);
      for (const [a, b, word] of data.shapes[run[2]].arrows)
        arrows.push([end(a), end(b), text(word)]);
    }
  };

  const reached = (begin, from, to) => {
    const next = new Map();
    for (const arrow of arrows) {
      if (!next.has(arrow[from])) next.set(arrow[from], []);
      next.get(arrow[from]).push(arrow[to]);
    }
    const seen = new Set([begin]);
    for (const one of seen) for (const other of next.get(one) || []) seen.add(other);
    return seen;
  };

  const make = (name, attributes, ...children) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  /* Cut words to the room in a box, in front where what stands last tells more. */
  const pen = document.createElement("canvas").getContext("2d");
  const fit = (words, size, front = false) => {
    pen.font = `${size}px ${getComputedStyle(at("graph-picture")).fontFamily}`;
    const isWide = (told) => pen.measureText(told).width > WIDTH - 2 * INSET;
    if (!isWide(words)) return words;
    const cut = front
      ? (most) => `…${words.slice(-most)}`
      : (most) => `${words.slice(0, most)}…`;
    let most = Math.min(words.length, WIDTH);
    while (most > 1 && isWide(cut(most))) most -= 1;
    return cut(most);
  };
  const name = (box) => box.label || box.type;
  const kindOf = (box) => box.type + (box.count > 1 ? ` × ${box.count}` : "");

  const place = () => {
    const columns = new Map();
    for (const box of boxes.values()) {
      if (!columns.has(box.column)) columns.set(box.column, []);
      columns.get(box.column).push(box);
    }
    const spots = new Map();
    let tallest = 0;
    [...columns.keys()].sort((a, b) => a - b).forEach((column, position) => {
      const drawn = (box) => {
        const near = arrows.filter(([a]) => a === box.key).map(([, b]) => spots.get(b));
        const known = near.filter(Boolean);
        return known.length ? known.reduce((sum, spot) => sum + spot.y, 0) / known.length : 1e9;
      };
      const group = (box) => (box.run ? 1 + open.indexOf(box.run[0]) : 0);
      const members = columns.get(column).map((box) => [group(box), drawn(box), box]);
      members.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      members.forEach(([, , box], row) => {
        const y = MARGIN + row * (HEIGHT + GAP);
        spots.set(box.key, { x: MARGIN + position * COLUMN, y });
        tallest = Math.max(tallest, y + HEIGHT);
      });
    });
    return [spots, MARGIN * 2 + columns.size * COLUMN, tallest + MARGIN];
  };

  const path = (later, earlier) => {
    const [a, b] = [later.y + HEIGHT / 2, earlier.y + HEIGHT / 2];
    if (later.x === earlier.x) {
      const x = later.x + WIDTH;
      return `M${x} ${a}C${x + 34} ${a} ${x + 34} ${b} ${x + 4} ${b}`;
    }
    const right = later.x > earlier.x;
    const [x, y] = right ? [later.x, earlier.x + WIDTH + 4] : [later.x + WIDTH, earlier.x - 4];
    const middle = (x + y) / 2;
    return `M${x} ${a}C${middle} ${a} ${middle} ${b} ${y} ${b}`;
  };

  const draw = () => {
    gather();
    if (chosen && !boxes.has(chosen)) chosen = null;
    const [spots, width, height] = place();
    const up = chosen ? reached(chosen, 0, 1) : null;
    const down = chosen ? reached(chosen, 1, 0) : null;
    const look = (key) =>
      !chosen ? "" : key === chosen ? "chosen" : up.has(key) ? "up" : down.has(key) ? "down" : "dim";
    const tip = make("path", { d: "M0 0L6 3L0 6z" });
    const head = make("marker", {
      id: "graph-tip", refX: 5, refY: 3, markerWidth: 6, markerHeight: 6, orient: "auto",
      markerUnits: "userSpaceOnUse",
    }, tip);
    const picture = make("svg", {
      viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "Provenance",
    }, make("defs", {}, head));
    const drawn = new Map();
    for (const [a, b, word] of arrows) {
      if (!spots.has(a) || !spots.has(b)) continue;
      const key = `${a}>${b}`;
      if (drawn.has(key)) { drawn.get(key).push(word); continue; }
      drawn.set(key, [word]);
      const on = chosen && ((up.has(a) && up.has(b)) || (down.has(a) && down.has(b)));
      const line = make("path", {
        d: path(spots.get(a), spots.get(b)), "marker-end": "url(#graph-tip)",
        class: chosen ? (on ? "on" : "dim") : "",
      });
      line.dataset.key = key;
      picture.append(line);
    }
    for (const line of picture.querySelectorAll("path[data-key]")) {
      const told = make("title", {});
      told.textContent = [...new Set(drawn.get(line.dataset.key))].join(", ");
      line.append(told);
    }
    for (const box of boxes.values()) {
      const { x, y } = spots.get(box.key);
      const title = make("title", {});
      title.textContent = `${name(box)} (${kindOf(box)})`;
      const first = make("text", { x: x + INSET, y: y + 14, "font-size": LARGE });
      first.textContent = fit(name(box), LARGE, box.type === "hyperparameter");
      const second = make("text", { x: x + INSET, y: y + 27, class: "kind", "font-size": SMALL });
      second.textContent = fit(kindOf(box), SMALL);
      const group = make("g", {
        class: `box ${box.kind} ${look(box.key)}`, tabindex: 0, role: "button",
        "aria-label": title.textContent, "data-key": box.key,
      }, title, make("rect", {
        x, y, width: WIDTH, height: HEIGHT, rx: box.kind === "entity" ? 15 : 3,
      }), first, second);
      const choose = () => { chosen = chosen === box.key ? null : box.key; draw(); };
      group.addEventListener("click", choose);
      group.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose();
        at("graph-picture").querySelector(`[data-key="${box.key}"]`).focus();
      });
      picture.append(group);
    }
    at("graph-picture").replaceChildren(picture);
    tell(up, down);
  };

  const node = (tag, content, ...children) => {
    const element = document.createElement(tag);
    if (content) element.textContent = content;
    element.append(...children);
    return element;
  };
  const button = (words, act) => {
    const element = node("button", words);
    element.type = "button";
    element.addEventListener("click", act);
    return element;
  };
  const list = (items) => node("ul", "", ...items.map((item) => node("li", "", item)));
  const expand = (number, type) => {
    if (!open.includes(number)) open.push(number);
    while (open.length > MOST_OPEN) open.shift();
    chosen = null;
    gather();
    for (const box of boxes.values())
      if (box.run && box.run[0] === number && box.type === (type || "run")) { chosen = box.key; break; }
    draw();
  };
  const fold = (number) => { open.splice(open.indexOf(number), 1); chosen = null; draw(); };
  const safe = (file) => file.split("/").every((part) => part && part !== "." && part !== "..");
  const link = (id, file) => {
    const element = node("a", file);
    element.href = ["runs", id, ...file.split("/")].map(encodeURIComponent).join("/");
    return element;
  };
  const runButton = (run) => button(`run ${text(run[1])}`, () => expand(run[0]));

  const tell = (up, down) => {
    const panel = at("graph-told");
    const box = chosen && boxes.get(chosen);
    if (!box) {
      panel.replaceChildren(node("p", "Click a box for what it came from and what came of it. " +
        "Open a run by its box of all runs, or find anything by its name."));
      return;
    }
    const parts = [node("h3", name(box)), node("p", kindOf(box))];
    if (box.file && safe(box.file)) parts.push(node("p", "", link(box.id, box.file)));
    if (box.run && box.type === "run") parts.push(node("p", "", button("close this run", () => fold(box.run[0]))));
    parts.push(node("p", `Came from ${up.size - 1} of these boxes; ${down.size - 1} came of it.`));
    const near = new Map();
    for (const [a, b, word] of arrows) {
      if (a !== box.key && b !== box.key) continue;
      const other = boxes.get(a === box.key ? b : a);
      const said = a === box.key ? `${word} ${name(other)}` : `${name(other)} ${word} this`;
      near.set(`${said} ${other.key}`, button(said, () => { chosen = other.key; draw(); }));
    }
    if (box.key === "runs") {
      const left = [...runs.values()].filter((run) => !open.includes(run[0]));
      parts.push(list(left.slice(0, FOUND).map(runButton)));
      if (left.length > FOUND) parts.push(node("p", `and ${left.length - FOUND} more: find them by name`));
    } else parts.push(list([...near.values()]));
    if (box.members.length) parts.push(list(box.members));
    panel.replaceChildren(...parts);
  };

  const find = at("graph-find");
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const results = [];
    const fits = (...told) => {
      const whole = told.join(" ").toLowerCase();
      return words.every((word) => whole.includes(word));
    };
    if (words.length) {
      for (const box of shared) {
        if (fits(box.label, box.type))
          results.push(button(`${name(box)} (${kindOf(box)})`, () => { chosen = box.key; draw(); }));
        for (const member of box.members)
          if (fits(member, box.type))
            results.push(button(`${member} (${box.type})`, () => { chosen = box.key; draw(); }));
      }
      for (const run of runs.values()) {
        if (results.length > FOUND) break;
        for (const box of boxesOf(run))
          if (fits(box.label, box.type, box.type === "run" ? "" : box.id))
            results.push(button(`${name(box)} (${box.type}, run ${box.id})`, () => {
              expand(run[0]);
              chosen = box.key;
              draw();
            }));
      }
    }
    const shown = results.slice(0, FOUND);
    at("graph-found").replaceChildren(...(words.length
      ? [list(shown), node("p", results.length > FOUND ? "and more" : results.length ? "" : "nothing is called so")]
      : []));
  });

  document.addEventListener("open-run", (event) => {
    if (runs.has(event.detail)) expand(event.detail);
    at("graph-view").scrollIntoView();
    at("graph-find").focus({ preventScroll: true });
  });
  const best = Number(holder.dataset.best);
  at("graph-view").hidden = false;
  if (holder.dataset.best && runs.has(best)) expand(best, "run result");
  else draw();
})();
