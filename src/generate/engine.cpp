#include "generate/engine.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/size_text.h"
#include "generate/answering.h"
#include "generate/cache_room.h"
#include "generate/draft_plan.h"
#include "generate/passes.h"
#include "model/cpu/row_products.h"
#include "model/kv_cache.h"
#include "model/product.h"

namespace vlsi {
namespace {

/// What the head makes of some rows of a pass.
struct LogitRows {
  at::Tensor logits;         // [rows, V]
  const float* highest;      // [rows] of the logits
  const int64_t* likeliest;  // [rows] tokens
};

std::span<float> values_of(const at::Tensor& logits) {
  return {logits.mutable_data_ptr<float>(), static_cast<size_t>(logits.numel())};
}

}  // namespace

class Engine::State {
 public:
  State(const Vlm& model, const Tokenizer& tokenizer, PictureFeatures* pictures, const EngineConfig& config)
      : model_(model),
        tokenizer_(tokenizer),
        pictures_(pictures),
        config_(config),
        cache_(make_cache(model, config.cache_bytes)),
        blocks_(cache_.num_blocks()) {}

  void submit(Request request);
  bool step();
  int64_t num_unfinished() const { return num_waiting() + std::ssize(running_); }
  int64_t num_waiting() const { return std::ssize(waiting_); }

 private:
  using Job = std::shared_ptr<Answering>;

  void drop_cancelled();
  void admit_waiting();
  /// Whether a job has its blocks, another one is about to fill one that it can share, or there are not enough.
  enum class Admission { kGiven, kBeingFilled, kNoRoom };
  Admission admit(Answering& job);
  bool make_room(Branch& branch);
  void preempt(const Job& job);
  void release(Answering& job);
  void end(const Job& job);
  void fail_jobs(const std::vector<Job>& jobs, const std::exception_ptr& error);

  void read_prompts();
  void decode();
  void run(const std::vector<Job>& jobs, const std::vector<PassPiece>& pieces);
  void go_on(const Job& job, const LogitRows& rows);
  void take_tokens(const Job& job, const LogitRows& rows);
  void fail_not_finite(const Job& job, const Branch& branch);
  void fork(Answering& job);
  void remember_blocks(Answering& job);

