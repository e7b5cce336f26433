#include "participant/reader_pool.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "common/check.h"
#include "common/logging.h"
#include "common/thread_name.h"
#include "participant/errors.h"

namespace lockstep::participant {
namespace {

// A query that was about to start when it was to be interrupted is told again after this long.
constexpr std::chrono::milliseconds kInterruptAgain{10};

Asker Other(Asker asker) { return asker == Asker::kClient ? Asker::kCoordinator : Asker::kClient; }

QueryRows RowsOf(QueryAnswer&& answer) {
  QueryRows rows;
  rows.columns = std::move(answer.result.columns);
  rows.rows = std::move(answer.result.rows);
  rows.round = answer.round;
  return rows;
}

}  // namespace

ReaderPool::ReaderPool(const Clock* clock, ReaderPoolOptions options)
    : options_(std::move(options)),
      clock_(*clock),
      readers_(static_cast<size_t>(options_.readers)) {
  for (size_t i = 0; i < readers_.size(); ++i) {
    threads_.emplace_back([this, i] { Work(i); });
  }
}

ReaderPool::~ReaderPool() { Stop(); }

absl::Status ReaderPool::Open(std::vector<std::unique_ptr<sqlite::Connection>> connections,
                              const std::string& applied_round_sql) {
  LOCKSTEP_CHECK(connections.size() <= readers_.size(), "more connections than threads");
  std::vector<Reader> readers(readers_.size());
  for (size_t i = 0; i < connections.size(); ++i) {
    auto runner = QueryRunner::Create(connections[i].get(), &clock_,
                                      NodeName{options_.name.database, options_.name.node_id},
                                      options_.limits, applied_round_sql);
    if (!runner.ok()) return runner.status();
    readers[i].connection = std::move(connections[i]);
    readers[i].runner = *std::move(runner);
  }
  {
    std::lock_guard lock(mutex_);
    closing_ = false;
    readers_ = std::move(readers);
  }
  work_.notify_all();
  return absl::OkStatus();
}

void ReaderPool::Close() {
  std::unique_lock lock(mutex_);
  closing_ = true;
  work_.notify_all();
  InterruptUntil(&lock, [this] {
    return std::all_of(readers_.begin(), readers_.end(),
                       [](const Reader& reader) { return reader.connection == nullptr; });
  });
}

template <typename Condition>
void ReaderPool::InterruptUntil(std::unique_lock<std::mutex>* lock, Condition condition) {
  do {
    Interrupt();
  } while (!ended_.wait_for(*lock, kInterruptAgain, condition));
}

void ReaderPool::Interrupt() {
  for (const Reader& reader : readers_) {
    if (reader.connection != nullptr) reader.connection->Interrupt();
  }
}

void ReaderPool::SetVisible(RoundId round) {
  bool any = false;
  {
    std::lock_guard lock(mutex_);
    visible_ = std::max(visible_, round);
    const auto end = waiting_.upper_bound(visible_);
    for (auto it = waiting_.begin(); it != end; it = waiting_.erase(it)) {
      Ready(it->second.asker).push_back(std::move(it->second));
      any = true;
    }
  }
  if (any) work_.notify_all();
}

void ReaderPool::Submit(QueryCall call, Asker asker, Places::Place place, Done<QueryRows> done) {
  bool taken = false;
  {
    std::lock_guard lock(mutex_);
    if (!stopping_) {
      taken = true;
      Task task{std::move(call), clock_.MonotonicNow() + call.timeout, std::move(done), asker,
                std::move(place)};
      if (task.call.least_round <= visible_) {
        Ready(asker).push_back(std::move(task));
      } else {
        const RoundId round = task.call.least_round;
        waiting_.emplace(round, std::move(task));
      }
    }
  }
  if (!taken) return done(ShuttingDown(options_.name));
  work_.notify_one();
}

void ReaderPool::Hold() {
  std::lock_guard lock(mutex_);
  held_ = true;
}

void ReaderPool::Release() {
  {
    std::lock_guard lock(mutex_);
    held_ = false;
  }
  work_.notify_all();
}

bool ReaderPool::idle() const {
  std::lock_guard lock(mutex_);
  return running_ == 0;
}

void ReaderPool::InterruptHeld() {
  std::lock_guard lock(mutex_);
  LOCKSTEP_CHECK(held_, "what is interrupted would begin again at once");
  Interrupt();
}

void ReaderPool::Stop() {
  std::deque<Task> refused;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    for (std::deque<Task>& ready : ready_) {
      for (Task& task : std::exchange(ready, {})) refused.push_back(std::move(task));
    }
    for (auto& [round, task] : std::exchange(waiting_, {})) refused.push_back(std::move(task));
  }
  work_.notify_all();
  for (Task& task : refused) task.done(ShuttingDown(options_.name));
  {
    std::unique_lock lock(mutex_);
    InterruptUntil(&lock, [this] { return running_ == 0; });
  }
  for (std::thread& thread : threads_) thread.join();
}

