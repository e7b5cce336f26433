// The threads that run queries, each with a read-only connection.
#ifndef LOCKSTEP_PARTICIPANT_READER_POOL_H_
#define LOCKSTEP_PARTICIPANT_READER_POOL_H_

#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/sqlite/connection.h"
#include "participant/calls.h"
#include "participant/execution/query_runner.h"
#include "participant/node_report.h"
#include "participant/places.h"

namespace lockstep::participant {

struct ReaderPoolOptions {
  NodeIdentity name;
  int readers = 4;
  ExecutionLimits limits;
};

// Who asks a query. One of each in turn gets a connection that is free.
enum class Asker { kClient, kCoordinator };

// Runs each query once its round is visible, or answers TIMEOUT. Nothing is polled: commits move
// queries from waiting to ready. Thread-safe, where no thread is named; answers come on the
// readers' threads, or inside the call that refuses.
class ReaderPool {
 public:
  ReaderPool(const Clock* clock, ReaderPoolOptions options);
  // Stop.
  ~ReaderPool();
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

  // Gives it its connections, at most `readers`. The actor's thread; not while it has some.
  absl::Status Open(std::vector<std::unique_ptr<sqlite::Connection>> connections,
                    const std::string& applied_round_sql);
  // Interrupts what runs, and returns when all connections are gone; what was interrupted runs
  // again after the next Open. The actor's thread.
  void Close();

  // Lets go those that wait for `round` or an earlier one.
  void SetVisible(RoundId round);

  // `place` is given back when it begins to run. Answers SHUTTING_DOWN after Stop.
  void Submit(QueryCall call, Asker asker, Places::Place place, Done<QueryRows> done);

  // Lets no query begin until Release; those that run go on. The actor's thread.
  void Hold();
  void Release();
  // Whether none runs.
  bool idle() const;
  // While it is held: ends what runs, to run again from its beginning after Release. The actor's
  // thread.
  void InterruptHeld();

  // Interrupts what runs, refuses what waits, joins the threads. One thread, once.
  void Stop();

 private:
  struct Task {
    QueryCall call;
    absl::Duration deadline;
    Done<QueryRows> done;
    Asker asker = Asker::kClient;
    Places::Place place = nullptr;
  };
  struct Reader {
    std::unique_ptr<sqlite::Connection> connection;  // outlives the runner
    std::unique_ptr<QueryRunner> runner;
  };

  void Work(size_t index);
  std::deque<Task>& Ready(Asker asker) { return ready_[static_cast<size_t>(asker)]; }
  bool AnyReady() const;
  Task TakeReady();
  bool TakeExpired(std::vector<Task>* expired);
  void RunOne(std::unique_lock<std::mutex>* lock, size_t index);
  Result<QueryRows> RunQuery(QueryRunner* runner, const Task& task) const;
  std::optional<absl::Duration> NextDeadline() const;
  void Interrupt();
  template <typename Condition>
  void InterruptUntil(std::unique_lock<std::mutex>* lock, Condition condition);

  const ReaderPoolOptions options_;
  const Clock& clock_;

  mutable std::mutex mutex_;  // guards what follows, up to the threads
  std::condition_variable work_;
  std::condition_variable ended_;          // a run while it stops, or a connection while it closes
  std::array<std::deque<Task>, 2> ready_;  // by Asker
  Asker next_ = Asker::kCoordinator;       // whose turn it is
  int running_ = 0;
  bool held_ = false;
  std::multimap<RoundId, Task> waiting_;  // by the round that they wait for
  RoundId visible_;
  std::vector<Reader> readers_;  // by thread; empty while it has no connection
  bool closing_ = false;
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_READER_POOL_H_
