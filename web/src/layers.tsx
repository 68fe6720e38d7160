// What every layer says about a sample: a table a model, layers from deep to shallow, one column a token of the answer.
import { useState } from "preact/hooks";
import { heatText } from "./colour";
import type { Candidate, Matching, Panel, Reading, Sample } from "./data";
import { percent, visible } from "./format";

/// A student layer's teacher layer: the one that it followed most in the last stretch of the run.
interface Link {
  student: number;
  teacher: number;
  share: number;
}

export function linksOf(matching: Matching | null): Link[] {
  const last = matching?.stretches[matching.stretches.length - 1];
  if (!matching || !last) return [];
  return matching.student_layers.flatMap((student, row) => {
    const counts = last.weights ? last.weights[row]!.map((weight) => weight ?? 0) : last.counts[row]!;
    const sum = counts.reduce((a, b) => a + b, 0);
    if (sum === 0) return [];
    const best = counts.indexOf(Math.max(...counts));
    return [{ student, teacher: matching.teacher_layers[best]!, share: counts[best]! / sum }];
  });
}

function Token({ candidates }: { candidates: Candidate[] }) {
  const best = candidates[0]!;
  const title = candidates.map((item) => `${visible(item.text)} ${percent(item.probability)}`).join("\n");
  return (
    <td class={`token ${heatText(best.probability)}`} style={{ "--share": `${Math.round(100 * best.probability)}%` }} title={title}>
      <bdi class="text">{visible(best.text)}</bdi>
      <span class="probability">{percent(best.probability)}</span>
    </td>
  );
}

/// Whose layers a table shows.
function titleOf(role: Panel["role"], method: string): string {
  if (role === "teacher") return "Teacher";
  if (role === "student-before") return "Student before";
  return role === "student-after" ? `Student after ${method || "the run"}` : "Model";
}

function rowsOf(reading: Reading) {
  return [...reading.layers].reverse();
}

export interface GridProps {
  panel: Panel;
  reading: Reading;
  title: string;
  links: Link[];
  blank: boolean;
}

export function Grid({ panel, reading, title, links, blank }: GridProps) {
  const linkText = (layer: number): string => {
    if (panel.role === "student-after") return links.filter((l) => l.student === layer).map((l) => `follows teacher ${l.teacher}`).join(", ");
    if (panel.role === "teacher") return links.filter((l) => l.teacher === layer).map((l) => `led student ${l.student}`).join(", ");
    return "";
  };
  return (
    <div class="panel" data-role={panel.role}>
      <h4>{title}</h4>
      <p class="says">
        {reading.answer.given ? "reads along: " : "says: "}
        <bdi class="answer">{reading.answer.text || "(nothing)"}</bdi>
      </p>
      <p class="how">{reading.lens === "verbalizers" ? "read by its verbalizers" : "logit lens: final norm and language head, no verbalizers"}</p>
      <div class="scroll" tabIndex={0} role="group" aria-label={`${title}${blank ? ", blank picture" : ""}: layers by tokens`}>
        <table class="grid">
          <thead>
            <tr>
              <th scope="col">layer</th>
              {reading.layers[0]!.positions.map((_, i) => (
                <th key={i} scope="col">
                  <bdi>{i < reading.answer.tokens.length ? visible(reading.answer.tokens[i]!.text) : "(end)"}</bdi>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rowsOf(reading).map((row) => (
              <tr key={`${row.layer} ${row.output}`} data-layer={row.output ? "output" : row.layer}>
                <th scope="row">
                  {row.output ? "output" : row.layer}
                  {!row.output && linkText(row.layer) && <span class="link-text">{linkText(row.layer)}</span>}
                </th>
                {row.positions.map((candidates, i) => (
                  <Token key={i} candidates={candidates} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

const kRowHeight = 44; // as in the style sheet

/// Lines between the rows of the student after and of the teacher beside it.
function Links({ links, student, teacher }: { links: Link[]; student: Reading; teacher: Reading }) {
  const height = Math.max(student.layers.length, teacher.layers.length) * kRowHeight;
  // The tables stand on one line, their shallowest layers side by side.
  const y = (reading: Reading, layer: number): number => {
    const place = reading.layers.findIndex((item) => !item.output && item.layer === layer);
    return place < 0 ? NaN : height - (place + 0.5) * kRowHeight;
  };
  return (
    <div class="links">
      <svg width="56" height={height} viewBox={`0 0 56 ${height}`} aria-hidden="true">
        {links.map((link) => {
          const [from, to] = [y(student, link.student), y(teacher, link.teacher)];
          if (Number.isNaN(from) || Number.isNaN(to)) return null;
          return (
            <path
              key={link.student}
              d={`M 0 ${from} C 28 ${from}, 28 ${to}, 56 ${to}`}
              stroke-width={1.5 + 2.5 * link.share}
            >
              <title>{`student ${link.student} follows teacher ${link.teacher}, ${percent(link.share)} of the last stretch`}</title>
            </path>
          );
        })}
      </svg>
    </div>
  );
}

export function SampleCard({ sample, method, matching }: { sample: Sample; method: string; matching: Matching | null }) {
  const [blank, setBlank] = useState(false);
  const links = linksOf(matching);
  const readingOf = (panel: Panel): Reading => (blank && panel.blank ? panel.blank : panel);
  const after = sample.panels.find((panel) => panel.role === "student-after");
  const teacher = sample.panels.find((panel) => panel.role === "teacher");
  // Then every table scrolls by itself, so that the models stay side by side.
  const isLong = sample.panels.length > 1 && sample.panels.some((panel) => readingOf(panel).layers[0]!.positions.length > 6);
  const hasBlank = sample.panels.some((panel) => panel.blank !== null);
  return (
    <article class="sample" data-sample={sample.id}>
      <div class="question">
        {sample.pictures.map((picture, i) => (
          <img key={i} src={picture} alt={`picture ${i + 1} of the question`} class={blank ? "blanked" : ""} />
        ))}
        <div>
          <p>
            <strong>Question:</strong> <bdi class="pre">{sample.question}</bdi>
          </p>
          {sample.expected && (
            <p>
              <strong>Answer in the data:</strong> <bdi class="pre">{sample.expected}</bdi>
            </p>
          )}
          {(sample.id || sample.category) && (
            <p class="hint">
              <bdi>{[sample.id && `record ${sample.id}`, sample.category].filter(Boolean).join(", ")}</bdi>
            </p>
          )}
          {hasBlank && (
            <label class="check">
              <input type="checkbox" checked={blank} onChange={(event) => setBlank(event.currentTarget.checked)} /> blank the picture
            </label>
          )}
        </div>
      </div>
      {sample.problem && <p class="note">{sample.problem}</p>}
      <div class={`panels ${isLong ? "long" : ""}`} tabIndex={0} role="group" aria-label="models side by side">
        {sample.panels.map((panel) => [
          panel === teacher && after && links.length > 0 && (
            <Links key="links" links={links} student={readingOf(after)} teacher={readingOf(teacher)} />
          ),
          <Grid key={panel.role} panel={panel} reading={readingOf(panel)} title={titleOf(panel.role, method)} links={links} blank={blank} />,
        ])}
      </div>
    </article>
  );
}
