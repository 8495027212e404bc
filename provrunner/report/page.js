"use strict";
(() => {
  const table = document.getElementById("all-runs");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const names = heads.map((head) => head.textContent.toLowerCase());
  /* Columns of plain numbers hold them exactly; for the eye decimals are rounded to four digits. */
  const rounded = (value) => Number(
    value.toPrecision(Math.max(4, Math.floor(Math.log10(Math.abs(value))) + 1)));
  heads.forEach((head, column) => {
    if (head.dataset.plain === undefined) return;
    for (const { cells } of rows) {
      const text = cells[column].textContent;
      if (text === "" || text === "null") continue;
      cells[column].dataset.v = text;
      if (text.length > 8 && !Number.isInteger(Number(text)))
        cells[column].textContent = rounded(Number(text));
    }
  });
  const number = (cell) => (cell.dataset.v === undefined ? null : Number(cell.dataset.v));
  const key = (row, column) => number(row.cells[column]) ?? row.cells[column].textContent;
  const compare = (a, b) => {
    const texts = [typeof a === "string", typeof b === "string"];
    if (texts[0] !== texts[1]) return texts[0] ? 1 : -1;
    return texts[0] ? a.localeCompare(b) : a - b;
  };
  heads.forEach((head, column) => {
    head.querySelector("button")?.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) if (other.ariaSort) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const known = rows.filter((row) => row.cells[column].dataset.v !== undefined);
      const rest = rows.filter((row) => row.cells[column].dataset.v === undefined);
      const sign = down ? -1 : 1;
      for (const part of [known, rest])
        part.sort((a, b) => sign * compare(key(a, column), key(b, column)));
      body.append(...known, ...rest);
    });
  });

  /* A word is looked for in every cell, a comparison such as lr<0.1 in the column it names. */
  const columnOf = (name) => {
    const whole = names.indexOf(name);
    return whole >= 0 ? whole : names.findIndex((one) => one.endsWith(`.${name}`));
  };
  const testOf = (word) => {
    const [, name, sign, wanted] = word.match(/^(.+?)(<=|>=|!=|<|>|=)(.+)$/) || [];
    const column = name === undefined ? -1 : columnOf(name);
    if (column < 0)
      return (row) => [...row.cells].some((cell) => cell.textContent.toLowerCase().includes(word));
    return (row) => {
      const cell = row.cells[column];
      const [value, limit] = [number(cell), Number(wanted)];
      // cells hold the first nine digits of a number, and may show fewer, which = takes too
      const same = value === limit || value === Number(limit.toPrecision(9));
      const alike = same || cell.textContent === wanted;
      if (value === null || Number.isNaN(limit)) {
        // the reason follows the status in its cell
        const told = cell.querySelector(".status") ?? cell;
        const equal = told.textContent.trim().toLowerCase() === wanted;
        return sign === "=" ? equal : sign === "!=" ? !equal : false;
      }
      return {
        "<": value < limit && !same, ">": value > limit && !same, "<=": value <= limit || same,
        ">=": value >= limit || same, "=": alike, "!=": !alike,
      }[sign];
    };
  };
  const lines = [...document.querySelectorAll("#figure-lines path")].flatMap((path) => {
    const told = path.querySelector("title")?.textContent.match(/^run (\d+):/);
    return told ? [[`run-${told[1]}`, path]] : [];
  });
  const sift = () => {
    const tests = filter.value.toLowerCase().split(/\s+/).filter(Boolean).map(testOf);
    const kept = new Set();
    for (const row of rows) {
      row.hidden = !tests.every((test) => test(row));
      if (!row.hidden) kept.add(row.cells[0].id);
    }
    for (const [run, path] of lines) path.classList.toggle("out", !kept.has(run));
    shown.textContent = kept.size === 1 ? "1 run" : `${kept.size} runs`;
  };
  filter.addEventListener("input", sift);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#run-']");
    const row = link && document.getElementById(link.hash.slice(1))?.parentElement;
    if (!row?.hidden) return;
    filter.value = "";
    sift();
  });
  if (document.getElementById("graph-data"))
    for (const row of rows) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "lineage";
      button.addEventListener("click", () => document.dispatchEvent(
        new CustomEvent("open-run", { detail: Number(row.cells[0].dataset.v) })));
      row.lastElementChild.append(button);
    }
  filter.closest("div").hidden = false;
})();
(() => {
  const SCALE = 3;
  const save = (name, address) => {
    const link = document.createElement("a");
    link.download = name;
    link.href = address;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1e4);
  };
  /* A copy that stands alone: black ink, white paper, the size it was drawn in. */
  const alone = (picture) => {
    const copy = picture.cloneNode(true);
    const [, , width, height] = picture.getAttribute("viewBox").split(/\s+/).map(Number);
    const paper = document.createElementNS(picture.namespaceURI, "rect");
    for (const [name, value] of [["width", width], ["height", height], ["fill", "#fff"]])
      paper.setAttribute(name, value);
    copy.prepend(paper);
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    copy.setAttribute("color", "#111");
    return [new XMLSerializer().serializeToString(copy), width, height];
  };
  const asPng = (text, width, height, done) => {
    const image = new Image();
    image.addEventListener("load", () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [width * SCALE, height * SCALE];
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(done);
    });
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  };
  for (const figure of document.querySelectorAll("figure[id^='figure-']")) {
    const picture = figure.querySelector("svg");
    const stem = `${document.title.split(":")[0].replace(/[^\w.-]+/g, "_")}-${figure.id.slice(7)}`;
    const tools = document.createElement("p");
    tools.className = "save";
    tools.append("Save as");
    const offer = (kind, act) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = kind;
      button.setAttribute("aria-label", `Save ${picture.getAttribute("aria-label")} as ${kind}`);
      button.addEventListener("click", act);
      tools.append(button);
    };
    offer("SVG", () => {
      const blob = new Blob([alone(picture)[0]], { type: "image/svg+xml" });
      save(`${stem}.svg`, URL.createObjectURL(blob));
    });
    offer("PNG", () => asPng(...alone(picture), (blob) =>
      save(`${stem}.png`, URL.createObjectURL(blob))));
    figure.append(tools);
  }
})();
