// A whole cluster in one thread, from one seed.
#ifndef LOCKSTEP_TESTS_SIMULATION_WORLD_H_
#define LOCKSTEP_TESTS_SIMULATION_WORLD_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "coordinator/log_clock.h"
#include "coordinator/protocol/invariants.h"
#include "coordinator/protocol/protocol.h"
#include "tests/simulation/history.h"
#include "tests/simulation/message.h"
#include "tests/simulation/options.h"
#include "tests/simulation/outages.h"
#include "tests/simulation/sim_log.h"
#include "tests/simulation/sim_participant.h"
#include "tests/simulation/truth.h"

namespace lockstep::simulation {

// Coordinators come and go over one log; participants crash and come back over their disks; every
// message waits until the world delivers, drops, repeats or delays it. After each step the truth is
// checked. In the end faults stop, and everything has to come to rest.
//
//   World world(DrawOptions(seed), seed);
//   if (auto violation = world.Run()) ...
class World {
 public:
  // What is known of a request_id is old soon here, so that most expire_times lie behind it.
  static constexpr coordinator::RequestTableOptions kRequestTimes = {
      .lifetime = absl::Milliseconds(100), .expiry_slack = absl::Milliseconds(5)};

  World(Options options, uint64_t seed);

  // Tells what happens, instead of what Options::trace does. Before Run.
  void TellTrace(std::function<void(const std::string& line)> tell) { on_trace_ = std::move(tell); }

  // The first broken rule, or nothing.
  std::optional<std::string> Run();

  const Truth& truth() const { return truth_; }
  size_t coordinators() const { return coordinators_.size(); }
  size_t participant_starts() const { return participant_starts_; }
  size_t reads() const { return reads_; }

 private:
  friend class Scenario;  // the same world, led step by step

  struct Call {
    Request::Kind kind = Request::Kind::kStatus;
    ParticipantIndex participant = 0;
    RoundId round;
    RoundId must_show;       // of a read
    size_t client = 0;       // of a read
    absl::Duration invoked;  // of a read
    absl::Duration fails_at;
    coordinator::CallFailure failure = coordinator::CallFailure::kTimeout;
  };
  struct Coordinator {
    Coordinator(const coordinator::Config& config, const coordinator::TermStart& start,
                SimLog* its_log, absl::Duration monotonic_now, double its_pace)
        : term(start.state.term),
          log(its_log),
          runs(start.boot_ids),
          pace(its_pace),
          log_clock(start.log_time, monotonic_now * its_pace),
          protocol(config, start.state),
          invariants(config, start.state),
          requests(start.requests, kRequestTimes) {}
    const Term term;
    SimLog* const log;
    const std::vector<uint64_t> runs;
    bool alive = true;
    const double pace;  // of its clocks
    const coordinator::LogClock log_clock;
    coordinator::Protocol protocol;
    coordinator::Invariants invariants;
    std::vector<coordinator::Event> inbox;
    LogWrite waiting;               // to be written
    absl::Duration log_busy_until;  // its disk is slow
    std::map<CallId, Call> calls;
    absl::Duration next_tick;
    coordinator::RequestTable requests;
    std::map<TransactionHandle, SimTry> tries;  // those that run
  };
  struct Client {
    bool busy = false;
    size_t coordinator = 0;
    TransactionHandle transaction = 0;
    std::optional<SimTry> request;  // the latest try of what it sends until it is committed
    absl::Duration ahead;           // of its clock, by which that expires
  };
  struct LateTry {
    size_t coordinator = 0;
    SimTry its;
  };
  using Message = std::variant<Request, Answer>;

  // world.cc: the run.
  SimParticipant::Observer MakeObserver();
  SimLog::Observer MakeLogObserver();
  void Step();
  void Break();
  void ComeToRest();
  void Restart();
  bool AtRest();
  void StopFaults();
  std::string Unrest();
  void Check();
  void Check(ParticipantIndex participant);
  void CheckHistory();

  // world_network.cc
  void DeliverOne();
  size_t PickMessage();
  bool HasToWait(const Message& message);
  void Deliver(Request request);
  void Deliver(const Answer& answer);
  void LoseCall(const Request& request, coordinator::CallFailure failure);
  void FailOverdueCalls();
  void Fail(Coordinator* coordinator, const Call& call, coordinator::CallFailure failure);
  void Answered(Coordinator* coordinator, const Call& call, const Answer& answer);