  const Vlm& model_;
  const Tokenizer& tokenizer_;
  PictureFeatures* const pictures_;
  const EngineConfig config_;
  KvCache cache_;
  CacheBlocks blocks_;
  std::deque<Job> waiting_;
  std::vector<Job> running_;              // in the order of admission
  std::unordered_set<BlockKey> pending_;  // of blocks that running jobs are about to fill
  bool warned_of_room_ = false;
};

void Engine::State::submit(Request request) {
  const int64_t length = std::ssize(request.prompt.tokens), context = model_.config().text.max_position_embeddings,
                room = cache_.num_blocks() * KvCache::kBlockTokens;
  TORCH_CHECK(length > 0, "a prompt without tokens");
  if (length >= context) {
    fail("answering: the prompt has ", length, " tokens, the model's context is ", context, ", the answer's included");
  }
  if (length >= room) {
    fail("answering: the prompt has ", length, " tokens, the cache of ", size_text(config_.cache_bytes),
         " (--cache-memory) holds ", room, ", the answer's included");
  }
  if (request.decoding.num_beams > config_.max_sequences) {
    fail("answering: ", request.decoding.num_beams, " beams, expected at most the ", config_.max_sequences,
         " sequences that are decoded at once");
  }
  const int64_t left = std::min(context, room) - length;
  if (left < request.decoding.max_new_tokens && room < context && !std::exchange(warned_of_room_, true)) {
    log_warning(concat("answers end where the cache of ", size_text(config_.cache_bytes), " is full, at ", room,
                       " tokens with their prompts"));
  }
  const int64_t max_new_tokens = std::min(request.decoding.max_new_tokens, left);
  waiting_.push_back(std::make_shared<Answering>(std::move(request), max_new_tokens, tokenizer_));
}

bool Engine::State::step() {
  at::NoGradGuard no_grad;
  drop_cancelled();
  admit_waiting();
  read_prompts();
  decode();
  return num_unfinished() > 0;
}

void Engine::State::drop_cancelled() {
  const auto is_gone = [&](const Job& job) { return !job->tell(); };
  for (auto job = waiting_.begin(); job != waiting_.end();) {
    const bool gone = is_gone(*job);
    if (gone) (*job)->finish();
    job = gone ? waiting_.erase(job) : job + 1;
  }
  for (const auto& job : std::vector<Job>(running_)) {
    if (is_gone(job)) end(job);
  }
}

void Engine::State::admit_waiting() {
  int64_t num_places = config_.max_sequences;
  for (const auto& job : running_) num_places -= job->num_beams();
  for (auto job = waiting_.begin(); job != waiting_.end();) {
    if ((*job)->num_beams() > num_places || blocks_.num_free() == 0) return;
    const auto admission = admit(**job);
    if (admission == Admission::kNoRoom) return;  // a shorter prompt behind it would take its blocks for ever
    if (admission == Admission::kBeingFilled) {
      ++job;
      continue;
    }
    num_places -= (*job)->num_beams();
    running_.push_back(*job);
    job = waiting_.erase(job);
  }
}

/// Gives the job the blocks of its prompt, known ones first.
Engine::State::Admission Engine::State::admit(Answering& job) {
  auto& branch = job.branches().front();
  const auto length = std::ssize(branch.tokens);
  const int64_t num_full = (length - 1) / KvCache::kBlockTokens;  // the last token is computed in any case
  const auto& keys = job.keys_of(num_full);
  std::vector<int32_t> found;
  const auto give_up = [&](Admission why) {
    blocks_.release_all(found);
    return why;
  };
  for (int64_t i = 0; i < num_full; ++i) {
    const auto block = blocks_.find(keys[i]);
    if (!block && pending_.contains(keys[i])) return give_up(Admission::kBeingFilled);
    if (!block) break;
    found.push_back(*block);
  }
  const auto num_needed = KvCache::blocks_for(length);
  if (blocks_.num_free() < num_needed - std::ssize(found)) return give_up(Admission::kNoRoom);
  branch.num_known = std::ssize(found) * KvCache::kBlockTokens;
  if (length == std::ssize(job.prompt().tokens)) job.set_cached_tokens(branch.num_known);
  job.announced().assign(keys.begin() + std::ssize(found), keys.begin() + num_full);
  pending_.insert(job.announced().begin(), job.announced().end());
  while (std::ssize(found) < num_needed) found.push_back(*blocks_.take());
  branch.blocks = std::move(found);
  return Admission::kGiven;
}

/// A block of its own for the branch's next token. False when there is none: then a job has lost its place.
bool Engine::State::make_room(Branch& branch) {
  const auto index = static_cast<size_t>(branch.num_known / KvCache::kBlockTokens);
  const bool is_there = index < branch.blocks.size();
  if (is_there && !blocks_.is_shared(branch.blocks[index])) return true;
  const auto block = blocks_.take();
  if (!block) {
    preempt(running_.back());
    return false;
  }
  if (is_there) {
    cache_.copy_block(branch.blocks[index], *block);
    blocks_.release(branch.blocks[index]);
    branch.blocks[index] = *block;
  } else {
    branch.blocks.push_back(*block);
  }
  return true;
}

void Engine::State::preempt(const Job& job) {
  if (running_.size() == 1) {
    fail_jobs({job}, std::make_exception_ptr(
                         Error(concat("answering: ", job->num_beams(), " beams need more than the cache of ",
                                      size_text(config_.cache_bytes)))));
    return;
  }
  release(*job);
  job->restart();
  waiting_.push_front(job);
  std::erase(running_, job);
}

void Engine::State::release(Answering& job) {
  for (const BlockKey key : job.announced()) pending_.erase(key);
  job.announced().clear();
  for (auto& branch : job.branches()) {
    blocks_.release_all(branch.blocks);
    branch.blocks.clear();
  }
}

void Engine::State::end(const Job& job) {
  release(*job);
  std::erase(running_, job);
  job->finish();
}

void Engine::State::fail_jobs(const std::vector<Job>& jobs, const std::exception_ptr& error) {
  bool is_told = true;
  for (const auto& job : jobs) {
    release(*job);
    std::erase(running_, job);
    is_told = is_told && job->request().on_error;
    if (job->request().on_error) job->request().on_error(error);
  }
  if (!is_told) std::rethrow_exception(error);
}

/// Full blocks of a job's only branch can be found from now on.
void Engine::State::remember_blocks(Answering& job) {
  const auto& branch = job.branches().front();
  if (!job.is_reading() && branch.num_known % KvCache::kBlockTokens != 0) return;  // the new token filled none
  const int64_t num_full = branch.num_known / KvCache::kBlockTokens;
  const auto& keys = job.keys_of(num_full);
  for (int64_t i = 0; i < num_full; ++i) blocks_.remember(branch.blocks[i], keys[i]);
  auto& announced = job.announced();
  while (!announced.empty() && blocks_.knows(announced.front())) {
    pending_.erase(announced.front());
    announced.pop_front();
  }
}

void Engine::State::read_prompts() {
  std::vector<Job> jobs;
  std::vector<PassPiece> pieces;
  int64_t room = config_.prompt_tokens;
  for (const auto& job : running_) {
    if (!job->is_reading() || room == 0) continue;
    auto& branch = job->branches().front();
    const int64_t count = std::min(room, std::ssize(branch.tokens) - branch.num_known);
    jobs.push_back(job);
    pieces.push_back({job.get(), &branch, count});
    room -= count;
  }
  if (!pieces.empty()) run(jobs, pieces);
}

void Engine::State::decode() {
  for (const auto& job : std::vector<Job>(running_)) {
    if (job->is_reading()) continue;
    for (size_t i = 0; i < job->branches().size(); ++i) {
      const auto is_running = [&] { return std::find(running_.begin(), running_.end(), job) != running_.end(); };
      while (is_running() && !job->is_reading() && !make_room(job->branches()[i])) {
      }
    }
  }
  std::vector<Job> jobs;
  std::vector<PassPiece> pieces;
  for (const auto& job : running_) {
    if (job->is_reading()) continue;
    jobs.push_back(job);
    for (auto& branch : job->branches()) pieces.push_back({job.get(), &branch, 1});
  }
  if (pieces.empty()) return;
  for (const auto& job : jobs) ++job->counts().passes;
  plan_drafts(config_.draft, blocks_, pieces);
  run(jobs, pieces);
}

/// Computes the pieces, whose jobs are these, and gives every branch that is known as a whole its next token, or
/// several where they were drafted.
void Engine::State::run(const std::vector<Job>& jobs, const std::vector<PassPiece>& pieces) {
  const bool drafts = std::any_of(pieces.begin(), pieces.end(), [](const auto& piece) { return piece.max_draft > 0; });
  at::Tensor logits, unread;
  try {
    const auto rows = drafts ? run_drafted_pass(model_, cache_, config_.draft, pieces, unread)
                             : run_pass(model_, pictures_, cache_, pieces);
    const RowMap head = model_.head_map();
    logits = has_row_products(rows, head) ? row_products(rows, head, at::kFloat)
                                          : affine(rows, head.weight).to(at::kFloat);  // [P, V]
  } catch (const std::exception&) {
    fail_jobs(jobs, std::current_exception());
    return;
  }
  const bool needs_logits =
      std::any_of(jobs.begin(), jobs.end(), [](const Job& job) { return job->takes_logits() || job->num_beams() > 1; });
  if (needs_logits) logits = logits.cpu();  // once for all of them
  const auto [values, tokens, drafted] = largest_on_host(logits, unread);
  if (drafted.defined()) name_drafts(pieces, drafted);
  int64_t next = 0;
  for (const auto& job : jobs) {
    const int64_t first = next;
    for (const auto& branch : job->branches()) next += 1 + std::ssize(branch.draft);
    const LogitRows rows{logits.narrow(0, first, next - first), values.const_data_ptr<float>() + first,
                         tokens.const_data_ptr<int64_t>() + first};
    auto& branches = job->branches();
    const auto bad = std::find_if_not(branches.begin(), branches.end(), [&](const Branch& branch) {
      return std::isfinite(rows.highest[&branch - branches.data()]);
    });
    if (bad != branches.end()) {
      fail_not_finite(job, *bad);
      continue;
    }
    if (branches.size() == 1) remember_blocks(*job);
    if (job->is_reading() && branches.front().num_known < std::ssize(branches.front().tokens)) continue;
    if (job->is_reading()) job->end_reading();
    go_on(job, rows);
    if (drafts)
      std::for_each(branches.begin(), branches.end(), [&](Branch& branch) { release_unneeded(blocks_, branch); });
  }
}

void Engine::State::fail_not_finite(const Job& job, const Branch& branch) {
  const auto reason = describe_not_finite(model_, pictures_, *job, branch);
  fail_jobs({job}, std::make_exception_ptr(std::runtime_error("answering: " + reason)));
}

/// Of all branches, or of the only one's last token and its draft.
void Engine::State::go_on(const Job& job, const LogitRows& rows) {
  if (job->num_beams() == 1) return take_tokens(job, rows);
  const auto log_probs = at::log_softmax(rows.logits, -1).cpu().contiguous();
  if (job->advance_beams(values_of(log_probs), log_probs.size(1))) return fork(*job);
  end(job);
}

/// Appends the next token and, as long as it is the drafted one, the token behind it.
void Engine::State::take_tokens(const Job& job, const LogitRows& rows) {
  auto& branch = job->branches().front();
  const auto draft = std::exchange(branch.draft, {});
  job->counts().drafted += std::ssize(draft);
  for (size_t row = 0; std::isfinite(rows.highest[row]); ++row) {
    auto token = static_cast<int32_t>(rows.likeliest[row]);
    if (job->takes_logits()) {
      const auto own = rows.logits[static_cast<int64_t>(row)].cpu().contiguous();
      token = job->choose(values_of(own));
    }
    const bool is_drafted = row < draft.size() && token == draft[row];
    job->counts().accepted += is_drafted ? 1 : 0;
    if (!job->append(token)) return end(job);
    if (!is_drafted) return;
    ++branch.num_known;
    remember_blocks(*job);
  }
  fail_not_finite(job, branch);
}

/// Every beam goes on from the blocks of the one that it extends.
void Engine::State::fork(Answering& job) {
  const auto before = std::move(job.branches());
  std::vector<Branch> after;
  for (size_t i = 0; i < job.parents().size(); ++i) {
    const auto& parent = before[job.parents()[i]];
    for (const int32_t block : parent.blocks) blocks_.share(block);
    Branch branch{job.prompt().tokens, parent.blocks, parent.num_known};
    branch.tokens.insert(branch.tokens.end(), job.beam(i).begin(), job.beam(i).end());
    after.push_back(std::move(branch));
  }
  for (const auto& branch : before) blocks_.release_all(branch.blocks);
  job.branches() = std::move(after);
}

Engine::Engine(const Vlm& model, const Tokenizer& tokenizer, PictureFeatures* pictures, const EngineConfig& config)
    : state_(std::make_unique<State>(model, tokenizer, pictures, config)) {}
Engine::~Engine() = default;
void Engine::submit(Request request) { state_->submit(std::move(request)); }
bool Engine::step() { return state_->step(); }
int64_t Engine::num_unfinished() const { return state_->num_unfinished(); }
int64_t Engine::num_waiting() const { return state_->num_waiting(); }

Reply generate(Engine& engine, const Sample& prompt, const Decoding& decoding,
               const std::function<bool(std::string_view)>& on_text) {
  Reply answer;
  engine.submit({prompt, decoding, on_text, [&](Reply reply) { answer = std::move(reply); }, nullptr});
  while (engine.step()) {
  }
  return answer;
}

}  // namespace vlsi
