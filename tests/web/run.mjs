// Run directories and pages for the tests of the pages: made once, by the program itself.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const source = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const program = process.env.VLSI ?? join(source, "build/release/vlsi");
const tiny = join(source, "tests/data/tiny");
const images = join(source, "tests/data/images");

export const folder = mkdtempSync(join(tmpdir(), "vlsi-web-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

export const evil = "<script>window.evil = true</script><img src=x onerror='window.evil = true'>";
export const markup = "<script>alert(1)</script><b>own</b>";
export const hebrew = "מה צבע הצורה?";

export function vlsi(...args) {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/// The lines of a run's metrics.
export function metrics(run) {
  return readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
}

function writeData(path) {
  const record = (id, image, question, answer, category) => ({
    id, category, image,
    conversations: [{ from: "human", value: `<image>\n${question}` }, { from: "gpt", value: answer }],
  });
  writeFileSync(path, JSON.stringify([
    record("plain", "rgb_8.png", "what color is the shape?", "red", "color"),
    record(evil, "gray_8.png", `${evil}?`, evil, evil),
    record("rtl", "rgba_8.png", hebrew, "אדום", "צבע"),
    record("last", "palette_8.png", "is there a circle?", "yes", "yesno"),
  ]));
}

/// A run of the three steps with matches that differ over its course.
export function makeRun() {
  writeData(join(folder, "data.json"));
  for (const [model, seed] of [["student", "1"], ["teacher", "2"]]) {
    vlsi("init", "--config", join(tiny, `${model}.json`), "--tokenizer", join(tiny, "tokenizer"), "--out", join(folder, model), "--seed", seed);
  }
  const run = join(folder, "run");
  writeFileSync(join(folder, "run.yaml"), `out: ${run}
seed: 3
dtype: float32
threads: 1
teacher: {model: ${join(folder, "teacher")}, layers: [1, 2, 3]}
student: {model: ${join(folder, "student")}, layers: [1, 2]}
data:
  train: [{path: ${join(tiny, "train.json")}}]
  validation: [{path: ${join(folder, "data.json")}, images: ${images}}]
  batch_tokens: 300
optimizer: {learning_rate: 1.0e-3, accumulate: 2}
verbalize: {iterations: 12}
interact: {iterations: 60, train: [decoder], kl_matrix_every: 5}
finetune: {iterations: 10}
`);
  vlsi("distill", join(folder, "run.yaml"));
  return run;
}

/// A copy of the run whose metrics have gaps, a strange line, and no end.
export function makeBrokenRun(run) {
  const broken = join(folder, "broken");
  mkdirSync(broken);
  cpSync(join(run, "config.yaml"), join(broken, "config.yaml"));
  const lines = metrics(run).map((line) => {
    if (line.step === "interact" && [7, 8].includes(line.iteration)) return JSON.stringify(line).replace(/"loss":[^,]*/, '"loss":NaN');
    if (line.step === "interact" && line.iteration === 9) return JSON.stringify({ step: "interact", iteration: 9 });
    return JSON.stringify(line);
  });
  const text = lines.join("\n");
  writeFileSync(join(broken, "metrics.jsonl"), text.slice(0, text.length - 10));
  return broken;
}

/// Two models' results, NAME=FOLDER each: one with a name that wants to be markup, and one whose model can be counted.
export function makeResults() {
  const results = (name, scores, model) => {
    for (const [benchmark, score] of Object.entries(scores)) {
      const place = join(folder, name, benchmark);
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, "results.json"), JSON.stringify({ benchmark, profile: "vlsi", model, score }));
    }
    return join(folder, name);
  };
  return [`${markup}=${results("results-a", { "mm-vet": 56.2, mme: 1800, mmmu: 44.5, ai2d: 71, mmstar: 50.1, blink: 44, mathvista: 55.5 })}`,
          `ours=${results("results-b", { "mm-vet": 61.5, mme: 2001, mmmu: 49.9, ai2d: 80.4, mmstar: 61, blink: 51, mathvista: 60 }, join(folder, "student"))}`];
}

/// A served report: {address, stop}.
export function serve(run) {
  return start("report", run, "--serve", "0", "--samples", "0");
}

/// The run's model, with its verbalizers, behind a server: {address, stop}.
export function serveModel(run, ...more) {
  return start("serve", "--model", join(run, "model"), "--verbalizers", join(run, "student-verbalizers"), "--head", join(folder, "student"),
               "--name", "tiny", "--port", "0", "--greedy", "--threads", "1", ...more);
}

function start(...args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
  return new Promise((done, failed) => {
    child.once("error", failed);
    child.stdout.once("data", (text) => done({ address: String(text).trim(), stop: () => child.kill("SIGINT") }));
  });
}

/// The page of a study of two variants with two seeds, on the models and data of makeRun.
export function makeStudyPage() {
  const base = (more) => `dtype: float32
teacher: {model: ${join(folder, "teacher")}, layers: [1, 2, 3]}
student: {model: ${join(folder, "student")}, layers: [1, 2]}
data: {train: [{path: ${join(tiny, "train.json")}}], batch_tokens: 300}
optimizer: {learning_rate: 1.0e-3}
${more}`;
  writeFileSync(join(folder, "words.yaml"), base("verbalize: {iterations: 4}\ninteract: {iterations: 0}\nfinetune: {iterations: 0}\n"));
  writeFileSync(join(folder, "distilled.yaml"), base("interact: {iterations: 16, train: [decoder]}\nfinetune: {iterations: 4}\n"));
  writeFileSync(join(folder, "study.yaml"), `out: ${join(folder, "study")}
seeds: [1, 2]
threads: 1
baseline: last
stages:
  - {name: words, command: distill, run: ${join(folder, "words.yaml")}}
  - name: distilled
    command: distill
    run: ${join(folder, "distilled.yaml")}
    set: [teacher.verbalizers=$words/teacher-verbalizers, student.verbalizers=$words/student-verbalizers]
variants:
  - {name: vlsi, title: ${JSON.stringify(evil)}}
  - {name: random, title: Random ordered matches, set: [interact.matching.temperature=1e9]}
  - {name: last, title: Last layer alone, set: [interact.intermediate_loss=none]}
compare: [{variant: vlsi, minus: random}]
evaluate:
  - {name: answers, options: [benchmark=easy-vqa, data=${join(tiny, "train.json")}, max-new-tokens=2]}
`);
  const page = join(folder, "study.html");
  vlsi("study", join(folder, "study.yaml"), "--page", page);
  return page;
}
