// Numbers and names as people read them.
import type { Statistics } from "./data";

export function number(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 10 ** Math.max(6, digits))) return value.toExponential(2).replace("e-", "e−");
  return String(Number(value.toPrecision(digits)));
}

export function percent(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)} %`;
}

/// A score in per cent, or in points where the best possible one is not 100.
export function points(value: number | null | undefined, full: number | null): string {
  if (value === null || value === undefined) return "–";
  return full === 100 ? `${value.toFixed(1)} %` : value.toFixed(1);
}

export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export function memory(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return "–";
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(0)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/// Mean ± deviation, in the form that `show` gives one number.
export function spread(statistics: Statistics | null | undefined, show: (value: number) => string): string {
  if (!statistics) return "–";
  if (statistics.deviation === null) return show(statistics.mean);
  return `${show(statistics.mean)} ± ${show(statistics.deviation)} (${statistics.count})`;
}

/// Blanks, line ends and control characters as signs, so that a token of them can be seen.
export function visible(token: string): string {
  if (token === "") return "∅";
  const hexadecimal = (c: string) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return token.replace(/ /g, "␣").replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/[\x00-\x1f\x7f-\x9f]/g, hexadecimal);
}

const kStepTitles: Record<string, string> = {
  "verbalize-student": "Step 1: the student’s verbalizers",
  "verbalize-teacher": "Step 1: the teacher’s verbalizers",
  interact: "Step 2: interaction",
  finetune: "Step 3: fine-tuning",
};
export const stepTitle = (name: string): string => kStepTitles[name] ?? name;

/// What a key of metrics.jsonl is, and in which unit.
const kCurveTitles: Record<string, [string, string]> = {
  loss: ["Loss", "nats"],
  layer_loss: ["Verbalizer loss of every layer", "nats"],
  layer_loss_words: ["Verbalizer loss of every layer, without the end of turn", "nats"],
  last_kl: ["KL at the last layer", "nats"],
  last_l2: ["Squared difference at the last layer", ""],
  last_loss: ["Cross entropy at the last layer", "nats"],
  last_loss_words: ["Cross entropy at the last layer, without the end of turn", "nats"],
  last_reverse_kl: ["Reverse KL at the last layer", "nats"],
  last_reverse_kl_words: ["Reverse KL at the last layer, without the end of turn", "nats"],
  last_jsd: ["Jensen-Shannon divergence at the last layer", "nats"],
  last_jsd_words: ["Jensen-Shannon divergence at the last layer, without the end of turn", "nats"],
  last_skew_kl: ["Skewed KL at the last layer", "nats"],
  last_skew_kl_words: ["Skewed KL at the last layer, without the end of turn", "nats"],
  last_top_k_kl: ["KL of the likeliest words at the last layer", "nats"],
  last_top_k_kl_words: ["KL of the likeliest words at the last layer, without the end of turn", "nats"],
  visual_advantage: ["Visual advantage of the teacher", "nats"],
  visual_advantage_words: ["Visual advantage of the teacher, without the end of turn", "nats"],
  answer_loss: ["Cross entropy of the answers", "nats"],
  answer_loss_words: ["Cross entropy of the answers, without the end of turn", "nats"],
  learning_rate: ["Learning rate", ""],
  gradient_norm: ["Norm of the gradient", ""],
  tokens_per_second: ["Tokens per second", "1/s"],
  pairs: ["Interaction loss of every matched pair", ""],
};
export const curveTitle = (key: string): string => kCurveTitles[key]?.[0] ?? key;
export const curveUnit = (key: string): string => kCurveTitles[key]?.[1] ?? "";
