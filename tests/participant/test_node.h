// A participant's engine on a real store in a directory of its own, driven by hand.
#ifndef LOCKSTEP_TESTS_PARTICIPANT_TEST_NODE_H_
#define LOCKSTEP_TESTS_PARTICIPANT_TEST_NODE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "participant/engine.h"
#include "tests/support/manual_clock.h"

namespace lockstep::participant {

// A directory below the system's temporary one, removed at the end.
class TestDirectory {
 public:
  TestDirectory();
  ~TestDirectory();
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

EngineOptions TestOptions(const std::string& directory);
RoundId Round(uint64_t number, Term term = 1);

// What a call is answered, once it is.
template <typename T>
struct Answer {
  std::optional<Result<T>> result;
  Done<T> Taker() {
    return [this](Result<T> its) { result.emplace(std::move(its)); };
  }
  bool ok() const { return result.has_value() && result->ok(); }
  // The reason of the error; nothing when there is none.
  std::optional<Reason> reason() const {
    if (!result.has_value() || result->ok()) return std::nullopt;
    return result->error().reason;
  }
};

// One branch; each text is a statement.
using Sql = std::vector<std::string>;

class TestNode {
 public:
  // `options` of TestOptions, changed at will.
  explicit TestNode(EngineOptions options);
  // As an orderly stop.
  ~TestNode();

  absl::Status Open() { return engine_->Open(); }

  // A copy of the files as they are: what a kill at this instant leaves, as long as the machine
  // stays up.
  void CopyFilesTo(const std::string& directory) const;

  // Each hands one message to the engine.
  Answer<Ok> Fence(Term term = 1, uint32_t replicas = 1, const std::string& log_id = "log-1");
  // By a coordinator's run on log-1, which names itself and the runs before it.
  Answer<Ok> FenceBy(Term term, uint64_t boot_id, std::vector<uint64_t> earlier = {});
  // `waited`: how long ago the call came. Each branch has 10 s from then.
  Answer<Votes> Prepare(RoundId round, const std::vector<Sql>& branches, bool want_rows = true,
                        absl::Duration waited = absl::ZeroDuration());
  // The branches as they are.
  Answer<Votes> PrepareBranches(RoundId round, const std::vector<Branch>& branches,
                                bool want_rows = true,
                                absl::Duration waited = absl::ZeroDuration());
  Answer<Ok> Commit(RoundId round, std::optional<uint32_t> cut = std::nullopt, Term term = 0);
  Answer<Ok> Rollback(RoundId round, Term term = 0);
  std::unique_ptr<Answer<std::vector<StatementResult>>> Execute(
      const Sql& statements, absl::Duration timeout = absl::Seconds(10));
  // The locals in one batch.
  std::vector<std::unique_ptr<Answer<std::vector<StatementResult>>>> ExecuteAll(
      const std::vector<Sql>& transactions);
  // By a run of that term; answered when it is admitted, whether or not the round is visible.
  Answer<Ok> ReadAt(Term term, RoundId least);
  // Waits for the answer.
  Result<QueryRows> Query(const std::string& sql, RoundId least = RoundId(),
                          absl::Duration timeout = absl::Seconds(10));
  // The first value of the first row as text, "error REASON" or "no row".
  std::string Read(const std::string& sql);
  // The votes as letters: Y, N, D.
  static std::string Letters(const Answer<Votes>& votes);

  Engine& engine() { return *engine_; }
  ReaderPool& readers() { return readers_; }
  NodeReport Report() const { return board_.Get(); }
  ManualClock& clock() { return clock_; }
  void Handle(Message message);

 private:
  FenceCall FenceOf(Term term) const;
  const EngineOptions options_;
  ManualClock clock_;
  SystemClock system_clock_;
  ReportBoard board_;
  ReaderPool readers_;
  std::unique_ptr<Engine> engine_;
};

// Opened and fenced, with the table t(k INTEGER PRIMARY KEY, v).
std::unique_ptr<TestNode> StartNode(const EngineOptions& options);

}  // namespace lockstep::participant

#endif  // LOCKSTEP_TESTS_PARTICIPANT_TEST_NODE_H_
