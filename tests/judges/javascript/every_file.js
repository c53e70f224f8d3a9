// What readers in JavaScript find in files: a line of JSON for each, in the order of the command line.
// Each argument is READER=PATH: sheetjs and exceljs read workbooks, hyparquet reads Parquet.
"use strict";

const { readFileSync } = require("node:fs");

/** What JSON has no number for: long integers, NaN and infinity. */
const plain = (_, value) =>
  typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value)) ? String(value) : value;

/** The rows of the first sheet, without its headings; dates and durations as {serial}. */
function sheetjs(path) {
  const XLSX = require("xlsx");
  const book = XLSX.readFile(path, { cellNF: true });
  const sheet = book.Sheets[book.SheetNames[0]];
  const { s, e } = XLSX.utils.decode_range(sheet["!ref"]);
  const valueOf = (cell) =>
    cell === undefined ? null : cell.t === "n" && XLSX.SSF.is_date(cell.z) ? { serial: cell.v } : cell.v;
  const rows = [];
  for (let row = s.r + 1; row <= e.r; row++) {
    const cells = [];
    for (let column = s.c; column <= e.c; column++) {
      cells.push(valueOf(sheet[XLSX.utils.encode_cell({ r: row, c: column })]));
    }
    rows.push(cells);
  }
  return rows;
}

/** The same. ExcelJS makes a JavaScript date of whatever is shown as one: {date}. */
async function exceljs(path) {
  const { Workbook } = require("exceljs");
  const book = new Workbook();
  await book.xlsx.readFile(path);
  const [sheet] = book.worksheets;
  const rows = [];
  for (let row = 2; row <= sheet.rowCount; row++) {
    const cells = [];
    for (let column = 1; column <= sheet.columnCount; column++) {
      const { value } = sheet.getCell(row, column);
      cells.push(value instanceof Date ? { date: value.toISOString() } : value);
    }
    rows.push(cells);
  }
  return rows;
}

/** The rows as arrays in the order of the columns; dates as {date}, bytes as {base64}. */
async function hyparquet(path) {
  const { parquetReadObjects } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  const bytes = readFileSync(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const valueOf = (value) => {
    if (value instanceof Date) return { date: value.toISOString() };
    if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") };
    return value === undefined ? null : value;
  };
  const rows = await parquetReadObjects({ file, compressors, utf8: false });
  return rows.map((row) => Object.values(row).map(valueOf));
}

const readers = { sheetjs, exceljs, hyparquet };

async function main() {
  for (const argument of process.argv.slice(2)) {
    const [reader, ...path] = argument.split("=");
    const rows = await readers[reader](path.join("="));
    process.stdout.write(JSON.stringify(rows, plain) + "\n");
  }
}

main();
