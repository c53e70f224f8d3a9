// The rows of Parquet files, by two readers in JavaScript, as JSON on standard output.

const { readFileSync } = require("node:fs");
const parquetjs = require("parquetjs-lite");

const plain = (_, value) => (typeof value === "bigint" ? String(value) : value);

async function withParquetjs(path) {
  const reader = await parquetjs.ParquetReader.openFile(path);
  const cursor = reader.getCursor();
  const rows = [];
  for (let row = await cursor.next(); row; row = await cursor.next()) rows.push(row);
  await reader.close();
  return rows;
}

async function main() {
  const { parquetReadObjects } = await import("hyparquet");
  const [all, withoutDecimals] = process.argv.slice(2);
  const bytes = readFileSync(all);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const found = {
    hyparquet: await parquetReadObjects({ file }),
    parquetjs: await withParquetjs(withoutDecimals),
  };
  process.stdout.write(JSON.stringify(found, plain));
}

main();
