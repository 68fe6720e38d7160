// The server's interface, as the page of a served model uses it.
import type { Panel } from "./data";

export interface Page {
  model: string;
  needs_key: boolean;
  has_layers: boolean;
}
export interface Turn {
  role: "system" | "user" | "assistant";
  text: string;
  pictures: string[]; // data URLs
}
export interface Settings {
  key: string;
  temperature: string; // empty: the server's
  max_tokens: string;
}

export function readPage(): Page {
  return JSON.parse(document.getElementById("data")!.textContent!) as Page;
}

/// Pictures in front of the text, as the model families were trained.
function messageOf({ role, text, pictures }: Turn) {
  if (pictures.length === 0) return { role, content: text };
  const shown = pictures.map((url) => ({ type: "image_url", image_url: { url } }));
  return { role, content: [...shown, { type: "text", text }] };
}
export const messagesOf = (turns: Turn[]) => turns.map(messageOf);

async function post(path: string, body: object, key: string, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  const reply = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal: signal ?? null });
  if (reply.ok) return reply;
  const text = await reply.text();
  let message = `${reply.status} ${reply.statusText}`;
  try {
    message = (JSON.parse(text) as { error: { message: string } }).error.message;
  } catch {
    // no JSON: the status says what there is to say
  }
  throw new Error(message);
}

/// Calls `onText` with every new piece of the answer. The result says why it ended.
export async function ask(model: string, turns: Turn[], settings: Settings, signal: AbortSignal, onText: (text: string) => void): Promise<string> {
  const body: Record<string, unknown> = { model, messages: messagesOf(turns), stream: true };
  if (settings.temperature !== "") body.temperature = Number(settings.temperature);
  if (settings.max_tokens !== "") body.max_tokens = Number(settings.max_tokens);
  const reply = await post("v1/chat/completions", body, settings.key, signal);
  const reader = reply.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let reason = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const events = (rest + value).split("\n\n");
    rest = events.pop()!;
    for (const event of events) {
      const data = event.replace(/^data: /, "");
      if (data === "[DONE]") return reason;
      const piece = JSON.parse(data) as {
        error?: { message: string };
        choices?: { delta: { content?: string }; finish_reason: string | null }[];
      };
      if (piece.error) throw new Error(piece.error.message);
      const choice = piece.choices?.[0];
      if (choice?.delta.content) onText(choice.delta.content);
      if (choice?.finish_reason) reason = choice.finish_reason;
    }
  }
  throw new Error("the answer ended early");
}

export async function readLayers(turns: Turn[], answer: string, key: string): Promise<Panel> {
  return (await (await post("lens", { messages: messagesOf(turns), answer }, key)).json()) as Panel;
}
