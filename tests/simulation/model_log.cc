#include "tests/simulation/model_log.h"

namespace lockstep::simulation {

std::optional<coordinator::TermStart> ModelLog::Open() {
  coordinator::TermStart start;
  const uint64_t boot_id = random_->Next();
  start.state = model_.Open(boot_id, random_->Next());
  start.boot_ids = model_.runs();
  start.requests = model_.Requests();
  start.log_time = model_.log_time();
  return start;
}

bool ModelLog::WriteDecision(Term term, const DecisionWrite& write, bool is_last) {
  const bool apart = options_->answers_are_written_apart && is_last;
  const bool written =
      model_.Write(term, write.record, apart ? std::vector<SimTry>() : write.tries, write.log_time);
  if (written) observer_.on_decided(write.record);
  return written;
}

bool ModelLog::Write(Term term, const LogWrite& write) {
  const bool fails = !write.decisions.empty() && random_->Chance(options_->write_fails);
  if (fails && random_->Chance(0.5)) return false;
  bool written = true;
  for (const DecisionWrite& decision : write.decisions) {
    written = written && WriteDecision(term, decision, /*is_last=*/fails);
  }
  for (const auto& [participant, round] : write.durable_rounds) {
    written = written && model_.RecordDurable(term, participant, round);
  }
  for (const RoundId round : write.forget) written = written && model_.Forget(term, round);
  return written && !fails;
}

bool ModelLog::Tidy(Term term, absl::Time now,
                    std::vector<coordinator::ForgottenAnswers>* forgotten) {
  *forgotten = model_.DropAnswers(term, now);
  if (random_->Chance(kTimeIsRecorded)) model_.RecordTime(term, now);
  return true;
}

bool ModelLog::FindAnswer(Term term, const coordinator::RequestTry& its,
                          const coordinator::Rounds& rounds, std::optional<CommittedTry>* found) {
  *found = model_.FindAnswer(term, its, rounds);
  return true;
}

void ModelLog::End(Term term, const LogWrite& waiting) {
  for (const DecisionWrite& write : waiting.decisions) {
    if (random_->Chance(0.5)) WriteDecision(term, write, /*is_last=*/true);
  }
}

}  // namespace lockstep::simulation
