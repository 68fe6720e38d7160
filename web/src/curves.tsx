// The curves of every step. Single numbers of several runs share a chart; layers and pairs are those of one run.
import { useMemo, useState } from "preact/hooks";
import { Chart, type Series } from "./chart";
import { dash, depthColour, runColour } from "./colour";
import type { Run, Step } from "./data";
import { runNames } from "./data";
import { curveTitle, curveUnit, stepTitle } from "./format";

export const kStepOrder = ["verbalize-student", "verbalize-teacher", "interact", "finetune"];
/// Charts in this order, then whatever else the metrics hold.
const kKeyOrder = ["layer_loss_words", "layer_loss", "pairs", "last_kl", "loss", "answer_loss", "answer_loss_words", "learning_rate", "tokens_per_second", "gradient_norm"];

export const rank = (order: string[], name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);

function stepOf(run: Run, name: string): Step | undefined {
  return run.steps.find((step) => step.name === name);
}

function layerSeries(step: Step, key: string): Series[] {
  const curves = step.curves.filter((curve) => curve.key === key);
  return curves.map((curve, i) => ({
    label: curve.layer == null ? `number ${curve.place}` : `layer ${curve.layer}`,
    colour: depthColour(i, curves.length),
    x: curve.x,
    y: curve.y,
  }));
}

function pairSeries(step: Step): Series[] {
  const teachers = [...new Set(step.pairs.map((pair) => pair.teacher))].sort((a, b) => a - b);
  const students = [...new Set(step.pairs.map((pair) => pair.student))].sort((a, b) => a - b);
  return step.pairs.map((pair) => ({
    label: `student ${pair.student} ← teacher ${pair.teacher}`,
    colour: depthColour(teachers.indexOf(pair.teacher), teachers.length),
    dash: dash(students.indexOf(pair.student)),
    x: pair.x,
    y: pair.y,
  }));
}

function StepCurves({ name, runs, names, chosen }: { name: string; runs: Run[]; names: string[]; chosen: number }) {
  const charts = useMemo(() => {
    const keys = new Map<string, boolean>(); // key -> one number a layer
    for (const run of runs) for (const curve of stepOf(run, name)?.curves ?? []) keys.set(curve.key, curve.place !== undefined);
    if (runs.some((run) => (stepOf(run, name)?.pairs.length ?? 0) > 0)) keys.set("pairs", true);
    const ordered = [...keys].sort(([a], [b]) => rank(kKeyOrder, a) - rank(kKeyOrder, b) || a.localeCompare(b));
    return ordered.map(([key, isList]) => {
      if (isList) {
        const step = stepOf(runs[chosen]!, name);
        return { key, series: !step ? [] : key === "pairs" ? pairSeries(step) : layerSeries(step, key) };
      }
      const series = runs.flatMap((run, i) => {
        const curve = stepOf(run, name)?.curves.find((item) => item.key === key && item.place === undefined);
        return curve ? [{ label: names[i]!, colour: runColour(i), dash: dash(Math.floor(i / 8)), x: curve.x, y: curve.y }] : [];
      });
      return { key, series };
    });
  }, [runs, name, chosen]);
  return (
    <section>
      <h3>{stepTitle(name)}</h3>
      <div class="charts">
        {charts
          .filter((chart) => chart.series.length > 0)
          .map((chart) => (
            <Chart key={chart.key} title={curveTitle(chart.key)} unit={curveUnit(chart.key)} series={chart.series} />
          ))}
      </div>
    </section>
  );
}

export function Curves({ runs }: { runs: Run[] }) {
  const [chosen, setChosen] = useState(0);
  const names = runNames(runs);
  const steps = [...new Set(runs.flatMap((run) => run.steps.map((step) => step.name)))].sort((a, b) => rank(kStepOrder, a) - rank(kStepOrder, b));
  if (steps.length === 0) return null;
  return (
    <section id="curves" aria-labelledby="curves-title">
      <h2 id="curves-title">Curves</h2>
      <p class="hint">Drag over a stretch of iterations to zoom. Long curves are thinned out; their ends, lowest and highest values stay.</p>
      {runs.length > 1 && (
        <label class="field">
          Layers and pairs of
          <select value={chosen} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
            {names.map((name, i) => (
              <option key={i} value={i}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {steps.map((name) => (
        <StepCurves key={name} name={name} runs={runs} names={names} chosen={Math.min(chosen, runs.length - 1)} />
      ))}
    </section>
  );
}
