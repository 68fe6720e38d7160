// vlsi report: a page about one or several runs, as a file or served while they go on.
#include "report/report.h"

#include <iostream>
#include <optional>

#include "base/atomic_file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "report/page.h"
#include "serve/app.h"
#include "serve/report_pages.h"
#include "train/run_directory.h"

namespace vlsi {
namespace {

struct ReportOptions {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path out;
  std::optional<int> port;
  std::string host = "127.0.0.1";
  SampleOptions samples;
  OverviewOptions overview;
  int64_t threads = 0;
};

int serve(const ReportOptions& options) {
  catch_interrupts();
  App app({.host = options.host, .port = *options.port});  // before anything is read, which may take long
  ReportPages report(Report(options.runs, options.samples, options.overview));
  std::cout << app.address() << std::endl;
  log_info("serving until Ctrl-C");
  app.run(report.pages(), std::chrono::milliseconds(500), [&] {
    report.refresh();
    return !interrupted();
  });
  return 0;
}

int run(const ReportOptions& options) {
  if (options.out.empty() == !options.port) fail("vlsi report wants either --out FILE.html or --serve PORT");
  if (options.runs.empty() && options.overview.results.empty() && !options.overview.with_paper)
    fail("vlsi report wants run directories, --results or --with-paper");
  use_threads(options.threads);
  check_device(options.samples.device);
  if (std::filesystem::is_directory(options.out))
    fail("writing the report to ", options.out.string(), ": it is a directory, expected a file name");
  if (options.port) return serve(options);
  for (const auto& run : options.runs)
    expect_apart(options.out, "--out", {run / kRunMetricsFile, run / kRunConfigFile});
  AtomicFile out(options.out);
  Report report(options.runs, options.samples, options.overview);
  out.write(page_html(report.data(/*live=*/false)));
  out.commit();
  std::cout << options.out.string() << "\n";
  return 0;
}

}  // namespace

Action add_report(CLI::App& command) {
  auto options = std::make_shared<ReportOptions>();
  command.add_option("runs", options->runs, "run directories");
  command.add_option("--results", options->overview.results,
                     "for the overview of benchmarks: folders of `vlsi evaluate --out`, one a model; NAME=FOLDER names "
                     "it");
  command.add_flag("--with-paper", options->overview.with_paper, "in the overview, the models of the paper's tables");
  command.add_option("--out", options->out, "the page to write, one HTML file that needs nothing else");
  command
      .add_option("--serve", options->port,
                  "serve the page at this port instead, and keep it up to date; 0: a free port")
      ->check(CLI::Range(0, 65535));
  command.add_option("--host", options->host, "address to serve at; anything but loopback gets a random token")
      ->capture_default_str();
  command
      .add_option("--samples", options->samples.count,
                  "validation samples whose layers are read, in each run; loads its models one by one")
      ->capture_default_str()
      ->check(CLI::Range(0, 100));
  command.add_option("--sample-id", options->samples.ids, "the samples to take, by their id");
  command.add_option("--max-new-tokens", options->samples.max_new_tokens, "longest answer to a sample")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  add_word_option(command, "--device", options->samples.device, "for the samples");
  command.add_option("--threads", options->threads, "0: one a core")->capture_default_str();
  return [options] { return run(*options); };
}

}  // namespace vlsi
