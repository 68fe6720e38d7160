#include "train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"

namespace vlsi {
namespace {

/// Whether every rank goes on, asked and answered at different times, between which a rank need not wait for the
/// others.
class Vote {
 public:
  Vote(const Ranks& ranks, bool goes_on)
      : mine_(at::full({1}, goes_on, at::kByte)),
        all_(at::empty({ranks.size(), 1}, at::kByte)),
        exchange_(ranks.start_all_gather(mine_, all_)) {}

  bool is_unanimous() {
    if (exchange_) exchange_->wait();
    exchange_.reset();
    return all_.all().item<bool>();
  }

 private:
  const at::Tensor mine_, all_;
  std::unique_ptr<Exchange> exchange_;
};

/// The moving parts of one step's training.
class Training {
 public:
  Training(TrainingStep& step, RunDirectory& run, const CheckpointConfig& checkpoint, int64_t finished_before,
           at::Device device)
      : step_(step),
        run_(run),
        checkpoint_(checkpoint),
        finished_before_(finished_before),
        ranks_(run.ranks()),
        device_(device),
        num_batches_(step.optimizer.accumulate * run.ranks_at_start()),
        first_(num_batches_ * ranks_.rank() / ranks_.size()),
        end_(num_batches_ * (ranks_.rank() + 1) / ranks_.size()),
        optimizer_(step.parameters, step.optimizer, ranks_) {
    resume();
    loader_ =
        step_.open_data(cursor_, ranks_.size() == 1 ? BatchShare{} : BatchShare{&ranks_, num_batches_, first_, end_});
  }

  Outcome run() {
    Progress progress(step_.name, "iterations", step_.iterations, iteration_);
    while (iteration_ < step_.iterations) {
      if (!run_iteration()) {
        save();
        return Outcome::kInterrupted;
      }
      progress.update(iteration_, concat("loss ", loss_));
      if (iteration_ % checkpoint_.every == 0 || iteration_ == step_.iterations) save();
    }
    if (ranks_.is_first()) report_skipped(loader_->skipped(), step_.name);
    return Outcome::kFinished;
  }

 private:
  void resume() {
    const auto* found = step_.resumed;
    if (found == nullptr) return;
    found->check_is(state());
    if (!step_.data_may_differ) {
      found->check_data(step_.data);
      // Epochs of other data may be fewer iterations than there were.
      if (found->state.iteration > step_.iterations) {
        fail("resuming from ", found->path.string(), ": its iteration is ", found->state.iteration, ", but ",
             step_.name, " has ", step_.iterations, ": the checkpoint is damaged, or of other data");
      }
    }
    optimizer_.load_state(*found);
    at::NoGradGuard no_grad;
    for (auto& [name, tensor] : step_.carried) {
      tensor.set_data(found->tensor("carried." + name, tensor));
    }
    iteration_ = found->state.iteration;
    cursor_ = found->state.cursor;
    if (step_.random != nullptr && !step_.random->restore(found->state.random)) {
      fail("resuming from ", found->path.string(), ": its generator's state is damaged");
    }
    if (step_.rewriting != nullptr && !found->state.memory.is_null())
      step_.rewriting->remember(found->state.memory, concat("resuming from ", found->path.string(), ": its memory"));
  }

  /// What an iteration says of itself, of one rank's micro-batches or of all.
  struct Account {
    MetricSums sums;
    OrderedJson lists = OrderedJson::object();
  };

  /// What an iteration is trained on.
  struct Work {
    std::vector<Batch> batches;               // this rank's
    int64_t num_before = 0, num_all = 0;      // micro-batches of the ranks before this one, and of all
    int64_t num_answers = 0, num_tokens = 0;  // of all ranks
    double sum_of_weights = 0;

    void count(const Batch& batch) {
      num_answers += batch.num_answers();
      sum_of_weights += batch.sum_of_weights();
      num_tokens += batch.num_tokens();
    }
  };

  /// Nothing when this rank is alone and was interrupted: several go on to their vote.
  std::optional<Work> next_work() {
    Work work{{}, first_, num_batches_};
    for (int64_t i = 0; i < num_batches_; ++i) {
      if (ranks_.size() == 1 && interrupted()) return std::nullopt;
      // Every rank checks the same one, whatever its share: models that the ranks hold together run in step.
      auto batch = step_.checks.empty() ? loader_->next() : loader_->next_whole();
      std::erase_if(step_.checks, [&](const auto& check) { return check(batch); });
      work.count(batch);
      if (i >= first_ && i < end_) work.batches.push_back(std::move(batch));
    }
    return work;
  }

