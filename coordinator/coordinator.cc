#include "coordinator/coordinator.h"

#include <cstdlib>
#include <utility>

#include "common/check.h"
#include "common/logging.h"
#include "coordinator/endings.h"

namespace lockstep::coordinator {
namespace {

// What participants and the log answer is bounded by what they were asked; it must never be lost.
constexpr size_t kReservedPlaces = size_t{1} << 40;

Config ConfigOf(const Cluster& cluster, const CoordinatorOptions& options) {
  Config config;
  for (ParticipantIndex i = 0; i < cluster.nodes().size(); ++i) {
    const ClusterNode& node = cluster.node(i);
    config.participants.push_back({.name = node.node_id,
                                   .database = cluster.database_of(i),
                                   .is_master = node.role == MemberRole::kMaster});
  }
  config.round_caps = options.round_caps;
  config.queue_caps = options.queue_caps;
  return config;
}

}  // namespace

// Hands decisions to the log's thread, which is made after the engine.
class Coordinator::Sink final : public DecisionSink {
 public:
  explicit Sink(Coordinator* coordinator) : coordinator_(coordinator) {}
  void Connect(DecisionLogThread* log) { log_ = log; }
  void Append(std::vector<Decision> decisions) override { log_->Append(std::move(decisions)); }
  void WriteLater(LogBatch batch) override { log_->WriteLater(std::move(batch)); }
  void FindAnswer(TransactionHandle transaction, const RequestTry& request,
                  const Rounds& rounds) override {
    log_->FindAnswer(request.id, rounds, request.retention,
                     [this, transaction](absl::StatusOr<std::optional<StoredAnswer>> found) {
                       // An error is never taken for "not found" (R16): it ends the process.
                       LOCKSTEP_CHECK(found.ok(), std::string(found.status().message()));
                       coordinator_->Post(AnswerLookedUp{transaction, *std::move(found)});
                     });
  }

 private:
  Coordinator* const coordinator_;
  DecisionLogThread* log_ = nullptr;
};

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Make(const Cluster* cluster,
                                                               const Clock* clock,
                                                               ParticipantLinks links,
                                                               std::unique_ptr<DecisionLog> log,
                                                               CoordinatorOptions options) {
  absl::StatusOr<TermStart> start = StartTerm(log.get(), options.random_seed);
  if (!start.ok()) return start.status();
  return std::unique_ptr<Coordinator>(new Coordinator(cluster, clock, std::move(links),
                                                      std::move(log), options, *std::move(start)));
}

Coordinator::Coordinator(const Cluster* cluster, const Clock* clock, ParticipantLinks links,
                         std::unique_ptr<DecisionLog> log, const CoordinatorOptions& options,
                         TermStart start)
    : cluster_(cluster),
      clock_(clock),
      term_(start.state.term),
      start_time_(clock->WallNow()),
      log_id_(log->log_id()),
      log_clock_(start.log_time, clock->MonotonicNow()),
      links_(std::move(links)),
      sink_(std::make_unique<Sink>(this)) {
  EngineOutside outside;
  outside.cluster = cluster_;
  outside.clock = clock_;
  outside.log_clock = &log_clock_;
  outside.links = &links_;
  outside.decisions = sink_.get();
  outside.answer = options.answer;
  outside.post = [this](Message message) { Post(std::move(message)); };
  outside.on_idle = [this] { OnIdle(); };
  outside.on_fatal = [this](const Fatal& fatal) { End(fatal); };
  EngineOptions engine_options;
  engine_options.log_id = log->log_id();
  engine_options.boot_id = start.boot_ids.back();
  start.boot_ids.pop_back();
  engine_options.earlier_boot_ids = std::move(start.boot_ids);
  engine_options.slow_transaction = options.slow_transaction;
  engine_options.max_result_bytes = options.max_result_bytes;
  engine_options.max_kept_answer_bytes = options.log.most_answer_bytes;
  engine_options.least_free_bytes = options.least_free_bytes;
  engine_options.requests = options.requests;
  engine_ = std::make_unique<Engine>(std::move(outside), std::move(engine_options),
                                     ConfigOf(*cluster_, options), std::move(start.state),
                                     std::move(start.requests));
  actor_ = std::make_unique<Actor<Message>>(
      "coordinator", options.mailbox_capacity, kReservedPlaces,
      [this](std::vector<Message>& batch) { engine_->Handle(batch); }, kTickInterval,
      [this] { engine_->Tick(); });
  DecisionLogListener listener;
  listener.on_durable = [this](std::vector<RoundId> rounds) {
    Post(DecisionsDurable{std::move(rounds)});
  };
  listener.on_space = [this](bool is_short) { Post(SpaceChanged{is_short}); };
  listener.on_answers = [this](bool are_full) { Post(AnswersChanged{are_full}); };
  listener.on_forgotten = [this](ForgottenAnswers forgotten) { Post(std::move(forgotten)); };
  log_ = std::make_unique<DecisionLogThread>(std::move(log), clock_, log_clock_, options.log,
                                             std::move(listener));
  sink_->Connect(log_.get());
}

Coordinator::~Coordinator() { Shutdown(absl::ZeroDuration()); }

void Coordinator::Start() { Post(Begin{}); }

void Coordinator::WaitUntilAllAsked(absl::Duration timeout) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<bool> all_asked;
  };
  const absl::Duration deadline = clock_->MonotonicNow() + timeout;
  while (clock_->MonotonicNow() < deadline) {
    // Shared with the task, which may run after this gave up.
    auto answer = std::make_shared<Answer>();
    Post(Task([answer](Engine& engine) {
      std::lock_guard lock(answer->mutex);
      answer->all_asked = engine.all_asked();
      answer->changed.notify_one();
    }));
    std::unique_lock lock(answer->mutex);
    answer->changed.wait(lock, [&] { return answer->all_asked.has_value(); });
    if (*answer->all_asked) return;
    answer->changed.wait_for(lock, absl::ToChronoMilliseconds(kTickInterval));
  }
}

