// The participant's state and everything that changes it.
#ifndef LOCKSTEP_PARTICIPANT_ENGINE_H_
#define LOCKSTEP_PARTICIPANT_ENGINE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "participant/checkpointer.h"
#include "participant/engine_options.h"
#include "participant/execution/branch_executor.h"
#include "participant/local_queue.h"
#include "participant/messages.h"
#include "participant/node_report.h"
#include "participant/protocol/protocol.h"
#include "participant/reader_pool.h"
#include "participant/round_runner.h"
#include "participant/storage/prepare_store.h"

namespace lockstep::participant {

// Carries out what the protocol decides, on the store. Answers each message exactly once, some
// later; before an answer the board shows what is true then. A failed check or sync ends the
// process.
//
// Thread: the actor's alone, but for Open, which comes before, and Close.
class Engine {
 public:
  // `board` and `readers` are told what is visible; all arguments outlive the engine.
  Engine(EngineOptions options, const Clock* clock, ReportBoard* board, ReaderPool* readers);
  // Close.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Recovers the volume, or sets it up. An error names what is wrong with it.
  absl::Status Open();
  // Requires that Open succeeded.
  const OpenTimes& open_times() const { return store_->open_times(); }

  // Refuses messages that wait, syncs what is not durable yet, and lets go of the volume; what is
  // prepared stays so. After the actor's end; may be repeated.
  void Close();

  // Handles the messages in order, but answers health checks first.
  void Handle(std::vector<Message>& batch);
  // To be called when NextWake() is over and no message came.
  void Idle();
  // How long the engine has nothing to do, if no message comes.
  absl::Duration NextWake() const;

 private:
  struct Held {
    RoundId round;
    RoundBody body;
    absl::Time since;
  };
  struct Given {
    RoundId round;
    std::shared_ptr<const std::vector<BranchVote>> votes;
  };

  void On(PrepareMessage& message);
  void On(CommitMessage& message);
  void On(RollbackMessage& message);
  void On(FenceMessage& message);
  void On(ReadTermMessage& message);
  void On(LocalMessage& message);
  void On(HealthMessage& message);

  std::optional<Error> MakeDurable(const Decision& decision);
  Error Refused(const Decision& decision, Term term, RoundId round) const;
  void RunRound(PrepareMessage& message);
  void RefuseToHold(const absl::Status& status, std::vector<BranchVote>* votes) const;
  Keep KeepOf(const CommitCall& call) const;
  absl::Status CommitPrepared(const CommitCall& call);
  absl::Status CommitInDoubt(RoundId round);
  absl::Status CommitCut(const CommitCall& call);
  absl::Status Reexecute();
  std::optional<Error> IdentityError(const FenceCall& call) const;
  std::optional<Error> DataError(const FenceCall& call) const;
  std::optional<Error> StoreIdentity(const FenceCall& call);

  absl::Status TakeOver();
  absl::Status SetUpConnections();
  void BeforeReopen();
  Scan WhatTheStoreFound() const;
  void LetGo();
  void RunLocals();
  void Maintain();
  void Publish();

  const EngineOptions options_;
  const Clock& clock_;
  ReportBoard& board_;
  ReaderPool& readers_;
  const uint64_t boot_id_;

  Protocol protocol_;
  std::unique_ptr<PrepareStore> store_;
  std::unique_ptr<BranchExecutor> executor_;  // goes before the store's connection
  LocalQueue locals_;
  Checkpointer checkpointer_;
  std::optional<Held> held_;  // prepared, or in doubt with its record
  Given given_;               // the votes of the latest round that this process ran (R11)
  absl::Time held_since_;
  int64_t prepared_rounds_ = 0;

  // Instants of the monotonic clock.
  absl::Duration last_commit_;
  absl::Duration last_message_;
  absl::Duration next_reexecution_;
};

}  // namespace lockstep::participant

#endif  // LOCKSTEP_PARTICIPANT_ENGINE_H_
