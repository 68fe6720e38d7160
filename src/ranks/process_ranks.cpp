#include "ranks/process_ranks.h"

#include <ATen/ATen.h>
#include <c10/util/Logging.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <set>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/quoted.h"
#include "ranks/monitor.h"
#include "ranks/nccl.h"
#include "ranks/own_address.h"

namespace vlsi {
namespace {

using namespace std::chrono_literals;

constexpr auto kMeeting = 5min;
/// The monitor ends an exchange that hangs. One rank may well be busy for an hour, writing a checkpoint.
constexpr auto kExchange = std::chrono::milliseconds(24h);
/// How often an exchange is looked at: far below what one takes that moves gradients.
constexpr auto kPoll = 100us;
/// How often a rank that waits for the others looks at them.
constexpr auto kLook = 10ms;

/// What `make` returns. It may wait long, or without end, for a rank that never comes, so a thread of its own calls it,
/// which stays behind when an interrupt comes first, `check` throws, or the time is up.
template <class T>
T make_apart(std::function<T()> make, const std::function<void()>& check) {
  std::packaged_task<T()> task(std::move(make));
  auto made = task.get_future();
  std::thread(std::move(task)).detach();
  const auto end = std::chrono::steady_clock::now() + kMeeting;
  while (made.wait_for(kLook) != std::future_status::ready) {
    check();
    if (interrupted()) throw RanksError("stopped by an interrupt");
    if (std::chrono::steady_clock::now() > end) throw RanksError("not all ranks connected within 5 minutes");
  }
  return made.get();
}

c10::intrusive_ptr<c10d::Store> prefixed(const std::string& prefix, const c10::intrusive_ptr<c10d::Store>& store) {
  return c10::make_intrusive<c10d::PrefixStore>(prefix, store);
}

c10::intrusive_ptr<c10d::Store> open_store(const Launch& launch) {
  c10d::TCPStoreOptions options;
  options.port = launch.port;
  options.isServer = launch.rank == 0 && !launch.launcher_has_store;
  options.timeout = kMeeting;
  if (!launch.launcher_has_store) options.numWorkers = static_cast<size_t>(launch.size);
  const auto store = c10::make_intrusive<c10d::TCPStore>(launch.address, options);
  return prefixed("vlsi-" + launch.attempt, store);
}

std::vector<uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::string text_of(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

SharedTable table_on(const c10::intrusive_ptr<c10d::Store>& store) {
  SharedTable table;
  table.add = [store](const std::string& key, int64_t amount) { return store->add(key, amount); };
  table.set = [store](const std::string& key, const std::string& text) { store->set(key, bytes_of(text)); };
  table.get = [store](const std::string& key) { return text_of(store->get(key)); };
  return table;
}

struct Meeting {
  c10::intrusive_ptr<c10d::Store> store;
  std::string address;  // by which the others reach this rank
};

/// Waits until all ranks are there.
Meeting meet(const Launch& launch) {
  const auto store = open_store(launch);
  const auto key = [](int64_t rank) { return concat("address-", rank); };
  const auto found = address_towards(launch.address, launch.port);
  store->set(key(launch.rank), bytes_of(found));
  return {store,
          own_address(found, launch.size, launch.port, [&](int64_t rank) { return text_of(store->get(key(rank))); })};
}

/// At `address`, unless the interface is named: left to itself, Gloo takes what the host's own name resolves to, which
/// is the loopback on many.
c10::intrusive_ptr<c10d::ProcessGroupGloo::Options> gloo_options(const std::string& address) {
  if (std::getenv("GLOO_SOCKET_IFNAME") != nullptr) {
    return c10d::ProcessGroupGloo::Options::create_default(kMeeting);
  }
  auto options = c10d::ProcessGroupGloo::Options::create(kMeeting);
  options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(address));
  return options;
}

/// The machine and the GPU, as this process counts those that it is shown.
std::string gpu_text(at::Device device) {
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  const char* const shown = std::getenv("CUDA_VISIBLE_DEVICES");
  return concat(host, " ", shown == nullptr ? "all" : shown, " ", std::max<int>(0, device.index()));
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// NCCL, or nothing where two of the ranks have the same GPU, which it refuses.
c10::intrusive_ptr<c10d::Backend> nccl_between_gpus(const Launch& launch, at::Device device,
                                                    const c10::intrusive_ptr<c10d::Store>& store) {
  const auto place = [](int64_t rank) { return concat("gpu/", rank); };
  store->set(place(launch.rank), bytes_of(gpu_text(device)));
  std::set<std::vector<uint8_t>> all;
  for (int64_t rank = 0; rank < launch.size; ++rank) all.insert(store->get(place(rank)));
  if (std::ssize(all) < launch.size) {
    log_info("ranks share a GPU: what they exchange goes through the host");
    return nullptr;
  }
  return make_nccl(prefixed("nccl", store), static_cast<int>(launch.rank), static_cast<int>(launch.size));
}

class C10dRanks : public ProcessRanks {
 public:
  C10dRanks(const Launch& launch, at::Device device, const Meeting& meeting)
      : ProcessRanks(launch.rank, launch.size), local_rank_(launch.local_rank) {
    const auto& store = meeting.store;
    RankMonitorConfig config{.rank = launch.rank,
                             .size = launch.size,
                             .holds_table = launch.rank == 0 && !launch.launcher_has_store,
                             .table_holder = launch.launcher_has_store ? "the launcher" : "rank 0"};
    monitor_ = std::make_unique<RankMonitor>(table_on(store->clone()), config);
    const int rank = static_cast<int>(launch.rank), size = static_cast<int>(launch.size);
    try {
      const auto connect = [=, gloo_store = prefixed("gloo", store), address = meeting.address] {
        return c10::make_intrusive<c10d::ProcessGroupGloo>(gloo_store, rank, size, gloo_options(address));
      };
      gloo_ = make_apart<c10::intrusive_ptr<c10d::Backend>>(connect, [this] { check(); });
      gloo_->setTimeout(kExchange);
      if (device.is_cuda()) nccl_ = nccl_between_gpus(launch, device_for(device), store);
    } catch (const std::exception& error) {
      monitor_->report_failure(first_line(error.what()));
      leave();
      throw;
    }
  }

  /// After a failure the connections stay as they are: taking them down would wait for exchanges that never end.
  ~C10dRanks() override {
    if (!finished_) leave();
  }

  std::unique_ptr<Exchange> start_all_gather(const at::Tensor& share, const at::Tensor& whole) const override {
    auto input = share.view(-1), output = whole.view(-1);  // Gloo wants shares of the input's own shape
    if (!goes_by_host(whole)) return start([&] { return backend(share)->_allgather_base(output, input); });
    auto host_input = input.cpu(), host_output = at::empty_like(output, at::kCPU);
    return start([&] { return gloo_->_allgather_base(host_output, host_input); },
                 [output, host_output] { output.copy_(host_output); });
  }

  std::unique_ptr<Exchange> start_reduce_scatter_sum(const at::Tensor& whole, const at::Tensor& share) const override {
    auto input = whole, output = share;
    if (whole.is_cuda() && nccl_) return start([&] { return nccl_->_reduce_scatter_base(output, input); });
    input = input.cpu();
    // Gloo would reduce everything on every rank: twice the way for the data, and a copy.
    auto received = at::empty_like(input);
    std::vector<int64_t> evenly;
    const auto add_up = [output, received]() mutable {
      const auto sum = output.is_cpu() ? output.copy_(received[0]) : received[0];
      for (int64_t i = 1; i < received.size(0); ++i) sum.add_(received[i]);
      if (!output.is_cpu()) output.copy_(sum);
    };
    return start([&] { return gloo_->alltoall_base(received, input, evenly, evenly); }, add_up);
  }

  void check() const override {
    if (const auto trouble = monitor_->trouble()) throw RanksError(*trouble);
  }

  at::Device device_for(at::Device device) const override {
    if (!device.is_cuda() || device.has_index()) return device;
    return at::Device(device.type(), static_cast<at::DeviceIndex>(local_rank_));
  }

  void report_failure(const std::string& message) override { monitor_->report_failure(message); }

  void finish() override {
    wait_for_all();
    monitor_->stop();  // before any rank takes the table, or itself, away
    wait_for_all();
    finished_ = true;
  }

 private:
  void leave() {
    gloo_.release();
    nccl_.release();
    if (!monitor_->stop()) static_cast<void>(monitor_.release());
  }

  /// Gloo reads the CPU's memory alone.
  bool goes_by_host(const at::Tensor& tensor) const {
    return !tensor.is_cpu() && !(tensor.is_cuda() && nccl_ != nullptr);
  }
  c10d::Backend* backend(const at::Tensor& tensor) const { return tensor.is_cuda() ? nccl_.get() : gloo_.get(); }

  /// Runs `action`, of which every error is one of the ranks.
  template <class Action>
  auto among_ranks(const Action& action) const {
    try {
      return action();
    } catch (const RanksError&) {
      throw;
    } catch (const std::exception& error) {
      throw RanksError(monitor_->explain("the ranks lost their connection: " + first_line(error.what())));
    }
  }

  /// What a backend works on, and what is left to do then.
  class Work : public Exchange {
   public:
    Work(const C10dRanks& ranks, c10::intrusive_ptr<c10d::Work> work, std::function<void()> last)
        : ranks_(ranks), work_(std::move(work)), last_(std::move(last)) {}

    void wait() override {
      ranks_.among_ranks([&] {
        while (!work_->isCompleted()) {
          ranks_.check();
          std::this_thread::sleep_for(kPoll);
        }
        work_->wait();
      });
      if (last_) last_();
    }

   private:
    const C10dRanks& ranks_;
    const c10::intrusive_ptr<c10d::Work> work_;
    const std::function<void()> last_;
  };

  template <class Begin>
  std::unique_ptr<Exchange> start(const Begin& begin, std::function<void()> last = {}) const {
    return std::make_unique<Work>(*this, among_ranks(begin), std::move(last));
  }

  const int64_t local_rank_;
  c10::intrusive_ptr<c10d::Backend> gloo_, nccl_;
  std::unique_ptr<RankMonitor> monitor_;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<ProcessRanks> join_ranks(const Launch& launch, at::Device device) {
  // LibTorch warns of every connection that ends; what has happened is said by the monitor, in one line.
  ::setenv("TORCH_CPP_LOG_LEVEL", "ERROR", /*replace=*/0);
  c10::initLogging();
  std::signal(SIGPIPE, SIG_IGN);  // writing to a rank that is gone is an error like any other
  try {
    return std::make_unique<C10dRanks>(launch, device, make_apart<Meeting>([launch] { return meet(launch); }, [] {}));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw RanksError(concat("meeting ", launch.size, " ranks at ", launch.address, ":", launch.port, " as rank ",
                            launch.rank, ": ", first_line(error.what())));
  }
}

int run_as_rank(at::Device device, const std::function<int(const Ranks&)>& action) {
  const auto launch = read_launch();
  if (!launch) return action(one_rank());
  if (launch->rank > 0) {
    set_log_level(LogLevel::kWarning);
    set_log_origin(concat("rank ", launch->rank));
  }
  return run_as_rank(*launch, device, action);
}

int run_as_rank(const Launch& launch, at::Device device, const std::function<int(const Ranks&)>& action) {
  const std::string name = concat("rank ", launch.rank, ": ");
  const auto ranks = join_ranks(launch, device);
  try {
    const int status = action(*ranks);
    ranks->finish();
    return status;
  } catch (const Error& error) {
    ranks->report_failure(error.what());
    throw Error(name + error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    const auto message = printable(error);
    ranks->report_failure(message);
    throw Error(name + message);
  } catch (const std::exception& error) {
    const auto message = first_line(error.what());  // the lines of LibTorch's errors behind it are a backtrace
    ranks->report_failure(message);
    throw std::runtime_error(name + message);
  }
}

}  // namespace vlsi
