// What the runs are and what came out of them.
import type { ComparisonRow, Run } from "./data";
import { runNames } from "./data";
import { duration, memory, number, points, spread, stepTitle } from "./format";

function Progress({ run }: { run: Run }) {
  const planned = Object.entries(run.settings.planned);
  if (planned.length === 0) return null;
  return (
    <ul class="steps">
      {planned.map(([name, total]) => {
        const step = run.steps.find((item) => item.name === name);
        const done = step?.last_iteration ?? 0;
        return (
          <li key={name}>
            {stepTitle(name)}: {done}{total !== null && ` of ${total}`} iterations{step ? `, ${duration(step.seconds)}` : ""}
            {total !== null && <progress value={done} max={total} aria-label={`${stepTitle(name)}: ${done} of ${total}`} />}
          </li>
        );
      })}
    </ul>
  );
}

function RunCard({ run, name }: { run: Run; name: string }) {
  const { settings } = run;
  const seconds = run.steps.reduce((sum, step) => sum + step.seconds, 0);
  const validation = [...run.steps].reverse().find((step) => step.validation)?.validation;
  return (
    <article class="run" data-run={name}>
      <h3>
        <bdi>{name}</bdi> <span class={run.finished ? "badge" : "badge running"}>{run.finished ? "finished" : "not finished"}</span>
      </h3>
      {run.notes.length > 0 && (
        <ul class="notes">
          {run.notes.map((note) => (
            <li key={note} class="note">
              {note}
            </li>
          ))}
        </ul>
      )}
      <dl>
        {settings.method && <><dt>Method</dt><dd>{settings.method}</dd></>}
        {settings.student.model && <><dt>Student</dt><dd><bdi>{settings.student.model}</bdi>{settings.student.layers.length > 0 && `, layers ${settings.student.layers.join(", ")}`}</dd></>}
        {settings.teacher.model && <><dt>Teacher</dt><dd><bdi>{settings.teacher.model}</bdi>{settings.teacher.layers.length > 0 && `, layers ${settings.teacher.layers.join(", ")}`}</dd></>}
        {settings.train.length > 0 && <><dt>Training data</dt><dd><bdi>{settings.train.join(", ")}</bdi></dd></>}
        {settings.seed && <><dt>Seed</dt><dd>{settings.seed}</dd></>}
        <dt>Time</dt><dd>{duration(seconds)}</dd>
        {run.summary && <><dt>Peak memory</dt><dd>{memory(run.summary.peak_memory_bytes)}</dd></>}
        <dt>Tokens</dt><dd>{number(run.steps.reduce((sum, step) => sum + step.tokens, 0), 9)}</dd>
        {validation && <><dt>Validation loss</dt><dd>{number(validation.validation_loss)} nats</dd></>}
        {run.program && <><dt>Program</dt><dd>{run.program}</dd></>}
        {run.evaluations.map((evaluation) => (
          <><dt>Score</dt><dd>{points(evaluation.score, evaluation.full)}{evaluation.full !== 100 && ` of ${evaluation.full}`} on <bdi>{evaluation.benchmark}</bdi> ({number(evaluation.total, 9)} questions)</dd></>
        ))}
      </dl>
      <Progress run={run} />
    </article>
  );
}

function Comparison({ rows, names }: { rows: ComparisonRow[]; names: string[] }) {
  const categories = [...new Set(rows.flatMap((row) => Object.keys(row.categories)))].sort();
  const hasScore = rows.some((row) => row.score);
  const hasLoss = rows.some((row) => row.validation_loss);
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label="Final numbers of all runs">
      <table class="numbers" data-table="comparison">
        <caption>Final numbers; mean ± standard deviation (number of runs) where runs differ only in their seed</caption>
        <thead>
          <tr>
            <th scope="col">What</th>
            {hasScore && <th scope="col">Score</th>}
            {categories.map((category) => (
              <th key={category} scope="col"><bdi>{category}</bdi></th>
            ))}
            {hasLoss && <th scope="col">Validation loss</th>}
            <th scope="col">Time</th>
            <th scope="col">Peak memory</th>
            <th scope="col">Runs</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.label}>
              <th scope="row"><bdi>{row.label}</bdi></th>
              {hasScore && <td>{spread(row.score, (value) => points(value, row.full))}</td>}
              {categories.map((category) => (
                <td key={category}>{spread(row.categories[category], (value) => points(value, row.full))}</td>
              ))}
              {hasLoss && <td>{spread(row.validation_loss, number)}</td>}
              <td>{spread(row.seconds, duration)}</td>
              <td>{spread(row.peak_memory_bytes, memory)}</td>
              <td class="runs"><bdi>{row.runs.map((index) => names[index]).join(", ")}</bdi></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Differences({ runs, names }: { runs: Run[]; names: string[] }) {
  const keys = [...new Set(runs.flatMap((run) => run.settings.differences.map((item) => item.key)))];
  if (keys.length === 0) return null;
  const valueOf = (run: Run, key: string) => run.settings.differences.find((item) => item.key === key);
  return (
    <details open={runs.length === 1}>
      <summary>Configuration: what differs from the defaults</summary>
      <div class="scroll" tabIndex={0} role="group" aria-label="Configuration differences">
        <table class="numbers" data-table="configuration">
          <thead>
            <tr>
              <th scope="col">Key</th>
              <th scope="col">Default</th>
              {names.map((name) => (
                <th key={name} scope="col"><bdi>{name}</bdi></th>
              ))}
            </tr>
          </thead>
          <tbody>
            {keys.map((key) => (
              <tr key={key}>
                <th scope="row"><bdi>{key}</bdi></th>
                <td class="default"><bdi>{runs.map((run) => valueOf(run, key)?.default).find((text) => text !== undefined) || "–"}</bdi></td>
                {runs.map((run, i) => {
                  const found = valueOf(run, key);
                  return <td key={i} class={found ? "" : "default"}><bdi>{found ? found.value || "(empty)" : "as default"}</bdi></td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

export function Summary({ runs, comparison }: { runs: Run[]; comparison: ComparisonRow[] }) {
  const names = runNames(runs);
  return (
    <section id="summary" aria-labelledby="summary-title">
      <h2 id="summary-title">Summary</h2>
      {runs.length > 1 && <Comparison rows={comparison} names={names} />}
      <div class="runs-list">
        {runs.map((run, i) => (
          <RunCard key={run.path} run={run} name={names[i]!} />
        ))}
      </div>
      <Differences runs={runs} names={names} />
    </section>
  );
}
