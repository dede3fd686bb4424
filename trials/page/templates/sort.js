"use strict";
// Without this script the tables are plain; with it each heading is a button that sorts by its column.
const number = (text) => parseFloat(text.replace("−", "-")); // of an interval, its lower end
const isNumber = (text) => text === "" || !Number.isNaN(number(text));

function sort(table, column, header) {
  const descending = header.getAttribute("aria-sort") === "ascending";
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, text: row.cells[column].textContent }));
  const numeric = rows.every(({ text }) => isNumber(text));
  const filled = rows.filter(({ text }) => text !== "");
  const compare = numeric
    ? (a, b) => number(a.text) - number(b.text)
    : (a, b) => a.text.localeCompare(b.text, "en", { numeric: true });
  filled.sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
  const empty = rows.filter(({ text }) => text === ""); // last, whichever way
  body.append(...[...filled, ...empty].map(({ row }) => row));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
}

for (const table of document.querySelectorAll("table.sortable")) {
  if (table.tBodies[0].rows.length < 2) continue;
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, column, header));
    header.append(button);
  });
}
