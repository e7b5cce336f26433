#include "coordinator/decision_log_thread.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/failpoint.h"
#include "common/logging.h"

namespace lockstep::coordinator {
namespace {

// Producers are bounded by the transactions in flight, so the mailbox needs no bound of its own.
constexpr size_t kCapacity = std::numeric_limits<size_t>::max() / 2;
constexpr absl::Duration kSpaceInterval = absl::Milliseconds(100);
constexpr absl::Duration kIdleAfter = absl::Milliseconds(50);
constexpr absl::Duration kIdleAgainAfter = absl::Seconds(1);

void Require(const absl::Status& status, const char* what) {
  LOCKSTEP_CHECK(status.ok(), absl::StrCat("the decision log cannot ", what,
                                           ", and what it holds is unknown now: ",
                                           std::string(status.message())));
}

}  // namespace

DecisionLogThread::DecisionLogThread(std::unique_ptr<DecisionLog> log, const Clock* clock,
                                     LogClock log_clock, DecisionLogThreadOptions options,
                                     DecisionLogListener listener)
    : log_(std::move(log)),
      clock_(clock),
      log_clock_(log_clock),
      options_(options),
      listener_(std::move(listener)),
      space_asked_(-absl::InfiniteDuration()),
      actor_(
          "decision-log", kCapacity, 0,
          [this](std::vector<Command>& commands) { Handle(commands); }, kIdleAfter,
          [this] { Idle(); }) {}

void DecisionLogThread::Append(std::vector<Decision> decisions) { Push(std::move(decisions)); }

void DecisionLogThread::WriteLater(LogBatch batch) { Push(std::move(batch)); }

void DecisionLogThread::FindOutcome(
    TransactionId id, absl::AnyInvocable<void(absl::StatusOr<LoggedOutcome>)> answer) {
  Push(OutcomeQuestion{id, std::move(answer)});
}

void DecisionLogThread::FindAnswer(
    std::string request_id, Rounds rounds, const Retention& retention,
    absl::AnyInvocable<void(absl::StatusOr<std::optional<StoredAnswer>>)> answer) {
  Push(AnswerQuestion{std::move(request_id), std::move(rounds), retention, std::move(answer)});
}

void DecisionLogThread::MarkSuperseded(const std::string& reason) {
  std::latch durable(1);
  Push(Mark{reason, &durable});
  durable.wait();
}

void DecisionLogThread::Stop() {
  actor_.Stop();
  // The thread is gone, so its state is this thread's now.
  WriteLazy();
  // Without it, what is kept is only kept longer.
  const absl::Status status = log_->RecordTime(LogNow(), /*at_once=*/true);
  if (status.ok()) return;
  Log(LogLevel::kWarning, "the decision log cannot record the time at its stop",
      {{"error", std::string(status.message())}});
}

void DecisionLogThread::Push(Command command) {
  // Refused only after Stop: then nobody waits for it any more.
  (void)actor_.Push(std::move(command));
}

void DecisionLogThread::Handle(std::vector<Command>& commands) {
  actor_.SetIdleAfter(kIdleAfter);
  for (Command& command : commands) Take(command);
  WriteDecisions();
  if (LazyIsDue()) WriteLazy();
  Answer();
  AskForSpace();
  Require(log_->Tidy(/*idle=*/false), "tidy up");
}

void DecisionLogThread::Take(Command& command) {
  const bool lazy_was_empty = lazy_.empty();
  if (auto* decisions = std::get_if<std::vector<Decision>>(&command)) {
    std::move(decisions->begin(), decisions->end(), std::back_inserter(batch_.decisions));
  } else if (auto* later = std::get_if<LogBatch>(&command)) {
    lazy_.forget.insert(lazy_.forget.end(), later->forget.begin(), later->forget.end());
    lazy_.durable_rounds.insert(lazy_.durable_rounds.end(), later->durable_rounds.begin(),
                                later->durable_rounds.end());
  } else if (auto* question = std::get_if<OutcomeQuestion>(&command)) {
    questions_.push_back(std::move(*question));
  } else if (const auto* mark = std::get_if<Mark>(&command)) {
    StoreMark(*mark);
  } else {
    answer_questions_.push_back(std::move(std::get<AnswerQuestion>(command)));
  }
  if (lazy_was_empty && !lazy_.empty()) lazy_since_ = clock_->MonotonicNow();
}

void DecisionLogThread::WriteDecisions() {
  if (batch_.decisions.empty()) return;
  const bool with_lazy = LazyIsDue();
  if (with_lazy) {
    std::swap(batch_.forget, lazy_.forget);
    std::swap(batch_.durable_rounds, lazy_.durable_rounds);
  }
  Failpoint("decision_is_written");
  Require(log_->Write(batch_), "write decisions");
  Failpoint("decision_synced");
  rounds_written_ += batch_.decisions.size();
  std::vector<RoundId> rounds;
  rounds.reserve(batch_.decisions.size());
  for (const Decision& decision : batch_.decisions) rounds.push_back(decision.round);
  batch_.decisions.clear();
  batch_.forget.clear();
  batch_.durable_rounds.clear();
  listener_.on_durable(std::move(rounds));
}

bool DecisionLogThread::LazyIsDue() const {
  return !lazy_.empty() && clock_->MonotonicNow() - lazy_since_ >= options_.lazy_delay;
}

void DecisionLogThread::WriteLazy() {
  if (lazy_.empty()) return;
  Failpoint("forgetting_is_written");
  Require(log_->Write(lazy_), "write what is forgotten");
  Failpoint("forgetting_synced");
  lazy_ = LogBatch();
}

void DecisionLogThread::Answer() {
  for (OutcomeQuestion& question : questions_) question.answer(log_->FindOutcome(question.id));
  questions_.clear();
  for (AnswerQuestion& question : answer_questions_) {
    question.answer(log_->FindAnswer(question.request_id, question.rounds, question.retention));
  }
  answer_questions_.clear();
}

void DecisionLogThread::StoreMark(const Mark& mark) {
  Require(log_->MarkSuperseded(mark.reason, clock_->WallNow()), "mark itself as superseded");
  mark.durable->count_down();
}

void DecisionLogThread::AskForSpace() {
  const absl::Duration now = clock_->MonotonicNow();
  if (now - space_asked_ < kSpaceInterval) return;
  space_asked_ = now;
  // First: it gives up the reserve, which the others may need.
  const bool is_short = log_->SpaceIsShort();
  DropOld(is_short);
  if (is_short == space_is_short_) return;
  space_is_short_ = is_short;
  listener_.on_space(is_short);
}

// A few at a time, so that they never hold up a decision for long; but twice as many as came since,
// or they would pile up.
void DecisionLogThread::DropOld(bool space_is_short) {
  const absl::Time now = LogNow();
  DropOldOutcomes(now - options_.outcome_lifetime);
  DropOldAnswers(now);
  if (!space_is_short) Require(log_->RecordTime(now, /*at_once=*/false), "record the time");
  rounds_written_ = 0;
}

void DecisionLogThread::DropOldOutcomes(absl::Time keep_since) {
  uint64_t dropped = 0;
  bool more = true;
  while (more) {
    const absl::StatusOr<int> some = log_->Prune(keep_since);
    Require(some.status(), "drop old outcomes");
    dropped += static_cast<uint64_t>(*some);
    more = *some > 0 && dropped < 2 * rounds_written_;
  }
}

void DecisionLogThread::DropOldAnswers(absl::Time now) {
  uint64_t dropped = 0;
  bool more = true;
  while (more) {
    absl::StatusOr<std::vector<ForgottenAnswers>> some = log_->PruneAnswers(now);
    Require(some.status(), "drop old answers");
    dropped += some->size();
    more = !some->empty() && dropped < 2 * rounds_written_;
    for (ForgottenAnswers& of_a_round : *some) listener_.on_forgotten(std::move(of_a_round));
  }
  const bool are_full = log_->answer_bytes() > options_.most_answer_bytes;
  if (are_full == answers_are_full_) return;
  answers_are_full_ = are_full;
  listener_.on_answers(are_full);
}

void DecisionLogThread::Idle() {
  WriteLazy();
  AskForSpace();
  Require(log_->Tidy(/*idle=*/true), "tidy up");
  actor_.SetIdleAfter(kIdleAgainAfter);
}

}  // namespace lockstep::coordinator