void ReaderPool::Work(size_t index) {
  SetThreadName("reader-" + std::to_string(index));
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    Reader& reader = readers_[index];
    if (closing_ && reader.connection != nullptr) {
      reader.runner.reset();
      reader.connection.reset();
      ended_.notify_all();
    }
    std::vector<Task> expired;
    if (TakeExpired(&expired)) {
      lock.unlock();
      for (Task& task : expired) {
        task.done(WaitedTooLong("its version or for a free connection", options_.name));
      }
      lock.lock();
    } else if (AnyReady() && !held_ && !closing_ && reader.connection != nullptr) {
      RunOne(&lock, index);
    } else if (const std::optional<absl::Duration> deadline = NextDeadline()) {
      const absl::Duration left = *deadline - clock_.MonotonicNow();
      work_.wait_for(lock, absl::ToChronoNanoseconds(left));
    } else {
      work_.wait(lock);
    }
  }
  readers_[index].runner.reset();
  readers_[index].connection.reset();
}

bool ReaderPool::AnyReady() const {
  return std::any_of(ready_.begin(), ready_.end(),
                     [](const auto& ready) { return !ready.empty(); });
}

ReaderPool::Task ReaderPool::TakeReady() {
  const Asker turn = Ready(next_).empty() ? Other(next_) : next_;
  next_ = Other(turn);
  Task task = std::move(Ready(turn).front());
  Ready(turn).pop_front();
  task.place.reset();
  return task;
}

void ReaderPool::RunOne(std::unique_lock<std::mutex>* lock, size_t index) {
  Task task = TakeReady();
  ++running_;
  // Only this thread takes its reader away, so both pointers hold without the lock.
  QueryRunner* runner = readers_[index].runner.get();
  lock->unlock();
  Result<QueryRows> result = RunQuery(runner, task);
  lock->lock();
  --running_;
  if (stopping_) ended_.notify_all();
  const bool interrupted = !result.ok() && result.error().reason == Reason::kNotReady;
  if (interrupted && (closing_ || held_) && !stopping_) {
    Ready(task.asker).push_front(std::move(task));
    return;
  }
  const bool stopped = interrupted && stopping_;
  lock->unlock();
  task.done(stopped ? Result<QueryRows>(ShuttingDown(options_.name)) : std::move(result));
  lock->lock();
}

Result<QueryRows> ReaderPool::RunQuery(QueryRunner* runner, const Task& task) const {
  const absl::Duration left = task.deadline - clock_.MonotonicNow();
  if (!task.call.version_of_table.empty()) {
    Result<TableVersion> version = runner->GetVersion(task.call.version_of_table, left);
    if (!version.ok()) return std::move(version).error();
    QueryRows rows;
    rows.columns.push_back(Column{"version", ""});
    rows.rows.push_back(Row{Value(version->table_version)});
    rows.table_version = version->table_version;
    rows.round = version->round;
    return rows;
  }
  Result<QueryAnswer> answer = runner->Query(task.call.select, left);
  if (!answer.ok()) return std::move(answer).error();
  return RowsOf(std::move(answer).value());
}

bool ReaderPool::TakeExpired(std::vector<Task>* expired) {
  if (waiting_.empty() && !AnyReady()) return false;
  const absl::Duration now = clock_.MonotonicNow();
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->second.deadline <= now) {
      expired->push_back(std::move(it->second));
      it = waiting_.erase(it);
    } else {
      ++it;
    }
  }
  for (std::deque<Task>& ready : ready_) {
    for (auto it = ready.begin(); it != ready.end();) {
      if (it->deadline <= now) {
        expired->push_back(std::move(*it));
        it = ready.erase(it);
      } else {
        ++it;
      }
    }
  }
  return !expired->empty();
}

std::optional<absl::Duration> ReaderPool::NextDeadline() const {
  std::optional<absl::Duration> next;
  const auto earlier = [&next](const Task& task) {
    next = next ? std::min(*next, task.deadline) : task.deadline;
  };
  for (const auto& [round, task] : waiting_) earlier(task);
  for (const std::deque<Task>& ready : ready_) std::for_each(ready.begin(), ready.end(), earlier);
  return next;
}

}  // namespace lockstep::participant
