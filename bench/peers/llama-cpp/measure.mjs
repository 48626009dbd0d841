// Measures llama.cpp as `ashlar bench llm` measures Ashlar: a prompt of random tokens read in pieces of 512, then greedy tokens one by one.
//
//   node bench/peers/llama-cpp/measure.mjs MODEL.gguf [--prompt 512] [--generate 128] [--after 4096] [--threads N]
//   node bench/peers/llama-cpp/measure.mjs             only says which llama.cpp it is and what of the processor it uses
//
// Prints one JSON object a line: {"name":"llama.cpp.<model>.prompt512","value":..,"unit":"token/s"}. Warmed up once; the prompt is the median
// of three, a token the median over all after the first four. The same ids in every run. setup.sh must have run.
import { basename, join } from "node:path";
import { availableParallelism, homedir } from "node:os";
import { pathToFileURL } from "node:url";

const repeats = 3, skipped = 4, batchSize = 512, firstWord = 3;

const [path, ...rest] = process.argv.slice(2);
const asked = { prompt: 512, generate: 128, after: 0, threads: availableParallelism() };
for (let i = 0; i < rest.length; i += 2) {
    const name = rest[i].replace(/^--/, ""), value = Number(rest[i + 1]);
    if (!(name in asked)) throw new Error(`there is no option ${rest[i]}; there are ${Object.keys(asked).map(key => `--${key}`).join(", ")}`);
    if (!Number.isInteger(value) || value < 0) throw new Error(`${rest[i]} takes a whole number, not ${rest[i + 1]}`);
    asked[name] = value;
}
if (asked.generate <= skipped) throw new Error(`--generate must be more than ${skipped}: so many are made before the clock starts`);

const { getLlama } = await import(pathToFileURL(join(homedir(), ".cache/ashlar/peers/llama-cpp/node_modules/node-llama-cpp/dist/index.js")).href);
// Never builds and never downloads: what the package manager fetched is what runs.
const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, progressLogs: false, maxThreads: asked.threads, logLevel: "error" });
console.error(`llama.cpp ${llama.llamaCppRelease.release}, ${asked.threads} threads, ${llama.systemInfo.trim()}`);
if (!path) process.exit(0);

let clock = performance.now();
const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
const loaded = (performance.now() - clock) / 1000;
const longest = Math.max(asked.prompt, asked.after) + asked.generate + 32;
if (model.trainContextSize < longest) throw new Error(`${path} takes ${model.trainContextSize} tokens, and ${longest} are needed; lower --after`);
const context = await model.createContext({ contextSize: longest, batchSize, threads: { ideal: asked.threads, min: asked.threads }, sequences: 1 });
const text = context.getSequence();
const vocabulary = model.fileInfo.metadata.llama?.vocab_size ?? model.fileInfo.metadata.tokenizer.ggml.tokens.length;
const name = `llama.cpp.${basename(path, ".gguf")}`;

// Same ids in every run; xorshift, since JavaScript's own random numbers take no seed.
let state = 1;
function token() {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    return firstWord + (state >>> 0) % (vocabulary - firstWord);
}
const tokens = count => Array.from({ length: count }, token);
const median = values => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const report = (what, value, unit) => console.log(JSON.stringify({ name: `${name}.${what}`, value: Number(value.toPrecision(5)), unit }));

// Greedy: with temperature 0 the sampler takes the most likely token, and no probabilities are worked out or handed over.
const greedy = { generateNext: { token: true, options: { temperature: 0 } } };

// Reads tokens and gives the one that follows.
async function read(ids) {
    const input = [...ids.slice(0, -1), [ids.at(-1), greedy]];
    return (await text.controlledEvaluate(input)).at(-1).next.token;
}

async function prompt(count) {
    await text.clearHistory();
    const ids = tokens(count), before = performance.now();
    const next = await read(ids);
    return { next, seconds: (performance.now() - before) / 1000 };
}

async function decode(what, length) {
    let { next } = await prompt(length);
    const times = [];
    for (let i = 0; i < asked.generate; i++) {
        const before = performance.now();
        next = await read([next]);
        if (i >= skipped) times.push((performance.now() - before) / 1000);
    }
    report(what, 1 / median(times), "token/s");
}

clock = performance.now();
await prompt(asked.prompt);
report("first_token", loaded + (performance.now() - clock) / 1000, "s");
const speeds = [];
for (let i = 0; i < repeats; i++) speeds.push(asked.prompt / (await prompt(asked.prompt)).seconds);
report(`prompt${asked.prompt}`, median(speeds), "token/s");
await decode("decode", asked.prompt);
if (asked.after) await decode(`decode_after${asked.after}`, asked.after);
report("resident", process.memoryUsage().rss / 1e6, "MB");
if (context.currentThreads !== asked.threads) throw new Error(`llama.cpp used ${context.currentThreads} threads, not ${asked.threads}`);
process.exit(0);