  /// Has the micro-batches rewritten, each rank its own, and adds up what all ranks have then. False when an interrupt
  /// of any rank came first.
  bool rewrite(Work& work, Account& account) {
    auto mine = step_.rewriting->rewrite(iteration_ + 1, work.batches);
    work = {};
    OrderedJson told = nullptr;
    if (mine) {
      for (const auto& batch : mine->batches) work.count(batch);
      told = {{"batches", mine->batches.size()},
              {"answers", work.num_answers},
              {"tokens", work.num_tokens},
              {"weights", work.sum_of_weights},
              {"news", mine->news}};
    }
    const auto bytes = OrderedJson::to_msgpack(told);
    work = {};
    bool is_whole = true;
    const auto texts = ranks_.all_gather(std::string(bytes.begin(), bytes.end()));
    for (int64_t rank = 0; rank < std::ssize(texts); ++rank) {
      const auto theirs = Json::from_msgpack(texts[rank]);
      is_whole = is_whole && !theirs.is_null();
      if (!is_whole) continue;
      const auto num_batches = theirs.at("batches").get<int64_t>();
      if (rank < ranks_.rank()) work.num_before += num_batches;
      work.num_all += num_batches;
      work.num_answers += theirs.at("answers").get<int64_t>();
      work.num_tokens += theirs.at("tokens").get<int64_t>();
      work.sum_of_weights += theirs.at("weights").get<double>();
      if (!theirs.at("news").is_null()) step_.rewriting->remember(theirs.at("news"), concat("rank ", rank));
    }
    if (!is_whole) return false;
    work.batches = std::move(mine->batches);
    for (const auto& [name, mean] : mine->means) account.sums.add(name, mean);
    return true;
  }

  /// One optimizer step; false when an interrupt came first, with the state as it was before the iteration.
  bool run_iteration() {
    const auto random_before = step_.random != nullptr ? step_.random->state() : std::string();
    const auto tokens_before = loader_->source_tokens();
    auto work = next_work();
    if (!work) return false;
    std::optional<Account> mine(std::in_place);
    if (step_.rewriting != nullptr && !rewrite(*work, *mine)) return false;
    mine = run_batches(*work, *std::move(mine));
    if (!mine) {
      optimizer_.clear_gradients();
      if (step_.random != nullptr) step_.random->restore(random_before);
      return false;
    }
    const auto account = gather(std::move(*mine));
    const double rate = learning_rate(step_.optimizer, iteration_, step_.iterations);
    auto means = account.sums.means();
    if (!means["loss"].is_number()) {
      fail(step_.name, ": the loss of iteration ", iteration_ + 1, " is not finite; lower the learning rate (it is ",
           rate, ") or look for broken samples");
    }
    const double norm = optimizer_.step(rate);
    if (!std::isfinite(norm)) {
      fail(step_.name, ": the gradient of iteration ", iteration_ + 1,
           " is not finite; lower the learning rate (it is ", rate, ")");
    }
    cursor_ = loader_->cursor();
    ++iteration_;
    loss_ = means["loss"].get<double>();
    auto source_tokens = loader_->source_tokens();
    for (size_t i = 0; i < source_tokens.size(); ++i) source_tokens[i] -= tokens_before[i];
    log(std::move(means), account.lists, rate, norm, *work, source_tokens);
    return true;
  }

  /// This rank's share of an iteration: its gradients are with the optimizer then. None when an interrupt of any rank
  /// came first.
  ///
  /// During the last backward pass gradients begin to be exchanged, and no rank may stay behind. So each of them votes
  /// before its last micro-batch, or when it is interrupted before, and counts the votes when it has the loss.
  std::optional<Account> run_batches(Work& work, Account account) {
    std::optional<Vote> vote;
    std::vector<PendingCheck> checks;
    const auto num_mine = std::ssize(work.batches);
    skip_draws(work.num_before);
    if (step_.begin) step_.begin(iteration_);
    if (step_.prepare) step_.prepare(work.batches);
    for (auto& batch : work.batches) {
      ranks_.check();
      const bool goes_on = !interrupted(), is_last = &batch == &work.batches.back();
      if (is_last || !goes_on) vote.emplace(ranks_, goes_on);
      if (!goes_on) break;
      const double batch_weight = batch.sum_of_weights();
      auto output = step_.loss(to_device(std::move(batch), device_));
      if (is_last) {
        if (!vote->is_unanimous()) break;
        optimizer_.expect_last_backward();
      }
      // A micro-batch may reach nothing that learns: one without pictures, where the vision tower alone does.
      if (output.loss.requires_grad()) (output.loss / work.sum_of_weights).backward();
      optimizer_.collect_gradients();
      account.sums.add("loss", {output.loss, batch_weight});
      for (const auto& [name, mean] : output.means) account.sums.add(name, mean);
      join(account.lists, output.lists);
      std::move(output.checks.begin(), output.checks.end(), std::back_inserter(checks));
    }
    if (!vote) vote.emplace(ranks_, !interrupted());  // there is no micro-batch for this rank
    if (!vote->is_unanimous()) return std::nullopt;
    read_together(account.sums, checks);
    optimizer_.start_sums();
    skip_draws(work.num_all - work.num_before - num_mine);
    return account;
  }

