// A model of the decision log.
#ifndef LOCKSTEP_TESTS_SIMULATION_LOG_MODEL_H_
#define LOCKSTEP_TESTS_SIMULATION_LOG_MODEL_H_

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/decision_log.h"
#include "coordinator/protocol/config.h"
#include "coordinator/protocol/effect.h"
#include "tests/simulation/model.h"
#include "tests/simulation/options.h"

namespace lockstep::simulation {

// Outlives its coordinators; may be copied, as a file. Every write is durable when it returns; one
// by a coordinator of an older term than the log's is refused.
class LogModel {
 public:
  LogModel(size_t participants, const Options& options)
      : known_(participants),
        forgets_term_(options.log_forgets_term),
        forgets_requests_(options.log_forgets_requests),
        forgets_expiries_(options.log_forgets_expiries) {}

  // A coordinator starts: a new term, then all that is there. Requires !superseded().
  coordinator::StartState Open(uint64_t boot_id, uint64_t random_seed) {
    coordinator::StartState start;
    runs_.push_back(boot_id);
    start.term = term_ + 1;
    if (!forgets_term_) term_ = start.term;
    start.participants = known_;
    for (const auto& [round, record] : records_) start.kept.push_back({round, record.kept});
    start.clock_floor = clock_floor_;
    start.random_seed = random_seed;
    return start;
  }

  // One write: the decision, and the tries that it commits (rule R18).
  bool Write(Term term, const coordinator::LogDecision& record, const std::vector<SimTry>& tries,
             absl::Time log_time = absl::UnixEpoch()) {
    if (term < term_) return false;
    records_[record.round] = record;
    log_time_ = std::max(log_time_, log_time);
    if (!tries.empty()) {
      Answers& answers = answers_[record.round];
      answers.tries = tries;
      for (const SimTry& committed : tries) answers.retention.Extend(committed.its.retention);
    }
    for (const coordinator::KeptBranches& kept : record.kept) {
      RoundId& last = known_[kept.participant].last_kept;
      last = std::max(last, record.round);
    }
    clock_floor_ = std::max(clock_floor_, record.latest_clock);
    return true;
  }

  // What a term reads of the committed request_ids when it starts.
  coordinator::CommittedRequests Requests() const {
    coordinator::CommittedRequests requests;
    if (!forgets_expiries_) requests.forgotten_expiry = forgotten_expiry_;
    if (forgets_requests_) return requests;
    for (const auto& [round, answers] : answers_) {
      for (const SimTry& committed : answers.tries) requests.index.Add(committed.its.key, round);
    }
    return requests;
  }
  // The round that committed the id, and as which transaction; it is kept for as long as this try
  // asks for too.
  std::optional<std::pair<RoundId, TransactionHandle>> FindAnswer(
      Term term, const coordinator::RequestTry& its, const coordinator::Rounds& rounds) {
    for (const RoundId round : rounds) {
      const auto answers = answers_.find(round);
      if (answers == answers_.end()) continue;
      for (const SimTry& committed : answers->second.tries) {
        if (committed.its.id != its.id) continue;
        if (term == term_) answers->second.retention.Extend(its.retention);
        return std::pair(round, committed.transaction);
      }
    }
    return std::nullopt;
  }
  // Those that are old at `now`, by LogClock.
  std::vector<coordinator::ForgottenAnswers> DropAnswers(Term term, absl::Time now) {
    std::vector<coordinator::ForgottenAnswers> dropped;
    if (term < term_) return dropped;
    std::erase_if(answers_, [&](const auto& of_a_round) {
      const auto& [round, answers] = of_a_round;
      if (answers.retention.keep_until >= now) return false;
      coordinator::ForgottenAnswers forgotten;
      forgotten.round = round;
      for (const SimTry& committed : answers.tries) forgotten.keys.push_back(committed.its.key);
      if (!forgets_expiries_) forgotten.expires = answers.retention.expires;
      forgotten_expiry_ = std::max(forgotten_expiry_, answers.retention.expires);
      dropped.push_back(std::move(forgotten));
      return true;
    });
    return dropped;
  }
  void RecordTime(Term term, absl::Time now) {
    if (term == term_) log_time_ = std::max(log_time_, now);
  }
  absl::Time log_time() const { return log_time_; }

  bool Forget(Term term, RoundId round) {
    if (term < term_) return false;
    records_.erase(round);
    return true;
  }
  bool RecordDurable(Term term, ParticipantIndex participant, RoundId durable) {
    if (term < term_) return false;
    known_[participant].durable = durable;
    return true;
  }

  bool MarkSuperseded(Term term) {
    if (term < term_) return false;
    superseded_ = true;
    return true;
  }

  bool superseded() const { return superseded_; }
  const std::vector<uint64_t>& runs() const { return runs_; }  // by term, from 1
  size_t size() const { return records_.size(); }

  // Appends what a start finds, as words; but for request_ids and clocks.
  void AppendState(std::vector<uint64_t>* words) const {
    words->push_back(term_);
    words->push_back(runs_.size());
    words->insert(words->end(), runs_.begin(), runs_.end());
    words->push_back(superseded_ ? 1 : 0);
    for (const coordinator::KnownParticipant& known : known_) {
      words->push_back(static_cast<uint64_t>(known.durable.value()));
      words->push_back(static_cast<uint64_t>(known.last_kept.value()));
    }
    for (const auto& [round, record] : records_) {
      words->push_back(static_cast<uint64_t>(round.value()));
      words->push_back(record.kept.size());
      for (const coordinator::KeptBranches& kept : record.kept) {
        words->push_back(uint64_t{kept.participant} << 32 | kept.cut);
      }
    }
  }

 private:
  struct Answers {
    std::vector<SimTry> tries;
    coordinator::Retention retention;
  };

  Term term_ = 0;
  std::vector<uint64_t> runs_;
  bool superseded_ = false;
  std::map<RoundId, coordinator::LogDecision> records_;
  std::map<RoundId, Answers> answers_;  // kept when the records are forgotten
  absl::Time log_time_ = absl::UnixEpoch();
  absl::Time forgotten_expiry_ = absl::UnixEpoch();
  std::vector<coordinator::KnownParticipant> known_;
  // Rules that are switched off.
  const bool forgets_term_;
  const bool forgets_requests_;
  const bool forgets_expiries_;
  absl::Time clock_floor_ = absl::UnixEpoch();
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_LOG_MODEL_H_
