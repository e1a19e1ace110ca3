"use strict";
// Tables are sorted by their columns' buttons, and filtered by the search field that names them.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("thead th")];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => {
        const cell = row.cells[column];
        return { row, key: cell.dataset.key ?? cell.textContent.trim() };
      });
      const plain = rows.every(({ key }) => key === "" || key === "-" || !Number.isNaN(Number(key)));
      rows.sort((one, other) => {
        const missing = (key) => key === "" || key === "-";
        if (missing(one.key) || missing(other.key)) return missing(one.key) - missing(other.key);
        const order = plain ? Number(one.key) - Number(other.key) : one.key.localeCompare(other.key);
        return rising ? order : -order;
      });
      body.append(...rows.map(({ row }) => row));
    });
  });
}
for (const field of document.querySelectorAll("input[data-filter]")) {
  const rows = [...document.getElementById(field.dataset.filter).tBodies[0].rows];
  const count = field.closest("p").querySelector(".count");
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const name = row.cells[0];
      const link = name.querySelector("a");
      const text = `${name.textContent} ${link ? link.title : ""}`.toLowerCase();
      row.hidden = !text.includes(wanted);
      shown += !row.hidden;
    }
    count.textContent = wanted ? `${shown} of ${rows.length}` : "";
  });
}
