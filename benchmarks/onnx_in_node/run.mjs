// node run.mjs model.onnx input.json: one line of JSON with the outputs and the time of a run.
import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";

const RUNS = 20;
const [model, input] = process.argv.slice(2);
ort.env.wasm.numThreads = 1;

const session = await ort.InferenceSession.create(await readFile(model), { executionProviders: ["wasm"] });
const { name, dims, data } = JSON.parse(await readFile(input, "utf8"));
const feeds = { [name]: new ort.Tensor("float32", Float32Array.from(data), dims) };
let outputs = await session.run(feeds);

const start = performance.now();
for (let i = 0; i < RUNS; i++) outputs = await session.run(feeds);
const milliseconds = (performance.now() - start) / RUNS;

const found = Object.fromEntries(Object.entries(outputs).map(([k, t]) => [k, { dims: t.dims, data: Array.from(t.data) }]));
console.log(JSON.stringify({ runtime: `onnxruntime-web ${ort.env.versions?.web ?? ""}`.trim(), milliseconds, outputs: found }));
