"use strict";
(() => {
  const table = document.getElementById("all-runs");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  const compare = (a, b) => {
    const texts = [typeof a === "string", typeof b === "string"];
    if (texts[0] !== texts[1]) return texts[0] ? 1 : -1;
    return texts[0] ? a.localeCompare(b) : a - b;
  };
  heads.forEach((head, column) => {
    head.firstElementChild.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const known = rows.filter((row) => row.cells[column].dataset.v !== undefined);
      const rest = rows.filter((row) => row.cells[column].dataset.v === undefined);
      const sign = down ? -1 : 1;
      for (const part of [known, rest])
        part.sort((a, b) => sign * compare(key(a, column), key(b, column)));
      body.append(...known, ...rest);
    });
  });
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = [...row.cells].map((cell) => cell.textContent.toLowerCase());
      row.hidden = !words.every((word) => text.some((cell) => cell.includes(word)));
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = count === 1 ? "1 run" : `${count} runs`;
  });
  filter.closest("p").hidden = false;
})();