void Coordinator::Execute(std::unique_ptr<Transaction> transaction) {
  Message message(std::move(transaction));
  if (actor_->Push(std::move(message))) return;
  auto& refused = std::get<std::unique_ptr<Transaction>>(message);
  refused->done(WhyRefused());
}

std::optional<Error> Coordinator::Run(Task task) {
  if (actor_->Push(Message(std::move(task)))) return std::nullopt;
  Error error = WhyRefused();
  error.outcome.reset();  // there is no transaction
  return error;
}

Error Coordinator::WhyRefused() const {
  return actor_->stopped() ? ShuttingDown() : QueueFull(actor_->size());
}

void Coordinator::FindOutcome(TransactionId id,
                              absl::AnyInvocable<void(absl::StatusOr<LoggedOutcome>)> answer) {
  log_->FindOutcome(id, std::move(answer));
}

void Coordinator::FindAnswer(
    const RequestTry& request, Rounds rounds,
    absl::AnyInvocable<void(absl::StatusOr<std::optional<StoredAnswer>>)> answer) {
  log_->FindAnswer(request.id, std::move(rounds), Retention(), std::move(answer));
}

void Coordinator::Post(Message message) {
  // Refused only after Shutdown, when nobody needs it any more.
  (void)actor_->Push(std::move(message), Place::kReserved);
}

void Coordinator::OnIdle() {
  std::lock_guard lock(mutex_);
  idle_ = true;
  idle_changed_.notify_one();
}

void Coordinator::End(const Fatal& fatal) {
  // Before the end, and for good: a start after it would take one more term (R22).
  if (fatal.superseded) log_->MarkSuperseded(fatal.reason);
  Log(LogLevel::kCritical,
      fatal.superseded ? "the coordinator ends itself: its decision log is an older copy; put the "
                         "newest one back"
                       : "the coordinator ends itself",
      {{"reason", fatal.reason}});
  std::_Exit(EXIT_FAILURE);
}

void Coordinator::Refuse() { Post(Event(lockstep::coordinator::Shutdown{})); }

void Coordinator::Shutdown(absl::Duration grace) {
  if (actor_->stopped()) return;
  {
    std::unique_lock lock(mutex_);
    idle_changed_.wait_for(lock, absl::ToChronoMilliseconds(grace), [this] { return idle_; });
  }
  actor_->Stop();
  // Not before: a read that is cancelled looks for another replica, or for the actor's refusal.
  for (const std::unique_ptr<ParticipantLink>& link : links_) link->CancelAll();
  log_->Stop();
  engine_->AbandonAll();
}

}  // namespace lockstep::coordinator
