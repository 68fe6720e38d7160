// The data that the program puts into the page (docs/formats.md, "Report data").

export interface Points {
  x: number[];
  y: (number | null)[];
}
export interface Curve extends Points {
  key: string;
  layer?: number | null;
  place?: number;
}
export interface PairCurve extends Points {
  student: number;
  teacher: number;
}
export interface Step {
  name: string;
  iterations: number;
  last_iteration: number;
  seconds: number;
  tokens: number;
  answer_tokens: number;
  validation: { iteration: number; validation_loss: number; validation_loss_words?: number } | null;
  curves: Curve[];
  pairs: PairCurve[];
}
export interface Stretch {
  first: number;
  last: number;
  counts: number[][];
  weights: (number | null)[][] | null; // instead of counts, where every pair takes part
  losses: (number | null)[][] | null;
}
export interface Matching {
  student_layers: number[];
  teacher_layers: number[];
  stretches: Stretch[];
}
export interface Candidate {
  token: number;
  text: string;
  probability: number;
}
export interface Reading {
  lens: "verbalizers" | "logit lens";
  answer: { text: string; tokens: { token: number; text: string }[]; given: boolean; finish_reason: "stop" | "length" };
  layers: { layer: number; output: boolean; text: string; positions: Candidate[][] }[];
}
export interface Panel extends Reading {
  role: "student-before" | "student-after" | "teacher" | "model";
  model: string;
  blank: Reading | null;
}
export interface Sample {
  id: string;
  category: string;
  question: string;
  expected: string;
  pictures: string[];
  problem: string | null;
  panels: Panel[];
}
export interface Run {
  name: string;
  path: string;
  notes: string[];
  lines: number;
  finished: boolean;
  settings: {
    method: string;
    seed: string;
    student: { model: string; layers: number[] };
    teacher: { model: string; layers: number[] };
    train: string[];
    validation: string[];
    planned: Record<string, number | null>; // null: known to the run alone
    differences: { key: string; value: string; default: string }[];
  };
  summary: { steps: { step: string; seconds: number | null }[]; peak_memory_bytes: number | null } | null;
  program: string | null;
  evaluations: {
    name: string;
    benchmark: string;
    score: number | null;
    full: number; // the best possible score: 100 per cent, or points
    total: number | null;
    categories: Record<string, number | null>;
  }[];
  steps: Step[];
  matching: Matching | null;
  samples: Sample[];
  sample_notes: string[];
}
export interface Statistics {
  mean: number;
  deviation: number | null;
  count: number;
}
export interface ComparisonRow {
  label: string;
  runs: number[];
  score: Statistics | null;
  full: number | null;
  categories: Record<string, Statistics>;
  seconds: Statistics | null;
  peak_memory_bytes: Statistics | null;
  validation_loss: Statistics | null;
}
export interface OverviewBenchmark {
  name: string;
  full: number; // the best possible score
}
export interface OverviewModel {
  name: string;
  billions: number | null; // of parameters; null: not known
  paper: boolean;
  shown: boolean; // by name and colour
  scores: Record<string, number>;
  profiles: Record<string, string>;
}
export interface Overview {
  benchmarks: OverviewBenchmark[];
  models: OverviewModel[];
}
export interface StudyDifference extends Statistics {
  seeds_interval: [number, number] | null;
  questions_interval: [number, number] | null;
}
export interface StudyRow {
  variant: string;
  title: string;
  score: Statistics;
  categories: Record<string, Statistics>;
  seconds: Statistics;
  seconds_with_inputs: Statistics;
  peak_memory_bytes: Statistics;
  difference: StudyDifference | null;
}
export interface StudyComparison {
  variant: string;
  minus: string; // another variant
  title: string;
  difference: StudyDifference;
}
export interface StudyTable {
  evaluation: string;
  baseline: string;
  categories: string[];
  rows: StudyRow[];
  comparisons: StudyComparison[];
}
export interface Band {
  x: number[];
  low: (number | null)[];
  high: (number | null)[];
}
export interface StudyCurve {
  step: string;
  key: string;
  lines: (Band & { variant: string; title: string; mean: number[] })[];
}
export interface StudyMatches {
  variant: string;
  title: string;
  student_layers: number[];
  teacher_layers: number[];
  early: number[][];
  late: number[][];
}
export interface Study {
  name: string;
  tables: StudyTable[];
  curves: StudyCurve[];
  matches: StudyMatches[];
}
export interface Report {
  format: number;
  live: boolean;
  runs: Run[];
  comparison: ComparisonRow[];
  lens: Sample | null;
  overview: Overview | null;
  study?: Study;
}

export function readData(): Report {
  return JSON.parse(document.getElementById("data")!.textContent!) as Report;
}

/// A name for each run: its folder's, or its whole path where several folders have that name.
export function runNames(runs: Run[]): string[] {
  return runs.map((run) => (runs.filter((other) => other.name === run.name).length > 1 ? run.path : run.name));
}