  // world_coordinator.cc
  void StartCoordinator() { StartCoordinator(log_.get()); }
  void StartCoordinator(SimLog* log);
  void EndCoordinator(size_t index);
  void Die(size_t index, const coordinator::Fatal& fatal);
  bool IsOnCopy(const Coordinator& coordinator) const { return coordinator.log != log_.get(); }
  void EndThoseOnCopy();
  // Some starts on the copy, most of them in the dark.
  void StartOnCopy();
  bool AllHaveLeftCopyBehind() const;
  void RunCoordinator(size_t index);
  void RunLog(size_t index);
  void WriteLog(size_t index);
  void TidyLog(size_t index);
  void CarryOut(size_t index, std::vector<coordinator::Effect> effects);
  void Send(size_t index, Request request, absl::Duration timeout);
  void RunClient(size_t client);
  void SubmitTransaction(size_t client);
  TransactionHandle NewTransaction(uint64_t databases);
  uint64_t AllDatabases() const;
  uint64_t DrawDatabases();
  ParticipantList ParticipantsOf(TransactionHandle transaction) const;
  void Submit(size_t index, TransactionHandle transaction, const ParticipantList& participants);
  void SubmitToAll();
  void SendRead(size_t client, DatabaseIndex database);
  void EndClient(const coordinator::Complete& complete);

  // world_requests.cc
  std::optional<size_t> LatestCoordinator() const;
  void TryRequest(size_t client);
  void AskForRequest(size_t client, size_t index);
  void Admit(size_t index, const SimTry& its);
  void RunAfterLookUp(size_t index, const SimTry& its, const coordinator::RequestTime& now);
  void RefuseFor(coordinator::RequestTable::Verdict verdict, TransactionHandle of_try);
  void RunTry(size_t index, const SimTry& its);
  void EndTry(size_t index, const coordinator::Complete& complete);
  void Tell(TransactionHandle of_try, std::optional<TransactionHandle> committed);
  void DeliverLateTry();
  // Of those that it commits, with how long their answers are kept.
  std::vector<SimTry> TriesOf(const Coordinator& coordinator,
                              const coordinator::LogDecision& record) const;
  void Refuse(TransactionHandle of_try);

  absl::Time right_time() const { return absl::FromUnixSeconds(1700000000) + now_; }
  coordinator::Now now() const { return {now_, absl::FromUnixSeconds(1700000000) + now_ + skew_}; }
  // As its own clocks tell it.
  coordinator::Now NowOf(const Coordinator& coordinator) const;
  coordinator::RequestTime RequestNowOf(const Coordinator& coordinator) const {
    const coordinator::Now its_now = NowOf(coordinator);
    return {.log = coordinator.log_clock.At(its_now.monotonic), .wall = its_now.wall};
  }

  template <typename... Parts>
  void Trace(const Parts&... parts);

  Options options_;
  SeededRandom random_;
  Truth truth_;
  History history_;
  coordinator::Config config_;
  std::unique_ptr<SimLog> log_;
  std::unique_ptr<SimLog> copy_;
  std::vector<uint64_t> copied_runs_;  // those that the copy had when it was made
  std::vector<std::unique_ptr<SimParticipant>> participants_;
  std::vector<std::unique_ptr<Coordinator>> coordinators_;
  std::vector<Client> clients_;
  std::vector<LateTry> late_tries_;
  std::vector<Message> network_;  // the oldest first
  Outages outages_;
  std::vector<absl::Duration> busy_until_;  // by participant: its disk is slow
  absl::Duration now_ = absl::Seconds(1);
  absl::Duration skew_;  // of the wall clock, which may jump
  CallId next_call_ = 1;
  TransactionHandle next_transaction_ = 1;
  bool ending_ = false;
  std::function<void(const std::string&)> on_trace_;  // gets it instead of standard error
  size_t participant_starts_ = 0;
  size_t reads_ = 0;  // that were answered
  TransactionHandle last_transaction_ = 0;
  bool all_voted_ = false;  // on last_transaction_
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_WORLD_H_
