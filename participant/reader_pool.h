// The threads that run queries, each with a read-only connection.
#ifndef LOCKSTEP_PARTICIPANT_READER_POOL_H_
#define LOCKSTEP_PARTICIPANT_READER_POOL_H_

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

namespace lockstep::participant {

struct ReaderPoolOptions {
  NodeIdentity name;
  int readers = 4;
  size_t waiting = 1000;
  ExecutionLimits limits;
};

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

  // Answers QUEUE_FULL when too many wait, SHUTTING_DOWN after Stop.
  void Submit(QueryCall call, Done<QueryRows> done);

  // Interrupts what runs, refuses what waits, joins the threads. One thread, once.
  void Stop();

 private:
  struct Task {
    QueryCall call;
    absl::Duration deadline;
    Done<QueryRows> done;
  };
  struct Reader {
    std::unique_ptr<sqlite::Connection> connection;  // outlives the runner
    std::unique_ptr<QueryRunner> runner;
  };

  void Work(size_t index);
  bool TakeExpired(std::vector<Task>* expired);
  void RunOne(std::unique_lock<std::mutex>* lock, size_t index);
  Result<QueryRows> RunQuery(QueryRunner* runner, const Task& task) const;
  std::optional<absl::Duration> NextDeadline() const;
  void Interrupt();

  const ReaderPoolOptions options_;
  const Clock& clock_;

  std::mutex mutex_;  // guards what follows, up to the threads
  std::condition_variable work_;
  std::condition_variable closed_;
  std::deque<Task> ready_;
  std::multimap<RoundId, Task> waiting_;  // by the round that they wait for
  RoundId visible_;
  std::vector<Reader> readers_;  // by thread; empty while it has no connection
  bool closing_ = false;
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_READER_POOL_H_
