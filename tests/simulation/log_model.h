// A model of the decision log.
#ifndef LOCKSTEP_TESTS_SIMULATION_LOG_MODEL_H_
#define LOCKSTEP_TESTS_SIMULATION_LOG_MODEL_H_

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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
        forgets_requests_(options.log_forgets_requests) {}

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
  bool Write(Term term, const coordinator::LogDecision& record, const std::vector<SimTry>& tries) {
    if (term < term_) return false;
    records_[record.round] = record;
    if (!tries.empty()) answers_[record.round] = tries;
    for (const coordinator::KeptBranches& kept : record.kept) {
      RoundId& last = known_[kept.participant].last_kept;
      last = std::max(last, record.round);
    }
    clock_floor_ = std::max(clock_floor_, record.latest_clock);
    return true;
  }

  // What a term reads of the committed request_ids when it starts.
  coordinator::RequestIndex Requests() const {
    coordinator::RequestIndex index;
    if (forgets_requests_) return index;
    for (const auto& [round, tries] : answers_) {
      for (const SimTry& committed : tries) index.Add(committed.its.key, round);
    }
    return index;
  }
  // The round that committed the id, and as which transaction.
  std::optional<std::pair<RoundId, TransactionHandle>> FindAnswer(
      const std::string& id, const coordinator::Rounds& rounds) const {
    for (const RoundId round : rounds) {
      const auto tries = answers_.find(round);
      if (tries == answers_.end()) continue;
      for (const SimTry& committed : tries->second) {
        if (committed.its.id == id) return std::pair(round, committed.transaction);
      }
    }
    return std::nullopt;
  }

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
  Term term_ = 0;
  std::vector<uint64_t> runs_;
  bool superseded_ = false;
  std::map<RoundId, coordinator::LogDecision> records_;
  std::map<RoundId, std::vector<SimTry>> answers_;  // kept when the records are forgotten
  std::vector<coordinator::KnownParticipant> known_;
  // Rules that are switched off.
  const bool forgets_term_;
  const bool forgets_requests_;
  absl::Time clock_floor_ = absl::UnixEpoch();
};

}  // namespace lockstep::simulation

#endif  // LOCKSTEP_TESTS_SIMULATION_LOG_MODEL_H_
