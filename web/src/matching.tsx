// Which teacher layer each student layer followed, over the course of the interaction, beside the mean KL of all pairs.
import { useEffect, useState } from "preact/hooks";
import { heatText } from "./colour";
import type { Matching, Run, Stretch } from "./data";
import { number } from "./format";

type Matrix = (number | null)[][];

/// The mean of the matrices that there are, place by place.
function meanOf(matrices: (Matrix | null)[], matching: Matching): Matrix | null {
  const logged = matrices.filter((matrix) => matrix !== null);
  if (logged.length === 0) return null;
  return matching.student_layers.map((_, s) =>
    matching.teacher_layers.map((_, t) => {
      const values = logged.map((matrix) => matrix[s]![t]!).filter((value) => value !== null);
      return values.length > 0 ? values.reduce((a, b) => a + b, 0) / values.length : null;
    }),
  );
}

/// The sums of the counts of all stretches, and the means of their other matrices.
function wholeRun(matching: Matching): Stretch {
  const { stretches, student_layers, teacher_layers } = matching;
  return {
    first: stretches[0]!.first,
    last: stretches[stretches.length - 1]!.last,
    counts: student_layers.map((_, s) => teacher_layers.map((_, t) => stretches.reduce((sum, stretch) => sum + stretch.counts[s]![t]!, 0))),
    weights: meanOf(stretches.map((stretch) => stretch.weights), matching),
    losses: meanOf(stretches.map((stretch) => stretch.losses), matching),
  };
}

interface HeatMapProps {
  name: string;
  caption: string;
  matching: Pick<Matching, "student_layers" | "teacher_layers">;
  matrix: Matrix;
  share: (value: number, row: number) => number;
  show: (value: number) => string;
}

export function HeatMap({ name, caption, matching, matrix, share, show }: HeatMapProps) {
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={caption}>
      <table class="heat-map" data-map={name}>
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">
              student <span aria-hidden="true">↓</span> teacher <span aria-hidden="true">→</span>
            </th>
            {matching.teacher_layers.map((layer) => (
              <th key={layer} scope="col">
                {layer}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {matching.student_layers.map((student, row) => (
            <tr key={student}>
              <th scope="row">{student}</th>
              {matching.teacher_layers.map((teacher, column) => {
                const value = matrix[row]?.[column];
                const place = `student layer ${student}, teacher layer ${teacher}`;
                if (value === null || value === undefined) {
                  return (
                    <td key={teacher} title={`${place}: not a number`}>
                      –
                    </td>
                  );
                }
                const part = share(value, row);
                return (
                  <td key={teacher} class={heatText(part)} style={{ "--share": `${Math.round(100 * part)}%` }} title={`${place}: ${show(value)}`}>
                    {show(value)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function MatchingOfRun({ run, name }: { run: Run; name: string }) {
  const matching = run.matching!;
  const count = matching.stretches.length;
  const [place, setPlace] = useState(0); // 0: the whole run, then its stretches
  const [playing, setPlaying] = useState(false);

  useEffect(() => {
    if (!playing) return;
    const timer = setInterval(() => setPlace((p) => (p >= count ? 1 : p + 1)), 700);
    return () => clearInterval(timer);
  }, [playing, count]);

  const shown = place === 0 ? wholeRun(matching) : matching.stretches[Math.min(place, count) - 1]!;
  const isSquared = run.settings.differences.some((item) => item.key === "interact.intermediate_loss" && item.value === "l2");
  const rowSums = shown.counts.map((row) => row.reduce((a, b) => a + b, 0));
  // The colours of the losses keep their meaning while the slider moves.
  const all = matching.stretches.flatMap((stretch) => stretch.losses?.flat() ?? []).filter((value) => value !== null);
  const [low, high] = all.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  const where = `iterations ${shown.first} to ${shown.last}${place === 0 ? ", the whole run" : `, stretch ${Math.min(place, count)} of ${count}`}`;
  return (
    <section class="matching" aria-label={`Matching of ${name}`}>
      <div class="controls">
        <button type="button" onClick={() => setPlaying(!playing)} aria-pressed={playing}>
          {playing ? "■ stop" : "▶ play"}
        </button>
        <label class="field grow">
          Stretch of the run
          <input
            type="range"
            min={0}
            max={count}
            step={1}
            value={place}
            aria-valuetext={where}
            onInput={(event) => {
              setPlaying(false);
              setPlace(Number(event.currentTarget.value));
            }}
          />
        </label>
        <output class="where">{where}</output>
      </div>
      <div class="maps">
        {shown.weights ? (
          <HeatMap
            name="weights"
            caption="The mean weight of each teacher layer"
            matching={matching}
            matrix={shown.weights}
            share={(value) => value}
            show={(value) => number(value, 3)}
          />
        ) : (
          <HeatMap
            name="counts"
            caption="How often each teacher layer was chosen"
            matching={matching}
            matrix={shown.counts}
            share={(value, row) => (rowSums[row]! > 0 ? value / rowSums[row]! : 0)}
            show={String}
          />
        )}
        {shown.losses ? (
          <HeatMap
            name="losses"
            caption={`Mean ${isSquared ? "squared difference" : "KL, in nats,"} of every pair; the stronger the colour, the smaller`}
            matching={matching}
            matrix={shown.losses}
            share={(value) => (high > low ? 1 - (value - low) / (high - low) : 0)}
            show={(value) => number(value, 3)}
          />
        ) : (
          <p class="hint">The losses of all pairs were not logged in this stretch.</p>
        )}
      </div>
    </section>
  );
}
