// A study: what its variants are worth beside the baseline, how they learned, and what their layers followed early and late.
import { useMemo } from "preact/hooks";
import { Chart } from "./chart";
import { dash, runColour } from "./colour";
import { kStepOrder, rank } from "./curves";
import type { Study, StudyDifference, StudyMatches, StudyTable } from "./data";
import { curveTitle, curveUnit, duration, memory, number, spread, stepTitle } from "./format";
import { HeatMap } from "./matching";

export function studyLinks(study: Study): [string, string][] {
  const links: [string, string][] = [["tables", "Tables"]];
  if (study.matches.length > 0) links.push(["matches", "Matches"]);
  if (study.curves.length > 0) links.push(["study-curves", "Curves"]);
  return links;
}

const score = (value: number): string => value.toFixed(1);
const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
const interval = (range: [number, number] | null): string => (range ? `${signed(range[0])} to ${signed(range[1])}` : "–");

function Scores({ table }: { table: StudyTable }) {
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={`Scores on ${table.evaluation}`}>
      <table class="numbers" data-table="scores">
        <caption>Mean ± standard deviation over seeds (number of seeds)</caption>
        <thead>
          <tr>
            <th scope="col">Variant</th>
            <th scope="col">Score</th>
            {table.categories.map((name) => (
              <th key={name} scope="col"><bdi>{name}</bdi></th>
            ))}
            <th scope="col">Time</th>
            <th scope="col">With what it is made from</th>
            <th scope="col">Peak memory</th>
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row) => (
            <tr key={row.variant}>
              <th scope="row"><bdi>{row.title}</bdi></th>
              <td>{spread(row.score, score)}</td>
              {table.categories.map((name) => (
                <td key={name}>{spread(row.categories[name], score)}</td>
              ))}
              <td>{spread(row.seconds, duration)}</td>
              <td>{spread(row.seconds_with_inputs, duration)}</td>
              <td>{spread(row.peak_memory_bytes, memory)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/// A difference with its interval over seeds, on the scale that all rows share.
function Whisker({ difference, low, high }: { difference: StudyDifference; low: number; high: number }) {
  const place = (value: number) => 4 + (192 * (value - low)) / (high - low);
  const [from, to] = difference.seeds_interval ?? [difference.mean, difference.mean];
  return (
    <svg class="whisker" width="200" height="16" aria-hidden="true">
      <line class="zero" x1={place(0)} x2={place(0)} y1="0" y2="16" />
      <line x1={place(from)} x2={place(to)} y1="8" y2="8" />
      <circle cx={place(difference.mean)} cy="8" r="3.5" />
    </svg>
  );
}

function Differences({ table }: { table: StudyTable }) {
  const rows = [
    ...table.rows.flatMap(({ title, difference }) => (difference ? [{ title, difference }] : [])),
    ...table.comparisons,
  ];
  if (rows.length === 0) return null;
  const ends = rows.flatMap(({ difference }) => [difference.mean, ...(difference.seeds_interval ?? [])]);
  const low = Math.min(0, ...ends);
  const high = Math.max(low + 1e-9, 0, ...ends);
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={`Differences on ${table.evaluation}`}>
      <table class="numbers" data-table="differences">
        <caption>
          Minus <bdi>{table.baseline}</bdi>{table.comparisons.length > 0 && ", or as each line says"}, seed by seed, with 95 % intervals: over seeds by Student’s t, over questions by the bootstrap
        </caption>
        <thead>
          <tr>
            <th scope="col">Variant</th>
            <th scope="col">Difference</th>
            <th scope="col">Over seeds</th>
            <th scope="col">Over questions</th>
            <th scope="col">Seeds</th>
            <th scope="col"><span class="visually-hidden">Picture of the difference and its interval over seeds</span></th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ title, difference }, index) => (
            <tr key={index}>
              <th scope="row"><bdi>{title}</bdi></th>
              <td>{signed(difference.mean)}</td>
              <td>{interval(difference.seeds_interval)}</td>
              <td>{interval(difference.questions_interval)}</td>
              <td>{difference.count}</td>
              <td><Whisker difference={difference} low={low} high={high} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/// The teacher layer that student layers follow in the mean.
function meanDepth(matches: StudyMatches, shares: number[][]): number | null {
  const rows = shares.filter((row) => row.some((share) => share > 0));
  if (rows.length === 0) return null;
  const depths = rows.map((row) => row.reduce((sum, share, t) => sum + share * matches.teacher_layers[t]!, 0));
  return depths.reduce((a, b) => a + b, 0) / depths.length;
}

function EarlyAndLate({ matches }: { matches: StudyMatches }) {
  const halves: ["early" | "late", string][] = [["early", "first half"], ["late", "second half"]];
  return (
    <article>
      <h3><bdi>{matches.title}</bdi></h3>
      <div class="maps">
        {halves.map(([half, words]) => (
          <HeatMap
            key={half}
            name={half}
            caption={`Share of each teacher layer, ${words}; in the mean layer ${number(meanDepth(matches, matches[half]), 3)}`}
            matching={matches}
            matrix={matches[half]}
            share={(value) => value}
            show={(value) => value.toFixed(2)}
          />
        ))}
      </div>
    </article>
  );
}

function StudyCurves({ study }: { study: Study }) {
  const steps = useMemo(() => {
    const variants = [...new Set(study.curves.flatMap((curve) => curve.lines.map((line) => line.variant)))];
    const charts = study.curves.map((curve) => ({
      ...curve,
      series: curve.lines.map((line) => {
        const index = variants.indexOf(line.variant);
        return { label: line.title, colour: runColour(index), dash: dash(Math.floor(index / 8)), x: line.x, y: line.mean, band: { low: line.low, high: line.high } };
      }),
    }));
    const names = [...new Set(charts.map((chart) => chart.step))].sort((a, b) => rank(kStepOrder, a) - rank(kStepOrder, b));
    return names.map((step) => ({ step, charts: charts.filter((chart) => chart.step === step) }));
  }, [study]);
  return (
    <section id="study-curves" aria-labelledby="study-curves-title">
      <h2 id="study-curves-title">Learning curves</h2>
      <p class="hint">Means over seeds and stretches of iterations; bands are one standard deviation between seeds. Drag over a stretch to zoom.</p>
      {steps.map(({ step, charts }) => (
        <section key={step}>
          <h3>{stepTitle(step)}</h3>
          <div class="charts">
            {charts.map((chart) => (
              <Chart key={chart.key} title={curveTitle(chart.key)} unit={curveUnit(chart.key)} series={chart.series} />
            ))}
          </div>
        </section>
      ))}
    </section>
  );
}

export function StudyPage({ study }: { study: Study }) {
  return (
    <>
      <section id="tables" aria-labelledby="tables-title">
        <h2 id="tables-title">Tables</h2>
        {study.tables.map((table) => (
          <article key={table.evaluation} data-evaluation={table.evaluation}>
            <h3><bdi>{table.evaluation}</bdi></h3>
            <Scores table={table} />
            <Differences table={table} />
          </article>
        ))}
      </section>
      {study.matches.length > 0 && (
        <section id="matches" aria-labelledby="matches-title">
          <h2 id="matches-title">Matches, early and late</h2>
          <p class="hint">Which teacher layer each student layer followed in both halves of the interaction, all seeds together.</p>
          {study.matches.map((matches) => (
            <EarlyAndLate key={matches.variant} matches={matches} />
          ))}
        </section>
      )}
      {study.curves.length > 0 && <StudyCurves study={study} />}
    </>
  );
}
