// Joins the turns that beside.sh took, ours.1 theirs.1 ours.2 theirs.2 and so on in a folder: prints a table, appends to a file of results.
//
//   node compare.mjs TURNS RESULTS.jsonl
//
// The file gets the line that describes the machine, our own figures of every turn against the machine's limits, and then for each figure that
// both measured a line whose limit is llama.cpp's value: {"name":"llm.<model>.decode.llama_cpp","value":ours,"unit":..,"limit":theirs,"ratio":..,
// "turns":[[ours,theirs],..]}. Value and limit are medians, the ratio is the median over the turns of ours by theirs.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folder, results] = process.argv.slice(2);
const lines = name => readFileSync(join(folder, name), "utf8").trim().split("\n").map(line => JSON.parse(line));
const round = value => Number(value.toPrecision(5));
function median(values) {
    const sorted = values.toSorted((a, b) => a - b), half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

const ours = [], theirs = [];
for (let turn = 1; existsSync(join(folder, `theirs.${turn}`)); turn++) {
    ours.push(lines(`ours.${turn}`));
    theirs.push(lines(`theirs.${turn}`));
}
const [machine] = ours[0];
const kept = [machine, ...ours.flat().filter(line => line.name)];
const rows = [];
for (const { name, unit } of theirs[0]) {
    const own = name.replace(/^llama\.cpp\./, "llm.");
    const turns = ours.map((figures, turn) => [figures, theirs[turn]].map((of, side) => of.find(figure => figure.name === [own, name][side])?.value));
    if (turns.flat().some(value => value === undefined)) throw new Error(`${own} is not in every turn`);
    const value = round(median(turns.map(([mine]) => mine))), limit = round(median(turns.map(([, other]) => other)));
    const ratio = round(median(turns.map(([mine, other]) => mine / other)));
    kept.push({ name: `${own}.llama_cpp`, value, unit, limit, ratio, turns });
    rows.push({ figure: own, ashlar: value, "llama.cpp": limit, unit, ratio: ratio.toFixed(2), turns: turns.map(([mine, other]) => (mine / other).toFixed(2)).join(" ") });
}
console.table(rows);
appendFileSync(results, kept.map(line => JSON.stringify(line) + "\n").join(""));
