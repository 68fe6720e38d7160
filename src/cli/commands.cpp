#include "cli/commands.h"

namespace vlsi {

/// A command whose options and work are Action add_<name>(CLI::App&), of src/cli/.
#define COMMAND(word, does)                                        \
  Command {                                                        \
    .name = #word, .meaning = does, .add = [](CLI::App& command) { \
      Action add_##word(CLI::App&);                                \
      return add_##word(command);                                  \
    }                                                              \
  }

Table<Command>& commands() {
  static Table<Command> table{
      COMMAND(init, "Write a complete Hugging Face directory with random weights"),
      COMMAND(finetune, "Supervised fine-tuning of the student alone, by the finetune part of the file"),
      COMMAND(distill, "Verbalize, interact, fine-tune: the three steps of the method"),
      COMMAND(plan, "Memory, disk and time of a run, part by part, before anything is loaded"),
      COMMAND(cache, "The teacher's part of step 2, once, to disk: later runs need no teacher"),
      COMMAND(score, "Log-probabilities of the answers in a data file, one JSON line a conversation"),
      COMMAND(generate, "Answer one prompt, with or without pictures (greedy)"),
      COMMAND(chat, "A conversation in the terminal, with pictures"),
      COMMAND(serve, "A model behind the interface of OpenAI, and a page to try it"),
      COMMAND(answer, "Answer a data file's questions; the result is a data file (teacher labels)"),
      COMMAND(evaluate, "The score of a model, or of answers made elsewhere, on benchmarks"),
      COMMAND(table, "Results of several models side by side, in the columns of the paper's tables"),
      COMMAND(export, "A run's student as a Hugging Face directory, or its adapters as a PEFT directory"),
      COMMAND(inspect, "What is in a model, adapter, verbalizer, teacher cache or run directory"),
      COMMAND(lens, "What every layer says about one input, token by token"),
      COMMAND(report, "A page about one or several runs: curves, matches, what the layers say")};
  return table;
}

}  // namespace vlsi