  /// Brings sums and outcomes of checks to the host: what an iteration computes on a device is waited for once.
  static void read_together(MetricSums& sums, const std::vector<PendingCheck>& checks) {
    std::vector<at::Tensor> passed;
    for (const auto& check : checks) passed.push_back(check.passed);
    const auto outcomes = sums.to_host(passed);
    for (size_t i = 0; i < checks.size(); ++i) {
      if (outcomes[i] == 0) checks[i].report();
    }
  }

  /// Goes past the draws of other ranks' micro-batches, so that the generator is the same everywhere, whatever their
  /// number.
  void skip_draws(int64_t num_batches) {
    if (step_.random != nullptr) step_.random->skip(num_batches * step_.draws);
  }

  static void join(OrderedJson& lists, const OrderedJson& more) {
    for (const auto& [name, list] : more.items()) {
      for (const auto& item : list) lists[name].push_back(item);
    }
  }

  /// All ranks' accounts as one, in their order.
  Account gather(Account mine) {
    if (ranks_.size() == 1) return mine;
    const Cursor cursor = loader_->cursor();
    const auto bytes = OrderedJson::to_msgpack(
        {{"sums", mine.sums.packed()}, {"lists", mine.lists}, {"cursor", {cursor.epoch, cursor.index}}});
    Account whole;
    OrderedJson first_cursor;
    const auto texts = ranks_.all_gather(std::string(bytes.begin(), bytes.end()));
    for (size_t rank = 0; rank < texts.size(); ++rank) {
      const auto theirs = OrderedJson::from_msgpack(texts[rank]);
      whole.sums.add(theirs.at("sums"));
      join(whole.lists, theirs.at("lists"));
      if (rank == 0) first_cursor = theirs.at("cursor");
      if (theirs.at("cursor") != first_cursor) {
        fail(step_.name, ": after iteration ", iteration_ + 1, " rank 0 stands at [epoch, record] ",
             first_cursor.dump(), " of the data, rank ", rank, " at ", theirs.at("cursor").dump(),
             "; every rank must find the same files");
      }
    }
    return whole;
  }

  void log(OrderedJson means, const OrderedJson& lists, double rate, double norm, const Work& work,
           const std::vector<int64_t>& source_tokens) {
    if (iteration_ != 1 && iteration_ % step_.sparse_every != 0) means.erase(step_.sparse_metric);
    OrderedJson line{{"step", step_.name},       {"iteration", iteration_}, {"loss", means["loss"]},
                     {"learning_rate", rate},    {"gradient_norm", norm},   {"answer_tokens", work.num_answers},
                     {"tokens", work.num_tokens}};
    if (source_tokens.size() > 1) line["source_tokens"] = source_tokens;
    line.update(means);
    line.update(lists);
    line["seconds"] = std::chrono::duration<double>(Clock::now() - started_).count();
    run_.append_metrics(line);
  }

  /// What a checkpoint holds.
  std::vector<TensorSource> state() const {
    auto tensors = optimizer_.state();
    for (const auto& [name, tensor] : step_.carried) tensors.push_back(source_of("carried." + name, tensor));
    return tensors;
  }

  void save() {
    CheckpointState now;
    now.step = step_.name;
    now.iteration = iteration_;
    now.sequence = finished_before_ + iteration_;
    now.cursor = cursor_;
    now.data = step_.data;
    if (step_.random != nullptr) now.random = step_.random->state();
    if (step_.rewriting != nullptr) now.memory = step_.rewriting->memory();
    run_.write_checkpoint(now, state(), checkpoint_.keep);
  }

  using Clock = std::chrono::steady_clock;
  TrainingStep& step_;
  RunDirectory& run_;
  const CheckpointConfig& checkpoint_;
  const int64_t finished_before_;
  const Ranks& ranks_;
  const at::Device device_;
  const int64_t num_batches_, first_, end_;  // micro-batches of an iteration; this rank takes number first_ to end_ - 1
  AdamW optimizer_;
  std::unique_ptr<Loader> loader_;
  Cursor cursor_;
  int64_t iteration_ = 0;
  double loss_ = 0;
  Clock::time_point started_ = Clock::now();
};

}  // namespace

Outcome train(TrainingStep& step, RunDirectory& run, const CheckpointConfig& checkpoint, int64_t finished_before,
              at::Device device) {
  return Training(step, run, checkpoint, finished_before, device).run();
}

}  // namespace vlsi
