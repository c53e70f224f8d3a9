// Prints what SheetJS finds in the workbooks named on the command line, as JSON: for each file
// its sheets, for each sheet its name, its filter and every cell there is.
"use strict";

const XLSX = require("xlsx");

/** What the cell holds; a date or a time as the parts that SheetJS computes from its number. */
function valueOf(cell) {
  if (cell.t !== "n" || !XLSX.SSF.is_date(cell.z)) return cell.v;
  const { y, m, d, D, H, M, S, u } = XLSX.SSF.parse_date_code(cell.v);
  return { date: [y, m, d], days: D, clock: [H, M, S], fraction: u };
}

function cellsOf(sheet) {
  return Object.entries(sheet)
    .filter(([address]) => !address.startsWith("!"))
    .map(([address, cell]) => ({
      row: XLSX.utils.decode_cell(address).r,
      column: XLSX.utils.decode_cell(address).c,
      value: valueOf(cell),
      shown: cell.w,
      formula: cell.f,
      link: cell.l,
    }));
}

function sheetsOf(path) {
  const book = XLSX.readFile(path, { cellNF: true, cellFormula: true });
  return book.SheetNames.map((name) => {
    const sheet = book.Sheets[name];
    return { name, filter: sheet["!autofilter"], cells: cellsOf(sheet) };
  });
}

process.stdout.write(JSON.stringify(process.argv.slice(2).map(sheetsOf)));
