#include "cli/commands.h"

#include <sstream>

#include "run/version.h"

namespace vlsi {

/// A command whose options and work are Action add_<name>(CLI::App&), of src/cli/.
#define COMMAND(word, does, lines)                                                    \
  Command {                                                                           \
    .name = #word, .meaning = does, .examples = lines, .add = [](CLI::App& command) { \
      Action add_##word(CLI::App&);                                                   \
      return add_##word(command);                                                     \
    }                                                                                 \
  }

Table<Command>& commands() {
  static Table<Command> table{
      COMMAND(init, "Write a complete Hugging Face directory with random weights",
              "vlsi init --config config.json --tokenizer tokenizer --out untrained --dtype bfloat16"),
      COMMAND(finetune, "Supervised fine-tuning of the student alone, by the finetune part of the file",
              "vlsi finetune run.yaml --set out=finetuned --set optimizer.learning_rate=1e-5"),
      COMMAND(distill, "Verbalize, interact, fine-tune: the three steps of the method",
              "vlsi distill run.yaml\n"
              "vlsi distill run.yaml --resume"),
      COMMAND(plan, "Memory, disk and time of a run, part by part, before anything is loaded",
              "vlsi plan run.yaml\n"
              "vlsi plan run.yaml --set out=elsewhere --only interact --json"),
      COMMAND(data,
              "A run's data read through: records, pictures, tokens, lengths, what is there twice, what is broken",
              "vlsi data run.yaml\n"
              "vlsi data run.yaml --set data.workers=2 --json"),
      COMMAND(cache, "The teacher's part of step 2, once, to disk: later runs need no teacher",
              "vlsi cache run.yaml --set teacher.verbalizers=run/teacher-verbalizers --out teacher-cache"),
      COMMAND(score, "Log-probabilities of the answers in a data file, one JSON line a conversation",
              "vlsi score --model model --data data.json --images images --out scores.jsonl"),
      COMMAND(generate, "Answer one prompt, with or without pictures",
              "vlsi generate --model model --image picture.png --prompt \"What is this?\"\n"
              "vlsi generate --model model --prompt \"Hello\" --temperature 0.7 --seed 1 --max-new-tokens 20"),
      COMMAND(chat, "A conversation in the terminal, with pictures",
              "vlsi chat --model model\n"
              "printf \"Hello\\nWho are you?\\n\" | vlsi chat --model model --greedy"),
      COMMAND(serve, "A model behind the interface of OpenAI, and a page to try it",
              "vlsi serve --model model --port 8000"),
      COMMAND(answer, "Answer a data file's questions; the result is a data file (teacher labels)",
              "vlsi answer --model model --data data.json --images images --out answers.json"),
      COMMAND(evaluate, "The score of a model, or of answers made elsewhere, on benchmarks",
              "vlsi evaluate --benchmark easy-vqa --model model --data test.json --images images --out results\n"
              "vlsi evaluate --benchmark easy-vqa --data test.json --images images --predictions "
              "results/predictions.jsonl --out again"),
      COMMAND(table, "Results of several models side by side, in the columns of the paper's tables",
              "vlsi table results\n"
              "vlsi table Ours=results --format latex --out table.tex"),
      COMMAND(export, "A run's student as a Hugging Face directory, GGUF files, or its adapters as a PEFT directory",
              "vlsi export --run run --out student\n"
              "vlsi export --run run --out student-gguf --format gguf"),
      COMMAND(inspect, "What is in a model, adapter, verbalizer, teacher cache or run directory",
              "vlsi inspect model\n"
              "vlsi inspect run"),
      COMMAND(lens, "What every layer says about one input, token by token",
              "vlsi lens --model model --verbalizers run/student-verbalizers --image picture.png --prompt \"What is "
              "this?\""),
      COMMAND(study, "Stages, variants and seeds: runs all, resumes, prints tables with intervals",
              "vlsi study study.yaml --dry-run\n"
              "vlsi study study.yaml --page study.html"),
      COMMAND(report, "A page about one or several runs: curves, matches, what the layers say",
              "vlsi report run --out report.html"),
      COMMAND(completion, "What a shell reads to complete vlsi's commands and options",
              "vlsi completion bash > vlsi.bash"),
      COMMAND(man, "The manual page of vlsi and its commands", "vlsi man > vlsi.1")};
  return table;
}

std::string examples_text(const Command& command) {
  std::string text = "Examples:";
  std::istringstream lines(command.examples);
  for (std::string line; std::getline(lines, line);) text += "\n  " + line;
  return text;
}

std::unique_ptr<CLI::App> make_program(Action& action) {
  auto program = std::make_unique<CLI::App>(
      "Distil a large vision-language model into a small one by Verbalized Layers-to-Interactions.", "vlsi");
  program->require_subcommand(1);
  program->fallthrough();
  program->set_version_flag(
      "--version", [] { return version_text(); }, "Version, LibTorch, and what is used of this processor");
  for (const auto& entry : commands()) {
    auto* command = program->add_subcommand(entry.name, entry.meaning);
    command->footer(examples_text(entry));
    command->callback([&action, work = entry.add(*command)] { action = work; });
  }
  return program;
}

}  // namespace vlsi
